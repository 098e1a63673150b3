//! Rows of the list, and what the list and the detail say of an app.

use once_app::{AppName, AppState, AppView, OpId, Reason, Release, Standing, percent};

use super::super::format;

/// What a row of the list stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RowKey {
    /// An app.
    App(AppName),
    /// A first deploy: there is no app yet.
    Birth(OpId),
    /// A container of this namespace that belongs to no app, by id.
    Orphan(String),
}

/// Both sides of a canary, in words: which release, and how it does. Empty without one.
pub(crate) fn sides_of(app: &AppView) -> Vec<(&'static str, String)> {
    let Some(canary) = &app.record.canary else { return Vec::new() };
    let side = |release: &Release| {
        let of = app.traffic.releases.iter().find(|r| r.release == release.number);
        let seen = of.and_then(|r| r.compared.clone()).unwrap_or_default();
        let latency = |ms: Option<f64>| ms.map_or_else(|| "-".to_owned(), format::millis);
        format!(
            "release {}, {}, {:.1}% errors, p50 {}, p95 {}, p99 {}",
            release.number,
            format::many(seen.requests, "request"),
            percent(seen.errors, seen.requests),
            latency(seen.p50_ms),
            latency(seen.p95_ms),
            latency(seen.p99_ms),
        )
    };
    let serving = app.record.serving_release().map(|release| ("serving", side(release)));
    let canary = format!("{} at {}", side(&canary.release), canary.rule);
    serving.into_iter().chain([("canary", canary)]).collect()
}

/// The word of a row of the list; empty: all is well, and its numbers are shown.
pub(crate) fn word(standing: &Standing) -> String {
    let short = standing.reason.as_ref().map(Reason::short).unwrap_or_default();
    match (standing.state, &standing.reason) {
        // The overview tells of it; it may be long past.
        (AppState::Running, Some(Reason::MemoryKills(_))) => String::new(),
        (AppState::Running, _) => short,
        (AppState::Changing | AppState::Down, _) if !short.is_empty() => short,
        _ => standing.to_string(),
    }
}
