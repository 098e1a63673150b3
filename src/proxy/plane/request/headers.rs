//! Heads on their way through: what belongs to one connection stays behind, what the app must know is added.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, COOKIE,
    EXPECT, FORWARDED, HOST, HeaderName, MAX_FORWARDS, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version};
use hyper::ext::Protocol;

use super::{forwarded, request_id};
use crate::plane::clock;
use crate::plane::telemetry::record::Peer;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
pub(in crate::plane) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_REQUEST_START: HeaderName = HeaderName::from_static("x-request-start");

/// Whom the request is for. `None`: it does not say, says it twice, or not in UTF-8.
pub(in crate::plane) fn authority<B>(request: &Request<B>) -> Option<&str> {
    let mut hosts = request.headers().get_all(HOST).iter();
    if let Some(authority) = request.uri().authority() {
        // RFC 9112, 3.2.2: the request's own line wins over Host. RFC 9113, 8.3.1: here they may not differ.
        let same = |host: &HeaderValue| host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes());
        return (request.version() != Version::HTTP_2 || hosts.all(same)).then_some(authority.as_str());
    }
    let host = hosts.next()?;
    if hosts.next().is_some() {
        return None;
    }
    host.to_str().ok()
}

/// The protocol a request asks for. HTTP/2 is left out: a request that changes to it would bring others along that
/// nobody looks at.
pub(in crate::plane) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = headers.get(UPGRADE)?;
    let listed =
        headers.get_all(CONNECTION).iter().any(|value| tokens(value).any(|t| t.eq_ignore_ascii_case("upgrade")));
    let text = asked.to_str().ok()?;
    let http2 = text.split(',').any(|t| t.trim().get(..3).is_some_and(|t| t.eq_ignore_ascii_case("h2c")));
    (listed && !http2 && headers.get_all(UPGRADE).iter().count() == 1).then(|| asked.clone())
}

/// Makes a WebSocket over HTTP/2 (RFC 8441) a request for the same over HTTP/1.1, which is what apps understand.
pub(in crate::plane) fn connect<B>(request: &mut Request<B>) -> Option<HeaderValue> {
    if request.method() != Method::CONNECT || request.extensions().get::<Protocol>()?.as_str() != "websocket" {
        return None;
    }
    *request.method_mut() = Method::GET;
    let key = BASE64.encode(request_id::random());
    request.headers_mut().insert(SEC_WEBSOCKET_KEY, HeaderValue::from_str(&key).ok()?);
    Some(HeaderValue::from_static("websocket"))
}

/// The other way around: the app's 101 as HTTP/2 says it.
pub(in crate::plane) fn connected(head: &mut http::response::Parts) {
    head.status = StatusCode::OK;
    for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_ACCEPT] {
        head.headers.remove(name);
    }
}

/// Takes away what may not come behind a body (RFC 9110, 6.5.1): it could change what the head has said.
pub(in crate::plane) fn trailers(headers: &mut HeaderMap) {
    strip(headers);
    for name in [
        HOST,
        CONTENT_LENGTH,
        TRAILER,
        AUTHORIZATION,
        COOKIE,
        SET_COOKIE,
        CONTENT_TYPE,
        CONTENT_ENCODING,
        CONTENT_RANGE,
        CACHE_CONTROL,
        EXPECT,
        MAX_FORWARDS,
        FORWARDED,
    ] {
        headers.remove(name);
    }
    for name in forwarded::ALL.into_iter().chain([X_REQUEST_ID, X_REQUEST_START]) {
        headers.remove(name);
    }
}

/// Makes a request's head fit for the app. `began`: when it came. Gives the request's id.
pub(in crate::plane) fn to_app<B>(
    request: &mut Request<B>,
    peer: &Peer,
    port: Option<&str>,
    prefix: Option<&str>,
    upgrade: Option<&HeaderValue>,
    chunked: bool,
    began: Instant,
) -> HeaderValue {
    let absolute = request.uri().authority().and_then(|a| HeaderValue::from_str(a.as_str()).ok());
    if absolute.is_some() {
        let path = request.uri().path_and_query().cloned();
        let target = path.map(Uri::from).unwrap_or_default();
        // What is left of `http://shop.test#x` is empty, and empty is no target (RFC 9112, 3.2.1).
        *request.uri_mut() = if target.path().is_empty() { Uri::from_static("/") } else { target };
    }
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    if let Some(host) = absolute {
        headers.insert(HOST, host);
    }
    let trailers = headers.get_all(TE).iter().any(|v| tokens(v).any(|t| t.eq_ignore_ascii_case("trailers")));
    strip(headers);
    if headers.keys().any(|name| [FORWARDED, EXPECT, HTTP2_SETTINGS].contains(name)) {
        headers.remove(FORWARDED);
        headers.remove(EXPECT);
        headers.remove(HTTP2_SETTINGS);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if let Some(protocol) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol.clone());
    }
    if chunked && !headers.contains_key(CONTENT_LENGTH) {
        // Without it hyper takes a GET's body for none.
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    forwarded::tell(headers, peer, port, prefix);
    headers.insert(X_REQUEST_START, start(began));
    match headers.get(X_REQUEST_ID) {
        Some(id) if request_id::is_sane(id) && headers.get_all(X_REQUEST_ID).iter().count() == 1 => id.clone(),
        _ => {
            let id = request_id::new();
            headers.insert(X_REQUEST_ID, id.clone());
            id
        }
    }
}

/// Makes an answer's head fit for the client.
pub(in crate::plane) fn to_client(headers: &mut HeaderMap, upgraded: bool) {
    if headers.contains_key(TRANSFER_ENCODING) {
        // RFC 9112, 6.1: it says where the body ends, and a length beside it is a lie.
        headers.remove(CONTENT_LENGTH);
    }
    let protocol = if upgraded { headers.get(UPGRADE).cloned() } else { None };
    strip(headers);
    if let Some(protocol) = protocol {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    }
}

/// What is meant for one hop only. `Trailer` is not among it: the trailers go on, too.
static OF_ONE_HOP: [HeaderName; 8] =
    [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE];

/// Its place in [`OF_ONE_HOP`]. One look at each name of a head is much cheaper than a lookup for each of these.
fn place(name: &str) -> Option<usize> {
    Some(match name {
        "connection" => 0,
        "keep-alive" => 1,
        "proxy-connection" => 2,
        "proxy-authenticate" => 3,
        "proxy-authorization" => 4,
        "te" => 5,
        "transfer-encoding" => 6,
        "upgrade" => 7,
        _ => return None,
    })
}

/// Takes away what is meant for one hop only, and what `Connection` names.
fn strip(headers: &mut HeaderMap) {
    let mut found = [false; OF_ONE_HOP.len()];
    for at in headers.keys().filter_map(|name| place(name.as_str())) {
        found[at] = true;
    }
    if found[0] {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .flat_map(tokens)
            // What goes anyway. Most say nothing else.
            .filter(|token| place(token).is_none())
            .filter_map(|token| token.parse().ok())
            // Nobody may take these away from the next reader: they say whom and how much.
            .filter(|name| name != HOST && name != CONTENT_LENGTH)
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for (name, _) in OF_ONE_HOP.iter().zip(found).filter(|(_, found)| *found) {
        headers.remove(name);
    }
}

fn tokens(value: &HeaderValue) -> impl Iterator<Item = &str> {
    value.to_str().unwrap_or_default().split(',').map(str::trim).filter(|token| !token.is_empty())
}

/// `t=` and the time in milliseconds, which tells the app how long a request waited.
fn start(began: Instant) -> HeaderValue {
    let mut text = [b'0'; 15];
    text[..2].copy_from_slice(b"t=");
    let mut rest = u64::try_from(clock::since_1970(began).as_millis()).unwrap_or(0);
    for digit in text[2..].iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("t=0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> Peer {
        Peer {
            address: "10.1.2.3:999".parse().unwrap(),
            client: "10.1.2.3".parse().unwrap(),
            trusted: false,
            ip: HeaderValue::from_static("10.1.2.3"),
            scheme: "http",
            local_port: 80,
            sni: None,
        }
    }

    fn pass(head: &[(&str, &str)], upgrade: Option<&HeaderValue>, chunked: bool) -> HeaderMap {
        let mut request = Request::builder().uri("/x?y");
        for (name, value) in head {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).unwrap();
        to_app(&mut request, &peer(), Some("8080"), None, upgrade, chunked, Instant::now());
        request.into_parts().0.headers
    }

    #[test]
    fn an_absolute_target_without_a_path_gets_one() {
        for (target, expected) in
            [("http://a.test", "/"), ("http://a.test#x", "/"), ("http://a.test?x#y", "/?x"), ("http://a.test/x", "/x")]
        {
            let mut request = Request::builder().uri(target).body(()).unwrap();
            to_app(&mut request, &peer(), None, None, None, false, Instant::now());
            assert_eq!(request.uri().to_string(), expected, "{target}");
            assert_eq!(request.headers()[HOST], "a.test");
        }
    }

    #[test]
    fn what_is_for_one_hop_stays_behind() {
        let head = pass(
            &[
                ("host", "a.test:8080"),
                ("connection", "close, X-Secret , host"),
                ("connection", "x-other"),
                ("x-secret", "1"),
                ("x-other", "1"),
                ("keep-alive", "timeout=5"),
                ("proxy-connection", "keep-alive"),
                ("te", "gzip"),
                ("upgrade", "h2c"),
                ("http2-settings", "abc"),
                ("transfer-encoding", "chunked"),
                ("forwarded", "for=1.1.1.1"),
                ("expect", "100-continue"),
                ("x-forwarded-for", "6.6.6.6"),
                ("x-forwarded-for", "7.7.7.7"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "evil.test"),
                ("x-forwarded-port", "1"),
                ("x-request-start", "t=1"),
                ("cookie", "a=1"),
            ],
            None,
            false,
        );
        let mut names: Vec<&str> = head.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let expected = [
            "cookie",
            "host",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-port",
            "x-forwarded-proto",
            "x-request-id",
            "x-request-start",
        ];
        assert_eq!(names, expected);
        assert_eq!(head["host"], "a.test:8080");
        assert_eq!(head.get_all("x-forwarded-for").iter().collect::<Vec<_>>(), ["10.1.2.3"]);
        assert_eq!(head["x-forwarded-proto"], "http");
        assert_eq!(head["x-forwarded-host"], "a.test:8080");
        assert_eq!(head["x-forwarded-port"], "8080");
        let start: u128 = head["x-request-start"].to_str().unwrap().strip_prefix("t=").unwrap().parse().unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        assert!(now.abs_diff(start) < 5000);
    }

    #[test]
    fn ids_are_kept_when_sane() {
        assert_eq!(pass(&[("x-request-id", "abc")], None, false)["x-request-id"], "abc");
        assert_ne!(pass(&[("x-request-id", "a b")], None, false)["x-request-id"], "a b");
        assert_eq!(pass(&[("x-request-id", "a"), ("x-request-id", "b")], None, false)["x-request-id"].len(), 36);
    }

    #[test]
    fn upgrades_and_trailers_are_asked_for_again() {
        let protocol = HeaderValue::from_static("websocket");
        let head = pass(&[("te", "trailers, deflate")], Some(&protocol), true);
        assert_eq!((&head["connection"], &head["upgrade"]), (&HeaderValue::from_static("upgrade"), &protocol));
        assert_eq!(head["te"], "trailers");
        assert_eq!(head["transfer-encoding"], "chunked");
    }

    #[test]
    fn knows_an_upgrade() {
        let asked = |head: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in head {
                headers.append(*name, HeaderValue::from_static(value));
            }
            upgrade(&headers).is_some()
        };
        assert!(asked(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")]));
        assert!(!asked(&[("connection", "keep-alive"), ("upgrade", "websocket")]));
        assert!(!asked(&[("connection", "upgrade")]));
        assert!(!asked(&[("connection", "upgrade, http2-settings"), ("upgrade", "h2c")]));
        assert!(!asked(&[("connection", "upgrade"), ("upgrade", "websocket, H2C")]));
    }

    #[test]
    fn the_request_line_wins_over_host() {
        let request = Request::builder().uri("http://a.test:81/x?y").header("host", "b.test").body(()).unwrap();
        assert_eq!(authority(&request), Some("a.test:81"));
        let mut request = request;
        to_app(&mut request, &peer(), None, None, None, false, Instant::now());
        assert_eq!(
            (request.uri().to_string().as_str(), &request.headers()["host"]),
            ("/x?y", &"a.test:81".parse().unwrap())
        );
        let twice = Request::builder().uri("/").header("host", "a").header("host", "a").body(()).unwrap();
        assert_eq!(authority(&twice), None);
    }
}
