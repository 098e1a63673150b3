//! `logs`: what an app writes, or the proxy's access log of it.

use std::sync::Arc;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use regex::Regex;

use crate::args::LogsArgs;
use crate::change::Signals;
use crate::objects::{LogBreakObject, LogObject};
use crate::output::{FAINT, styled};
use crate::session::Session;
use once_app::engine::LogLine;
use once_app::{Installation, LogBreak, LogFilter, LogItem, LogOf, LogRequest, Problem, ReleaseNumber, Span, read_log};
use once_text::sanitize;

use super::Answer;

pub(crate) async fn logs(session: &mut Session<'_>, args: &LogsArgs) -> Answer {
    let pattern = args.grep.as_deref().map(Regex::new).transpose().map_err(|error| {
        Problem::rejected("bad-pattern", "the pattern of --grep is no regular expression").because(&error)
    })?;
    let now = Timestamp::now();
    let time = |text: &Option<String>, flag| text.as_deref().map(|text| moment(text, now, flag)).transpose();
    let (since, until) = (time(&args.since, "--since")?, time(&args.until, "--until")?);
    let at = session.installation().await?;
    let (_, _, record) = session.app(&at, &args.app).await?;
    let app = record.name.clone();
    let of = match (args.access, args.previous, args.release) {
        (true, ..) => LogOf::Container(super::proxy::container(&at).await?.name),
        (false, true, _) => LogOf::Previous(app.clone()),
        (false, false, Some(number)) => LogOf::Release(app.clone(), ReleaseNumber(number)),
        (false, false, None) => LogOf::App(app.clone()),
    };
    let filter = filter(pattern, args.access.then(|| app.to_string()));
    let last = args.lines.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    copy(session, at, app.as_str(), LogRequest { of, follow: args.follow, last, since, until, filter }).await
}

/// All lines of the proxy.
pub(crate) async fn proxy_logs(session: &mut Session<'_>, follow: bool, lines: Option<u64>) -> Answer {
    let at = session.installation().await?;
    let last = lines.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let of = LogOf::Container(super::proxy::container(&at).await?.name);
    copy(session, at, "proxy", LogRequest { follow, last, ..LogRequest::all(of) }).await
}

async fn copy(session: &mut Session<'_>, at: Installation, app: &str, request: LogRequest) -> Answer {
    let mut signals = Signals::new()?;
    let mut items = read_log(at, request);
    loop {
        let item = tokio::select! {
            item = items.next() => item,
            () = signals.next() => return Ok(0),
        };
        match item {
            None => return Ok(0),
            Some(item) => show(session, app, item?),
        }
        if session.out.is_broken() {
            return Ok(0);
        }
    }
}

/// Which lines are wanted: those that match, and of the proxy's log the requests of one app.
fn filter(pattern: Option<Regex>, access_of: Option<String>) -> Option<LogFilter> {
    if pattern.is_none() && access_of.is_none() {
        return None;
    }
    Some(Arc::new(move |line: &LogLine| {
        let of_app = access_of.as_deref().is_none_or(|app| is_access_of(&line.text, app));
        of_app && pattern.as_ref().is_none_or(|pattern| pattern.is_match(&line.text))
    }))
}

/// Whether a line of the proxy's log is a request of this app.
fn is_access_of(text: &str, app: &str) -> bool {
    let object: Option<serde_json::Value> = serde_json::from_str(text).ok();
    object.is_some_and(|o| o.get("service").and_then(|a| a.as_str()) == Some(app) && o.get("status").is_some())
}

/// Lines are data. What is between them is for people on standard error, so that a pipe gets lines only, and an object
/// of another kind for scripts.
fn show(session: &mut Session<'_>, app: &str, item: LogItem) {
    let json = session.out.is_json();
    match item {
        LogItem::Line { line, release } if json => {
            let stream = if line.stderr { "stderr" } else { "stdout" };
            let release = release.map(|release| release.0);
            session.out.object(&LogObject { app, kind: "line", at: line.at, stream, text: &line.text, release });
        }
        LogItem::Line { line, .. } => session.out.data(&sanitize::line(&line.text)),
        LogItem::Break(between) if json => session.out.object(&LogBreakObject::new(app, &between)),
        LogItem::Break(between) => session.out.say(&styled(FAINT, &rule(&between, &TimeZone::system()))),
        LogItem::Away(problem) => {
            session.out.tell(&format!("{}; trying again", sanitize::line(&problem.message)));
        }
    }
}

/// `── release 12 → 13 · 18:40:11 ──`
fn rule(between: &LogBreak, zone: &TimeZone) -> String {
    format!("── {between} · {} ──", between.at.to_zoned(zone.clone()).strftime("%H:%M:%S"))
}

/// `10m` before now, or a time.
pub(crate) fn moment(text: &str, now: Timestamp, flag: &str) -> Result<Timestamp, Problem> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let days = text.strip_suffix('d').and_then(|n| n.parse::<i64>().ok()).filter(|n| (0..=3650).contains(n));
    let back = match days {
        Some(days) => jiff::SignedDuration::from_hours(24 * days),
        None => text
            .parse::<Span>()
            .map_err(|_| bad_moment(text, flag))
            .map(|s| jiff::SignedDuration::try_from(s.duration()).unwrap_or(jiff::SignedDuration::ZERO))?,
    };
    now.checked_sub(back).map_err(|_| bad_moment(text, flag))
}

fn bad_moment(text: &str, flag: &str) -> Problem {
    Problem::rejected("bad-time", format!("invalid time `{}` for {flag}", text.escape_debug()))
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
            assert_eq!(moment(text, now, "--since").unwrap(), then.parse().unwrap(), "{text}");
        }
        for bad in ["", "yesterday", "-1h", "1w", "2026-13-01"] {
            assert!(moment(bad, now, "--since").is_err(), "{bad}");
        }
    }

    #[test]
    fn a_rule_says_what_changed_and_when() {
        let at = "2026-01-31T18:40:11.5Z".parse().unwrap();
        let (from, to) = (Some(ReleaseNumber(12)), Some(ReleaseNumber(13)));
        let swap = LogBreak { at, why: once_app::BreakReason::Swap, from, to };
        assert_eq!(rule(&swap, &TimeZone::UTC), "── release 12 → 13 · 18:40:11 ──");
        let restart = LogBreak { why: once_app::BreakReason::Restart, from: to, ..swap };
        assert_eq!(rule(&restart, &TimeZone::UTC), "── release 13 restarted · 18:40:11 ──");
    }

    #[test]
    fn requests_of_one_app() {
        assert!(is_access_of(r#"{"service":"shop","status":200}"#, "shop"));
        assert!(!is_access_of(r#"{"service":"wiki","status":200}"#, "shop"));
        assert!(!is_access_of(r#"{"service":"shop","message":"held"}"#, "shop"));
        assert!(!is_access_of("shop 200", "shop"));
    }
}
