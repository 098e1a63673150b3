//! A candidate beside the serving release, and which requests it gets. Pure.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::release::Release;

/// A release that is tried out on some of the requests. It ends with a promotion, an abort, or the next deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// The release; its status is [`Canary`](super::release::ReleaseStatus::Canary).
    pub release: Release,
    /// Which requests it gets.
    pub rule: CanaryRule,
    /// Since when.
    pub since: Timestamp,
}

/// Which requests go to the candidate. As text: `10%`, `cookie:NAME[=VALUE]`, `header:NAME[=VALUE]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CanaryRule {
    /// This share of the visitors; a visitor stays with the side that was drawn for it.
    Share(Share),
    /// Requests with this cookie.
    Cookie(Match),
    /// Requests with this header field.
    Header(Match),
}

impl CanaryRule {
    /// Which requests these are, in words: `10% of the visitors`.
    #[must_use]
    pub fn requests(&self) -> String {
        match self {
            Self::Share(share) => format!("{share} of the visitors"),
            Self::Cookie(cookie) => format!("requests with the cookie {cookie}"),
            Self::Header(header) => format!("requests with the header {header}"),
        }
    }
}

/// A share of all, in hundredths of a percent: 0 to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u16);

/// A name, and the value it must have; `None`: any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// A token of HTTP; a header's is in lower case.
    pub name: String,
    /// Compared byte by byte.
    pub value: Option<String>,
}

/// Why a text is no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Neither a share nor a match.
    #[error("it must be a share as in 10%, or cookie:NAME, cookie:NAME=VALUE, header:NAME or header:NAME=VALUE")]
    Form,
    /// No share of 100.
    #[error("a share is between 0% and 100%, with two decimals at most")]
    Share,
    /// The name is no token.
    #[error("the name must be made of letters, digits and !#$%&'*+-.^_`|~")]
    Name,
    /// The value could not be sent.
    #[error("the value must be made of visible ASCII characters, without spaces, quotes, commas and semicolons")]
    Value,
}

impl Share {
    /// All there is.
    pub const WHOLE: u16 = 10_000;

    /// Whether the visitor who drew this place, 0 to 9,999, belongs to the share. A larger share holds all of a smaller
    /// one, so that nobody who is in falls out while it grows.
    #[must_use]
    pub const fn holds(self, place: u16) -> bool {
        place < self.0
    }

    /// A place for a visitor, from 64 evenly distributed bits. Scaled, not taken modulo, so that no place is likelier
    /// than another by more than 2^-50.
    #[must_use]
    pub const fn place(bits: u64) -> u16 {
        ((bits as u128 * Self::WHOLE as u128) >> 64) as u16
    }
}

impl FromStr for Share {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let number = text.strip_suffix('%').ok_or(RuleError::Form)?;
        let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |t: &str, most: usize| (1..=most).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole, 3) || !digits(rest, 2) {
            return Err(RuleError::Share);
        }
        let parsed = |t: &str| t.parse::<u16>().map_err(|_| RuleError::Share);
        let rest = parsed(rest)? * if rest.len() == 1 { 10 } else { 1 };
        let sum = parsed(whole)?.min(101) * 100 + rest;
        if sum > Self::WHOLE { Err(RuleError::Share) } else { Ok(Self(sum)) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => write!(f, "{whole}%"),
            (whole, rest) if rest % 10 == 0 => write!(f, "{whole}.{}%", rest / 10),
            (whole, rest) => write!(f, "{whole}.{rest:02}%"),
        }
    }
}

impl FromStr for Match {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || name.len() > 128 || !name.bytes().all(token) {
            return Err(RuleError::Name);
        }
        let plain = |b: u8| b.is_ascii_graphic() && !b"\",;\\".contains(&b);
        if value.is_some_and(|v| v.is_empty() || v.len() > 256 || !v.bytes().all(plain)) {
            return Err(RuleError::Value);
        }
        Ok(Self { name: name.to_owned(), value: value.map(str::to_owned) })
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl FromStr for CanaryRule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        if let Some(rest) = text.strip_prefix("cookie:") {
            return rest.parse().map(Self::Cookie);
        }
        if let Some(rest) = text.strip_prefix("header:") {
            let found: Match = rest.parse()?;
            return Ok(Self::Header(Match { name: found.name.to_ascii_lowercase(), ..found }));
        }
        text.parse().map(Self::Share)
    }
}

impl fmt::Display for CanaryRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => share.fmt(f),
            Self::Cookie(cookie) => write!(f, "cookie:{cookie}"),
            Self::Header(header) => write!(f, "header:{header}"),
        }
    }
}

impl TryFrom<String> for CanaryRule {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, RuleError> {
        text.parse()
    }
}

impl From<CanaryRule> for String {
    fn from(rule: CanaryRule) -> Self {
        rule.to_string()
    }
}

/// A canary as people and scripts are told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryView {
    /// Which release is tried out.
    pub release: super::name::ReleaseNumber,
    /// On which requests.
    pub rule: CanaryRule,
}

impl From<&Canary> for CanaryView {
    fn from(canary: &Canary) -> Self {
        Self { release: canary.release.number, rule: canary.rule.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_they_are_written() {
        for text in ["0%", "0.01%", "0.5%", "10%", "33.3%", "99.99%", "100%"] {
            assert_eq!(text.parse::<CanaryRule>().unwrap().to_string(), text);
        }
        for text in ["cookie:beta", "cookie:Beta=1", "cookie:a=b=c", "header:x-beta", "header:x-beta=yes"] {
            let rule: CanaryRule = text.parse().unwrap();
            assert_eq!(rule.to_string(), text);
            let json = serde_json::to_string(&rule).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<CanaryRule>(&json).unwrap(), rule);
        }
        assert_eq!("header:X-Beta=Yes".parse::<CanaryRule>().unwrap().to_string(), "header:x-beta=Yes");
    }

    #[test]
    fn what_is_no_rule_says_why() {
        for (text, expected) in [
            ("", RuleError::Form),
            ("10", RuleError::Form),
            ("beta", RuleError::Form),
            ("query:x", RuleError::Form),
            ("%", RuleError::Share),
            ("-1%", RuleError::Share),
            ("100.01%", RuleError::Share),
            ("101%", RuleError::Share),
            ("999%", RuleError::Share),
            ("1.234%", RuleError::Share),
            ("1.%", RuleError::Share),
            ("+1%", RuleError::Share),
            ("1e1%", RuleError::Share),
            ("cookie:", RuleError::Name),
            ("cookie:a b", RuleError::Name),
            ("header:a:b", RuleError::Name),
            ("cookie:a=", RuleError::Value),
            ("cookie:a=b;c", RuleError::Value),
            ("header:a=b c", RuleError::Value),
            ("header:a=b\r\nc", RuleError::Value),
        ] {
            assert_eq!(text.parse::<CanaryRule>(), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn places_are_drawn_evenly_and_reach_both_ends() {
        assert_eq!((Share::place(0), Share::place(u64::MAX)), (0, Share::WHOLE - 1));
        // Evenly spaced bits fall evenly into the places: no remainder makes some of them likelier.
        let step = u64::MAX / 1_000_000;
        let mut counts = vec![0_u32; usize::from(Share::WHOLE)];
        for n in 0..1_000_000 {
            counts[usize::from(Share::place(n * step))] += 1;
        }
        assert!(counts.iter().all(|n| (99..=101).contains(n)), "{:?}", counts.iter().min().zip(counts.iter().max()));
    }

    #[test]
    fn a_growing_share_keeps_whom_it_has() {
        let share = |text: &str| text.parse::<Share>().unwrap();
        for place in [0, 1, 999, 1000, 9_998, 9_999] {
            assert!(!share("0%").holds(place) && share("100%").holds(place));
            assert!(!share("10%").holds(place) || share("25%").holds(place));
        }
        assert!(share("10%").holds(999) && !share("10%").holds(1000));
        assert!(share("0.01%").holds(0) && !share("0.01%").holds(1));
    }
}
