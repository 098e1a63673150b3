//! Numbers and times in words, the same in the command and in the console.

use jiff::Timestamp;
use once_app::CertificateView;

/// A number of things: `1 app`, `3 apps`.
#[must_use]
pub fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {many}", thousands(number as u64)) }
}

/// `1204` as `1,204`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes with a binary unit and at most one decimal: `480M`, `1.2G`.
#[must_use]
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "K", "M", "G", "T"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 || value >= 10.0 { format!("{value:.0}{}", UNITS[unit]) } else { format!("{value:.1}{}", UNITS[unit]) }
}

/// How long something took: `12 ms`, `1.9 s`, `2 min 5 s`.
#[must_use]
pub fn took(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{:.1} s", ms as f64 / 1000.0),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

/// A length of time, roughly, in its largest unit: `5 seconds`, `2 minutes`, `3 days`.
#[must_use]
pub fn roughly(seconds: u64) -> String {
    let (number, one, many) = match seconds {
        0..60 => (seconds, "second", "seconds"),
        60..3600 => (seconds / 60, "minute", "minutes"),
        3600..86_400 => (seconds / 3600, "hour", "hours"),
        _ => (seconds / 86_400, "day", "days"),
    };
    count(number as usize, one, many)
}

/// How long ago: `2 minutes ago`; times to come, of another clock, are `just now`.
#[must_use]
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    match u64::try_from(now.as_second() - then.as_second()) {
        Ok(0) | Err(_) => "just now".into(),
        Ok(seconds) => format!("{} ago", roughly(seconds)),
    }
}

/// A latency: `0.8ms`, `31ms`, `1.2s`.
#[must_use]
pub fn latency(ms: f64) -> String {
    match ms {
        ms if ms < 1.0 => format!("{ms:.1}ms"),
        ms if ms < 1000.0 => format!("{ms:.0}ms"),
        ms => format!("{:.1}s", ms / 1000.0),
    }
}

/// `a, b and c`.
#[must_use]
pub fn listed(things: &[String]) -> String {
    match things {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// The one of the known words that was probably meant: at most half of its letters differ.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let scored = known.into_iter().map(|k| (distance(&word, k), k));
    scored.filter(|(d, k)| *d * 2 <= k.chars().count()).min().map(|(_, k)| k)
}

/// Letters to insert, remove or replace.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

/// How a name is served over TLS, in one line.
#[must_use]
pub fn certificate(view: &CertificateView, now: Timestamp) -> String {
    let mut text = match &view.certificate {
        None => format!("{}: no certificate yet", view.name),
        Some(facts) => {
            let over = if facts.not_after <= now { "expired on" } else { "until" };
            let (source, issuer) = (facts.source, &facts.issuer);
            format!("{}: {over} {}, {source}, by {issuer}", view.name, facts.not_after.strftime("%Y-%m-%d"))
        }
    };
    if let Some(failure) = &view.last_error {
        text.push_str(&format!("; last try failed: {}", failure.message));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!([0, 999, 1204, 1_000_000].map(thousands), ["0", "999", "1,204", "1,000,000"]);
        assert_eq!((count(1, "app", "apps"), count(0, "app", "apps")), ("1 app".into(), "0 apps".into()));
        assert_eq!([0, 1023, 1024, 480 << 20, 1_288_490_188].map(bytes), ["0B", "1023B", "1.0K", "480M", "1.2G"]);
    }

    #[test]
    fn times() {
        assert_eq!([0, 999, 1900, 125_000].map(took), ["0 ms", "999 ms", "1.9 s", "2 min 5 s"]);
        assert_eq!(
            [1, 59, 60, 7200, 172_800].map(roughly),
            ["1 second", "59 seconds", "1 minute", "2 hours", "2 days"]
        );
        let now = Timestamp::from_second(1_000_000).unwrap();
        assert_eq!(ago(Timestamp::from_second(999_880).unwrap(), now), "2 minutes ago");
        assert_eq!(ago(Timestamp::from_second(1_000_005).unwrap(), now), "just now");
        assert_eq!([0.75, 31.2, 1234.0].map(latency), ["0.8ms", "31ms", "1.2s"]);
    }

    #[test]
    fn the_word_that_was_meant() {
        assert_eq!(nearest("shpo", ["shop", "wiki"]), Some("shop"));
        assert_eq!(nearest("sho", ["shop", "wiki"]), Some("shop"));
        assert_eq!(nearest("shop.staging", ["shop", "shop.stage"]), Some("shop.stage"));
        assert_eq!(nearest("books", ["wiki"]), None);
    }

    #[test]
    fn lists() {
        assert_eq!(listed(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
