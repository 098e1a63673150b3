//! Small quantities with a unit: durations, sizes, processor shares, ports, paths.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why a quantity was turned down. The text reads after "invalid value `x`: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a duration.
    #[error("a duration is a number of seconds, or a number with `ms`, `s`, `m` or `h`, as in `90`, `90s`, `2m`")]
    Duration,
    /// Not a size.
    #[error("a size is a number of bytes, or a number with `k`, `m`, `g` or `t`, as in `512m`, `1g`")]
    Size,
    /// Not a processor share.
    #[error("a processor share is a number above 0 with at most three decimals, as in `0.5` or `2`")]
    Cpus,
    /// Not a port.
    #[error("a port is a number from 1 to 65535")]
    Port,
    /// Not a path.
    #[error("a path starts with `/` and has no spaces, `?`, `#`, control characters or `..`")]
    Path,
    /// Outside of the allowed range; carries the two ends as text.
    #[error("it must be between {0} and {1}")]
    Range(String, String),
}

/// A length of time, kept in whole milliseconds; written `90s`, `2m`, `1500ms`. At most 24 hours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(u64);

impl Span {
    const MAX_MS: u64 = 24 * 3600 * 1000;

    /// From whole seconds; capped at 24 hours.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        let ms = seconds.saturating_mul(1000);
        Self(if ms > Self::MAX_MS { Self::MAX_MS } else { ms })
    }

    /// No time at all.
    #[must_use]
    pub const fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// Twice as long; capped at 24 hours.
    #[must_use]
    pub const fn twice(self) -> Self {
        let ms = self.0.saturating_mul(2);
        Self(if ms > Self::MAX_MS { Self::MAX_MS } else { ms })
    }

    /// As std's duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

/// A length of time for people, in whole seconds: `50 seconds`, `1 min 50 s`, `2 min`, `1 h 5 min`.
#[must_use]
pub fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes, rest) {
        (0, 0, 1) => "1 second".to_owned(),
        (0, 0, _) => format!("{seconds} seconds"),
        (0, _, 0) => format!("{minutes} min"),
        (0, ..) => format!("{minutes} min {rest} s"),
        (_, 0, _) => format!("{hours} h"),
        _ => format!("{hours} h {minutes} min"),
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ms if ms % 1000 != 0 => write!(f, "{ms}ms"),
            ms if ms >= 3_600_000 && ms % 3_600_000 == 0 => write!(f, "{}h", ms / 3_600_000),
            ms if ms >= 120_000 && ms % 60_000 == 0 => write!(f, "{}m", ms / 60_000),
            ms => write!(f, "{}s", ms / 1000),
        }
    }
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (number, unit) = split_unit(text);
        let number: f64 = decimal(number).ok_or(UnitError::Duration)?;
        let factor = match unit {
            "ms" => 1.0,
            "" | "s" => 1000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            _ => return Err(UnitError::Duration),
        };
        let ms = (number * factor).round();
        if ms > Self::MAX_MS as f64 {
            return Err(UnitError::Range("0s".into(), "24h".into()));
        }
        Ok(Self(ms as u64))
    }
}

/// A number of bytes; written with binary units: `512m` is 512 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ByteSize(pub u64);

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(40, "t"), (30, "g"), (20, "m"), (10, "k")] {
            if self.0 >= 1 << shift && self.0.is_multiple_of(1 << shift) {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}", self.0)
    }
}

impl ByteSize {
    /// For people, rounded: `12 GiB`, `1.5 MiB`, `512 B`.
    #[must_use]
    pub fn about(self) -> String {
        let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
        let Some((shift, unit)) = units.into_iter().find(|(shift, _)| self.0 >= 1 << shift) else {
            return format!("{} B", self.0);
        };
        let number = self.0 as f64 / (1_u64 << shift) as f64;
        // Whole numbers say no more with a zero behind them, nor do those of two digits with a fraction.
        if number >= 9.95 || self.0.is_multiple_of(1 << shift) {
            format!("{number:.0} {unit}")
        } else {
            format!("{number:.1} {unit}")
        }
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (number, unit) = split_unit(text);
        let number: f64 = decimal(number).ok_or(UnitError::Size)?;
        let shift = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 10,
            "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            "t" | "tb" | "tib" => 40,
            _ => return Err(UnitError::Size),
        };
        let bytes = (number * (1u64 << shift) as f64).round();
        if bytes >= (1u64 << 60) as f64 {
            return Err(UnitError::Size);
        }
        Ok(Self(bytes as u64))
    }
}

/// A share of the host's processors in thousandths; `0.5` is half a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cpus(u32);

impl Cpus {
    /// In billionths, as the engine wants it.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0 as i64 * 1_000_000
    }

    /// Whole cores, rounded up: what an app should size its worker pool by.
    #[must_use]
    pub const fn whole(self) -> u32 {
        self.0.div_ceil(1000)
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) {
            write!(f, "{}", self.0 / 1000)
        } else {
            let text = format!("{}.{:03}", self.0 / 1000, self.0 % 1000);
            f.write_str(text.trim_end_matches('0'))
        }
    }
}

impl FromStr for Cpus {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let decimals = text.split_once('.').map_or(0, |(_, d)| d.len());
        let number = decimal(text).ok_or(UnitError::Cpus)?;
        if decimals > 3 || number <= 0.0 || number > 4096.0 {
            return Err(UnitError::Cpus);
        }
        Ok(Self((number * 1000.0).round() as u32))
    }
}

/// A TCP port, 1 to 65535.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Port(NonZeroU16);

impl Port {
    /// HTTP's own: what a container without an exposed port is expected to listen on.
    pub const HTTP: Self = Self(NonZeroU16::new(80).unwrap());

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    /// From a number other than 0.
    #[must_use]
    pub fn new(number: u16) -> Option<Self> {
        NonZeroU16::new(number).map(Self)
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Port {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(UnitError::Port);
        }
        text.parse().ok().and_then(Self::new).ok_or(UnitError::Port)
    }
}

/// An absolute URL path without query: a health check's path, or the prefix a route matches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UrlPath(String);

impl UrlPath {
    /// The path as text, starting with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `/up`: what images made for ONCE and Kamal answer.
    #[must_use]
    pub fn up() -> Self {
        Self("/up".to_owned())
    }

    /// The one way of writing it among those that mean the same; see [`normalised_path`].
    #[must_use]
    pub fn normalised(&self) -> Self {
        Self(normalised_path(&self.0))
    }
}

/// A path as it is written where nothing is escaped that need not be (RFC 3986, 6.2.2): `/%61pi` is `/api`. What has a
/// meaning of its own stays, in upper case (`%2F`), and so does what is no escape at all. For comparing, never for passing on.
#[must_use]
pub fn normalised_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let escape = rest.get(1..3).filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = escape.and_then(|two| u8::from_str_radix(two, 16).ok()).map(char::from);
        match (escape, byte) {
            (Some(_), Some(plain)) if plain.is_ascii_alphanumeric() || "-._~".contains(plain) => out.push(plain),
            (Some(two), _) => {
                out.push('%');
                out.push_str(&two.to_ascii_uppercase());
            }
            (None, _) => {
                out.push('%');
                rest = &rest[1..];
                continue;
            }
        }
        rest = &rest[3..];
    }
    out.push_str(rest);
    out
}

impl fmt::Display for UrlPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for UrlPath {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '\\' | '"' | '<' | '>' | '`');
        let fine = text.starts_with('/')
            && text.len() <= 1024
            && text.chars().all(plain)
            && !text.split('/').any(|segment| segment == "..");
        if fine { Ok(Self(text.to_owned())) } else { Err(UnitError::Path) }
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    text.split_at(at)
}

/// A plain decimal: digits with at most one point. No sign, exponent, `inf` or `nan`, which std's parser takes.
fn decimal(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && text.bytes().any(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

macro_rules! text_forms {
    ($($name:ident),*) => {$(
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
        impl TryFrom<String> for $name {
            type Error = UnitError;
            fn try_from(text: String) -> Result<Self, UnitError> {
                text.parse()
            }
        }
    )*};
}
text_forms!(Span, ByteSize, Cpus, UrlPath);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_words() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 min"),
            (110, "1 min 50 s"),
            (3600, "1 h"),
            (3900, "1 h 5 min"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
        let late =
            crate::ports::engine::EngineError::TimedOut { what: "answer".into(), after: Duration::from_secs(110) };
        assert_eq!(late.to_string(), "the engine did not answer within 1 min 50 s");
    }

    #[test]
    fn durations() {
        for (text, shown) in
            [("90", "90s"), ("90s", "90s"), ("2m", "2m"), ("120", "2m"), ("1.5s", "1500ms"), ("1h", "1h"), ("0", "0s")]
        {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), shown, "{text}");
        }
        for bad in ["", "s", "-1", "1d", "1 s", "inf", "nan", "1e3", "25h", "99999999999999999999"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_for_people() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1 << 20, "1 MiB"),
            (3 << 19, "1.5 MiB"),
            (12_345_678_901, "11 GiB"),
            (10_737_418_239, "10 GiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(ByteSize(bytes).about(), text);
        }
    }

    #[test]
    fn sizes_and_shares() {
        assert_eq!("512m".parse::<ByteSize>().unwrap(), ByteSize(512 << 20));
        assert_eq!("1.5g".parse::<ByteSize>().unwrap().to_string(), "1536m");
        assert_eq!("1GiB".parse::<ByteSize>().unwrap().to_string(), "1g");
        assert_eq!("0.5".parse::<Cpus>().unwrap().nanos(), 500_000_000);
        assert_eq!("1.25".parse::<Cpus>().unwrap().to_string(), "1.25");
        assert_eq!("1.25".parse::<Cpus>().unwrap().whole(), 2);
        for (text, bytes) in [("5b", 5), ("5kb", 5 << 10), ("5TiB", 5 << 40)] {
            assert_eq!(text.parse::<ByteSize>().unwrap(), ByteSize(bytes), "{text}");
        }
        for bad in ["", "x", "-1m", "1q", "99999999t", "5ib", "5bb", "5kibib"] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad}");
        }
        for bad in ["0", "-1", "0.0001", "x", "5000"] {
            assert!(bad.parse::<Cpus>().is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_that_mean_the_same_are_written_the_same() {
        for (path, same) in [
            ("/api", "/api"),
            ("/%61p%69", "/api"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%2Fb", "/a%2Fb"),
            ("/%7Ea%2D", "/~a-"),
            ("/%25%36%31", "/%2561"),
            ("/%c3%a4", "/%C3%A4"),
            ("/%", "/%"),
            ("/%zz%4", "/%zz%4"),
            ("/%+1", "/%+1"),
            ("/%é", "/%é"),
        ] {
            assert_eq!(normalised_path(path), same, "{path}");
        }
    }

    #[test]
    fn ports_and_paths() {
        assert_eq!("80".parse::<Port>().unwrap(), Port::HTTP);
        for bad in ["0", "65536", "-1", "+80", "", "http"] {
            assert!(bad.parse::<Port>().is_err(), "{bad}");
        }
        for bad in ["", "up", "/a b", "/a?b", "/a/../b", "/\n", "/a`b"] {
            assert!(bad.parse::<UrlPath>().is_err(), "{bad}");
        }
    }
}
