//! Why a request got no answer of its app's, or not the whole of one: a word for the access log and for Prometheus.

use std::error::Error;
use std::io;

use crate::plane::answers::pages::Page;
use crate::plane::upstream::multiplex;

/// What went wrong, once for each request. The words of [`Cause::word`] are a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plane) enum Cause {
    /// Nothing listens at the app's address, or it hung up before anything was said.
    Refused,
    /// The app's name is not known, or nothing leads to its address: the container is gone.
    NoAddress,
    /// The app took no connection in time.
    ConnectTimeout,
    /// A connection could not be made for another reason, as too many open files on this side.
    ConnectFailed,
    /// The app took no connection when others tried it, which this request relied on.
    Outage,
    /// The app's answer did not begin in time.
    HeadTimeout,
    /// The app closed the connection before its answer began.
    ClosedEarly,
    /// What the app said is not HTTP, or not what this proxy passes on.
    NotHttp,
    /// The app was asked for another protocol and answered as if it had not been.
    NotUpgraded,
    /// The app said of each try that it has not looked at the request.
    TurnedAway,
    /// The app broke off in the middle of its answer.
    BrokenOff,
    /// The answer could not be compressed.
    NotCompressed,
    /// The limit of a drain passed.
    Cut,
    /// The deploy that the request waited for took too long.
    HeldTooLong,
    /// Too many requests wait already.
    TooManyHeld,
    /// The app is paused.
    Paused,
    /// The app is stopped.
    Stopped,
    /// The app is under maintenance.
    Maintenance,
    /// The client left before the end of its request or of the answer, or took nothing for too long.
    ClientGone,
    /// The client sent too little of its body in the time for it.
    ClientSlow,
    /// The body is larger than the app takes.
    BodyTooLarge,
    /// The request cannot be understood.
    BadRequest,
    /// This is no forward proxy.
    MethodNotAllowed,
    /// The request's target is too long.
    TargetTooLong,
    /// The request's head has too many lines.
    HeadTooLarge,
    /// The request has a transfer coding that is not known.
    UnknownCoding,
    /// No app has this name.
    UnknownHost,
    /// No app has this path under this name.
    UnknownPath,
    /// The app is not open to the client's address.
    Forbidden,
    /// No password, or a wrong one.
    Unauthorized,
    /// The client asks too often.
    RateLimited,
}

impl Cause {
    /// How many there are.
    pub(in crate::plane) const COUNT: usize = Self::ALL.len();

    /// Each at its own place.
    pub(in crate::plane) const ALL: [Self; 31] = [
        Self::Refused,
        Self::NoAddress,
        Self::ConnectTimeout,
        Self::ConnectFailed,
        Self::Outage,
        Self::HeadTimeout,
        Self::ClosedEarly,
        Self::NotHttp,
        Self::NotUpgraded,
        Self::TurnedAway,
        Self::BrokenOff,
        Self::NotCompressed,
        Self::Cut,
        Self::HeldTooLong,
        Self::TooManyHeld,
        Self::Paused,
        Self::Stopped,
        Self::Maintenance,
        Self::ClientGone,
        Self::ClientSlow,
        Self::BodyTooLarge,
        Self::BadRequest,
        Self::MethodNotAllowed,
        Self::TargetTooLong,
        Self::HeadTooLarge,
        Self::UnknownCoding,
        Self::UnknownHost,
        Self::UnknownPath,
        Self::Forbidden,
        Self::Unauthorized,
        Self::RateLimited,
    ];

    /// What the access log and Prometheus call it.
    pub(in crate::plane) const fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::NoAddress => "no-address",
            Self::ConnectTimeout => "connect-timeout",
            Self::ConnectFailed => "connect-failed",
            Self::Outage => "outage",
            Self::HeadTimeout => "head-timeout",
            Self::ClosedEarly => "closed-early",
            Self::NotHttp => "not-http",
            Self::NotUpgraded => "not-upgraded",
            Self::TurnedAway => "turned-away",
            Self::BrokenOff => "broken-off",
            Self::NotCompressed => "not-compressed",
            Self::Cut => "cut",
            Self::HeldTooLong => "held-too-long",
            Self::TooManyHeld => "too-many-held",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Maintenance => "maintenance",
            Self::ClientGone => "client-gone",
            Self::ClientSlow => "client-slow",
            Self::BodyTooLarge => "body-too-large",
            Self::BadRequest => "bad-request",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::TargetTooLong => "target-too-long",
            Self::HeadTooLarge => "head-too-large",
            Self::UnknownCoding => "unknown-coding",
            Self::UnknownHost => "unknown-host",
            Self::UnknownPath => "unknown-path",
            Self::Forbidden => "forbidden",
            Self::Unauthorized => "unauthorized",
            Self::RateLimited => "rate-limited",
        }
    }

    /// Nobody is there to take a connection: the app ended, or is not there yet.
    pub(in crate::plane) const fn is_nobody(self) -> bool {
        matches!(self, Self::Refused | Self::NoAddress | Self::Outage)
    }

    /// The app took the request and gave no answer to it.
    pub(in crate::plane) const fn is_unanswered(self) -> bool {
        matches!(self, Self::ClosedEarly | Self::NotHttp)
    }

    /// The answer to a request that failed so on its way to the app.
    pub(in crate::plane) const fn page(self) -> Page {
        match self {
            Self::Cut | Self::HeadTimeout => Page::NoAnswer,
            Self::ClientGone => Page::BadRequest,
            Self::ClientSlow => Page::RequestTooSlow,
            Self::BodyTooLarge => Page::TooLarge,
            _ => Page::BadGateway,
        }
    }

    /// What an answer of the proxy's own stands for, if nothing else is known. `None`: nothing is wrong.
    pub(in crate::plane) const fn of_page(page: Page) -> Option<Self> {
        Some(match page {
            Page::BadRequest => Self::BadRequest,
            Page::MethodNotAllowed => Self::MethodNotAllowed,
            Page::RequestTooSlow => Self::ClientSlow,
            Page::TargetTooLong => Self::TargetTooLong,
            Page::HeadTooLarge => Self::HeadTooLarge,
            Page::NotImplemented => Self::UnknownCoding,
            Page::NoPath => Self::UnknownPath,
            Page::NoHost => Self::UnknownHost,
            Page::BadGateway => Self::ConnectFailed,
            Page::Stopped => Self::Stopped,
            Page::TooManyHeld => Self::TooManyHeld,
            Page::HeldTooLong => Self::HeldTooLong,
            Page::NoAnswer => Self::HeadTimeout,
            Page::Paused => Self::Paused,
            Page::Forbidden => Self::Forbidden,
            Page::Unauthorized => Self::Unauthorized,
            Page::TooMany => Self::RateLimited,
            Page::TooLarge => Self::BodyTooLarge,
            Page::Alive => return None,
        })
    }
}

/// A cause, and what the system or the app's own words add to it.
#[derive(Debug, Clone)]
pub(in crate::plane) struct Fault {
    pub(in crate::plane) cause: Cause,
    pub(in crate::plane) detail: Option<Box<str>>,
}

impl From<Cause> for Fault {
    fn from(cause: Cause) -> Self {
        Self { cause, detail: None }
    }
}

impl Fault {
    /// With what the innermost of the errors says.
    pub(in crate::plane) fn because(cause: Cause, error: &dyn Error) -> Self {
        let mut innermost = error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        Self::saying(cause, &innermost.to_string())
    }

    pub(in crate::plane) fn saying(cause: Cause, detail: &str) -> Self {
        Self { cause, detail: Some(detail.into()) }
    }

    /// Why no connection came about.
    pub(in crate::plane) fn unconnected(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        let cause = match error.kind() {
            Kind::ConnectionRefused | Kind::ConnectionReset | Kind::ConnectionAborted => Cause::Refused,
            // The engine still knows the name, the container is off the network.
            Kind::HostUnreachable | Kind::NetworkUnreachable => Cause::NoAddress,
            Kind::TimedOut => Cause::ConnectTimeout,
            _ => Cause::ConnectFailed,
        };
        Self::because(cause, error)
    }

    /// Why an app gave no answer. `None`: its connection ended, and nothing is known of the reason.
    pub(in crate::plane) fn unanswered(error: Option<&hyper::Error>) -> Self {
        match error {
            None => Cause::ClosedEarly.into(),
            Some(error) if error.is_parse() || multiplex::is_no_http2(error) => Self::because(Cause::NotHttp, error),
            Some(error) => Self::because(Cause::ClosedEarly, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_a_place_and_a_word_of_its_own() {
        let mut words = std::collections::BTreeSet::new();
        for (i, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, i);
            let word = cause.word();
            assert!(word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{word}");
            assert!(words.insert(word), "{word} twice");
        }
    }
}
