//! What can be done with an app, as a list: each with the command that does the same, and why it cannot be had now.

use once_app::ledger::RunState;

use super::super::keymap::Cmd;
use super::super::model::{Menu, MenuItem, Model, Overlay};

/// Opens it for the selected app.
pub(super) fn menu(m: &mut Model) {
    let Some(app) = m.app() else { return };
    let running = app.record.state.runs();
    let name = app.name().clone();
    let served = app.record.serving.is_some();
    let item = |cmd, label, note: &str, command: String, off| MenuItem { cmd, label, note: note.into(), command, off };
    let frozen = m.options.read_only.then_some("read-only console");
    let need = |fine: bool, why| frozen.or(if fine { None } else { Some(why) });
    let close = match app.record.state {
        RunState::Maintenance(_) => item(
            Cmd::Reopen,
            "End maintenance",
            "visitors are let in again",
            format!("once maintenance {name} --off"),
            need(true, ""),
        ),
        _ => item(
            Cmd::Close,
            "Maintenance…",
            "a 503 page with your words",
            format!("once maintenance {name}"),
            need(served && running, "it is stopped"),
        ),
    };
    let pause = match app.record.state {
        RunState::Paused { .. } => {
            item(Cmd::Resume, "Resume", "requests that wait go on", format!("once resume {name}"), need(true, ""))
        }
        _ => item(
            Cmd::Pause,
            "Pause",
            "requests wait, none is lost",
            format!("once pause {name}"),
            need(served && app.record.state == RunState::Running, "it does not serve"),
        ),
    };
    let mut items = vec![
        item(
            Cmd::Deploy,
            "Deploy another image…",
            "reviewed first, zero downtime",
            format!("once deploy IMAGE --name {name}"),
            need(served, "never served"),
        ),
        item(
            Cmd::Edit,
            "Edit settings…",
            "shows what restarts and what not",
            format!("once set {name} KEY=VALUE"),
            need(served, "never served"),
        ),
        item(
            Cmd::Restart,
            "Restart",
            "same release, zero downtime",
            format!("once restart {name}"),
            need(served && running, "it is stopped"),
        ),
        if running {
            item(
                Cmd::Stop,
                "Stop",
                "visitors see a 503 page",
                format!("once stop {name}"),
                need(served, "never served"),
            )
        } else {
            item(Cmd::Start, "Start", "serves again once healthy", format!("once start {name}"), need(true, ""))
        },
        close,
        pause,
        item(
            Cmd::Rollback,
            "Roll back",
            "to the release before",
            format!("once rollback {name}"),
            need(app.record.releases.len() > 1, "one release only"),
        ),
        item(
            Cmd::Shell,
            "Open a shell",
            "in the serving container",
            format!("once shell {name}"),
            need(running && served, "it does not run"),
        ),
        item(Cmd::Logs, "Logs", "follow, search, copy", format!("once logs {name} -f"), None),
        item(
            Cmd::CopyAddress,
            "Copy address",
            &app.address(m.ports, m.now).unwrap_or_default(),
            format!("once show {name}"),
            None,
        ),
        item(
            Cmd::Rename,
            "Rename…",
            "reviewed; the old name stays an alias",
            format!("once rename {name} NEW"),
            need(true, ""),
        ),
        match m.locks_of(&name).0 {
            Some(lock) => item(
                Cmd::Lock,
                "Lift the lock…",
                &format!("{}@{} holds it on purpose", lock.by.user, lock.by.host),
                format!("once unlock {name}"),
                need(true, ""),
            ),
            None => item(
                Cmd::Lock,
                "Lock…",
                "against changes, with a reason",
                format!("once lock {name} --message WHY"),
                need(true, ""),
            ),
        },
        item(Cmd::Remove, "Remove…", "type its name; data is kept", format!("once remove {name}"), need(true, "")),
    ];
    if let (Some(alias), Some(at)) = (app.record.aliases.first(), items.iter().position(|item| item.cmd == Cmd::Rename))
    {
        let note = format!("{alias} means this app no longer");
        let command = format!("once rename --drop-alias {alias}");
        items.insert(at + 1, item(Cmd::DropAlias, "Drop an alias…", &note, command, need(true, "")));
    }
    if let Some(canary) = &app.record.canary {
        let note = format!("release {} for everybody", canary.release.number);
        let promote = item(Cmd::Promote, "Promote the canary", &note, format!("once promote {name}"), need(true, ""));
        let note = format!("release {} goes", canary.release.number);
        let abort = item(Cmd::Abort, "Abort the canary", &note, format!("once abort {name}"), need(true, ""));
        items.splice(0..0, [promote, abort]);
    }
    m.overlays.push(Overlay::Menu(Menu { app: name, items, cursor: 0 }));
}
