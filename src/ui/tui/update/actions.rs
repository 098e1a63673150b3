//! What can be done with an app. Nothing fires by itself: what changes something is asked about or reviewed first.

use tui_input::Input;

use once_app::{Ask, Notice, OpId, ReleaseNumber, ReleaseStatus, Selector, Span};

use super::super::keymap::Cmd;
use super::super::model::{AppView, Confirm, Form, FormKind, Model, Overlay, Tab, Then, View, Watched, sides_of};
use super::super::msg::Effect;
use super::super::report;
use super::super::same_as;
use super::keys::notice;
use super::menu::menu;
use super::{locks, nav};

/// How long a request waits while its app is paused, as `once pause` has it.
const PAUSE: Span = Span::seconds(30);

pub(super) fn command(m: &mut Model, cmd: Cmd) -> Vec<Effect> {
    match cmd {
        Cmd::New => {
            m.form = Some(Box::new(Form::new_app()));
            m.view = View::Form;
        }
        Cmd::Edit => return edit(m),
        Cmd::Deploy => open_form(m, Form::deploy),
        Cmd::Actions => menu(m),
        Cmd::Lock => locks::toggle(m),
        Cmd::Rename => rename(m),
        Cmd::Shell => return shell(m),
        Cmd::CopyAddress => {
            if let Some(address) = m.app().and_then(|a| a.address(m.ports, m.now)) {
                return copy(m, address);
            }
        }
        Cmd::Copy => return copy_here(m),
        Cmd::Restart | Cmd::Start | Cmd::Stop | Cmd::Remove | Cmd::Rollback | Cmd::Promote | Cmd::Abort => ask(m, cmd),
        Cmd::Close | Cmd::Reopen | Cmd::Pause | Cmd::Resume | Cmd::DropAlias => ask(m, cmd),
        _ => {}
    }
    Vec::new()
}

/// Opens all settings of the selected app.
pub(super) fn edit(m: &mut Model) -> Vec<Effect> {
    if m.options.read_only {
        notice(m, "read-only console: nothing can be changed here");
    } else {
        open_form(m, Form::settings);
    }
    Vec::new()
}

fn open_form(m: &mut Model, make: impl Fn(&once_app::AppName, u64, &once_app::Settings) -> Form) {
    let form = m.app().and_then(|a| Some(make(a.name(), a.record.revision, a.settings()?)));
    match form {
        Some(form) => {
            m.form = Some(Box::new(form));
            m.view = View::Form;
        }
        None => notice(m, "no app with settings is selected"),
    }
}

fn rename(m: &mut Model) {
    let Some(app) = m.app().map(|a| a.name().clone()) else { return };
    m.form = Some(Box::new(Form::rename(&app)));
    m.view = View::Form;
}

fn shell(m: &mut Model) -> Vec<Effect> {
    match m.app() {
        Some(app) if app.container.as_ref().is_some_and(|c| c.running) => vec![Effect::Shell(app.name().clone())],
        Some(_) => {
            notice(m, "its container does not run");
            Vec::new()
        }
        None => Vec::new(),
    }
}

/// Puts text into the clipboard and says so.
pub(super) fn copy(m: &mut Model, text: String) -> Vec<Effect> {
    notice(m, "copied to the clipboard");
    vec![Effect::Copy(text)]
}

fn copy_here(m: &mut Model) -> Vec<Effect> {
    let Some(app) = m.app() else { return Vec::new() };
    let name = app.name().clone();
    let text = match m.tab {
        Tab::Logs if m.pane == super::super::model::Pane::Detail => m.logs.marked().map(|l| l.line.text.clone()),
        Tab::Logs => Some(format!("once logs {name} -f")),
        Tab::Releases => marked_release(m).map(|n| format!("once rollback {name} {n}")),
        Tab::Traffic => Some(format!("once status {name}")),
        Tab::Overview | Tab::Settings => Some(format!("once show {name}")),
    };
    text.map_or_else(Vec::new, |text| copy(m, text))
}

/// The release marked in the Releases tab: newest first.
pub(super) fn marked_release(m: &Model) -> Option<ReleaseNumber> {
    let app = m.app()?;
    if let View::Release(number) = m.view {
        return Some(number);
    }
    m.releases(app).get(m.detail_at).map(|r| r.number)
}

/// What a command of the menu asks for.
fn wish(m: &Model, app: &AppView, cmd: Cmd) -> Option<Ask> {
    let selector = Selector(app.name().to_string());
    Some(match cmd {
        Cmd::Restart => Ask::Restart { app: selector },
        Cmd::Start => Ask::Start { app: selector },
        Cmd::Stop => Ask::Stop { app: selector },
        Cmd::Promote => Ask::Promote { app: selector },
        Cmd::Abort => Ask::Abort { app: selector },
        Cmd::Close => Ask::Maintenance { app: selector, notice: Some(Notice::default()) },
        Cmd::Reopen => Ask::Maintenance { app: selector, notice: None },
        Cmd::Pause => Ask::Pause { app: selector, max_wait: PAUSE },
        Cmd::Resume => Ask::Resume { app: selector },
        Cmd::DropAlias => Ask::DropAlias { alias: app.record.aliases.first()?.clone(), dry_run: false },
        Cmd::Remove => Ask::Remove { app: selector, data: false },
        Cmd::Rollback => {
            let on_releases = m.tab == Tab::Releases && m.pane == super::super::model::Pane::Detail;
            let marked = (on_releases || matches!(m.view, View::Release(_))).then(|| marked_release(m)).flatten();
            Ask::Rollback { app: selector, to: marked }
        }
        _ => return None,
    })
}

/// Asks before it does.
pub(super) fn ask(m: &mut Model, cmd: Cmd) {
    let Some(app) = m.app() else { return };
    let Some(wish) = wish(m, app, cmd) else { return };
    match question(m, app, wish) {
        Ok(confirm) => m.overlays.push(Overlay::Confirm(Box::new(confirm))),
        Err(why) => notice(m, why),
    }
}

fn question(m: &Model, app: &AppView, wish: Ask) -> Result<Confirm, String> {
    let host = app.host();
    let place = m.engine_info.as_ref().map_or(m.options.engine_label.as_str(), |e| e.name.as_str());
    let (title, lines, yes) = match &wish {
        Ask::Restart { .. } => (
            format!("Restart {host}?"),
            vec!["A new container of the same release starts beside the old one.".into(), "No request is lost.".into()],
            "Restart",
        ),
        Ask::Start { .. } => (format!("Start {host}?"), vec!["It serves again once it is healthy.".into()], "Start"),
        Ask::Stop { .. } => (
            format!("Stop {host}?"),
            vec!["Visitors see a 503 page until it is started again.".into(), "Its data stays.".into()],
            "Stop",
        ),
        Ask::Maintenance { notice: Some(_), .. } => (
            format!("Maintenance of {host}?"),
            vec!["Visitors see a 503 page until it is over; the app goes on running.".into()],
            "Close",
        ),
        Ask::Maintenance { notice: None, .. } => {
            (format!("End the maintenance of {host}?"), vec!["Visitors are let in again.".into()], "Open")
        }
        Ask::Pause { max_wait, .. } => (
            format!("Pause {host}?"),
            vec![format!("Requests wait until it goes on, each for {max_wait} at most; then they get a 503.")],
            "Pause",
        ),
        Ask::Resume { .. } => (format!("Resume {host}?"), vec!["Requests that wait go on.".into()], "Resume"),
        Ask::Remove { .. } => (
            format!("Remove {host} from {place}?"),
            vec!["Its containers, route and name go.".into(), "Its data is kept and can be attached again.".into()],
            "Remove",
        ),
        Ask::Promote { .. } => (
            format!("Promote the canary of {host}?"),
            [sides(app)?, vec!["It gets all requests; the release before it is drained and kept.".into()]].concat(),
            "Promote",
        ),
        Ask::Abort { .. } => (
            format!("Abort the canary of {host}?"),
            [sides(app)?, vec!["The serving release gets all requests again. No request is lost.".into()]].concat(),
            "Abort",
        ),
        Ask::Rollback { to, .. } => {
            let to = rollback_target(m, app, *to)?;
            let release = m.release_of(app, to).ok_or("there is no such release any more")?;
            let kept = if release.container_kept {
                "its container is kept, so it takes a moment"
            } else {
                "a new container is made"
            };
            (
                format!("Roll {host} back to release {to}?"),
                vec![
                    format!("Image and settings of release {to} come back: {} ({kept}).", release.settings.image),
                    "It does not undo what releases since did to the data: volumes, databases, files.".into(),
                    "It becomes a new release number; no request is lost.".into(),
                ],
                "Roll back",
            )
        }
        Ask::Tidy { .. } => (
            format!("Tidy up {host}?"),
            vec!["What no release needs is removed.".into(), "What serves is not touched.".into()],
            "Tidy up",
        ),
        Ask::Adopt { container, .. } => (
            format!("Adopt {container}?"),
            vec!["Its app gets a record again.".into(), "Its containers are not touched.".into()],
            "Adopt",
        ),
        Ask::GiveBack { app, .. } => (
            format!("Let {} go?", app.0),
            vec!["The container it was taken over from runs without us again.".into()],
            "Let it go",
        ),
        Ask::Rename { app, to, .. } => (
            format!("Rename {} to {to}?", app.0),
            vec!["Nothing restarts; the old name stays an alias.".into()],
            "Rename",
        ),
        Ask::DropAlias { alias, .. } => {
            (format!("Drop the alias {alias}?"), vec!["It means no app any more.".into()], "Drop")
        }
        Ask::Deploy(_) | Ask::Canary { .. } => return Err("a deploy is reviewed, not asked about".into()),
    };
    let typed = matches!(wish, Ask::Remove { .. }).then(|| (app.name().to_string(), Input::default()));
    let message =
        matches!(wish, Ask::Maintenance { notice: Some(_), .. }).then(|| ("visitors read: ", Input::default()));
    let command = Some(same_as::command(&wish));
    let (then, asked_at) = (Then::Run(Box::new(wish)), m.frames);
    Ok(Confirm { title, lines, yes, then, command, armed: false, typed, message, asked_at })
}

/// Both sides of a canary in words; without one there is nothing to ask.
fn sides(app: &AppView) -> Result<Vec<String>, String> {
    let lines: Vec<String> = sides_of(app).into_iter().map(|(label, text)| format!("{label}: {text}")).collect();
    if lines.is_empty() { Err(format!("{} has no canary", app.name())) } else { Ok(lines) }
}

fn rollback_target(m: &Model, app: &AppView, to: Option<ReleaseNumber>) -> Result<ReleaseNumber, String> {
    let serving = app.record.serving;
    let number = match to {
        Some(number) => number,
        None => {
            let before = app.record.releases.iter().rev().filter(|r| Some(r.number) != serving);
            let mut good = before.filter(|r| matches!(r.status, ReleaseStatus::Replaced { .. }));
            good.next().map(|r| r.number).ok_or("there is no release to go back to")?
        }
    };
    if Some(number) == serving {
        return Err(format!("release {number} serves already"));
    }
    match m.release_of(app, number).map(|r| &r.status) {
        Some(ReleaseStatus::Failed { .. }) => Err(format!("release {number} failed: it never served")),
        _ => Ok(number),
    }
}

/// Starts a change and shows it.
pub(super) fn run(m: &mut Model, ask: Ask) -> Vec<Effect> {
    let title = match &ask {
        Ask::Deploy(d) => d
            .existing
            .as_ref()
            .map(|s| s.0.clone())
            .or_else(|| d.name.as_ref().map(ToString::to_string))
            .or_else(|| d.draft.hosts.first().map(ToString::to_string))
            .or_else(|| d.draft.image.as_ref().map(|i| i.short_name().to_owned()))
            .unwrap_or_default(),
        Ask::Rollback { app, .. }
        | Ask::Start { app }
        | Ask::Stop { app }
        | Ask::Restart { app }
        | Ask::Canary { app, .. }
        | Ask::Promote { app }
        | Ask::Abort { app }
        | Ask::Tidy { app }
        | Ask::Maintenance { app, .. }
        | Ask::Pause { app, .. }
        | Ask::Resume { app }
        | Ask::GiveBack { app, .. }
        | Ask::Rename { app, .. }
        | Ask::Remove { app, .. } => app.0.clone(),
        Ask::DropAlias { alias, .. } => alias.to_string(),
        Ask::Adopt { container, .. } => container.clone(),
    };
    let dry = ask.is_dry();
    let job = m.job(ask);
    let op = job.op.clone();
    m.deploys.asked(&job, title, m.now);
    if !dry {
        nav::show_deploy(m, op);
    }
    vec![Effect::Run(Box::new(job))]
}

/// "Leave it running" is meant also of a change that still waits for its turn.
fn detach(watched: &Watched) -> Vec<Effect> {
    if watched.is_active() { vec![Effect::Detach(watched.view.op.clone())] } else { Vec::new() }
}

/// A command given in the deploy view; `None`: it is none of this view's.
pub(super) fn in_deploy(m: &mut Model, op: &OpId, cmd: Cmd) -> Option<Vec<Effect>> {
    let Some(watched) = m.deploys.get(op).cloned() else {
        m.view = View::Main;
        return Some(Vec::new());
    };
    match cmd {
        Cmd::Back if m.under != View::Main => {
            m.view = std::mem::replace(&mut m.under, View::Main);
            return Some(detach(&watched));
        }
        Cmd::Back => {
            m.view = View::Main;
            let row = watched.view.app.clone().map(super::super::model::RowKey::App);
            let row = row.filter(|r| m.rows().contains(r));
            m.selected = row.or_else(|| Some(super::super::model::RowKey::Birth(op.clone())));
            if m.selected.as_ref().is_some_and(|s| !m.rows().contains(s)) {
                m.selected = m.rows().first().cloned();
            }
            return Some(detach(&watched));
        }
        Cmd::Up => m.deploy_scroll = (m.deploy_scroll + 1).min(watched.view.log.len()),
        Cmd::Down => m.deploy_scroll = m.deploy_scroll.saturating_sub(1),
        Cmd::Copy => {
            let failed = watched.view.finished.as_ref().is_some_and(|f| !f.outcome.is_success());
            let text = if failed { report::text(&watched) } else { command_of(&watched) };
            return Some(copy(m, text));
        }
        Cmd::Cancel => cancel(m, &watched),
        Cmd::Retry => {
            let failed = !watched.is_active() && watched.view.finished.as_ref().is_none_or(|f| !f.outcome.is_success());
            match watched.ask {
                Some(ask) if failed => return Some(run(m, ask)),
                Some(_) => notice(m, "there is nothing to retry"),
                None => notice(m, "somebody else asked for this; retry it where it was asked"),
            }
        }
        Cmd::Logs => {
            if let Some(app) = watched.view.app.filter(|a| m.apps.contains_key(a)) {
                m.selected = Some(super::super::model::RowKey::App(app));
                return None;
            }
            notice(m, "it has no container with a log yet");
        }
        // Another form would take the place of what was typed for it, which is wanted if it fails.
        Cmd::Edit if watched.is_active() && watched.ask.is_some() => {
            notice(m, "it is still under way: c cancels it, and e edits it if it fails");
        }
        Cmd::Edit => return Some(edit_again(m, &watched)),
        _ => return None,
    }
    Some(Vec::new())
}

fn edit_again(m: &mut Model, watched: &Watched) -> Vec<Effect> {
    if let (Some(form), Some(Ask::Deploy(_) | Ask::Rename { .. }), false) =
        (&mut m.form, &watched.ask, watched.is_active())
    {
        form.stage = super::super::model::Stage::Edit;
        if form.kind == FormKind::New || form.is_changed() {
            m.view = View::Form;
            return Vec::new();
        }
    }
    if let Some(app) = watched.view.app.clone().filter(|a| m.apps.contains_key(a)) {
        m.selected = Some(super::super::model::RowKey::App(app));
        return edit(m);
    }
    notice(m, "there is nothing to edit");
    Vec::new()
}

fn cancel(m: &mut Model, watched: &Watched) {
    if !watched.is_active() {
        return notice(m, "it has ended");
    }
    if watched.view.is_past_switch() {
        return notice(m, "the new release serves already: there is nothing to undo; roll back instead");
    }
    let confirm = Confirm {
        title: format!("Cancel this change of {}?", watched.view.host.as_deref().unwrap_or(&watched.title)),
        lines: vec!["What it has made so far is removed again.".into(), "What serves now serves on.".into()],
        yes: "Cancel the change",
        then: Then::Cancel(watched.view.op.clone()),
        command: None,
        armed: false,
        typed: None,
        message: None,
        asked_at: m.frames,
    };
    m.overlays.push(Overlay::Confirm(Box::new(confirm)));
}

/// The command that does the same as a change, or shows it where somebody else asked for it.
pub(crate) fn command_of(watched: &Watched) -> String {
    match (&watched.ask, &watched.view.app) {
        (Some(ask), _) => same_as::command(ask),
        (None, Some(app)) => format!("once watch {app}"),
        (None, None) => "once watch".into(),
    }
}
