//! What holds for whatever strangers send to the data plane; see `once-fuzzing`.

// What does not hold panics.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::answers::unavailable;
use super::body::compress;
use super::listener::{connection, proxy_protocol};
use super::options::PlaneOptions;
use super::policy::basic_auth;
use super::request::{forwarded, headers, rewrite, validate};
use super::routing::{canary, table};
use super::telemetry::record;
use super::telemetry::record::Peer;
use super::upgrade::websocket::FrameTracker;
use once_app::{Cidr, Hostname, ReleaseNumber, Share, UrlPath, normalised_path};

/// Values of one header, a line each; `None`: one of them could not be sent.
fn values(name: &HeaderName, bytes: &[u8]) -> Option<HeaderMap> {
    let lines = bytes.split(|b| *b == b'\n');
    lines.map(|line| Some((name.clone(), HeaderValue::from_bytes(line).ok()?))).collect()
}

fn peer(trusted: bool) -> Peer {
    Peer {
        address: SocketAddr::from(([10, 0, 0, 1], 999)),
        client: IpAddr::from([10, 0, 0, 1]),
        trusted,
        ip: HeaderValue::from_static("10.0.0.1"),
        scheme: "http",
        local_port: 80,
        sni: None,
    }
}

/// A connection's bytes are read in the same way however they are cut, and what is let through goes to the app as one
/// request of one length for one host.
pub(crate) fn request(bytes: &[u8]) {
    let [cut, wire @ ..] = bytes else { return };
    let at = usize::from(*cut) * wire.len() / 256;
    let whole = read(&[wire]);
    assert_eq!(whole, read(&[&wire[..at], &wire[at..]]), "cut at {at}");
}

/// What became of the requests of one connection.
fn read(pieces: &[&[u8]]) -> Vec<String> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else { return Vec::new() };
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let service = service_fn(move |request| {
        let noted = Arc::clone(&noted);
        async move {
            let told = judge(request).await;
            if let Ok(mut seen) = noted.lock() {
                seen.push(told);
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let pieces = pieces.iter().map(|piece| piece.to_vec()).collect();
    let served = connection::http1(&PlaneOptions::default()).serve_connection(TokioIo::new(Pieces(pieces)), service);
    // What is no request ends the connection.
    let _ = runtime.block_on(served);
    seen.lock().map(|seen| seen.clone()).unwrap_or_default()
}

async fn judge(mut request: Request<Incoming>) -> String {
    let upgrade = headers::upgrade(request.headers());
    let sound = validate::check(&mut request, &PlaneOptions::default().limits);
    let host = headers::authority(&request).and_then(table::fold_host).map(|(host, _)| host.as_str().to_owned());
    let line = format!("{} {} {:?} {host:?} {sound:?}", request.method(), request.uri(), request.version());
    let head = format!("{:?}", request.headers());
    let chunked = !hyper::body::Body::is_end_stream(request.body());
    let fine = sound.is_ok() && host.is_some();
    if fine {
        headers::to_app(&mut request, &peer(false), None, None, upgrade.as_ref(), chunked, Instant::now());
    }
    // To its end, also where nobody wants it: whether hyper goes on behind a body that was left lying depends on how
    // much of it is there.
    let (to_app, body) = request.into_parts();
    let body = body.collect().await.ok().map(http_body_util::Collected::to_bytes);
    if fine {
        one_request(&to_app, body.as_ref(), upgrade.as_ref());
    }
    format!("{line} {head} {body:?}")
}

/// The head and the body that the app gets agree, and nobody could read another request out of them.
fn one_request(head: &http::request::Parts, body: Option<&Bytes>, upgrade: Option<&HeaderValue>) {
    let all = |name: HeaderName| head.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
    let (lengths, codings) = (all(CONTENT_LENGTH), all(TRANSFER_ENCODING));
    assert!(lengths.len() + codings.len() <= 1, "{lengths:?} {codings:?}");
    assert!(codings.iter().all(|coding| *coding == b"chunked"), "{codings:?}");
    if let Some(length) = lengths.first() {
        assert!(length.iter().all(u8::is_ascii_digit), "{length:?}");
        let told: Option<usize> = std::str::from_utf8(length).ok().and_then(|text| text.parse().ok());
        assert!(body.is_none_or(|body| told == Some(body.len())), "{told:?} {body:?}");
    }
    if lengths.is_empty() && codings.is_empty() {
        assert!(body.is_none_or(Bytes::is_empty), "{body:?}");
    }
    assert_eq!(all(HOST).len(), 1);
    assert!(all(CONNECTION).iter().all(|value| *value == b"upgrade") && all(CONNECTION).len() <= 1);
    assert_eq!(all(UPGRADE), upgrade.map(HeaderValue::as_bytes).into_iter().collect::<Vec<_>>());
    let target = head.uri.to_string();
    assert!(target.bytes().all(|b| b > b' ' && b != 0x7f), "{target:?}");
    let mut text = format!("{} {target} HTTP/1.1\r\n", head.method).into_bytes();
    for (name, value) in &head.headers {
        text.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    text.extend(b"\r\n");
    let mut space = vec![httparse::EMPTY_HEADER; head.headers.len()];
    let mut again = httparse::Request::new(&mut space);
    assert_eq!(again.parse(&text), Ok(httparse::Status::Complete(text.len())));
    assert_eq!((again.method, again.path), (Some(head.method.as_str()), Some(target.as_str())));
    assert_eq!(again.headers.len(), head.headers.len());
    for (read, (name, value)) in again.headers.iter().zip(&head.headers) {
        assert_eq!((read.name, read.value), (name.as_str(), value.as_bytes()));
    }
}

/// A client that sends these pieces and closes; it takes every answer.
struct Pieces(VecDeque<Vec<u8>>);

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while let Some(mut piece) = self.0.pop_front() {
            let rest = piece.split_off(piece.len().min(buf.remaining()));
            buf.put_slice(&piece);
            if !rest.is_empty() {
                self.0.push_front(rest);
            }
            if !piece.is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Nothing of one hop is left, nor what `Connection` names; whom and how much stay.
pub(crate) fn hop(bytes: &[u8]) {
    let mut head = HeaderMap::new();
    for line in bytes.split(|b| *b == b'\n') {
        let Some(at) = line.iter().position(|b| *b == b':') else { continue };
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&line[..at]), HeaderValue::from_bytes(&line[at + 1..])) {
            head.append(name, value);
        }
    }
    let before = head.clone();
    headers::to_client(&mut head, false);
    for name in [CONNECTION, TE, TRANSFER_ENCODING, UPGRADE] {
        assert!(!head.contains_key(&name), "{name}");
    }
    for named in before.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(',')) {
        let named = named.trim().to_ascii_lowercase();
        assert!(["host", "content-length"].contains(&named.as_str()) || !head.contains_key(named.as_str()), "{named}");
    }
    assert_eq!(head.get(HOST), before.get(HOST));
    let mut behind = before;
    headers::trailers(&mut behind);
    assert!(!behind.contains_key(HOST) && !behind.contains_key(CONTENT_LENGTH));
}

/// The client is the peer or somebody with only named hops behind, and the app is told everything once.
pub(crate) fn forwarded(bytes: &[u8]) {
    let [kind, rest @ ..] = bytes else { return };
    let names = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix"];
    let name = HeaderName::from_static(names[usize::from(kind & 7) % names.len()]);
    let Some(mut head) = values(&name, rest) else { return };
    head.insert(HOST, HeaderValue::from_static("shop.test"));
    let trusted: BTreeSet<Cidr> = ["10.0.0.0/8".parse(), "2001:db8::/32".parse()].into_iter().flatten().collect();
    let told = forwarded::told(&peer(true), &head, &trusted);
    let hops: Vec<String> = head
        .get_all("x-forwarded-for")
        .iter()
        .flat_map(|v| v.to_str().unwrap_or("?").split(',').map(|hop| hop.trim().to_owned()).collect::<Vec<_>>())
        .collect();
    let parsed = |hop: &String| {
        let bare = hop.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(hop);
        let address = bare.parse().ok().or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip()));
        address.map(|a: IpAddr| a.to_canonical())
    };
    let mut expected = peer(true).client;
    for address in hops.iter().rev().map_while(parsed) {
        expected = address;
        if !forwarded::is_named(&trusted, address) {
            break;
        }
    }
    assert_eq!(told.client, expected, "{hops:?}");
    for peer in [told, peer(false)] {
        let mut head = head.clone();
        forwarded::tell(&mut head, &peer, (kind & 8 != 0).then_some("8080"), (kind & 16 != 0).then_some("/api"));
        for name in &names[..4] {
            assert_eq!(head.get_all(*name).iter().count(), 1, "{name}");
        }
        let port = head.get("x-forwarded-port").map(HeaderValue::as_bytes).unwrap_or_default();
        assert!(!port.is_empty() && port.iter().all(u8::is_ascii_digit), "{port:?}");
        assert!(port.len() <= 5 && port != b"0", "{port:?}");
        if !peer.trusted {
            assert_eq!(head.get("x-forwarded-for"), Some(&peer.ip));
            assert_eq!(head.get("x-forwarded-host"), head.get(HOST));
        }
    }
}

/// A coding is used that was named with a weight, and never one with weight 0.
pub(crate) fn coding(bytes: &[u8]) {
    let Some(head) = values(&ACCEPT_ENCODING, bytes) else { return };
    let Some(coding) = compress::accepted(&head) else { return };
    let values = head.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let entries: Vec<String> =
        values.flat_map(|v| v.split(',')).map(|entry| entry.trim().to_ascii_lowercase()).collect();
    let name = |entry: &String| entry.split(';').next().unwrap_or_default().trim().to_owned();
    let named = |name: &String| name == coding.name() || *name == format!("x-{}", coding.name());
    assert!(entries.iter().map(name).any(|name| name == "*" || named(&name)), "{coding:?} {entries:?}");
    // Of several about the same coding the last one counts.
    if let Some(last) = entries.iter().rev().find(|entry| named(&name(entry))) {
        let weight = last.split(';').skip(1).find_map(|part| part.trim().strip_prefix("q="));
        assert!(
            !weight.is_some_and(|weight| ["0", "0.0", "0.00", "0.000"].contains(&weight)),
            "{coding:?} {entries:?}"
        );
    }
}

/// Who takes HTML gets HTML, and a text put into it brings no markup along.
pub(crate) fn page(bytes: &[u8]) {
    if let Ok(accept) = HeaderValue::from_bytes(bytes) {
        let head = HeaderMap::from_iter([(ACCEPT, accept)]);
        let json = unavailable::wants_json(head.get(ACCEPT));
        let named = |word: &str| bytes.to_ascii_lowercase().windows(word.len()).any(|w| w == word.as_bytes());
        assert!(!json || named("json"));
    }
    let escaped = unavailable::escaped(&String::from_utf8_lossy(bytes));
    assert!(!escaped.contains(['<', '>', '"', '\'']), "{escaped}");
}

/// A place is one that could have been drawn, and a cookie is found as a plain search finds it.
pub(crate) fn cookie(bytes: &[u8]) {
    let Some(head) = values(&COOKIE, bytes) else { return };
    for value in canary::cookies(&head, "once-canary") {
        assert!(bytes.windows(value.len() + 1).any(|w| w[0] == b'=' && &w[1..] == value));
        if let Some(place) = canary::read(value, ReleaseNumber(7)) {
            assert!(place < Share::WHOLE);
            assert_eq!(value, format!("7-{place}").as_bytes());
        }
    }
}

/// Only the right password in its one form is right.
pub(crate) fn authorization(bytes: &[u8]) {
    let Some(passwords) = basic_auth::Passwords::new([("ann", "open: sesame")].into_iter()) else { return };
    if passwords.is_right(bytes) {
        let text = String::from_utf8_lossy(bytes);
        let right = BASE64_STANDARD.encode("ann:open: sesame");
        assert!(text[..6].eq_ignore_ascii_case("basic ") && text[6..].trim() == right, "{text}");
    }
    assert!(passwords.is_right(format!("Basic {}", BASE64_STANDARD.encode("ann:open: sesame")).as_bytes()));
}

/// A log's string is JSON on one line, means what was sent, and shows no value of a key that sounds secret.
pub(crate) fn log(bytes: &[u8]) {
    let mut line = Vec::new();
    record::escape(bytes, &mut line);
    let text = String::from_utf8(line).unwrap_or_default();
    assert!(!text.is_empty() && !text.chars().any(char::is_control), "{text:?}");
    assert_eq!(serde_json::from_str::<String>(&text).ok().as_deref(), Some(&*String::from_utf8_lossy(bytes)));
    let Ok(query) = std::str::from_utf8(bytes) else { return };
    let mut line = Vec::new();
    record::redact(query, &mut line);
    let shown: String = serde_json::from_slice(&line).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(shown.split('&').count(), query.split('&').count());
    for (given, shown) in query.split('&').zip(shown.split('&')) {
        let Some((key, _)) = given.split_once('=') else { continue };
        let plain = normalised_path(key).to_ascii_lowercase();
        if ["token", "passw", "key", "session"].iter().any(|word| plain.contains(word)) {
            assert_eq!(shown, format!("{key}=[redacted]"));
        }
    }
}

/// What is read is what was meant, and each header has one meaning.
pub(crate) fn proxy_protocol(bytes: &[u8]) {
    if let Ok(Some(from)) = proxy_protocol::version1(bytes) {
        let text = String::from_utf8_lossy(bytes);
        let words: Vec<&str> = text.trim_end().split(' ').collect();
        assert!(text.ends_with("\r\n") && words.len() == 6, "{text:?}");
        assert_eq!(words[2].parse(), Ok(from.ip()));
        assert_eq!(words[4].parse(), Ok(from.port()));
        assert_eq!(words[1], if from.is_ipv4() { "TCP4" } else { "TCP6" });
    }
    let [command, family, rest @ ..] = bytes else { return };
    if let Ok(Some(from)) = proxy_protocol::version2(*command, *family, rest) {
        let (address, port) = match from {
            SocketAddr::V4(v4) => (v4.ip().octets().to_vec(), &rest[8..10]),
            SocketAddr::V6(v6) => (v6.ip().octets().to_vec(), &rest[32..34]),
        };
        assert!(rest.starts_with(&address) && port == from.port().to_be_bytes());
        assert_eq!(*command, 0x21);
    }
}

/// A folded host is folded, and one name is found under one spelling.
pub(crate) fn authority(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some((folded, port)) = table::fold_host(text) {
        let host = folded.as_str();
        assert!(!host.is_empty() && host.len() <= text.len().max(39) && *host == host.to_ascii_lowercase(), "{host}");
        assert!(port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())), "{port:?}");
        if host.contains(':') {
            assert_eq!(host.parse::<Ipv6Addr>().map(|ip| ip.to_string()).as_deref(), Ok(host));
        } else {
            assert!(!text.starts_with('['), "{text}");
        }
    }
    if let Ok(name) = text.parse::<Hostname>()
        && !name.is_wildcard()
    {
        let written = name.to_string();
        let written = if written.contains(':') { format!("[{written}]:80") } else { format!("{written}:80") };
        let (folded, port) = table::fold_host(&written).unwrap_or_else(|| panic!("{written} is no authority"));
        assert_eq!((folded.as_str(), port), (name.as_str(), Some("80")));
    }
}

/// What the table takes for below a prefix is stripped of just that prefix, and the rest is untouched.
pub(crate) fn prefix(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some((prefix, target)) = text.split_once('\n') else { return };
    let (Ok(prefix), Ok(uri)) = (prefix.parse::<UrlPath>(), target.parse::<Uri>()) else { return };
    if !uri.path().starts_with('/') {
        return;
    }
    let decoded = normalised_path(prefix.as_str().trim_end_matches('/'));
    let path = normalised_path(uri.path());
    let below = table::under(&decoded, &path);
    assert_eq!(below, path == decoded || path.starts_with(&format!("{decoded}/")));
    if !below {
        return;
    }
    let mut request = Request::new(());
    request.uri_mut().clone_from(&uri);
    if !decoded.is_empty() {
        rewrite::strip(&mut request, prefix.as_str().trim_end_matches('/'));
    }
    let left = request.uri();
    assert!(left.path().starts_with('/') && uri.path().ends_with(left.path().trim_start_matches('/')), "{left}");
    let whole = normalised_path(left.path());
    assert!(path == format!("{decoded}{whole}") || path == decoded && whole == "/", "{prefix} {uri} {left}");
    assert_eq!(left.query(), uri.query());
}

/// A stream of frames is followed in the same way however it is cut, and as one reads it with all of it at hand.
pub(crate) fn frames(bytes: &[u8]) {
    let [cut, stream @ ..] = bytes else { return };
    let at = usize::from(*cut) * stream.len() / 256;
    let (mut whole, mut split) = (FrameTracker::default(), FrameTracker::default());
    whole.advance(stream);
    split.advance(&stream[..at]);
    let done = split.advance_to_boundary(&stream[at..]);
    assert!(split.at_boundary() || at + done == stream.len());
    split.advance(&stream[at + done..]);
    let mut rest = stream;
    let mut closed = false;
    while let Some((opcode, length)) = frame(rest) {
        closed |= opcode == 8;
        let Some(after) = usize::try_from(length).ok().and_then(|length| rest.get(length..)) else { break };
        rest = after;
    }
    for tracker in [whole, split] {
        assert_eq!(tracker.is_closed(), closed);
        assert_eq!(tracker.at_boundary(), rest.is_empty());
    }
}

/// A frame's opcode and its length with its head; `None`: the head is not all there.
fn frame(bytes: &[u8]) -> Option<(u8, u128)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (payload, head) = match second & 0x7f {
        126 => (u128::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (u128::from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)), 10),
        short => (u128::from(short), 2),
    };
    let head = if second & 0x80 == 0 { head } else { head + 4 };
    bytes.get(..head)?;
    Some((first & 0xf, payload + head as u128))
}
