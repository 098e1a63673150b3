//! Which answers are compressed, and for whom (RFC 9110, 8.4 and 12.5.3). Only for apps that ask for it.
//!
//! Never: what has a coding already; media, archives and whatever else is packed; what is known to be under 1 KiB; event
//! streams; parts of something (206); what says `no-transform`; answers without a body. And, as who can make a browser ask
//! for a text of his own beside a secret can read the secret from the lengths of compressed answers (BREACH): nothing
//! that sets a cookie, and nothing that was asked for with `Authorization`, ours included. Pages that differ by a cookie
//! that was set before are compressed: leaving out those too would leave little, and frameworks mask what is secret in them.

use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, HeaderName, SET_COOKIE, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, response};

/// Bytes under which the answer's head is most of it.
const SMALL: u64 = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plane) enum Coding {
    Zstd,
    Brotli,
    Gzip,
}

/// What a request lets be done with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plane) struct Wish {
    /// The best coding the client takes.
    coding: Option<Coding>,
    /// Nothing may be compressed.
    secret: bool,
}

impl Wish {
    /// To be called before anything is taken from the request.
    pub(in crate::plane) fn of<B>(request: &Request<B>) -> Self {
        let secret = request.headers().contains_key(AUTHORIZATION) || request.method() == Method::HEAD;
        Self { coding: accepted(request.headers()), secret }
    }

    /// Decides, and makes the answer's head fit for it. `None`: the body stays as it is.
    pub(in crate::plane) fn grant(self, head: &mut response::Parts) -> Option<Coding> {
        if self.secret || !is_worth_it(head.status, &head.headers) {
            return None;
        }
        // Also where this client takes none: others get other bytes.
        vary(&mut head.headers);
        let coding = self.coding?;
        head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        head.headers.remove(CONTENT_LENGTH);
        // Ranges and digests would be of other bytes.
        head.headers.remove(ACCEPT_RANGES);
        for digest in ["content-md5", "digest", "content-digest"] {
            head.headers.remove(HeaderName::from_static(digest));
        }
        weaken(&mut head.headers);
        Some(coding)
    }
}

impl Coding {
    /// The best first: zstd is the quickest by far, brotli the smallest.
    const ALL: [Self; 3] = [Self::Zstd, Self::Brotli, Self::Gzip];

    pub(in crate::plane) fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    fn is_named(self, name: &str) -> bool {
        name.eq_ignore_ascii_case(self.name()) || self == Self::Gzip && name.eq_ignore_ascii_case("x-gzip")
    }
}

/// The one with the highest weight, of several the best; never one with weight 0.
pub(in crate::plane) fn accepted(headers: &HeaderMap) -> Option<Coding> {
    let mut weights = [None; 3];
    let mut others = 0;
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    for entry in values.flat_map(|value| value.split(',')) {
        let mut parts = entry.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let weight = weight.map_or(1000, thousandths);
        if name == "*" {
            others = weight;
        } else if let Some(at) = Coding::ALL.iter().position(|coding| coding.is_named(name)) {
            weights[at] = Some(weight);
        }
    }
    let weighed = Coding::ALL.into_iter().zip(weights).map(|(coding, weight)| (coding, weight.unwrap_or(others)));
    // The first of equals.
    weighed.rev().max_by_key(|(_, weight)| *weight).filter(|(_, weight)| *weight > 0).map(|(coding, _)| coding)
}

/// `0.8` as 800; what is no weight as 0, which is safe.
fn thousandths(weight: &str) -> u32 {
    let (whole, rest) = weight.split_once('.').unwrap_or((weight, ""));
    if rest.len() > 3 || !rest.bytes().all(|b| b.is_ascii_digit()) {
        return 0;
    }
    let rest = format!("{rest:0<3}").parse().unwrap_or(0);
    match whole {
        "0" => rest,
        "1" if rest == 0 => 1000,
        _ => 0,
    }
}

fn is_worth_it(status: StatusCode, headers: &HeaderMap) -> bool {
    let has_body = !status.is_informational() && status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED;
    let is_part = status == StatusCode::PARTIAL_CONTENT || headers.contains_key(CONTENT_RANGE);
    let length = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    has_body
        && !is_part
        && !headers.contains_key(CONTENT_ENCODING)
        && !headers.contains_key(SET_COOKIE)
        && length.is_none_or(|length| length >= SMALL)
        && !has(headers, CACHE_CONTROL, "no-transform")
        && headers.get(CONTENT_TYPE).is_some_and(is_text)
}

/// What gets smaller by it. Everything else is packed already, or nobody knows.
fn is_text(kind: &HeaderValue) -> bool {
    const TEXTS: [&str; 18] = [
        "application/javascript",
        "application/x-javascript",
        "application/ecmascript",
        "application/json",
        "application/ld+json",
        "application/manifest+json",
        "application/x-ndjson",
        "application/xml",
        "application/wasm",
        "application/rtf",
        "application/x-sh",
        "application/vnd.ms-fontobject",
        "application/x-font-ttf",
        "font/ttf",
        "font/otf",
        "image/svg+xml",
        "image/bmp",
        "image/x-icon",
    ];
    let Some(kind) = kind.to_str().ok().and_then(|kind| kind.split(';').next()) else { return false };
    let kind = kind.trim().to_ascii_lowercase();
    let text = kind.starts_with("text/") && kind != "text/event-stream";
    text || TEXTS.contains(&kind.as_str()) || kind.ends_with("+json") || kind.ends_with("+xml")
}

fn has(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|t| t.trim().eq_ignore_ascii_case(token))
}

fn vary(headers: &mut HeaderMap) {
    if !has(headers, VARY, "accept-encoding") && !has(headers, VARY, "*") {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

/// The bytes are other ones, so a strong validator would lie.
fn weaken(headers: &mut HeaderMap) {
    if let Some(tag) = headers.get(ETAG)
        && !tag.as_bytes().starts_with(b"W/")
    {
        match HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()) {
            Ok(weak) => headers.insert(ETAG, weak),
            Err(_) => headers.remove(ETAG),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(value: &str) -> Option<Coding> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, value.parse().unwrap());
        accepted(&headers)
    }

    #[test]
    fn the_clients_weights_count_then_our_order() {
        use Coding::{Brotli, Gzip, Zstd};
        for (value, coding) in [
            ("gzip, deflate, br, zstd", Some(Zstd)),
            ("gzip, deflate, br", Some(Brotli)),
            ("gzip", Some(Gzip)),
            ("x-gzip", Some(Gzip)),
            ("GZIP;Q=0.5", Some(Gzip)),
            ("gzip;q=1.0, br;q=0.9, zstd;q=0.001", Some(Gzip)),
            ("br;q=0.5, gzip ; q=0.5", Some(Brotli)),
            ("gzip;q=0", None),
            ("gzip;q=0.000, *", Some(Zstd)),
            ("*;q=0, gzip;q=0.1", Some(Gzip)),
            ("*", Some(Zstd)),
            ("zstd;q=0, *;q=0.3", Some(Brotli)),
            ("identity", None),
            ("identity, *;q=0", None),
            ("deflate", None),
            ("", None),
            ("gzip;q=2", None),
            ("gzip;q=abc", None),
            ("gzip;q=0.12345", None),
        ] {
            assert_eq!(takes(value), coding, "{value}");
        }
        assert_eq!(accepted(&HeaderMap::new()), None);
    }

    fn answer(status: u16, headers: &[(&str, &str)]) -> response::Parts {
        let start = http::Response::builder().status(status);
        let all = headers.iter().fold(start, |answer, (name, value)| answer.header(*name, *value));
        all.body(()).unwrap().into_parts().0
    }

    const GZIP: Wish = Wish { coding: Some(Coding::Gzip), secret: false };
    const HTML: (&str, &str) = ("content-type", "text/html; charset=utf-8");

    #[test]
    fn what_is_never_compressed() {
        type Case<'a> = (&'a str, u16, &'a [(&'a str, &'a str)]);
        let never: [Case<'_>; 17] = [
            ("coded", 200, &[HTML, ("content-encoding", "br")]),
            ("small", 200, &[HTML, ("content-length", "1023")]),
            ("events", 200, &[("content-type", "text/event-stream")]),
            ("part", 206, &[HTML]),
            ("range", 200, &[HTML, ("content-range", "bytes 0-1/2")]),
            ("no content", 204, &[HTML]),
            ("not modified", 304, &[HTML]),
            ("forbidden", 200, &[HTML, ("cache-control", "public, No-Transform")]),
            ("cookie", 200, &[HTML, ("set-cookie", "a=1")]),
            ("no type", 200, &[]),
            ("image", 200, &[("content-type", "image/png")]),
            ("video", 200, &[("content-type", "video/mp4")]),
            ("archive", 200, &[("content-type", "application/zip")]),
            ("gzip file", 200, &[("content-type", "application/gzip")]),
            ("font", 200, &[("content-type", "font/woff2")]),
            ("unknown", 200, &[("content-type", "application/octet-stream")]),
            ("grpc", 200, &[("content-type", "application/grpc")]),
        ];
        for (what, status, headers) in never {
            let mut head = answer(status, headers);
            let before = head.headers.clone();
            assert_eq!(GZIP.grant(&mut head), None, "{what}");
            assert_eq!(head.headers, before, "{what}");
        }
    }

    #[test]
    fn what_is_compressed() {
        for kind in [
            "text/css",
            "TEXT/HTML",
            "application/json",
            "application/problem+json",
            "image/svg+xml",
            "application/wasm",
        ] {
            assert_eq!(GZIP.grant(&mut answer(200, &[("content-type", kind)])), Some(Coding::Gzip), "{kind}");
        }
        for (status, length) in [(200, "1024"), (404, "5000"), (500, "5000")] {
            assert!(GZIP.grant(&mut answer(status, &[HTML, ("content-length", length)])).is_some(), "{status}");
        }
    }

    #[test]
    fn the_head_tells_the_truth_afterwards() {
        let given =
            [HTML, ("content-length", "5000"), ("etag", "\"v1\""), ("accept-ranges", "bytes"), ("vary", "Cookie")];
        let mut head = answer(200, &given);
        assert_eq!(GZIP.grant(&mut head), Some(Coding::Gzip));
        let headers = &head.headers;
        assert_eq!(headers["content-encoding"], "gzip");
        assert_eq!(headers["etag"], "W/\"v1\"");
        assert!(!headers.contains_key("content-length") && !headers.contains_key("accept-ranges"));
        assert_eq!(headers.get_all("vary").iter().collect::<Vec<_>>(), ["Cookie", "Accept-Encoding"]);
        let mut head = answer(200, &[HTML, ("etag", "W/\"v1\""), ("vary", "accept-encoding, cookie")]);
        GZIP.grant(&mut head);
        assert_eq!(head.headers["etag"], "W/\"v1\"");
        assert_eq!(head.headers["vary"], "accept-encoding, cookie");
    }

    #[test]
    fn caches_learn_that_others_get_other_bytes() {
        let mut head = answer(200, &[HTML, ("etag", "\"v1\"")]);
        assert_eq!(Wish { coding: None, secret: false }.grant(&mut head), None);
        assert_eq!(head.headers["vary"], "Accept-Encoding");
        assert_eq!(head.headers["etag"], "\"v1\"");
    }

    #[test]
    fn secrets_are_not_compressed() {
        let ask = |method, name: &str, value: &str| {
            let request = Request::builder().method(method).header("accept-encoding", "gzip").header(name, value);
            Wish::of(&request.body(()).unwrap()).grant(&mut answer(200, &[HTML]))
        };
        assert_eq!(ask(Method::GET, "authorization", "Basic x"), None);
        assert_eq!(ask(Method::HEAD, "cookie", "a=1"), None);
        assert_eq!(ask(Method::GET, "cookie", "a=1"), Some(Coding::Gzip));
    }
}
