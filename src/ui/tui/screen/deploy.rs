//! The deploy view: one change, from lock to retire, whoever asked for it.

use ratatui::layout::Rect;

use once_app::event::{Finished, Step};
use once_app::{Action, Ask, OpId, StepState, StepView};

use super::super::canvas::{Canvas, Piece, columns};
use super::super::format;
use super::super::model::{Link, Watched};
use super::super::theme::Role;
use super::super::update::command_of;
use super::super::widget::chart;
use super::failure;

/// Columns of a step's name and its glyph.
const NAME: u16 = 18;

pub(super) fn draw(c: &mut Canvas<'_>, area: Rect, op: &OpId) {
    let m = c.m;
    let Some(watched) = m.deploys.get(op) else { return };
    let inner = frame(c, area, watched);
    let inside = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let mut y = inside.y;
    let bottom = inside.bottom().saturating_sub(1);
    y += change(c, Rect { y, height: bottom.saturating_sub(y), ..inside }, watched);
    y += steps(c, Rect { y, height: bottom.saturating_sub(y), ..inside }, watched);
    let failed = watched.view.finished.as_ref().filter(|f| !f.outcome.is_success());
    match (failed, &watched.lost, &watched.view.finished) {
        (Some(finished), ..) => {
            y += failure::draw(c, Rect { y, height: bottom.saturating_sub(y), ..inside }, watched, finished);
        }
        (None, Some(problem), None) => {
            y += failure::problem(c, Rect { y: y + 1, height: bottom.saturating_sub(y + 1), ..inside }, problem) + 1;
        }
        _ => {
            y += traffic(c, Rect { y, height: bottom.saturating_sub(y), ..inside }, watched);
            if let Some(finished) = &watched.view.finished {
                y += success(c, Rect { y, height: bottom.saturating_sub(y), ..inside }, watched, finished);
            }
        }
    }
    says(c, Rect { y, height: (bottom + 1).saturating_sub(y), ..inside }, watched);
}

/// Title with releases and the clock; in the lower border the command that does the same.
fn frame(c: &mut Canvas<'_>, area: Rect, watched: &Watched) -> Rect {
    let m = c.m;
    let view = &watched.view;
    let host = view.host.clone().unwrap_or_else(|| watched.title.clone());
    let verb = verb(watched);
    let releases = match (view.from, view.to) {
        (Some(from), Some(to)) => format!("   release {from} {} {to}", c.glyphs().arrow),
        (None, Some(to)) => format!("   release {to}"),
        (Some(from), None) => format!("   release {from}"),
        (None, None) => String::new(),
    };
    let inner = c.panel(area, &[(Role::Strong, verb), (Role::Strong, &host), (Role::Muted, &releases)], true);
    let end = if watched.is_active() { m.now } else { view.last_at };
    let clock = format!(" {} ", format::clock(format::since(end, view.started_at)));
    c.right(area.x, area.y, area.width.saturating_sub(2), Role::Strong, &clock);
    let command = command_of(watched);
    let width = area.width.saturating_sub(6);
    let label = if usize::from(width) > columns(&command) + 13 { "the same as: " } else { "" };
    let own = (columns(label) + columns(&command)).min(usize::from(width)) as u16;
    let x = area.right().saturating_sub(own + 4);
    c.text(x, area.bottom() - 1, 1, Role::Faint, " ");
    let used = c.line(x + 1, area.bottom() - 1, own, &[(Role::Muted, label), (Role::Text, &command)]);
    c.text(x + 1 + used, area.bottom() - 1, 1, Role::Faint, " ");
    inner
}

/// What is done. Of others' changes only the command they gave is known.
fn verb(watched: &Watched) -> &'static str {
    match &watched.ask {
        Some(Ask::Rollback { .. }) => "Roll back ",
        Some(Ask::Restart { .. }) => "Restart ",
        Some(Ask::Start { .. }) => "Start ",
        Some(Ask::Stop { .. }) => "Stop ",
        Some(Ask::Maintenance { .. }) => "Maintenance ",
        Some(Ask::Pause { .. }) => "Pause ",
        Some(Ask::Resume { .. }) => "Resume ",
        Some(Ask::Remove { .. }) => "Remove ",
        Some(Ask::Promote { .. }) => "Promote ",
        Some(Ask::Abort { .. }) => "Abort the canary of ",
        Some(Ask::Rename { .. } | Ask::DropAlias { .. }) => "Rename ",
        Some(Ask::Adopt { .. }) => "Adopt ",
        Some(Ask::GiveBack { .. }) => "Let go of ",
        Some(Ask::Tidy { .. }) => "Tidy up ",
        Some(Ask::Deploy(_) | Ask::Canary { .. }) => "Deploy ",
        None => match watched.view.by.as_ref().map(|by| by.command.as_str()) {
            Some("deploy") | None => "Deploy ",
            Some(_) => "Change of ",
        },
    }
}

/// What is going to change.
fn change(c: &mut Canvas<'_>, area: Rect, watched: &Watched) -> u16 {
    let view = &watched.view;
    let by = view.by.as_ref().filter(|_| watched.ask.is_none());
    let mut y = area.y;
    if let Some(by) = by {
        let text = format!("{}@{} · {}", by.user, by.host, by.command);
        c.line(area.x, y, area.width, &[(Role::Muted, "by       "), (Role::Text, &text)]);
        y += 1;
    }
    if let Some(plan) = &view.plan {
        let arrow = c.glyphs().arrow;
        let mut pieces: Vec<(Role, String)> = Vec::new();
        for change in &plan.changes {
            if !pieces.is_empty() {
                pieces.push((Role::Faint, "   ".into()));
            }
            pieces.extend(failure::change_pieces(change, arrow));
        }
        if plan.changes.is_empty() {
            let text = match plan.action {
                Action::Nothing => "nothing: the app is as asked",
                Action::Create => "a new app",
                _ => "the same image and settings, in a new container",
            };
            pieces.push((Role::Text, text.into()));
        }
        let shown: Vec<Piece<'_>> = pieces.iter().map(|(role, text)| (*role, text.as_str())).collect();
        c.text(area.x, y, 9, Role::Muted, "change");
        c.line(area.x + 9, y, area.width.saturating_sub(9), &shown);
        y += 1;
        for remark in plan.remarks.iter().chain(&view.tidied).take(2) {
            c.line(area.x + 9, y, area.width.saturating_sub(9), &[(Role::Muted, remark)]);
            y += 1;
        }
    }
    for warning in view.warnings.iter().rev().take(2).rev() {
        c.line(area.x, y, area.width, &[(Role::Warn, "! "), (Role::Warn, warning)]);
        y += 1;
    }
    if y == area.y { 0 } else { y - area.y + u16::from(area.height > 12) }
}

fn steps(c: &mut Canvas<'_>, area: Rect, watched: &Watched) -> u16 {
    let view = &watched.view;
    let mut y = area.y;
    if let Some(holder) = &view.waiting_for {
        let text = format!(
            "{}@{} has held the lock since {}",
            holder.by.user,
            holder.by.host,
            format::hour(holder.since, &c.m.zone)
        );
        c.line(
            area.x,
            y,
            area.width,
            &[(Role::Warn, c.glyphs().busy), (Role::Text, " waiting: "), (Role::Text, &text)],
        );
        y += 1;
        let how = format!("   it is doing {}; this goes on by itself when that ends", holder.by.command);
        c.text(area.x, y, area.width, Role::Muted, &how);
        y += 1;
    } else if view.steps.is_empty() && watched.is_active() {
        let spinner = spinner(c);
        // The first change on a host makes the proxy before it can say anything.
        let first = matches!(c.m.proxy, Link::Absent);
        let doing = if first { " starting: the first deploy on a host makes the proxy first" } else { " starting" };
        c.line(area.x, y, area.width, &[(Role::Warn, spinner), (Role::Muted, doing)]);
        y += 1;
    }
    // On a small screen the steps that run or failed are what counts.
    let room = usize::from(area.bottom().saturating_sub(y));
    // What did not come about any more is of no interest once it failed.
    let ended = !watched.is_active();
    let shown: Vec<&StepView> = view.steps.iter().filter(|s| !(ended && s.state == StepState::Pending)).collect();
    let skip = window(&shown, room);
    for step in shown.into_iter().skip(skip).take(room) {
        draw_step(c, Rect { y, height: 1, ..area }, watched, step);
        y += 1;
    }
    y - area.y
}

/// The first step to show where not all fit.
fn window(steps: &[&StepView], room: usize) -> usize {
    let current = steps.iter().rposition(|s| matches!(s.state, StepState::Running | StepState::Failed));
    let last = current.or_else(|| steps.iter().rposition(|s| s.state != StepState::Pending)).unwrap_or(0);
    (last + 2).min(steps.len()).saturating_sub(room)
}

fn spinner(c: &Canvas<'_>) -> &'static str {
    let frames = c.glyphs().spinner;
    if c.m.options.reduced_motion {
        return c.glyphs().busy;
    }
    let at = c.m.now.as_millisecond() / 100;
    frames[usize::try_from(at.rem_euclid(frames.len() as i64)).unwrap_or(0)]
}

fn draw_step(c: &mut Canvas<'_>, line: Rect, watched: &Watched, step: &StepView) {
    let glyphs = c.glyphs();
    let (role, glyph) = match step.state {
        StepState::Pending => (Role::Faint, glyphs.pending),
        StepState::Running if watched.is_active() => (Role::Warn, spinner(c)),
        StepState::Running => (Role::Warn, glyphs.unknown),
        StepState::Skipped => (Role::Faint, glyphs.skipped),
        StepState::Done => (Role::Ok, glyphs.done),
        StepState::Failed => (Role::Fail, glyphs.down),
    };
    let text = match step.state {
        StepState::Pending | StepState::Skipped => Role::Muted,
        StepState::Failed => Role::Fail,
        _ => Role::Text,
    };
    let name_width = NAME.min(line.width / 3);
    c.text(line.x, line.y, 1, role, glyph);
    c.text(line.x + 2, line.y, name_width.saturating_sub(2), text, &step.step.to_string());
    let ms = match (step.took_ms, step.started_at) {
        (Some(ms), _) if step.state != StepState::Skipped => Some(ms),
        (None, Some(at)) if watched.is_active() => Some(format::since(c.m.now, at).as_millis() as u64 / 100 * 100),
        _ => None,
    };
    const TOOK: u16 = 8;
    if let Some(ms) = ms {
        c.right(line.x, line.y, line.width, Role::Muted, &format::took(ms));
    }
    let mut room = line.width.saturating_sub(name_width + TOOK + 1);
    if let Some((done, all)) = step.amount.filter(|(_, all)| *all > 0)
        && room > 40
        && step.state == StepState::Running
    {
        const BAR: u16 = 16;
        chart::bar(c, line.x + name_width, line.y, BAR, Role::Warn, done as usize, all as usize);
        room -= BAR + 2;
        c.text(line.x + name_width + BAR + 2, line.y, room, text, &step.detail);
        return;
    }
    c.text(line.x + name_width, line.y, room, text, &step.detail);
}

/// Requests of old and new release while one hands over to the other.
fn traffic(c: &mut Canvas<'_>, area: Rect, watched: &Watched) -> u16 {
    let view = &watched.view;
    let t = &view.traffic;
    if area.height < 4 || (t.old == 0 && t.new == 0 && t.failed == 0) {
        return 0;
    }
    let wide = area.width >= 90;
    let label = "traffic during this deploy";
    let mut y = area.y + 1;
    let mut x = area.x;
    if wide {
        x += c.text(x, y, area.width, Role::Muted, label) + 3;
    } else {
        c.text(x, y, area.width, Role::Muted, label);
        y += 1;
    }
    let names = [view.from, view.to].map(|n| n.map_or_else(String::new, |n| format!("release {n}")));
    let name_width = names.iter().map(|n| columns(n)).max().unwrap_or(0) as u16 + 1;
    let sum = sum_pieces(t);
    let sum_width: u16 = sum.iter().map(|(_, s)| columns(s) as u16).sum();
    let bars = area.right().saturating_sub(x + name_width + if wide { sum_width + 4 } else { 0 }).min(60);
    let peak = t.series.iter().map(|(a, b)| *a.max(b)).max().unwrap_or(0);
    type Half = fn(&(u32, u32)) -> u32;
    let halves: [(Half, Role); 2] = [(|s| s.0, Role::Muted), (|s| s.1, Role::Accent)];
    for (i, (half, role)) in halves.into_iter().enumerate() {
        if names[i].is_empty() {
            continue;
        }
        c.text(x, y, name_width, Role::Muted, &names[i]);
        let values: Vec<f64> = t.series.iter().map(|s| f64::from(half(s))).collect();
        let shown = values.len().min(usize::from(bars)) as u16;
        chart::spark(c, x + name_width, y, shown, role, &values, f64::from(peak));
        if wide && i == 0 {
            pieces(c, x + name_width + bars + 3, y, sum_width, &sum);
        }
        y += 1;
    }
    if !wide {
        pieces(c, area.x, y, area.width, &sum);
        y += 1;
    }
    y - area.y
}

fn pieces(c: &mut Canvas<'_>, x: u16, y: u16, width: u16, sum: &[(Role, String)]) {
    let shown: Vec<Piece<'_>> = sum.iter().map(|(role, text)| (*role, text.as_str())).collect();
    c.line(x, y, width, &shown);
}

fn sum_pieces(t: &once_app::event::TrafficView) -> Vec<(Role, String)> {
    let failed = if t.failed == 0 { Role::Ok } else { Role::Fail };
    vec![
        (Role::Strong, format::many(t.old + t.new, "request")),
        (Role::Faint, " · ".into()),
        (failed, format!("{} failed", format::count(t.failed))),
        (Role::Faint, " · ".into()),
        (Role::Muted, format!("slowest {} ms", format::count(t.slowest_ms))),
    ]
}

/// The good end.
fn success(c: &mut Canvas<'_>, area: Rect, watched: &Watched, finished: &Finished) -> u16 {
    if area.height < 2 {
        return 0;
    }
    let took = format::took(format::since(watched.view.last_at, watched.view.started_at).as_millis() as u64);
    let serving = match (&finished.visitors, finished.serving) {
        (Some(visitors), _) => format!(" · {visitors}"),
        (None, Some(n)) => format!(" · release {n} serves"),
        (None, None) => String::new(),
    };
    let url = finished.url.as_ref().map(|u| format!(" · {u}")).unwrap_or_default();
    let outcome = finished.outcome.to_string();
    let done = c.glyphs().done;
    c.line(
        area.x,
        area.y + 1,
        area.width,
        &[
            (Role::Ok, done),
            (Role::Ok, " "),
            (Role::Ok, &outcome),
            (Role::Text, &serving),
            (Role::Muted, " · in "),
            (Role::Muted, &took),
            (Role::Accent, &url),
        ],
    );
    2
}

/// The last lines the candidate wrote.
fn says(c: &mut Canvas<'_>, area: Rect, watched: &Watched) {
    let view = &watched.view;
    let lines = match view.finished.as_ref().and_then(|f| f.problem.as_ref()).filter(|p| view.log.len() < p.log.len()) {
        Some(problem) => &problem.log,
        None => &view.log,
    };
    if lines.is_empty() || area.height < 3 {
        return;
    }
    let who = view.to.map_or_else(|| "the new release".into(), |n| format!("release {n}"));
    let title = if view.steps.iter().any(|s| s.step == Step::ReleaseCommand && s.state == StepState::Running) {
        " the release command says ".to_owned()
    } else {
        format!(" {who} says ")
    };
    let rule = c.glyphs().rule;
    let y = area.y + 1;
    c.text(area.x, y, area.width, Role::Faint, &rule.repeat(usize::from(area.width)));
    c.text(area.x + 2, y, area.width.saturating_sub(4), Role::Muted, &title);
    let body = Rect { y: y + 1, height: area.bottom().saturating_sub(y + 1), ..area };
    let height = usize::from(body.height);
    let end = lines.len().saturating_sub(c.m.deploy_scroll).max(height.min(lines.len()));
    for (i, line) in lines[end.saturating_sub(height)..end].iter().enumerate() {
        c.text(body.x, body.y + i as u16, body.width, Role::Text, line);
    }
}
