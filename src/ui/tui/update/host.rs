//! The host's screen: which finding is marked, when it is looked again, and mending one after another.

use std::time::Duration;

use once_app::event::Outcome;
use once_app::{Ask, Fix};

use super::super::format::since;
use super::super::keymap::Cmd;
use super::super::model::{Confirm, Mending, Model, Overlay, Progress, Then, View};
use super::super::msg::Effect;
use super::super::same_as;
use super::keys::notice;
use super::{actions, nav};

/// How often the host is examined while its screen is open.
const OPEN: Duration = Duration::from_secs(30);

/// How often else, for the count at the top: it asks the engine about each app.
const CLOSED: Duration = Duration::from_secs(300);

/// What is listed of many fixes before they are asked for.
const LISTED: usize = 5;

/// Shows the screen; what was seen long ago is looked at again.
pub(super) fn open(m: &mut Model) {
    m.view = View::Host;
}

/// Asks for an examination where one is due.
pub(super) fn look(m: &mut Model) -> Option<Effect> {
    let every = if m.view == View::Host { OPEN } else { CLOSED };
    let due = m.host_view.last.is_none_or(|at| since(m.now, at) >= every);
    (due && !m.host_view.looking && m.is_fresh()).then(|| again(m))
}

fn again(m: &mut Model) -> Effect {
    m.host_view.last = Some(m.now);
    m.host_view.looking = true;
    m.host_view.coming.clear();
    Effect::Examine
}

/// A command given here; `None`: it is none of this view's.
pub(super) fn command(m: &mut Model, cmd: Cmd) -> Option<Vec<Effect>> {
    let last = m.host_view.findings().len().saturating_sub(1);
    let go = |m: &mut Model, by: isize| m.host_view.at = m.host_view.at.saturating_add_signed(by).min(last);
    match cmd {
        Cmd::Up => go(m, -1),
        Cmd::Down => go(m, 1),
        Cmd::PageUp => go(m, -10),
        Cmd::PageDown => go(m, 10),
        Cmd::Top => m.host_view.at = 0,
        Cmd::Bottom => m.host_view.at = last,
        Cmd::Back => m.view = View::Main,
        Cmd::Host => {}
        Cmd::Again if m.host_view.looking => notice(m, "it is being looked at already"),
        Cmd::Again if !m.is_fresh() => notice(m, "engine or proxy do not answer; it is looked again when they do"),
        Cmd::Again => return Some(vec![again(m)]),
        Cmd::Mend => mend_marked(m),
        Cmd::MendAll => {
            let fixes: Vec<Fix> = m.host_view.fixes().cloned().collect();
            if fixes.is_empty() {
                notice(m, "there is nothing that could be mended without a person's judgement");
            } else {
                ask(m, fixes);
            }
        }
        Cmd::Open => open_marked(m),
        Cmd::Copy => {
            let text = m.host_view.marked().map_or("once doctor", |f| f.mend.first().map_or("once doctor", |c| c));
            let text = text.to_owned();
            return Some(actions::copy(m, text));
        }
        _ => return None,
    }
    Some(Vec::new())
}

fn mend_marked(m: &mut Model) {
    let Some(finding) = m.host_view.marked() else { return };
    match finding.fix.clone() {
        Some(fix) if m.host_view.is_under_way(&fix) => notice(m, "it is being mended already"),
        Some(fix) => ask(m, vec![fix]),
        None => notice(m, "this one needs a person's judgement; what to try is said below"),
    }
}

/// What a fix does, in words: the same for the question and for the finding.
pub(crate) fn words(fix: &Fix) -> String {
    match fix {
        Fix::Adopt { container } => format!("adopt {container}: its app gets its record and its route again"),
        Fix::Start { app } => format!("start {app}: its container is started as it is"),
        Fix::Restart { app } => format!("restart {app}: a new container of the release that serves"),
        Fix::Tidy { app } => format!("tidy {app}: finish or undo what was left, remove what no release needs"),
    }
}

fn ask(m: &mut Model, fixes: Vec<Fix>) {
    let place = m.engine_info.as_ref().map_or(m.options.engine_label.as_str(), |e| e.name.as_str());
    let (title, command) = match &fixes[..] {
        [fix] => (format!("Mend this on {place}?"), same_as::command(&fix.ask())),
        all => (format!("Mend {} findings on {place}, one after another?", all.len()), "once doctor --fix".into()),
    };
    let mut lines: Vec<String> = fixes.iter().take(LISTED).map(words).collect();
    if fixes.len() > LISTED {
        lines.push(format!("and {} more", fixes.len() - LISTED));
    }
    lines.push("Nothing that serves is stopped, and no data is removed.".into());
    let confirm = Confirm {
        title,
        lines,
        yes: "Mend",
        then: Then::Mend(fixes),
        command: Some(command),
        armed: false,
        typed: None,
        message: None,
        asked_at: m.frames,
    };
    m.overlays.push(Overlay::Confirm(Box::new(confirm)));
}

/// Puts fixes into the row; [`go_on`] carries them out.
pub(super) fn begin(m: &mut Model, fixes: Vec<Fix>) {
    for fix in fixes {
        m.host_view.mending.retain(|known| known.fix != fix);
        m.host_view.mending.push(Mending { fix, progress: Progress::Waiting });
    }
}

/// Ends what has ended and begins what is next. Once nothing is left, the host is looked at again.
pub(super) fn go_on(m: &mut Model) -> Vec<Effect> {
    let mut ended = false;
    for mending in &mut m.host_view.mending {
        let Progress::Running(op) = &mending.progress else { continue };
        let outcome = match m.deploys.get(op) {
            Some(watched) if watched.is_active() => continue,
            Some(watched) => match (&watched.view.finished, &watched.lost) {
                (Some(finished), _) if finished.outcome.is_success() => Ok(()),
                (Some(finished), _) => Err(finished
                    .problem
                    .as_ref()
                    .map_or_else(|| finished.outcome.to_string(), |problem| problem.message.clone())),
                (None, lost) => Err(lost.as_ref().map_or_else(|| Outcome::Internal.to_string(), |p| p.message.clone())),
            },
            None => Err("it is no longer known how it went".into()),
        };
        mending.progress = Progress::Ended(op.clone(), outcome);
        ended = true;
    }
    let running = m.host_view.mending.iter().any(|x| matches!(x.progress, Progress::Running(_)));
    let next = m.host_view.mending.iter().position(|x| x.progress == Progress::Waiting).filter(|_| !running);
    let Some(next) = next else {
        let over = ended && !running;
        return if over { vec![again(m)] } else { Vec::new() };
    };
    let ask: Ask = m.host_view.mending[next].fix.ask();
    let title = match &m.host_view.mending[next].fix {
        Fix::Adopt { container } => container.clone(),
        Fix::Start { app } | Fix::Restart { app } | Fix::Tidy { app } => app.to_string(),
    };
    let job = m.job(ask);
    m.deploys.asked(&job, title, m.now);
    m.host_view.mending[next].progress = Progress::Running(job.op.clone());
    vec![Effect::Run(Box::new(job))]
}

/// The change that mends what is marked, else the app it is about.
fn open_marked(m: &mut Model) {
    let Some(finding) = m.host_view.marked().cloned() else { return };
    let progress = finding.fix.as_ref().and_then(|fix| m.host_view.progress(fix)).cloned();
    if let Some(Progress::Running(op) | Progress::Ended(op, _)) = progress
        && m.deploys.get(&op).is_some()
    {
        return nav::show_deploy(m, op);
    }
    match finding.app.filter(|app| m.apps.contains_key(app)) {
        Some(app) => nav::show_app(m, app),
        None => notice(m, "it is about no app; what to try is said below"),
    }
}
