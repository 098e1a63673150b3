//! The Overview tab: what is wrong first, then what serves, then how it does.

use jiff::Timestamp;
use ratatui::layout::Rect;

use once_app::proxy::ProbeAnswer;
use once_app::{AppState, IssuingState, Reason, ReleaseStatus};
use once_text::words;

use super::super::canvas::{Canvas, Piece};
use super::super::format;
use super::super::layout;
use super::super::model::{AppView, sides_of};
use super::super::theme::Role;
use super::super::widget::chart;
use super::{apps, lock};

/// Columns of the labels on the left.
const LABEL: u16 = 10;

/// Draws the page; its height.
pub(super) fn draw(c: &mut Canvas<'_>, area: Rect, app: &AppView) -> u16 {
    let mut y = area.y;
    y += wrong(c, Rect { y, ..area }, app);
    y += facts(c, Rect { y, ..area }, app);
    y += 1;
    y += numbers(c, Rect { y, ..area }, app);
    y += usage(c, Rect { y, ..area }, app);
    y - area.y
}

/// What is wrong and what to do about it.
fn wrong(c: &mut Canvas<'_>, area: Rect, app: &AppView) -> u16 {
    let m = c.m;
    let mut lines: Vec<(Role, String)> = Vec::new();
    let standing = m.standing(app);
    let reason = standing.reason.as_ref().map_or_else(|| standing.state.to_string(), ToString::to_string);
    let (role, glyph) = apps::glyph(c, &standing);
    match standing.state {
        AppState::Down | AppState::Empty => {
            let word = if standing.state == AppState::Down { reason } else { standing.state.to_string() };
            lines.push((role, format!("{glyph} {word}")));
            if let Some((release, why)) = app.failure() {
                lines.push((Role::Text, format!("  release {} failed: {why}", release.number)));
            }
            if let Some((_, detail)) = m.settled.container.as_ref().filter(|(id, _)| is_its(app, id)) {
                if detail.out_of_memory {
                    lines.push((Role::Text, "  it ran out of memory: raise its limit in Settings (e)".into()));
                } else if let Some(code) = detail.exit_code.filter(|_| !detail.running) {
                    lines.push((Role::Text, format!("  it exited with code {code}")));
                }
            }
            let advice = match (app.record.serving.is_some(), app.record.can_roll_back()) {
                (true, true) => "  l shows its log · r restarts it · b rolls back",
                (true, false) => "  l shows its log · r restarts it",
                (false, _) => "  n deploys it again, with another image or port",
            };
            lines.push((Role::Muted, advice.into()));
        }
        AppState::Failing => {
            lines.push((role, format!("{glyph} {reason}")));
            let back = if app.record.can_roll_back() { " · b rolls back" } else { "" };
            lines.push((Role::Muted, format!("  l shows its log{back}")));
        }
        AppState::Abandoned => {
            lines.push((role, format!("{glyph} {reason}")));
            lines.push((Role::Muted, "  the next change of it puts that in order, and so does H".into()));
        }
        AppState::Stopped => lines.push((role, format!("{glyph} stopped: {reason} · a starts it"))),
        AppState::Maintenance => lines.push((role, format!("{glyph} maintenance: {reason} · a ends it"))),
        AppState::Paused => lines.push((role, format!("{glyph} paused: {reason} · a lets them go on"))),
        AppState::Running => {
            match &standing.reason {
                Some(Reason::Errors { .. }) => lines.push((role, format!("{glyph} {reason}"))),
                Some(Reason::MemoryKills(_)) => {
                    lines.push((Role::Warn, format!("{} {reason}", c.glyphs().warn)));
                    lines.push((Role::Muted, "  l shows its log · its limit is in Settings (e)".into()));
                }
                // What serves and what is tried out stand below.
                _ => {}
            }
            if let Some((release, why)) = app.failure() {
                let text = format!("{} release {} failed: {why}", c.glyphs().warn, release.number);
                lines.push((Role::Warn, text));
            }
        }
        AppState::Changing => {}
    }
    let (on_purpose, held) = m.locks_of(app.name());
    if let Some(lock) = on_purpose {
        lines.push((Role::Warn, format!("{} locked by {}", c.glyphs().warn, lock::by(m, lock))));
        lines.push((Role::Muted, "  nobody can change it meanwhile · L lifts it".into()));
    }
    // A change that is shown as one says so itself; this one was never heard of again.
    if let Some(lock) = held.filter(|_| m.deploys.active(app.name()).is_none()) {
        lines.push((Role::Muted, format!("{} being changed by {}", c.glyphs().busy, lock::by(m, lock))));
    }
    let mut y = area.y;
    for (role, text) in &lines {
        let indent = if text.starts_with("  ") { 2 } else { 0 };
        let rect = Rect { x: area.x + indent, y, width: area.width.saturating_sub(indent), ..area };
        y += c.paragraph(rect, *role, text.trim_start());
    }
    if lines.is_empty() { 0 } else { y - area.y + 1 }
}

fn is_its(app: &AppView, container: &str) -> bool {
    app.container.as_ref().is_some_and(|c| c.id == container)
}

fn facts(c: &mut Canvas<'_>, area: Rect, app: &AppView) -> u16 {
    let m = c.m;
    let mut y = area.y;
    let mut row = |c: &mut Canvas<'_>, label: &str, pieces: &[Piece<'_>]| {
        c.text(area.x, y, LABEL, Role::Muted, label);
        c.line(area.x + LABEL, y, area.width.saturating_sub(LABEL), pieces);
        y += 1;
    };
    // Commands go by the name: it is told where one could not guess it from the hostname.
    let (name, aliases) = (app.name().as_str(), &app.record.aliases);
    if !aliases.is_empty() || !app.host().starts_with(name) {
        let others: Vec<&str> = aliases.iter().map(once_app::AppName::as_str).collect();
        let others = if others.is_empty() { String::new() } else { format!(" · also {}", others.join(", ")) };
        row(c, "name", &[(Role::Text, name), (Role::Muted, &others)]);
    }
    match app.release() {
        Some(release) => {
            let number = format!("release {}", release.number);
            let image = format!(" · {}", release.settings.image);
            let digest = format!(" · {}", release.image.short());
            row(c, "serving", &[(Role::Strong, &number), (Role::Text, &image), (Role::Muted, &digest)]);
            let age = format::age(m.now, release.created_at);
            let by = format!(" · by {}@{} ({})", release.by.user, release.by.host, release.by.command);
            row(c, "since", &[(Role::Text, &age), (Role::Muted, &by)]);
        }
        None => row(c, "serving", &[(Role::Muted, "nothing yet")]),
    }
    for (label, text) in sides_of(app) {
        let label = if label == "canary" { label } else { "beside" };
        row(c, label, &[(Role::Text, &text)]);
    }
    let health = health(c, app);
    let pieces: Vec<Piece<'_>> = health.iter().map(|(role, text)| (*role, text.as_str())).collect();
    row(c, "health", &pieces);
    if let Some(address) = app.address(m.ports, m.now) {
        let others = app.settings().map_or(0, |s| s.hosts.len().saturating_sub(1));
        let others =
            if others == 0 { String::new() } else { format!("  and {}", format::many(others as u64, "more name")) };
        row(c, "address", &[(Role::Text, &address), (Role::Muted, &others)]);
    }
    for (role, text) in certificates(m.now, app) {
        row(c, "tls", &[(role, &text)]);
    }
    let volume = m.namespace.volume(app.name(), None);
    let mounts = app.settings().map_or(0, |s| s.volumes.len());
    let mounts =
        if mounts == 0 { String::new() } else { format!(" and {}", format::many(mounts as u64, "more mount")) };
    row(c, "data", &[(Role::Muted, "volume "), (Role::Text, &volume), (Role::Muted, &mounts)]);
    let kept = app.record.kept().count();
    if let Some(release) = app.record.kept().find(|r| matches!(r.status, ReleaseStatus::Replaced { .. })) {
        let text = format!("release {}", release.number);
        let more = format!(" is kept, a moment away · {}", format::many(kept as u64, "container"));
        row(c, "fallback", &[(Role::Text, &text), (Role::Muted, &more)]);
    }
    y - area.y
}

/// What is served for its names over TLS: one line for all that are well, and one for each that is not.
fn certificates(now: Timestamp, app: &AppView) -> Vec<(Role, String)> {
    let mut lines = Vec::new();
    let good = app.certificates.iter().filter(|view| view.state(now) == IssuingState::Valid);
    if let Some((name, facts)) =
        good.filter_map(|view| Some((&view.name, view.certificate.as_ref()?))).min_by_key(|(_, facts)| facts.not_after)
    {
        let days = format::many(facts.not_after.duration_since(now).as_hours().max(0) as u64 / 24, "day");
        let whose = if app.certificates.len() > 1 { format!(" · {name} first") } else { String::new() };
        lines.push((Role::Text, format!("certificate for {days}{whose} · {}", facts.issuer)));
    }
    for view in &app.certificates {
        let why = view.last_error.as_ref().map(|failure| format!(": {}", failure.message)).unwrap_or_default();
        let next = view.issuing.as_ref().and_then(|issuing| issuing.next).map(|at| at.duration_since(now).as_secs());
        let next = next.filter(|left| *left > 0).map(|left| format!(" · next look in {}", words::roughly(left as u64)));
        let next = next.unwrap_or_default();
        let name = &view.name;
        lines.push(match view.state(now) {
            IssuingState::Valid if why.is_empty() => continue,
            IssuingState::Valid => (Role::Warn, format!("{name}: renewal fails{why}{next}")),
            IssuingState::Pending => (Role::Muted, format!("{name}: no certificate yet{next}")),
            IssuingState::Waiting => {
                let leads = view.issuing.as_ref().and_then(|issuing| issuing.leads.as_deref()).unwrap_or("elsewhere");
                (Role::Warn, format!("{name}: no certificate, it leads to {leads}{next}"))
            }
            IssuingState::Failing => (Role::Fail, format!("{name}: no certificate{why}{next}")),
            IssuingState::Expired => (Role::Fail, format!("{name}: certificate expired{why}{next}")),
        });
    }
    lines
}

/// What the health path answers, and how the container fares.
fn health(c: &Canvas<'_>, app: &AppView) -> Vec<(Role, String)> {
    let m = c.m;
    let path = app.settings().map_or("/up", |s| s.health_path.as_str());
    let mut pieces = match m.settled.health.as_ref().filter(|(name, _)| name == app.name()) {
        Some((_, ProbeAnswer::Healthy { status, took_ms })) => {
            vec![
                (Role::Ok, format!("{status}")),
                (Role::Text, format!(" in {took_ms} ms")),
                (Role::Muted, format!(" · GET {path}")),
            ]
        }
        Some((_, ProbeAnswer::Status { status, .. })) => {
            vec![(Role::Fail, format!("{status}")), (Role::Muted, format!(" · GET {path}"))]
        }
        Some((_, answer)) => vec![(Role::Fail, answer.to_string()), (Role::Muted, format!(" · GET {path}"))],
        None => vec![(Role::Muted, format!("GET {path}"))],
    };
    if let Some((_, detail)) = m.settled.container.as_ref().filter(|(id, _)| is_its(app, id)) {
        let role = if detail.restarts > 0 { Role::Warn } else { Role::Muted };
        pieces.push((Role::Muted, " · restarts ".into()));
        pieces.push((role, detail.restarts.to_string()));
    } else if let Some(container) = &app.container {
        pieces.push((Role::Muted, format!(" · {}", container.status)));
    }
    pieces
}

/// Requests a second with the answers' classes and times beside or below.
fn numbers(c: &mut Canvas<'_>, area: Rect, app: &AppView) -> u16 {
    const ASIDE: u16 = 22;
    let beside = area.width >= 58;
    // What a tall terminal has more than the rest of the page needs goes to the chart.
    let rest = if beside { 16 } else { 21 };
    let page = layout::tab_body(layout::detail(c.m)).height;
    let height = page.saturating_sub(rest).clamp(5, 10);
    let traffic = &app.traffic;
    let rate = format::rate(traffic.rate);
    c.line(
        area.x,
        area.y,
        area.width,
        &[(Role::Muted, "requests/s  "), (Role::Strong, &rate), (Role::Muted, "  last two minutes")],
    );
    let width = if beside { area.width - ASIDE - 2 } else { area.width };
    let chart = Rect { x: area.x, y: area.y + 1, width, height };
    chart::requests(c, chart, &traffic.per_second, &traffic.errors_per_second);
    if beside {
        aside(c, Rect { x: area.x + width + 2, y: area.y, width: ASIDE, height: height + 1 }, app);
        height + 2
    } else {
        let y = area.y + height + 1;
        aside(c, Rect { y, height: 6, ..area }, app);
        height + 8
    }
}

fn aside(c: &mut Canvas<'_>, area: Rect, app: &AppView) {
    let t = &app.traffic;
    let share =
        |n: u64| if t.requests == 0 { "–".into() } else { format!("{:.1}%", n as f64 / t.requests as f64 * 100.0) };
    let time = |ms: Option<f64>| ms.map_or_else(|| "–".into(), format::millis);
    let rows = [
        ("2xx", share(t.classes[1]), "p50", time(t.p50_ms), Role::Text),
        ("3xx", share(t.classes[2]), "p95", time(t.p95_ms), Role::Text),
        ("4xx", share(t.classes[3]), "p99", time(t.p99_ms), Role::Text),
        ("5xx", share(t.classes[4]), "", String::new(), if t.classes[4] > 0 { Role::Fail } else { Role::Text }),
    ];
    let under_way: u64 = t.in_flight.iter().map(|f| f.requests).sum();
    let sockets: u64 = t.in_flight.iter().map(|f| f.upgraded).sum();
    for (i, (class, share, name, time, role)) in rows.iter().enumerate() {
        let y = area.y + 1 + i as u16;
        c.text(area.x, y, 4, Role::Muted, class);
        c.right(area.x + 3, y, 7, *role, share);
        c.text(area.x + 13, y, 4, Role::Muted, name);
        c.right(area.x + 16, y, 6, Role::Text, time);
    }
    c.line(
        area.x,
        area.y + 5,
        area.width,
        &[
            (Role::Text, &under_way.to_string()),
            (Role::Muted, " open, "),
            (Role::Text, &sockets.to_string()),
            (Role::Muted, " websockets"),
        ],
    );
}

/// Processor and memory, as lines of the last minute.
fn usage(c: &mut Canvas<'_>, area: Rect, app: &AppView) -> u16 {
    let m = c.m;
    let Some(usage) = m.usage_of(app) else { return 0 };
    let cores = m.engine_info.as_ref().map_or(1, |i| i.cpus.max(1));
    let of_cpu = match app.settings().and_then(|s| s.cpus) {
        Some(limit) => format!("of {limit} cores"),
        None => format!("of {}", format::many(u64::from(cores), "core")),
    };
    let limit = if usage.limit > 0 { usage.limit as f64 } else { m.host.map_or(0.0, |h| h.memory_total as f64) };
    let of_memory = if limit > 0.0 { format!("of {}", format::bytes(limit as u64)) } else { String::new() };
    let rows = [
        (
            "cpu",
            format::percent(usage.cpu.last().unwrap_or(0.0)),
            of_cpu,
            &usage.cpu,
            f64::from(cores),
            format::percent(usage.cpu.peak()),
        ),
        (
            "mem",
            format::bytes(usage.memory.last().unwrap_or(0.0) as u64),
            of_memory,
            &usage.memory,
            limit,
            format::bytes(usage.memory.peak() as u64),
        ),
    ];
    for (i, (label, now, of, series, ceiling, peak)) in rows.into_iter().enumerate() {
        let y = area.y + i as u16;
        c.text(area.x, y, 4, Role::Muted, label);
        c.right(area.x + 4, y, 5, Role::Strong, &now);
        c.text(area.x + 10, y, 12, Role::Muted, &of);
        let spark = area.width.saturating_sub(22 + 13).min(60);
        // Small shares of many cores would be a flat line: the scale follows the peak, the number says how much.
        let scale = if label == "cpu" { series.peak().max(ceiling * 0.1) } else { ceiling };
        chart::spark(c, area.x + 22, y, spark, Role::Accent, &series.tail(usize::from(spark)), scale);
        c.line(area.x + 24 + spark, y, 13, &[(Role::Muted, "peak "), (Role::Text, &peak)]);
    }
    2
}
