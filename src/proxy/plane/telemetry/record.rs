//! A request's record: what is counted and logged at its end, whatever the end is.

use std::cell::RefCell;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};

use super::cause::{Cause, Fault};
use super::metrics::{Author, Outcome, ReleaseCounts};
use crate::plane::answers::pages::Page;
use crate::plane::body::Meter;
use crate::plane::clock;
use crate::plane::handle::Shared;
use crate::plane::listener::activity::Busy;
use crate::plane::request::exchange::Context;
use crate::plane::routing::app::App;
use crate::plane::routing::claim::Claim;
use crate::plane::upstream::h2_pool::Seat;
use once_app::normalised_path;

/// Dropping it writes it down.
pub(in crate::plane) struct Record {
    pub(in crate::plane) shared: Arc<Shared>,
    pub(in crate::plane) app: Option<Arc<App>>,
    pub(in crate::plane) status: u16,
    pub(in crate::plane) failed: bool,
    /// Whose answer it is.
    pub(in crate::plane) author: Author,
    /// The answer has begun and not ended.
    pub(in crate::plane) is_under_way: bool,
    pub(in crate::plane) bytes_out: u64,
    /// Over an upgraded connection.
    pub(in crate::plane) bytes_in: u64,
    /// Set for bodies, which are counted while they pass.
    pub(in crate::plane) meter: Option<Arc<Meter>>,
    /// A WebSocket's life is no latency.
    pub(in crate::plane) upgraded: bool,
    pub(in crate::plane) started: Instant,
    lane: usize,
    /// On the heap: a record moves often.
    entry: Box<Entry>,
    /// Of an upgraded connection, which has given its claim away.
    counts: Option<Arc<ReleaseCounts>>,
    busy: Busy,
    /// On a connection that others use too.
    pub(in crate::plane) seat: Option<Seat>,
    /// Given back last: when a drain ends, everything has been written down.
    pub(in crate::plane) claim: Option<Claim>,
}

/// The client's end of a connection.
#[derive(Clone)]
pub(in crate::plane) struct Peer {
    /// The connection's other end, or whom it said to speak for by the PROXY protocol.
    pub(in crate::plane) address: SocketAddr,
    /// Whose requests they are: the same address, unless a named peer forwards for somebody else. Never in IPv6 form for
    /// IPv4. What is limited, let in, counted and logged by client goes by this.
    pub(in crate::plane) client: IpAddr,
    /// Whether its word about clients is believed.
    pub(in crate::plane) trusted: bool,
    /// Its IP address, as a header's value; IPv4 addresses never in IPv6 form.
    pub(in crate::plane) ip: HeaderValue,
    pub(in crate::plane) scheme: &'static str,
    pub(in crate::plane) local_port: u16,
    /// Whom it asked for in its TLS handshake.
    pub(in crate::plane) sni: Option<Arc<str>>,
}

/// What the request was. Everything shares its memory with the head.
struct Entry {
    method: Method,
    uri: Uri,
    version: Version,
    peer: Peer,
    log: Option<Log>,
    /// What went wrong, if something did.
    fault: Option<Fault>,
}

/// What only the log wants to know.
#[derive(Default)]
struct Log {
    host: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    content_type: Option<HeaderValue>,
    content_length: Option<HeaderValue>,
    request_id: Option<HeaderValue>,
    answer_type: Option<HeaderValue>,
    release: Option<(String, u64)>,
}

/// The client left before there was an answer; only ever logged.
const CLIENT_LEFT: u16 = 499;

impl Record {
    pub(in crate::plane) fn new<B>(context: &Context, peer: &Peer, request: &Request<B>) -> Self {
        let shared = &context.shared;
        let get = |name| request.headers().get(name).cloned();
        let log = || Log {
            host: get(HOST),
            user_agent: get(USER_AGENT),
            content_type: get(CONTENT_TYPE),
            content_length: get(CONTENT_LENGTH),
            ..Log::default()
        };
        let entry = Entry {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            peer: peer.clone(),
            log: (shared.log.is_some() && shared.config.load().access_log).then(log),
            fault: None,
        };
        Self {
            shared: Arc::clone(shared),
            app: None,
            status: CLIENT_LEFT,
            failed: false,
            author: Author::Nobody,
            is_under_way: false,
            bytes_out: 0,
            bytes_in: 0,
            meter: None,
            upgraded: false,
            started: Instant::now(),
            lane: context.lane,
            entry: Box::new(entry),
            counts: None,
            busy: context.pulse.busy(),
            seat: None,
            claim: None,
        }
    }

    /// It came to nothing on its way to the app. The answer to that.
    pub(in crate::plane) fn fails(&mut self, fault: impl Into<Fault>) -> Page {
        let fault = fault.into();
        let page = fault.cause.page();
        self.entry.fault = Some(fault);
        page
    }

    /// Something went wrong.
    pub(in crate::plane) fn blame(&mut self, fault: impl Into<Fault>) {
        self.entry.fault = Some(fault.into());
    }

    /// The same, unless more is known already.
    pub(in crate::plane) fn blame_at_least(&mut self, cause: Option<Cause>) {
        self.entry.fault = self.entry.fault.take().or_else(|| cause.map(Fault::from));
    }

    pub(in crate::plane) fn request_id(&mut self, id: &HeaderValue) {
        if let Some(log) = &mut self.entry.log {
            log.request_id = Some(id.clone());
        }
    }

    /// The head of an answer is there: the app's, unless [`Record::author`] is set to another one after this.
    pub(in crate::plane) fn answered(&mut self, status: u16, headers: &HeaderMap) {
        self.status = status;
        self.author = Author::App;
        if let Some(log) = &mut self.entry.log {
            log.answer_type = headers.get(CONTENT_TYPE).cloned();
        }
    }

    /// Copies what it shares with the head: a connection that lives for hours need not keep the whole of it.
    pub(in crate::plane) fn own(&mut self) {
        let entry = &mut *self.entry;
        if let Ok(uri) = Uri::try_from(entry.uri.to_string()) {
            entry.uri = uri;
        }
        let Some(log) = &mut entry.log else { return };
        let shared = [
            &mut log.host,
            &mut log.user_agent,
            &mut log.content_type,
            &mut log.content_length,
            &mut log.request_id,
            &mut log.answer_type,
        ];
        for value in shared.into_iter().flatten() {
            if let Ok(own) = HeaderValue::from_bytes(value.as_bytes()) {
                *value = own;
            }
        }
    }

    /// A part of a body has passed.
    pub(in crate::plane) fn progress(&self) {
        self.busy.progress();
    }

    /// The release took no connection, and the request goes elsewhere: an error of its own all the same.
    pub(in crate::plane) fn note_unreachable(&self) {
        if let Some(claim) = &self.claim {
            let failure = Outcome { status: 502, failed: true, author: Author::App, ..self.outcome(Instant::now()) };
            let outcome = Outcome { took: None, ..failure };
            claim.upstream().counts.record(self.lane, &outcome);
        }
    }

    /// Gives the claim away, to an upgraded connection, and remembers whose it was.
    pub(in crate::plane) fn take_claim(&mut self) -> Option<Claim> {
        let claim = self.claim.take()?;
        let upstream = claim.upstream();
        upstream.counts.record(self.lane, &self.outcome(Instant::now()));
        self.counts = Some(Arc::clone(&upstream.counts));
        if let Some(log) = &mut self.entry.log {
            log.release = Some((upstream.target.address.clone(), upstream.target.release.0));
        }
        Some(claim)
    }

    fn outcome(&self, ended: Instant) -> Outcome<'_> {
        Outcome {
            ended,
            took: (!self.upgraded).then(|| ended.saturating_duration_since(self.started)),
            method: &self.entry.method,
            path: self.entry.uri.path(),
            client: self.entry.peer.client,
            status: self.status,
            failed: self.failed,
            author: self.author,
            cause: self.entry.fault.as_ref().map(|fault| fault.cause),
            bytes_in: self.bytes_in + self.meter.as_ref().map_or(0, |meter| meter.bytes()),
            bytes_out: self.bytes_out,
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let ended = Instant::now();
        if self.is_under_way || self.status == CLIENT_LEFT {
            self.blame_at_least(Some(Cause::ClientGone));
        }
        let outcome = self.outcome(ended);
        if let Some(claim) = &self.claim {
            claim.upstream().counts.record(self.lane, &outcome);
        }
        if let Some(counts) = &self.counts {
            counts.add_bytes(self.lane, outcome.bytes_in, outcome.bytes_out);
        }
        self.app.as_ref().map_or(&self.shared.strays, |app| &app.metrics).record(self.lane, &outcome);
        if let Some(writer) = &self.shared.log
            && let Some(log) = &self.entry.log
        {
            let took = ended.saturating_duration_since(self.started);
            writer.line(|line| self.write(log, (ended, took), outcome.bytes_in, line));
        }
        self.busy.ended(ended);
    }
}

/// `,"name":` of a member that is not the first.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":").as_bytes()
    };
}

impl Record {
    fn write(&self, log: &Log, (ended, took): (Instant, Duration), bytes_in: u64, line: &mut Vec<u8>) {
        line.extend_from_slice(b"{\"time\":\"");
        timestamp(clock::since_1970(ended), line);
        let fault = self.entry.fault.as_ref();
        let own = self.status >= 500 && fault.is_some_and(|fault| fault.cause != Cause::ClientGone);
        line.extend_from_slice(b"\",\"level\":\"");
        line.extend_from_slice(if self.failed || own { b"WARN" } else { b"INFO" });
        line.extend_from_slice(b"\",\"msg\":\"Request\"");
        let entry = &self.entry;
        let bytes = |value: &'_ Option<HeaderValue>, line: &mut Vec<u8>| {
            escape(value.as_ref().map_or(b"".as_slice(), HeaderValue::as_bytes), line);
        };
        line.extend_from_slice(key!("host"));
        match (&log.host, entry.uri.authority()) {
            (_, Some(authority)) => escape(authority.as_str().as_bytes(), line),
            (host, None) => bytes(host, line),
        }
        number(line, key!("port"), u64::from(entry.peer.local_port));
        text(line, key!("path"), entry.uri.path().as_bytes());
        line.extend_from_slice(key!("request_id"));
        bytes(&log.request_id, line);
        number(line, key!("status"), u64::from(self.status));
        let live = self.app.as_ref().map(|app| app.live());
        text(line, key!("service"), live.as_ref().map_or("", |live| live.route.name.as_str()).as_bytes());
        match (&self.claim, &log.release) {
            (Some(claim), _) => {
                text(line, key!("target"), claim.upstream().target.address.as_bytes());
                number(line, key!("release"), claim.upstream().target.release.0);
            }
            (None, Some((target, release))) => {
                text(line, key!("target"), target.as_bytes());
                number(line, key!("release"), *release);
            }
            (None, None) => text(line, key!("target"), b""),
        }
        number(line, key!("duration"), u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        text(line, key!("method"), entry.method.as_str().as_bytes());
        match length(log.content_length.as_ref()) {
            Some(length) => number(line, key!("req_content_length"), length),
            None => number(line, key!("req_content_length"), bytes_in),
        }
        line.extend_from_slice(key!("req_content_type"));
        bytes(&log.content_type, line);
        number(line, key!("resp_content_length"), self.bytes_out);
        line.extend_from_slice(key!("resp_content_type"));
        bytes(&log.answer_type, line);
        text(line, key!("client_addr"), entry.peer.ip.as_bytes());
        // A text, as kamal-proxy has it.
        line.extend_from_slice(b",\"client_port\":\"");
        digits(line, u64::from(entry.peer.address.port()));
        line.push(b'"');
        // For most, the same.
        if entry.peer.trusted {
            text(line, key!("remote_addr"), entry.peer.client.to_string().as_bytes());
        } else {
            text(line, key!("remote_addr"), entry.peer.ip.as_bytes());
        }
        line.extend_from_slice(key!("user_agent"));
        bytes(&log.user_agent, line);
        text(line, key!("proto"), version(entry.version).as_bytes());
        text(line, key!("scheme"), entry.peer.scheme.as_bytes());
        line.extend_from_slice(key!("query"));
        redact(entry.uri.query().unwrap_or_default(), line);
        if let Some(Fault { cause, detail }) = fault {
            text(line, key!("error"), cause.word().as_bytes());
            if let Some(detail) = detail {
                text(line, key!("error_detail"), detail.as_bytes());
            }
        }
        line.extend_from_slice(b"}\n");
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

fn length(value: Option<&HeaderValue>) -> Option<u64> {
    value?.to_str().ok()?.parse().ok()
}

fn text(line: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    line.extend_from_slice(key);
    escape(value, line);
}

fn number(line: &mut Vec<u8>, key: &[u8], value: u64) {
    line.extend_from_slice(key);
    digits(line, value);
}

fn digits(line: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        if value == 0 {
            break;
        }
    }
    line.extend_from_slice(&digits[at..]);
}

/// A JSON string of whatever bytes a stranger sent; what is no UTF-8 becomes U+FFFD.
pub(in crate::plane) fn escape(bytes: &[u8], line: &mut Vec<u8>) {
    line.push(b'"');
    // Without a branch for each byte, so that many are looked at in one step.
    let plain = |b: &u8| matches!(b, 0x20..=0x7e) & (*b != b'"') & (*b != b'\\');
    if bytes.iter().fold(true, |all, b| all & plain(b)) {
        line.extend_from_slice(bytes);
    } else {
        for c in String::from_utf8_lossy(bytes).chars() {
            match c {
                '"' | '\\' => line.extend_from_slice(&[b'\\', if c == '"' { b'"' } else { b'\\' }]),
                // Control characters, C1 included: they would reach a terminal.
                c if c.is_control() => {
                    let _ = write!(line, "\\u{:04x}", u32::from(c));
                }
                c => line.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
    line.push(b'"');
}

/// Queries carry tokens; the values of keys that sound like it are left out.
pub(in crate::plane) fn redact(query: &str, line: &mut Vec<u8>) {
    const SECRET: [&str; 9] = ["token", "secret", "passw", "key", "auth", "sig", "code", "session", "credential"];
    let secret = |name: &str| {
        // `%74oken` is `token` to the app.
        let name = normalised_path(name).to_ascii_lowercase();
        SECRET.iter().any(|word| name.contains(word))
    };
    if !query.split('&').any(|pair| pair.split_once('=').is_some_and(|(name, _)| secret(name))) {
        return escape(query.as_bytes(), line);
    }
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if secret(name) => format!("{name}=[redacted]"),
        _ => pair.to_owned(),
    });
    escape(pairs.collect::<Vec<_>>().join("&").as_bytes(), line);
}

thread_local! {
    /// The last second's text, up to the fraction.
    static SECOND: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
}

/// RFC 3339 with nanoseconds, in UTC.
fn timestamp(now: Duration, line: &mut Vec<u8>) {
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != now.as_secs() || text.is_empty() {
            *second = now.as_secs();
            let at = i64::try_from(now.as_secs()).ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
            *text = at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%S").to_string()).unwrap_or_default();
        }
        line.extend_from_slice(text.as_bytes());
    });
    let mut nanos = now.subsec_nanos();
    let mut digits = *b".000000000Z";
    for digit in digits[1..10].iter_mut().rev() {
        *digit = b'0' + u8::try_from(nanos % 10).unwrap_or(0);
        nanos /= 10;
    }
    line.extend_from_slice(&digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(bytes: &[u8]) -> String {
        let mut line = Vec::new();
        escape(bytes, &mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn hostile_bytes_stay_one_json_string() {
        for bytes in [
            b"plain".as_slice(),
            b"quote\" and \\ and \n newline",
            b"\x1b[31mred\x00\x7f",
            "\u{9b}31m über 🙂".as_bytes(),
            b"\xff\xfe broken",
            b"</script>",
        ] {
            let text = escaped(bytes);
            let back: String = serde_json::from_str(&text).unwrap();
            assert_eq!(back, String::from_utf8_lossy(bytes), "{text}");
            assert!(!text.chars().any(char::is_control), "{text}");
        }
    }

    #[test]
    fn secrets_in_queries_are_left_out() {
        let shown = |query: &str| {
            let mut line = Vec::new();
            redact(query, &mut line);
            serde_json::from_slice::<String>(&line).unwrap()
        };
        assert_eq!(shown("page=2&q=a%20b"), "page=2&q=a%20b");
        assert_eq!(shown("page=2&reset_Token=abc&x"), "page=2&reset_Token=[redacted]&x");
        assert_eq!(shown("%74oken=abc&a%3Db=c"), "%74oken=[redacted]&a%3Db=c");
        assert_eq!(shown(""), "");
    }

    #[test]
    fn numbers_and_times() {
        let mut line = Vec::new();
        number(&mut line, key!("n"), 0);
        number(&mut line, key!("m"), u64::MAX);
        assert_eq!(String::from_utf8(line).unwrap(), format!(",\"n\":0,\"m\":{}", u64::MAX));
        let mut line = Vec::new();
        timestamp(clock::since_1970(Instant::now()), &mut line);
        let at: jiff::Timestamp = String::from_utf8(line).unwrap().parse().unwrap();
        assert!(jiff::Timestamp::now().duration_since(at).abs() < jiff::SignedDuration::from_secs(5));
    }
}
