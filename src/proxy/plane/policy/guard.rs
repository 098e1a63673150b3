//! What an app turns requests down for before it sees them, and the order of it:
//!
//! 1. `allow-ip`: 403. The cheapest, and strangers learn nothing more.
//! 2. `rate-limit`: 429 with `Retry-After`. Before the passwords, so that trying them out is limited too.
//! 3. `basic-auth`: 401. The header stays behind if the password was right: it was meant for us.
//! 4. `max-body`: 413 at once if the request says its length, else when the limit is passed, where the app sees a body
//!    that breaks off.
//!
//! Redirects come before all of it: nobody is asked for a password in clear text who is to come back over TLS. An app
//! without any of these has no guard, which is one look at a pointer. Our own health checks go to the container itself
//! and meet no guard.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, CONTENT_LENGTH, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Request};

use super::basic_auth::Passwords;
use super::rate_limit::Rates;
use crate::plane::answers::pages::Page;
use once_app::{Cidr, Web};

/// The limits of one app.
pub(in crate::plane) struct Guard {
    allowed: Vec<Cidr>,
    rates: Option<Arc<Rates>>,
    passwords: Option<Passwords>,
    pub(in crate::plane) max_body: Option<u64>,
    pub(in crate::plane) compress: bool,
}

/// Why a request goes no further.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::plane) enum Refusal {
    /// From an address that is not allowed.
    Address,
    /// Too many; when the next one may come.
    Rate(Duration),
    /// No password, or a wrong one.
    Password,
    /// The body would be too large.
    Body,
}

impl Guard {
    /// `None`: the app has no limits. Goes on with the counts of `before` where the rate is the same.
    pub(in crate::plane) fn new(web: &Web, before: Option<&Self>) -> Option<Arc<Self>> {
        let rate = web.rate_limit.map(once_app::RateLimit::per_second);
        let known = before.and_then(|guard| guard.rates.clone()).filter(|rates| Some(rates.per_second()) == rate);
        let guard = Self {
            allowed: web.allow_ip.iter().copied().collect(),
            rates: known.or_else(|| rate.map(|rate| Arc::new(Rates::new(rate)))),
            passwords: Passwords::new(web.basic_auth.iter().map(|(user, secret)| (user.as_str(), secret.expose()))),
            max_body: web.max_body.map(|size| size.0),
            compress: web.compress,
        };
        let idle = guard.allowed.is_empty()
            && guard.rates.is_none()
            && guard.passwords.is_none()
            && guard.max_body.is_none()
            && !guard.compress;
        (!idle).then(|| Arc::new(guard))
    }

    /// Lets a request pass, or says why not. Takes away what was only meant for this.
    pub(in crate::plane) fn check<B>(
        &self,
        request: &mut Request<B>,
        client: IpAddr,
        now: Instant,
    ) -> Result<(), Refusal> {
        if !self.allowed.is_empty() && !self.allowed.iter().any(|range| range.contains(client)) {
            return Err(Refusal::Address);
        }
        if let Some(rates) = &self.rates {
            rates.take(client, now).map_err(Refusal::Rate)?;
        }
        if let Some(passwords) = &self.passwords {
            if !request.headers().get(AUTHORIZATION).is_some_and(|given| passwords.is_right(given.as_bytes())) {
                return Err(Refusal::Password);
            }
            request.headers_mut().remove(AUTHORIZATION);
        }
        match self.max_body {
            Some(limit) if length(request.headers()).is_some_and(|length| length > limit) => Err(Refusal::Body),
            _ => Ok(()),
        }
    }
}

/// What the request says; what it says wrongly, hyper has refused already.
fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Refusal {
    pub(in crate::plane) fn page(&self) -> Page {
        match self {
            Self::Address => Page::Forbidden,
            Self::Rate(_) => Page::TooMany,
            Self::Password => Page::Unauthorized,
            Self::Body => Page::TooLarge,
        }
    }

    /// What the answer has to say besides.
    pub(in crate::plane) fn add_to(&self, headers: &mut HeaderMap) {
        match self {
            // The page of a body that is too large closes the connection.
            Self::Address | Self::Body => {}
            Self::Rate(wait) => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
            }
            Self::Password => {
                // Says nothing of the app.
                let realm = HeaderValue::from_static("Basic realm=\"restricted\", charset=\"UTF-8\"");
                headers.insert(WWW_AUTHENTICATE, realm);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use once_app::Secret;

    fn ask(headers: &[(&str, &str)]) -> Request<()> {
        let all = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        all.body(()).unwrap()
    }

    const ANN: (&str, &str) = ("authorization", "Basic YW5uOmh1bnRlcjI=");

    fn all() -> Web {
        Web {
            allow_ip: ["10.0.0.0/8".parse().unwrap()].into(),
            rate_limit: Some("2".parse().unwrap()),
            basic_auth: [("ann".parse().unwrap(), Secret::new("hunter2".to_owned()))].into(),
            max_body: Some(once_app::ByteSize(10)),
            ..Web::default()
        }
    }

    #[test]
    fn an_app_without_limits_has_no_guard() {
        assert!(Guard::new(&Web::default(), None).is_none());
        assert!(Guard::new(&Web { compress: true, ..Web::default() }, None).is_some());
    }

    #[test]
    fn checks_come_in_their_order() {
        let guard = Guard::new(&all(), None).unwrap();
        let now = Instant::now();
        let check = |client: [u8; 4], headers: &[(&str, &str)]| guard.check(&mut ask(headers), client.into(), now);
        let large = ("content-length", "11");
        assert_eq!(check([11, 0, 0, 1], &[large]), Err(Refusal::Address));
        assert_eq!(check([10, 0, 0, 1], &[large]), Err(Refusal::Password));
        assert_eq!(check([10, 0, 0, 1], &[large, ANN]), Err(Refusal::Body));
        assert_eq!(check([10, 0, 0, 1], &[ANN]), Err(Refusal::Rate(Duration::from_millis(500))));
        assert_eq!(check([10, 0, 0, 2], &[ANN, ("content-length", "10")]), Ok(()));
    }

    #[test]
    fn only_our_password_is_taken_away() {
        let guard = Guard::new(&all(), None).unwrap();
        let mut request = ask(&[ANN]);
        guard.check(&mut request, [10, 0, 0, 1].into(), Instant::now()).unwrap();
        assert!(!request.headers().contains_key(AUTHORIZATION));
        let open = Guard::new(&Web { basic_auth: <_>::default(), ..all() }, None).unwrap();
        let mut request = ask(&[("authorization", "Bearer x")]);
        open.check(&mut request, [10, 0, 0, 1].into(), Instant::now()).unwrap();
        assert_eq!(request.headers()[AUTHORIZATION], "Bearer x");
    }

    #[test]
    fn counts_go_on_over_a_deploy_unless_the_rate_changes() {
        let (now, client) = (Instant::now(), IpAddr::from([10, 0, 0, 1]));
        let web = Web { rate_limit: Some("1".parse().unwrap()), ..Web::default() };
        let first = Guard::new(&web, None).unwrap();
        first.check(&mut ask(&[]), client, now).unwrap();
        let same = Guard::new(&Web { compress: true, ..web.clone() }, Some(&first)).unwrap();
        assert!(same.check(&mut ask(&[]), client, now).is_err());
        let other = Guard::new(&Web { rate_limit: Some("5".parse().unwrap()), ..web }, Some(&same)).unwrap();
        assert!(other.check(&mut ask(&[]), client, now).is_ok());
    }
}
