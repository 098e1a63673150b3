//! The Traffic tab.

use ratatui::layout::Rect;

use super::super::canvas::Canvas;
use super::super::format;
use super::super::model::AppView;
use super::super::theme::Role;
use super::super::widget::chart;
use once_text::sanitize;

/// Draws the page; its height.
pub(super) fn draw(c: &mut Canvas<'_>, area: Rect, app: &AppView) -> u16 {
    const CHART: u16 = 8;
    let t = &app.traffic;
    let mut y = area.y;
    let rate = format::rate(t.rate);
    c.line(
        area.x,
        y,
        area.width,
        &[
            (Role::Muted, "requests/s  "),
            (Role::Strong, &rate),
            (Role::Muted, "  last two minutes, seconds with 5xx marked"),
        ],
    );
    chart::requests(c, Rect { y: y + 1, height: CHART, ..area }, &t.per_second, &t.errors_per_second);
    y += CHART + 2;
    y += over_time(c, Rect { y, ..area }, app);
    y += section(c, area, y, "answers since the proxy started");
    for (name, n) in ["1xx", "2xx", "3xx", "4xx", "5xx"].iter().zip(t.classes) {
        let share = if t.requests == 0 { 0.0 } else { n as f64 / t.requests as f64 };
        let role = if *name == "5xx" && n > 0 { Role::Fail } else { Role::Accent };
        c.text(area.x, y, 4, Role::Muted, name);
        c.right(area.x + 4, y, 13, Role::Text, &format::count(n));
        c.right(area.x + 17, y, 8, Role::Muted, &format!("{:.1}%", share * 100.0));
        let width = area.width.saturating_sub(28);
        let full = (f64::from(width) * share).ceil() as u16;
        for x in 0..full.min(width) {
            c.text(area.x + 27 + x, y, 1, role, c.glyphs().bar);
        }
        y += 1;
    }
    let failed = if t.failed == 0 { Role::Text } else { Role::Fail };
    pair(c, area, &mut y, "all requests", Role::Text, &format::count(t.requests));
    pair(c, area, &mut y, "failed at the proxy", failed, &format::count(t.failed));
    y += 1;
    y += section(c, area, y, "time to answer, last minute");
    let time = |ms: Option<f64>| ms.map_or_else(|| "–".into(), format::millis);
    pair(c, area, &mut y, "p50", Role::Text, &time(t.p50_ms));
    pair(c, area, &mut y, "p95", Role::Text, &time(t.p95_ms));
    pair(c, area, &mut y, "p99", Role::Text, &time(t.p99_ms));
    pair(c, area, &mut y, "slowest", Role::Text, &format::millis(t.slowest_ms as f64));
    y += 1;
    y += section(c, area, y, "visitors, by their addresses");
    pair(c, area, &mut y, "today (UTC)", Role::Text, &format::count(t.visitors_today));
    pair(c, area, &mut y, "last 24 hours", Role::Text, &format::count(t.visitors_24h));
    y += 1;
    y += section(c, area, y, "bytes since the proxy started");
    pair(c, area, &mut y, "from clients", Role::Text, &format::bytes(t.bytes_in));
    pair(c, area, &mut y, "to clients", Role::Text, &format::bytes(t.bytes_out));
    y += 1;
    y += section(c, area, y, "under way now");
    for flight in &t.in_flight {
        let text =
            format!("{}, {}", format::many(flight.requests, "request"), format::many(flight.upgraded, "websocket"));
        pair(c, area, &mut y, &format!("release {}", flight.release), Role::Text, &text);
    }
    if t.held > 0 {
        pair(c, area, &mut y, "held", Role::Warn, &format::many(t.held, "request"));
    }
    if t.in_flight.is_empty() && t.held == 0 {
        c.text(area.x, y, area.width, Role::Muted, "nothing");
        y += 1;
    }
    y - area.y
}

/// What was asked for beyond the live figures; its height. Nothing until it has come.
fn over_time(c: &mut Canvas<'_>, area: Rect, app: &AppView) -> u16 {
    const CHART: u16 = 4;
    let m = c.m;
    let Some((_, report)) = m.settled.traffic.as_ref().filter(|(name, _)| name == app.name()) else { return 0 };
    let report = match report {
        Ok(report) => report,
        Err(problem) => {
            c.text(area.x, area.y, area.width, Role::Fail, &problem.message);
            return 2;
        }
    };
    let mut y = area.y;
    for (name, series) in [("last hour, by the minute", &report.hour), ("last day, by ten minutes", &report.day)] {
        y += section(c, area, y, name);
        chart::requests(c, Rect { y, height: CHART, ..area }, &series.requests, &series.errors);
        y += CHART + 1;
    }
    y += section(c, area, y, "paths asked for most today (UTC)");
    for path in report.paths.iter().take(10) {
        c.right(area.x, y, 10, Role::Text, &format::count(path.requests));
        c.text(area.x + 12, y, area.width.saturating_sub(12), Role::Accent, &sanitize::line(&path.path));
        y += 1;
    }
    y + 1 - area.y
}

fn section(c: &mut Canvas<'_>, area: Rect, y: u16, name: &str) -> u16 {
    c.text(area.x, y, area.width, Role::Strong, name);
    1
}

fn pair(c: &mut Canvas<'_>, area: Rect, y: &mut u16, label: &str, role: Role, value: &str) {
    c.text(area.x, *y, 22, Role::Muted, label);
    c.text(area.x + 22, *y, area.width.saturating_sub(22), role, value);
    *y += 1;
}
