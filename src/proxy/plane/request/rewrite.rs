//! Requests that go on to another address: stripped of the app's path prefix, or redirected to its canonical host. What
//! is left of an address stays as the client wrote it: percent-encoding has a meaning (`%2F` is no `/`).

use http::header::LOCATION;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};

use super::forwarded;
use once_app::{Hostname, Route};

/// The prefix of a route whose app is not to see it; without a slash at the end.
pub(in crate::plane) fn stripped(route: &Route) -> Option<&str> {
    let prefix = route.path_prefix.as_ref().filter(|_| route.web.strip_prefix)?;
    Some(prefix.as_str().trim_end_matches('/')).filter(|prefix| !prefix.is_empty())
}

/// Takes the prefix away from the request's path.
pub(in crate::plane) fn strip<B>(request: &mut Request<B>, prefix: &str) {
    let Some(whole) = request.uri().path_and_query() else { return };
    let Some(at) = end_of(prefix, whole.path()) else { return };
    let rest = whole.as_str().get(at..).unwrap_or_default();
    let path = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
    // The authority goes: it is in `Host` by now.
    if let Ok(path) = PathAndQuery::try_from(path) {
        *request.uri_mut() = Uri::from(path);
    }
}

/// The same request for another app: the prefix of the first one is back, and that of the other goes.
pub(in crate::plane) fn readdress<B>(request: &mut Request<B>, original: &Uri, route: &Route) {
    request.uri_mut().clone_from(original);
    request.headers_mut().remove(forwarded::PREFIX);
    if let Some(prefix) = stripped(route) {
        strip(request, prefix);
        if let Ok(value) = HeaderValue::from_str(prefix) {
            request.headers_mut().insert(forwarded::PREFIX, value);
        }
    }
}

/// How much of a path is the prefix, however the client or the operator encoded it.
fn end_of(prefix: &str, path: &str) -> Option<usize> {
    let (mut wanted, mut given) = (prefix.as_bytes(), path.as_bytes());
    while let Some((meant, rest)) = first(wanted) {
        let (found, after) = first(given)?;
        if found != meant {
            return None;
        }
        (wanted, given) = (rest, after);
    }
    Some(path.len() - given.len())
}

/// What the first character means (RFC 3986, 6.2.2), and what follows: one that is escaped for no reason is itself, an
/// escape that stays one is in upper case.
fn first(bytes: &[u8]) -> Option<([u8; 3], &[u8])> {
    match bytes {
        [b'%', high, low, rest @ ..] if decoded(*high, *low).is_some() => {
            let byte = decoded(*high, *low)?;
            let escape = [b'%', high.to_ascii_uppercase(), low.to_ascii_uppercase()];
            Some((if is_unreserved(byte) { [byte, 0, 0] } else { escape }, rest))
        }
        [byte, rest @ ..] => Some(([*byte, 0, 0], rest)),
        [] => None,
    }
}

fn decoded(high: u8, low: u8) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What a request gets that came for another hostname of an app than its canonical one. Methods other than GET and HEAD
/// are kept by the status.
pub(in crate::plane) fn redirect<B>(
    route: &Route,
    request: &Request<B>,
    scheme: &str,
    host: &str,
    port: Option<&str>,
) -> Option<(StatusCode, HeaderMap)> {
    let canonical = route.web.canonical_host.as_ref()?;
    // A default app also gets names that are not its own.
    if canonical.as_str() == host || !route.hosts.iter().any(|known| covers(known, host)) {
        return None;
    }
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let path = if path.starts_with('/') { path } else { "/" };
    let name = canonical.as_str();
    let name = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    let location = HeaderValue::try_from(format!("{scheme}://{name}{port}{path}")).ok()?;
    let asks = matches!(*request.method(), Method::GET | Method::HEAD);
    let status = if asks { StatusCode::MOVED_PERMANENTLY } else { StatusCode::PERMANENT_REDIRECT };
    Some((status, HeaderMap::from_iter([(LOCATION, location)])))
}

fn covers(known: &Hostname, host: &str) -> bool {
    match known.as_str().strip_prefix('*') {
        Some(rest) => host.ends_with(rest) && host.len() > rest.len(),
        None => known.as_str() == host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_stays_as_it_was_written() {
        for (prefix, uri, expected) in [
            ("/api", "/api", "/"),
            ("/api", "/api/", "/"),
            ("/api", "/api?x=1", "/?x=1"),
            ("/api", "/api/?x=1", "/?x=1"),
            ("/api", "/api/a%2Fb", "/a%2Fb"),
            ("/api", "/api/a%2fb?c=%2F", "/a%2fb?c=%2F"),
            ("/api", "/%61pi/x", "/x"),
            ("/api", "/%61%70%69/%61", "/%61"),
            ("/api", "/api//x", "//x"),
            ("/api", "/api/../x", "/../x"),
            ("/api", "/api/%C3%A4", "/%C3%A4"),
            ("/api", "/api/api/x", "/api/x"),
            ("/a%2Fb", "/a%2Fb/c", "/c"),
            ("/%61pi", "/api/x", "/x"),
            ("/%61pi", "/%61pi/x", "/x"),
            ("/a%20b", "/a%20b/x", "/x"),
            ("/a%2Fb", "/%61%2fb/c%2f", "/c%2f"),
            ("/api", "http://shop.test/api/x", "/x"),
        ] {
            let mut request = Request::builder().uri(uri).body(()).unwrap();
            strip(&mut request, prefix);
            assert_eq!(request.uri().path_and_query().unwrap().as_str(), expected, "{uri}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..<_>::default() })]
        #[test]
        fn no_byte_behind_the_prefix_changes(rest in "(/[!$&'()*+,;=:@a-zA-Z0-9._~-]*(%[0-9a-fA-F]{2})*)*(\\?[!-\"$-~]*)?") {
            let uri = format!("/api{rest}");
            if let Ok(parsed) = Uri::try_from(&uri) {
                let mut request = Request::builder().uri(parsed).body(()).unwrap();
                strip(&mut request, "/api");
                let left = request.uri().path_and_query().unwrap().as_str().to_owned();
                let expected = if rest.starts_with('/') { rest } else { format!("/{rest}") };
                proptest::prop_assert_eq!(left, expected);
            }
        }
    }

    #[test]
    fn a_wildcard_covers_what_is_below_it() {
        let wild: Hostname = "*.shop.test".parse().unwrap();
        assert!(covers(&wild, "a.shop.test") && covers(&wild, "a.b.shop.test"));
        assert!(!covers(&wild, "shop.test") && !covers(&wild, ".shop.test") && !covers(&wild, "ashop.test"));
    }
}
