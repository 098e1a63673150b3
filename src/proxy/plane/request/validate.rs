//! Requests that could be understood in two ways, or that are larger than anybody needs, go no further.

use http::header::{COOKIE, HeaderValue, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Version};

use crate::plane::answers::pages::Page;
use crate::plane::options::Limits;

/// What hyper has let through, looked at once more. Joins the cookies of HTTP/2.
pub(in crate::plane) fn check<B>(request: &mut Request<B>, limits: &Limits) -> Result<(), Page> {
    let uri = request.uri();
    let long = uri.path_and_query().map_or(0, |target| target.as_str().len());
    if long > limits.target {
        return Err(Page::TargetTooLong);
    }
    if request.method() == Method::CONNECT {
        return Err(Page::MethodNotAllowed);
    }
    // Only CONNECT names nothing but an authority, only OPTIONS asks about the whole server (RFC 9112, 3.2).
    let path = uri.path();
    let whole = path == "*" && request.method() == Method::OPTIONS;
    if uri.authority().is_some() && uri.scheme().is_none() || !path.starts_with('/') && !whole {
        return Err(Page::BadRequest);
    }
    if !is_plainly_chunked(request.headers()) {
        return Err(Page::NotImplemented);
    }
    if request.version() == Version::HTTP_2 {
        join_cookies(request.headers_mut());
    }
    if request.headers().len() > limits.headers {
        return Err(Page::HeadTooLarge);
    }
    Ok(())
}

/// No transfer coding, or `chunked` alone and once: others would be lost on the way, as this hop takes them away.
pub(in crate::plane) fn is_plainly_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// HTTP/2 may send each cookie as a line of its own, HTTP/1.1 may not (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(COOKIE).iter();
    let (Some(first), Some(second)) = (cookies.next(), cookies.next()) else { return };
    let mut joined = first.as_bytes().to_vec();
    for cookie in std::iter::once(second).chain(cookies) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(cookie.as_bytes());
    }
    if let Ok(joined) = HeaderValue::from_bytes(&joined) {
        headers.insert(COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(line: (&str, &str), version: Version, head: &[(&str, &str)]) -> Result<HeaderMap, Page> {
        let mut request = Request::builder().method(line.0).uri(line.1).version(version);
        for (name, value) in head {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).unwrap();
        check(&mut request, &Limits::default()).map(|()| request.into_parts().0.headers)
    }

    #[test]
    fn targets() {
        let long = format!("/{}", "a".repeat(16 * 1024));
        for (method, target, expected) in [
            ("GET", "/", None),
            ("GET", "http://a.test/x", None),
            ("GET", "http://a.test", None),
            ("OPTIONS", "*", None),
            ("GET", "*", Some(Page::BadRequest)),
            ("GET", "a.test:80", Some(Page::BadRequest)),
            ("GET", "a.test", Some(Page::BadRequest)),
            ("CONNECT", "a.test:80", Some(Page::MethodNotAllowed)),
            ("GET", &long, Some(Page::TargetTooLong)),
            ("GET", &long[1..], None),
        ] {
            let target = if target.starts_with("aaaa") { &long[..long.len() - 1] } else { target };
            assert_eq!(judge((method, target), Version::HTTP_11, &[]).err(), expected, "{method} {target}");
        }
    }

    #[test]
    fn only_chunked_is_understood() {
        for (codings, fine) in [
            (&[][..], true),
            (&["chunked"], true),
            (&["Chunked"], true),
            (&["gzip, chunked"], false),
            (&["chunked, chunked"], false),
            (&["chunked", "chunked"], false),
            (&["gzip", "chunked"], false),
            (&["chunked;x=1"], false),
            (&[""], false),
        ] {
            let head: Vec<_> = codings.iter().map(|coding| ("transfer-encoding", *coding)).collect();
            let judged = judge(("POST", "/"), Version::HTTP_11, &head);
            assert_eq!(judged.err(), (!fine).then_some(Page::NotImplemented), "{codings:?}");
        }
    }

    #[test]
    fn cookies_of_http2_become_one_and_count_as_one() {
        let crumbs: Vec<_> = (0..150).map(|_| ("cookie", "a=1")).collect();
        let head = judge(("GET", "/"), Version::HTTP_2, &crumbs).unwrap();
        let joined: Vec<_> = head.get_all("cookie").iter().collect();
        assert_eq!(joined.len(), 1);
        assert!(joined[0].to_str().unwrap().starts_with("a=1; a=1; "));
        let many: Vec<_> = (0..101).map(|_| ("x-a", "1")).collect();
        assert_eq!(judge(("GET", "/"), Version::HTTP_2, &many).err(), Some(Page::HeadTooLarge));
        let two = [("cookie", "a=1"), ("cookie", "b=2")];
        assert_eq!(judge(("GET", "/"), Version::HTTP_11, &two).unwrap().get_all("cookie").iter().count(), 2);
    }
}
