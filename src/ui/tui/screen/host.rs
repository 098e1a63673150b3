//! The host: engine, machine, proxy, locks, and everything that is not as it should be, with what mends it.

use ratatui::layout::Rect;

use once_app::{Finding, IssuingState, Severity};
use once_text::words;

use super::super::canvas::{Canvas, columns, wrap};
use super::super::format;
use super::super::model::{Link, Model, Progress};
use super::super::msg::Hit;
use super::super::theme::Role;
use super::super::update::words_of_fix;

/// Columns of the labels on the left.
const LABEL: u16 = 10;

/// From here on a finding's kind has a column of its own.
const WIDE: u16 = 90;

/// Locks that are told one by one.
const LOCKS: usize = 4;

type Fact = (&'static str, Vec<(Role, String)>);

pub(super) fn draw(c: &mut Canvas<'_>, area: Rect) {
    let m = c.m;
    let name = m.engine_info.as_ref().map_or(m.options.engine_label.as_str(), |i| i.name.as_str());
    let inner = c.panel(area, &[(Role::Strong, "Host "), (Role::Host, name)], true);
    let inside = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let mut facts = facts(m);
    // On a small screen what is wrong goes before what is known anyway.
    facts.truncate(usize::from(inside.height.saturating_sub(10).max(1)));
    let mut y = inside.y;
    for (label, pieces) in &facts {
        c.text(inside.x, y, LABEL, Role::Muted, label);
        let pieces: Vec<(Role, &str)> = pieces.iter().map(|(role, text)| (*role, text.as_str())).collect();
        c.line(inside.x + LABEL, y, inside.width.saturating_sub(LABEL), &pieces);
        y += 1;
    }
    y += u16::from(inside.height > 13);
    findings(c, Rect { y, height: inside.bottom().saturating_sub(y), ..inside });
}

/// What is known of the host, the most needed first.
fn facts(m: &Model) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    let text = |text: String| (Role::Text, text);
    let muted = |text: String| (Role::Muted, text);
    facts.push(match (&m.engine, &m.engine_info) {
        (Link::Down { reason, .. }, _) => ("engine", vec![(Role::Fail, format!("down: {}", reason.message))]),
        (_, Some(info)) => (
            "engine",
            vec![
                (Role::Strong, format!("Docker {}", info.version)),
                muted(format!(" · {}/{} · {}", info.os, info.arch, info.address)),
            ],
        ),
        (_, None) => ("engine", vec![muted("connecting".into())]),
    });
    facts.push(("proxy", proxy(m)));
    if let Some(info) = &m.engine_info {
        facts.push(("machine", machine(m, info)));
        facts.push(("engine ID", vec![text(info.id.clone()), muted(" · for --expect-engine".into())]));
    }
    facts.extend(certificates(m).map(|pieces| ("tls", pieces)));
    facts.extend(locks(m));
    facts
}

fn proxy(m: &Model) -> Vec<(Role, String)> {
    let mut pieces = match &m.proxy {
        Link::Up => vec![(Role::Ok, "serving".to_owned())],
        Link::Absent => return vec![(Role::Muted, "none yet: the first deploy makes it".into())],
        Link::Connecting => return vec![(Role::Muted, "connecting".into())],
        Link::Down { reason, .. } => return vec![(Role::Fail, format!("does not answer: {}", reason.message))],
    };
    if let Some(info) = &m.proxy_info {
        let ports = match m.ports.https {
            Some(https) => format!("ports {} and {https}", m.ports.http),
            None => format!("port {}", m.ports.http),
        };
        let age = format::age(m.now, info.started_at);
        let memory = format::bytes(info.memory);
        pieces.push((Role::Muted, format!(" · version {} · {ports} · up {age} · {memory}", info.version)));
    }
    let processes = m.host_view.seen.as_ref().and_then(|(_, examined)| examined.processes.as_ref());
    if let Some(processes) = processes {
        let leaving = processes.workers.iter().filter(|w| !w.serving).count();
        if leaving > 0 {
            pieces.push((Role::Text, format!(" · {} finishing", format::many(leaving as u64, "older worker"))));
        }
        if let Some(note) = &processes.note {
            pieces.push((Role::Warn, format!(" · {note}")));
        }
    }
    pieces
}

fn machine(m: &Model, info: &once_app::engine::EngineInfo) -> Vec<(Role, String)> {
    let cores = format::many(u64::from(info.cpus), "core");
    let Some(host) = &m.host else {
        let memory = format::bytes(info.memory);
        let text = format!("{cores} · {memory} of memory · what is in use can only be read on the machine itself");
        return vec![(Role::Text, text)];
    };
    let full = |used: u64, all: u64| if used as f64 >= all as f64 * 0.9 { Role::Fail } else { Role::Text };
    vec![
        (Role::Text, format!("{cores} · ")),
        (
            full(host.memory, host.memory_total),
            format!("memory {} of {}", format::bytes(host.memory), format::bytes(host.memory_total)),
        ),
        (Role::Text, " · ".into()),
        (
            full(host.disk, host.disk_total),
            format!("disk {} of {}", format::bytes(host.disk), format::bytes(host.disk_total)),
        ),
        (Role::Muted, format!(" in {}", info.root_dir)),
    ]
}

/// A sum of all certificates; what is wrong with one is a finding. `None`: no name is served over TLS.
fn certificates(m: &Model) -> Option<Vec<(Role, String)>> {
    let all = || m.apps.values().flat_map(|a| &a.certificates);
    let valid = || all().filter(|view| view.state(m.now) == IssuingState::Valid);
    let total = all().count();
    if total == 0 {
        return None;
    }
    let mut text = format!("{} of {}", valid().count(), format::many(total as u64, "certificate")) + " valid";
    let facts = valid().filter_map(|view| Some((&view.name, view.certificate.as_ref()?.not_after)));
    if let Some((name, end)) = facts.min_by_key(|(_, end)| *end) {
        let left = end.duration_since(m.now).as_secs().max(0) as u64;
        text.push_str(&format!(" · the first to end is {name}'s, in {}", words::roughly(left)));
    }
    let role = if valid().count() == total { Role::Text } else { Role::Warn };
    Some(vec![(role, text)])
}

/// Locks taken on purpose; a change's own lock is seen in the list of apps.
fn locks(m: &Model) -> Vec<Fact> {
    if !matches!(m.proxy, Link::Up | Link::Absent) && m.proxy_info.is_none() {
        return vec![("locks", vec![(Role::Muted, "not known: the proxy keeps them".into())])];
    }
    let held: Vec<_> = m.locks.iter().filter(|l| l.op.is_none()).collect();
    if held.is_empty() {
        return vec![("locks", vec![(Role::Muted, "nobody holds one on purpose".into())])];
    }
    let mut facts: Vec<Fact> = Vec::new();
    for lock in held.iter().take(LOCKS) {
        let label = if facts.is_empty() { "locks" } else { "" };
        facts.push((label, super::lock::pieces(m, lock)));
    }
    if held.len() > LOCKS {
        facts.push(("", vec![(Role::Muted, format!("and {} more", held.len() - LOCKS))]));
    }
    facts
}

fn findings(c: &mut Canvas<'_>, area: Rect) {
    let m = c.m;
    let host = &m.host_view;
    let mut y = area.y;
    let looked = match (&host.seen, host.looking) {
        (_, true) => "looking…".to_owned(),
        (Some((at, _)), false) => format!("looked {}", format::ago(m.now, *at)),
        (None, false) => String::new(),
    };
    c.right(area.x, y, area.width, Role::Muted, &looked);
    let (problems, remarks) = host.counts();
    let room = area.width.saturating_sub(columns(&looked) as u16 + 1);
    let (role, sum) = match (&host.seen, problems, remarks) {
        (None, ..) if host.failed.is_some() => (Role::Warn, "It is not known what is wrong".into()),
        (None, 0, 0) => (Role::Muted, "Not examined yet".to_owned()),
        (None, 0, n) => (Role::Muted, format!("{} so far", format::many(n as u64, "remark"))),
        (None, n, _) => (Role::Fail, format!("{} so far", format::many(n as u64, "problem"))),
        (Some(_), 0, 0) => (Role::Ok, format!("{} all is well", c.glyphs().done)),
        (Some(_), 0, n) => (Role::Ok, format!("{} all is well, {}", c.glyphs().done, format::many(n as u64, "remark"))),
        (Some(_), n, 0) => (Role::Fail, format::many(n as u64, "problem")),
        (Some(_), n, r) => {
            (Role::Fail, format!("{}, {}", format::many(n as u64, "problem"), format::many(r as u64, "remark")))
        }
    };
    c.text(area.x, y, room, role, &sum);
    y += 1;
    if let Some(failed) = &host.failed {
        let text = format!("{} the last look was not finished: {}", c.glyphs().warn, failed.message);
        y += c.paragraph(Rect { y, height: 2.min(area.bottom().saturating_sub(y)), ..area }, Role::Warn, &text);
    }
    let Some(marked) = host.marked() else { return };
    let about = about(c, marked, area.width);
    let left = area.bottom().saturating_sub(y);
    let list = (host.findings().len() as u16).min(left.saturating_sub(about.len() as u16 + 1).max(left / 3).max(1));
    let top = (host.at + 1).saturating_sub(usize::from(list));
    for (i, finding) in host.findings().iter().enumerate().skip(top).take(usize::from(list)) {
        let line = Rect { y, height: 1, ..area };
        row(c, line, finding);
        if i == host.at {
            c.text(line.x, line.y, 1, Role::Accent, c.glyphs().mark);
            c.paint(Rect { x: line.x + 1, width: line.width - 1, ..line }, Role::Selected);
        }
        c.hits.push((line, Hit::Entry(i)));
        y += 1;
    }
    let rule = c.glyphs().rule.repeat(usize::from(area.width));
    c.text(area.x, y, area.width, Role::Faint, &rule);
    if host.findings().len() > usize::from(list) {
        let text = format!(" {}–{} of {} ", top + 1, top + usize::from(list), host.findings().len());
        c.right(area.x, y, area.width, Role::Muted, &text);
    }
    for (role, label, text) in about {
        y += 1;
        if y >= area.bottom() {
            break;
        }
        c.text(area.x, y, LABEL, Role::Muted, label);
        c.text(area.x + LABEL, y, area.width.saturating_sub(LABEL), role, &text);
    }
}

fn row(c: &mut Canvas<'_>, line: Rect, finding: &Finding) {
    let (role, glyph) = match finding.severity {
        Severity::Problem => (Role::Fail, c.glyphs().down),
        Severity::Remark => (Role::Muted, c.glyphs().pending),
    };
    c.text(line.x + 1, line.y, 1, role, glyph);
    let (role, word) = state(c, finding);
    let end = columns(&word) as u16 + 1;
    c.right(line.x, line.y, line.width, role, &word);
    let kind = finding.kind.to_string();
    let x = line.x + 3;
    let width = line.width.saturating_sub(3 + end);
    if line.width >= WIDE {
        c.text(x, line.y, 19, Role::Strong, &kind);
        c.text(x + 20, line.y, width.saturating_sub(20), Role::Text, &finding.what);
    } else {
        c.line(x, line.y, width, &[(Role::Strong, &kind), (Role::Muted, ": "), (Role::Text, &finding.what)]);
    }
}

/// How the mending of it goes, or that it can be had.
fn state(c: &Canvas<'_>, finding: &Finding) -> (Role, String) {
    let Some(fix) = &finding.fix else { return (Role::Muted, String::new()) };
    match c.m.host_view.progress(fix) {
        None => (Role::Accent, "f mends it".into()),
        Some(Progress::Waiting) => (Role::Muted, "waits its turn".into()),
        Some(Progress::Running(op)) => {
            let (done, all) = c.m.deploys.get(op).map_or((0, 0), |w| w.view.progress());
            let steps = if all == 0 { String::new() } else { format!(" {done}/{all}") };
            (Role::Warn, format!("{} mending{steps}", c.glyphs().busy))
        }
        Some(Progress::Ended(_, Ok(()))) => (Role::Ok, format!("{} done", c.glyphs().done)),
        Some(Progress::Ended(_, Err(_))) => (Role::Fail, format!("{} not mended", c.glyphs().down)),
    }
}

/// The marked finding in full: what, why, what to try, what `f` does.
fn about(c: &Canvas<'_>, finding: &Finding, width: u16) -> Vec<(Role, &'static str, String)> {
    let room = usize::from(width.saturating_sub(LABEL).max(1));
    let mut lines = Vec::new();
    let mut put = |role: Role, label: &'static str, text: &str| {
        for (i, line) in wrap(&once_text::sanitize::line(text), room).into_iter().enumerate() {
            lines.push((role, if i == 0 { label } else { "" }, line));
        }
    };
    if let Some(Progress::Ended(_, Err(why))) = finding.fix.as_ref().and_then(|fix| c.m.host_view.progress(fix)) {
        put(Role::Fail, "not mended", why);
    }
    put(Role::Strong, "what", &finding.what);
    for line in &finding.details {
        put(Role::Muted, "", line);
    }
    put(Role::Text, "why", &finding.why);
    for (i, command) in finding.mend.iter().enumerate() {
        put(Role::Text, if i == 0 { "try" } else { "or" }, command);
    }
    match &finding.fix {
        Some(fix) => put(Role::Accent, "f", &words_of_fix(fix)),
        None if finding.severity == Severity::Problem && finding.mend.is_empty() => {
            put(Role::Muted, "try", "a person has to look at it");
        }
        None => {}
    }
    lines
}
