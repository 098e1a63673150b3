//! Which side of a canary a request belongs to.

use std::sync::Arc;

use http::header::{COOKIE, HeaderName, HeaderValue, SET_COOKIE};
use http::{HeaderMap, Response};

use crate::plane::request::request_id;
use crate::plane::upstream::Upstream;
use once_app::{CanaryRoute, CanaryRule, ReleaseNumber, Share};

/// The cookie that keeps a visitor on the side it was drawn for: `<release>-<place>`. The place counts for this canary
/// only, so that it is not the same visitors who try out every release.
const PLACE_COOKIE: &str = "once-canary";

/// A canary as the plane uses it.
pub(in crate::plane) struct Canary {
    pub(in crate::plane) upstream: Arc<Upstream>,
    rule: Rule,
    release: ReleaseNumber,
}

enum Rule {
    Share(Share),
    Cookie(String, Option<String>),
    Header(HeaderName, Option<String>),
    /// Nobody. Names are checked before they get here, so this is never made; it is no reason to fail.
    Nobody,
}

impl Canary {
    pub(in crate::plane) fn new(route: &CanaryRoute, upstream: Arc<Upstream>) -> Self {
        let rule = match route.rule.clone() {
            CanaryRule::Share(share) => Rule::Share(share),
            CanaryRule::Cookie(cookie) => Rule::Cookie(cookie.name, cookie.value),
            CanaryRule::Header(header) => match HeaderName::from_bytes(header.name.as_bytes()) {
                Ok(name) => Rule::Header(name, header.value),
                Err(_) => Rule::Nobody,
            },
        };
        Self { upstream, rule, release: route.target.release }
    }

    /// Whether the canary gets this visitor's request.
    pub(in crate::plane) fn takes(&self, visitor: &mut Visitor<'_>) -> bool {
        if visitor.draw.stays {
            return false;
        }
        match &self.rule {
            Rule::Share(share) => share.holds(visitor.place(self.release)),
            Rule::Cookie(name, value) => {
                cookies(visitor.head, name).any(|given| value.as_ref().is_none_or(|value| given == value.as_bytes()))
            }
            Rule::Header(name, value) => visitor
                .head
                .get_all(name)
                .iter()
                .any(|given| value.as_ref().is_none_or(|value| given.as_bytes() == value.as_bytes())),
            Rule::Nobody => false,
        }
    }
}

/// Whose request it is, as far as a canary wants to know.
pub(in crate::plane) struct Visitor<'a> {
    head: &'a HeaderMap,
    draw: &'a mut Draw,
}

/// What was drawn for a visitor that had no place yet.
#[derive(Default)]
pub(in crate::plane) struct Draw {
    drawn: Option<(ReleaseNumber, u16)>,
    /// The canary took no connection: the request goes to the serving release.
    pub(in crate::plane) stays: bool,
}

impl Draw {
    pub(in crate::plane) fn visitor<'a>(&'a mut self, head: &'a HeaderMap) -> Visitor<'a> {
        Visitor { head, draw: self }
    }

    /// Tells the client its place, where it got one. For as long as its session lasts, below the app's path.
    pub(in crate::plane) fn remember<B>(&self, response: &mut Response<B>, path: Option<&str>, secure: bool) {
        let Some((release, place)) = self.drawn else { return };
        let path = path.filter(|path| !path.is_empty()).unwrap_or("/");
        let secure = if secure { "; Secure" } else { "" };
        let text = format!("{PLACE_COOKIE}={release}-{place}; Path={path}; HttpOnly; SameSite=Lax{secure}");
        if let Ok(value) = HeaderValue::try_from(text) {
            response.headers_mut().append(SET_COOKIE, value);
        }
    }
}

impl Visitor<'_> {
    /// The place in its cookie; else one that is drawn now.
    fn place(&mut self, release: ReleaseNumber) -> u16 {
        if let Some((_, place)) = self.draw.drawn.filter(|(of, _)| *of == release) {
            return place;
        }
        if let Some(place) = cookies(self.head, PLACE_COOKIE).find_map(|value| read(value, release)) {
            return place;
        }
        let place = Share::place(request_id::number());
        self.draw.drawn = Some((release, place));
        place
    }
}

pub(in crate::plane) fn read(value: &[u8], release: ReleaseNumber) -> Option<u16> {
    let (of, given) = std::str::from_utf8(value).ok()?.split_once('-')?;
    let place: u16 = given.parse().ok().filter(|place| *place < Share::WHOLE)?;
    // As it was written and in no other way: std's numbers take signs and zeros before them.
    (of == release.to_string() && given == place.to_string()).then_some(place)
}

/// Values of the cookies of a name. HTTP/2 may bring each in a field of its own.
pub(in crate::plane) fn cookies<'a>(head: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let pairs = head.get_all(COOKIE).iter().flat_map(|field| field.as_bytes().split(|b| *b == b';'));
    pairs.filter_map(move |pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(cookies: &[&'static str]) -> HeaderMap {
        cookies.iter().map(|value| (COOKIE, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let head = head(&["a=1; beta=2;c=3", "beta=4; xbeta=5; beta2=6; beta"]);
        let found: Vec<_> = cookies(&head, "beta").collect();
        assert_eq!(found, [b"2".as_slice(), b"4"]);
    }

    #[test]
    fn a_place_counts_for_its_canary_only() {
        assert_eq!(read(b"7-9999", ReleaseNumber(7)), Some(9999));
        for bad in ["7-10000", "8-1", "7", "7-", "-1", "7--1", "7-1x", "+7-1", "7-+1", "7-01", ""] {
            assert_eq!(read(bad.as_bytes(), ReleaseNumber(7)), None, "{bad}");
        }
    }

    #[test]
    fn a_visitor_keeps_what_it_drew() {
        let (head, mut draw) = (HeaderMap::new(), Draw::default());
        let mut visitor = draw.visitor(&head);
        let place = visitor.place(ReleaseNumber(7));
        assert!((0..20).all(|_| visitor.place(ReleaseNumber(7)) == place));
        let mut response = Response::new(());
        draw.remember(&mut response, Some("/shop"), true);
        let expected = format!("once-canary=7-{place}; Path=/shop; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(response.headers()[SET_COOKIE], expected);
    }

    #[test]
    fn who_has_a_place_is_told_nothing() {
        let (head, mut draw) = (head(&["once-canary=7-123"]), Draw::default());
        assert_eq!(draw.visitor(&head).place(ReleaseNumber(7)), 123);
        let mut response = Response::new(());
        draw.remember(&mut response, None, false);
        assert!(response.headers().is_empty());
    }
}
