//! Numbers and times as people read them, in as few columns as they need. Pure.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `1,204`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// At most five columns: `0`, `0.4`, `48`, `1.2k`, `34k`, `1.2M`.
pub(crate) fn rate(n: f64) -> String {
    match n {
        n if n <= 0.0 => "0".into(),
        n if n < 0.95 => format!("{n:.1}"),
        n if n < 999.5 => format!("{n:.0}"),
        n if n < 9_950.0 => format!("{:.1}k", n / 1e3),
        n if n < 999_500.0 => format!("{:.0}k", n / 1e3),
        n if n < 9_950_000.0 => format!("{:.1}M", n / 1e6),
        n => format!("{:.0}M", n / 1e6),
    }
}

/// At most six columns: `9ms`, `1.2s`, `34s`, `2m`.
pub(crate) fn millis(ms: f64) -> String {
    match ms {
        ms if ms < 1.0 => "<1ms".into(),
        ms if ms < 999.5 => format!("{ms:.0}ms"),
        ms if ms < 9_950.0 => format!("{:.1}s", ms / 1e3),
        ms if ms < 119_500.0 => format!("{:.0}s", ms / 1e3),
        ms => format!("{:.0}m", ms / 60e3),
    }
}

/// At most five columns, binary units without the `iB`: `0B`, `980K`, `480M`, `1.2G`.
pub(crate) fn bytes(n: u64) -> String {
    let n = n as f64;
    for (shift, unit) in [(40, "T"), (30, "G"), (20, "M"), (10, "K")] {
        let value = n / (1u64 << shift) as f64;
        if value >= 99.5 {
            return format!("{value:.0}{unit}");
        }
        if value >= 0.995 {
            let text = if unit == "K" { format!("{value:.0}") } else { format!("{value:.1}") };
            return format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text));
        }
    }
    format!("{n:.0}B")
}

/// A share of one core as whole per cent: `9%`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.0}%", (share * 100.0).clamp(0.0, 9_999.0))
}

/// How long a step took: `0.01 s`, `3.1 s`, `34 s`, `2:05`.
pub(crate) fn took(ms: u64) -> String {
    match ms {
        0..=999 => format!("{:.2} s", (ms as f64 / 1000.0).max(0.01)),
        1000..=9_949 => format!("{:.1} s", ms as f64 / 1000.0),
        9_950..=59_999 => format!("{:.0} s", ms as f64 / 1000.0),
        _ => clock(Duration::from_millis(ms)),
    }
}

/// `00:14`, `1:02:03`.
pub(crate) fn clock(span: Duration) -> String {
    let s = span.as_secs();
    if s < 3600 {
        format!("{:02}:{:02}", s / 60, s % 60)
    } else {
        format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    }
}

/// Seconds between two moments, never negative: clocks of two machines differ.
pub(crate) fn since(now: Timestamp, then: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(now.as_millisecond() - then.as_millisecond()).unwrap_or(0))
}

/// `just now`, `40 seconds`, `1 min 50 s`, `2 minutes`, `5 hours`, `3 days`. It changes every ten seconds at most.
pub(crate) fn age(now: Timestamp, then: Timestamp) -> String {
    let s = since(now, then).as_secs();
    let (n, unit) = match s {
        0..=9 => return "just now".into(),
        10..=59 => (s / 10 * 10, "second"),
        60..=69 => (1, "minute"),
        70..=119 => return format!("1 min {} s", s / 10 * 10 - 60),
        120..=7199 => (s / 60, "minute"),
        7200..=172_799 => (s / 3600, "hour"),
        _ => (s / 86_400, "day"),
    };
    format!("{n} {unit}{}", if n == 1 { "" } else { "s" })
}

/// [`age`] with the word that makes it a point in time: `2 minutes ago`.
pub(crate) fn ago(now: Timestamp, then: Timestamp) -> String {
    let age = age(now, then);
    if age == "just now" { age } else { format!("{age} ago") }
}

/// `18:42`.
pub(crate) fn hour(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M").to_string()
}

/// `18:42:07`.
pub(crate) fn second(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// `20 Nov 18:42`.
pub(crate) fn day(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%d %b %H:%M").to_string()
}

/// One thing, many things: `1 request`, `3 requests`.
pub(crate) fn many(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// A word for the shell: quoted where it has to be.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%^".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.into() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_to_their_columns() {
        assert_eq!(count(1_204), "1,204");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000_000), "1,000,000");
        for (n, text) in [(0.0, "0"), (0.42, "0.4"), (48.2, "48"), (1234.0, "1.2k"), (34_000.0, "34k"), (2e6, "2.0M")] {
            assert_eq!(rate(n), text);
        }
        for (n, text) in [(0, "0B"), (512, "512B"), (480 << 20, "480M"), (1 << 30, "1G"), (1_288_490_189, "1.2G")] {
            assert_eq!(bytes(n), text);
        }
        for n in (0..50).map(|shift| (1u64 << shift).saturating_mul(999) / 1000) {
            assert!(bytes(n).len() <= 5 && rate(n as f64 / 1e4).len() <= 8, "{n}: {}", bytes(n));
        }
        assert_eq!(millis(0.2), "<1ms");
        assert_eq!(millis(31.4), "31ms");
        assert_eq!(millis(1_234.0), "1.2s");
    }

    #[test]
    fn times_read_like_speech() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let past = |s: i64| Timestamp::from_second(1_000_000 - s).unwrap();
        assert_eq!(age(now, past(3)), "just now");
        assert_eq!(ago(now, past(130)), "2 minutes ago");
        assert_eq!(age(now, past(-50)), "just now");
        assert_eq!(age(now, past(59)), "50 seconds");
        assert_eq!(age(now, past(65)), "1 minute");
        assert_eq!(age(now, past(117)), "1 min 50 s");
        assert_eq!(age(now, past(86_400 * 3)), "3 days");
        assert_eq!(took(3_100), "3.1 s");
        assert_eq!(took(1), "0.01 s");
        assert_eq!(clock(Duration::from_secs(14)), "00:14");
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(shell_word("ghcr.io/a/b:1"), "ghcr.io/a/b:1");
        assert_eq!(shell_word("a b"), "'a b'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
    }
}
