//! `logs`: what an app writes, or the proxy's access log of it.

use futures_util::StreamExt as _;
use jiff::{Timestamp, ToSpan as _};
use regex::Regex;

use crate::app::engine::{LogLine, LogQuery};
use crate::app::ledger::AppRecord;
use crate::app::{Installation, Problem, ReleaseNumber, Span};
use crate::ui::cli::args::LogsArgs;
use crate::ui::cli::change::Signals;
use crate::ui::cli::objects::LogObject;
use crate::ui::cli::session::Session;
use crate::ui::sanitize;

use super::Answer;

/// Which lines are wanted, beside what the engine is asked for.
struct Wanted {
    pattern: Option<Regex>,
    /// Only the access log's lines of this app.
    access_of: Option<String>,
    /// The last so many that match; the engine's own tail counts lines that do not.
    last: Option<usize>,
}

pub(crate) async fn logs(session: &mut Session<'_>, args: &LogsArgs) -> Answer {
    let pattern = args.grep.as_deref().map(Regex::new).transpose().map_err(|error| {
        Problem::rejected("bad-pattern", "the pattern of --grep is no regular expression").because(&error)
    })?;
    let since = args.since.as_deref().map(|text| since(text, Timestamp::now())).transpose()?;
    let at = session.installation().await?;
    let (_, _, record) = session.app(&at, &args.app).await?;
    let container = if args.access { at.namespace.proxy() } else { container(&record, args.release)? };

    let filtered = pattern.is_some() || args.access;
    let last = args.lines.filter(|_| filtered).map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let wanted = Wanted { pattern, access_of: args.access.then(|| record.name.to_string()), last };
    let query = LogQuery { follow: args.follow, tail: args.lines.filter(|_| !filtered), since };
    copy(session, &at, &container, record.name.as_str(), query, &wanted).await
}

/// All lines of the proxy.
pub(crate) async fn proxy_logs(session: &mut Session<'_>, follow: bool, lines: Option<u64>) -> Answer {
    let at = session.installation().await?;
    let container = at.namespace.proxy();
    let wanted = Wanted { pattern: None, access_of: None, last: None };
    let query = LogQuery { follow, tail: lines, since: None };
    copy(session, &at, &container, "proxy", query, &wanted).await
}

async fn copy(
    session: &mut Session<'_>,
    at: &Installation,
    container: &str,
    app: &str,
    query: LogQuery,
    wanted: &Wanted,
) -> Answer {
    let mut signals = Signals::new()?;
    // With a number of matching lines wanted, the past has to be read to its end before the first can be shown.
    if let Some(last) = wanted.last {
        let past = LogQuery { follow: false, ..query.clone() };
        let mut lines = at.engine.logs(container, past);
        let mut kept = std::collections::VecDeque::new();
        while let Some(line) = lines.next().await {
            let line = line?;
            if wanted.takes(&line) {
                kept.push_back(line);
                if kept.len() > last {
                    kept.pop_front();
                }
            }
        }
        let newest = kept.back().and_then(|l| l.at);
        for line in &kept {
            show(session, app, line);
        }
        if !query.follow {
            return Ok(0);
        }
        let next = newest.and_then(|at| at.checked_add(1.nanosecond()).ok()).unwrap_or_else(|| at.clock.now());
        let rest = LogQuery { since: Some(next), ..query };
        return stream(session, at, container, app, rest, wanted, &mut signals).await;
    }
    stream(session, at, container, app, query, wanted, &mut signals).await
}

async fn stream(
    session: &mut Session<'_>,
    at: &Installation,
    container: &str,
    app: &str,
    query: LogQuery,
    wanted: &Wanted,
    signals: &mut Signals,
) -> Answer {
    let mut lines = at.engine.logs(container, query);
    loop {
        let line = tokio::select! {
            line = lines.next() => line,
            () = signals.next() => return Ok(0),
        };
        let Some(line) = line else { return Ok(0) };
        let line = line?;
        if wanted.takes(&line) {
            show(session, app, &line);
        }
        if session.out.is_broken() {
            return Ok(0);
        }
    }
}

impl Wanted {
    fn takes(&self, line: &LogLine) -> bool {
        let of_app = self.access_of.as_deref().is_none_or(|app| is_access_of(&line.text, app));
        of_app && self.pattern.as_ref().is_none_or(|p| p.is_match(&line.text))
    }
}

/// Whether a line of the proxy's log is a request of this app.
fn is_access_of(text: &str, app: &str) -> bool {
    let object: Option<serde_json::Value> = serde_json::from_str(text).ok();
    object.is_some_and(|o| o.get("service").and_then(|a| a.as_str()) == Some(app) && o.get("status").is_some())
}

fn show(session: &mut Session<'_>, app: &str, line: &LogLine) {
    if session.out.is_json() {
        let stream = if line.stderr { "stderr" } else { "stdout" };
        session.out.object(&LogObject { app, at: line.at, stream, text: &line.text });
    } else {
        session.out.data(&sanitize::line(&line.text));
    }
}

fn container(record: &AppRecord, release: Option<u64>) -> Result<String, Problem> {
    let found = match release {
        Some(number) => {
            let number = ReleaseNumber(number);
            record.release(number).or_else(|| record.canary_release().filter(|r| r.number == number))
        }
        None => record.serving_release().or_else(|| record.releases.last()),
    };
    found.map(|r| r.container.clone()).ok_or_else(|| {
        let what = release.map_or_else(|| "release".to_owned(), |n| format!("release {n}"));
        Problem::rejected("no-such-release", format!("{} has no {what}", record.name))
            .hint(format!("`once releases {}` shows all", record.name))
    })
}

/// `10m` before now, or a time.
pub(crate) fn since(text: &str, now: Timestamp) -> Result<Timestamp, Problem> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let days = text.strip_suffix('d').and_then(|n| n.parse::<i64>().ok()).filter(|n| (0..=3650).contains(n));
    let back = match days {
        Some(days) => jiff::SignedDuration::from_hours(24 * days),
        None => text
            .parse::<Span>()
            .map_err(|_| bad_since(text))
            .map(|s| jiff::SignedDuration::try_from(s.duration()).unwrap_or(jiff::SignedDuration::ZERO))?,
    };
    now.checked_sub(back).map_err(|_| bad_since(text))
}

fn bad_since(text: &str) -> Problem {
    Problem::rejected("bad-time", format!("invalid time `{}` for --since", text.escape_debug()))
        .hint("give 90s, 10m, 2h or 3d before now, or a time as in 2026-01-31T12:00:00Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_now() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        for (text, then) in [
            ("10m", "2026-01-31T11:50:00Z"),
            ("2h", "2026-01-31T10:00:00Z"),
            ("1d", "2026-01-30T12:00:00Z"),
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ] {
            assert_eq!(since(text, now).unwrap(), then.parse().unwrap(), "{text}");
        }
        for bad in ["", "yesterday", "-1h", "1w", "2026-13-01"] {
            assert!(since(bad, now).is_err(), "{bad}");
        }
    }

    #[test]
    fn requests_of_one_app() {
        assert!(is_access_of(r#"{"service":"shop","status":200}"#, "shop"));
        assert!(!is_access_of(r#"{"service":"wiki","status":200}"#, "shop"));
        assert!(!is_access_of(r#"{"service":"shop","message":"held"}"#, "shop"));
        assert!(!is_access_of("shop 200", "shop"));
    }
}
