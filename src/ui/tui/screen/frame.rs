//! The lines around every screen: host at the top, what is wrong below it, prompts at the bottom.

use ratatui::layout::Rect;
use tui_input::Input;

use super::super::canvas::{Canvas, columns};
use super::super::format;
use super::super::keymap::Cmd;
use super::super::model::{Link, Model};
use super::super::msg::Hit;
use super::super::theme::Role;
use super::super::widget::{chart, field};

/// `once  web-1 · docker 28.2 ● · proxy ●      cpu ▂▂▅ 12%   mem 4.1/23.5G   disk 9%   18:42`.
pub(super) fn header(c: &mut Canvas<'_>, area: Rect) {
    let m = c.m;
    let clock = format::hour(m.now, &m.zone);
    c.right(area.x, area.y, area.width.saturating_sub(1), Role::Muted, &clock);
    let mut x = area.x + 1;
    let limit = area.right().saturating_sub(columns(&clock) as u16 + 3);
    x += c.text(x, area.y, limit.saturating_sub(x), Role::Strong, "once") + 2;
    let info = m.engine_info.as_ref();
    let name = info.map_or(m.options.engine_label.as_str(), |i| i.name.as_str());
    x += c.text(x, area.y, limit.saturating_sub(x).min(24), Role::Host, name);
    if m.namespace.as_str() != "once" {
        x += c.line(x, area.y, limit.saturating_sub(x), &[(Role::Muted, "/"), (Role::Text, m.namespace.as_str())]);
    }
    let version = info.map_or(String::new(), |i| format!(" {}", short_version(&i.version)));
    let docker = format!("docker{version}");
    for (name, link) in [(docker.as_str(), &m.engine), ("proxy", &m.proxy)] {
        let (role, glyph) = link_glyph(c, link);
        let room = limit.saturating_sub(x);
        if usize::from(room) < columns(name) + 5 {
            break;
        }
        x += c.line(x, area.y, room, &[(Role::Faint, " · "), (Role::Muted, name), (Role::Muted, " "), (role, glyph)]);
    }
    x += wrong(c, x, limit, area.y);
    if m.options.read_only && limit.saturating_sub(x) > 12 {
        x += c.line(x, area.y, limit - x, &[(Role::Faint, " · "), (Role::Warn, "read-only")]);
    }
    gauges(c, x + 2, limit, area.y);
}

/// How much is wrong with the host, and the key that shows it. Nothing while nothing is.
fn wrong(c: &mut Canvas<'_>, x: u16, limit: u16, y: u16) -> u16 {
    let (problems, _) = c.m.host_view.counts();
    if problems == 0 {
        return 0;
    }
    let long = format!("{} {}", c.glyphs().down, format::many(problems as u64, "problem"));
    let short = format!("{} {problems}", c.glyphs().down);
    let width = |text: &str| (columns(text) + 5) as u16;
    let Some(text) = [&long, &short].into_iter().find(|text| width(text) <= limit.saturating_sub(x)) else { return 0 };
    let own = width(text);
    let pieces = [(Role::Faint, " · "), (Role::Fail, text.as_str()), (Role::Muted, " H")];
    c.hits.push((Rect { x, y, width: own, height: 1 }, Hit::Command(Cmd::Host)));
    c.line(x, y, own, &pieces)
}

/// From the right: disk, memory, processor; what does not fit is left out.
fn gauges(c: &mut Canvas<'_>, left: u16, right: u16, y: u16) {
    let m = c.m;
    let Some(host) = &m.host else { return };
    let share = |part: u64, all: u64| if all == 0 { 0.0 } else { part as f64 / all as f64 };
    let cores = m.engine_info.as_ref().map_or(1, |i| i.cpus.max(1));
    let cpu = host.cpu / f64::from(cores);
    let mut x = right;
    let tone = |share: f64| {
        if share >= 0.9 {
            Role::Fail
        } else if share >= 0.8 {
            Role::Warn
        } else {
            Role::Text
        }
    };
    let mut put = |c: &mut Canvas<'_>, label: &str, text: &str, role: Role, extra: u16| {
        let width = (columns(label) + 1 + columns(text)) as u16 + extra;
        if x < left + width + 3 {
            x = left;
            return None;
        }
        x -= width;
        c.text(x, y, width, Role::Muted, label);
        c.right(x, y, width, role, text);
        let at = x + columns(label) as u16 + 1;
        x = x.saturating_sub(3);
        Some(at)
    };
    let disk = share(host.disk, host.disk_total);
    put(c, "disk", &format!("{:>4}", format::percent(disk)), tone(disk), 0);
    let memory = share(host.memory, host.memory_total);
    let text = format!("{:>5}/{}", format::bytes(host.memory), format::bytes(host.memory_total));
    put(c, "mem", &text, tone(memory), 0);
    if let Some(at) = put(c, "cpu", &format!("{:>4}", format::percent(cpu)), tone(cpu), 9) {
        let values = m.host_cpu.tail(8);
        chart::spark(c, at, y, 8, Role::Muted, &values, f64::from(cores));
    }
}

fn link_glyph(c: &Canvas<'_>, link: &Link) -> (Role, &'static str) {
    match link {
        Link::Up => (Role::Ok, c.glyphs().serving),
        Link::Connecting => (Role::Muted, c.glyphs().busy),
        Link::Absent => (Role::Muted, c.glyphs().stopped),
        Link::Down { .. } => (Role::Fail, c.glyphs().down),
    }
}

/// `28.2.2` as `28.2`.
fn short_version(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

/// Lines of the banner: a dead link with its reason and the retry clock, then the newest error nobody has looked at.
fn banner_lines(m: &Model) -> Vec<(Role, String)> {
    let mut lines = Vec::new();
    let engine = m.engine.reason().map(|r| ("docker", r));
    // Without the engine nobody can reach the proxy either: one reason is enough.
    let proxy = m.proxy.reason().filter(|_| engine.is_none()).map(|r| ("proxy", r));
    if let Some((what, (problem, retry_at))) = engine.or(proxy) {
        let wait = format::since(retry_at, m.now).as_secs();
        let when = if wait == 0 { "trying again…".into() } else { format!("next try in {wait} s") };
        lines.push((Role::Fail, format!("{} {what} is down: {} · {when}", m.glyphs().down, problem.message)));
        let more = problem.causes.last().filter(|c| !problem.message.contains(c.as_str()));
        if let Some(text) = problem.hints.first().or(more) {
            lines.push((Role::Muted, format!("  {text}")));
        }
    }
    if let Some(seen) = m.newest_unseen() {
        let more = match m.unseen() {
            1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        lines.push((Role::Warn, format!("! {}{more} · press ! to see it", seen.problem.message)));
    }
    lines
}

/// Rows the banner takes.
pub(crate) fn banner_rows(m: &Model) -> u16 {
    banner_lines(m).len() as u16
}

/// Draws it.
pub(super) fn banner(c: &mut Canvas<'_>, area: Rect) {
    for (i, (role, text)) in banner_lines(c.m).iter().enumerate().take(usize::from(area.height)) {
        let y = area.y + i as u16;
        let width = area.width.saturating_sub(2);
        // The end carries the clock or the key: the middle is what may go.
        match text.rsplit_once(" · ").filter(|_| columns(text) > usize::from(width)) {
            Some((head, end)) => {
                let end = format!(" · {end}");
                let room = width.saturating_sub(columns(&end) as u16);
                let used = c.text(area.x + 1, y, room, *role, head);
                c.text(area.x + 1 + used, y, width - used, *role, &end);
            }
            None => {
                c.text(area.x + 1, y, width, *role, text);
            }
        }
    }
}

/// A line to type into, in place of the keys.
pub(super) fn prompt(c: &mut Canvas<'_>, area: Rect, label: &str, input: &Input) {
    let used = c.line(area.x + 1, area.y, area.width, &[(Role::Accent, label), (Role::Muted, " ")]);
    let x = area.x + 1 + used;
    let hint = "  enter keep   esc clear";
    let width = area.width.saturating_sub(used + 2);
    field::draw(c, (x, area.y, width), Role::Text, input, true, false);
    if usize::from(width) > columns(input.value()) + columns(hint) + 4 {
        c.right(x, area.y, width, Role::Muted, hint);
    }
}
