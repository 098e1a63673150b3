//! The command line that does the same: shown beside every action, copied by `y`. Never holds a secret.

use std::fmt::Write as _;

use once_app::{AppName, Ask, Deploy, Draft, Field, Mount};

use super::format::shell_word;

/// The command for a change.
pub(crate) fn command(ask: &Ask) -> String {
    match ask {
        Ask::Deploy(deploy) => deploy_command(deploy),
        Ask::Rollback { app, to: None } => format!("once rollback {}", app.0),
        Ask::Rollback { app, to: Some(to) } => format!("once rollback {} {to}", app.0),
        Ask::Start { app } => format!("once start {}", app.0),
        Ask::Stop { app } => format!("once stop {}", app.0),
        Ask::Restart { app } => format!("once restart {}", app.0),
        Ask::Canary { app, rule } => format!("once canary {} --share {}", app.0, shell_word(&rule.to_string())),
        Ask::Promote { app } => format!("once promote {}", app.0),
        Ask::Abort { app } => format!("once abort {}", app.0),
        Ask::Tidy { .. } => "once doctor --fix".to_owned(),
        Ask::Rename { app, to, .. } => format!("once rename {} {to}", app.0),
        Ask::DropAlias { alias, .. } => format!("once rename --drop-alias {alias}"),
        Ask::GiveBack { app, .. } => format!("once adopt --undo {}", app.0),
        Ask::Adopt { container, .. } => format!("once adopt {}", shell_word(container)),
        Ask::Maintenance { app, notice: None } => format!("once maintenance {} --off", app.0),
        Ask::Maintenance { app, notice: Some(notice) } => {
            let message = notice.message.as_ref().map(|m| format!(" --message {}", shell_word(m)));
            let page = notice.page.as_ref().map(|_| " --page FILE");
            format!("once maintenance {}{}{}", app.0, message.unwrap_or_default(), page.unwrap_or_default())
        }
        Ask::Pause { app, max_wait } => format!("once pause {} --max-wait {max_wait}", app.0),
        Ask::Resume { app } => format!("once resume {}", app.0),
        Ask::Remove { app, data: false } => format!("once remove {}", app.0),
        Ask::Remove { app, data: true } => format!("once remove {} --data", app.0),
    }
}

/// The command that takes a lock on purpose.
pub(crate) fn hold(app: &AppName, why: Option<&str>) -> String {
    let why = why.map(|why| format!(" --message {}", shell_word(why)));
    format!("once lock {app}{}", why.unwrap_or_default())
}

fn deploy_command(deploy: &Deploy) -> String {
    let mut text = "once deploy".to_owned();
    let mut word = |part: String| {
        text.push(' ');
        text.push_str(&part);
    };
    if let Some(image) = &deploy.draft.image {
        word(shell_word(&image.to_string()));
    }
    if let Some(name) = &deploy.name {
        word(format!("--name {name}"));
    } else if let Some(app) = &deploy.existing {
        word(format!("--name {}", app.0));
    }
    for part in flags(&deploy.draft) {
        word(part);
    }
    if let Some(rule) = &deploy.canary {
        word(format!("--canary {}", shell_word(&rule.to_string())));
    }
    text
}

fn flags(draft: &Draft) -> Vec<String> {
    let mut all = Vec::new();
    let mut flag = |name: &str, value: &str| all.push(format!("--{name} {}", shell_word(value)));
    for host in &draft.hosts {
        flag("host", host.as_str());
    }
    if let Some(host) = &draft.move_host {
        flag("move-host", host.as_str());
    }
    for host in &draft.drop_hosts {
        flag("drop-host", host.as_str());
    }
    let text = |value: &Option<String>| value.clone();
    let singles: [(Field, Option<String>); 18] = [
        (Field::PathPrefix, draft.path_prefix.as_ref().map(ToString::to_string)),
        (Field::Tls, draft.tls.map(|v| v.to_string())),
        (Field::Port, draft.port.map(|v| v.to_string())),
        (Field::HealthPath, draft.health_path.as_ref().map(ToString::to_string)),
        (Field::HealthTimeout, draft.health_timeout.map(|v| v.to_string())),
        (Field::DrainTimeout, draft.drain_timeout.map(|v| v.to_string())),
        (Field::StreamTimeout, draft.stream_timeout.map(|v| v.to_string())),
        (Field::WatchTime, draft.watch_time.map(|v| v.to_string())),
        (Field::StopTimeout, draft.stop_timeout.map(|v| v.to_string())),
        (Field::Memory, draft.memory.map(|v| v.to_string())),
        (Field::Cpus, draft.cpus.map(|v| v.to_string())),
        (Field::Swap, draft.swap.map(|v| v.to_string())),
        (Field::ReleaseCommand, text(&draft.release_command)),
        (Field::SmtpServer, text(&draft.smtp_server)),
        (Field::SmtpPort, draft.smtp_port.map(|v| v.to_string())),
        (Field::SmtpUsername, text(&draft.smtp_username)),
        (Field::SmtpFrom, text(&draft.smtp_from)),
        (Field::AutoUpdate, draft.auto_update.map(|v| v.to_string())),
    ];
    for (field, value) in singles {
        if let Some(value) = value {
            flag(field.key(), &value);
        }
    }
    for (field, value) in draft.web.texts() {
        flag(field.key(), &value);
    }
    for user in draft.web.basic_auth.keys() {
        flag("basic-auth", &format!("{user}=-"));
    }
    for range in &draft.web.allow_ip {
        flag("allow-ip", &range.to_string());
    }
    if draft.smtp_password.is_some() {
        flag("smtp-password", "-");
    }
    for (key, value) in &draft.env {
        if value.secret {
            flag("secret", key.as_str());
        } else {
            flag("env", &format!("{key}={}", value.value.expose()));
        }
    }
    for mount in Mount::all(&draft.volumes) {
        flag("volume", &mount.to_string());
    }
    for network in &draft.networks {
        flag("network", network);
    }
    for (key, value) in &draft.labels {
        flag("label", &format!("{key}={value}"));
    }
    if let Some(size) = draft.log_max_size {
        flag("log-max-size", &size.to_string());
    }
    if let Some(count) = draft.keep_containers {
        flag("keep-containers", &count.to_string());
    }
    if let Some(count) = draft.keep_images {
        flag("keep-images", &count.to_string());
    }
    if let Some(note) = &draft.note {
        flag("note", note);
    }
    for path in &draft.unset {
        flag("unset", &path.to_string());
    }
    all
}

/// Several lines of a long command, broken between flags.
pub(crate) fn wrapped(command: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for (i, part) in command.split(" --").enumerate() {
        let part = if i == 0 { part.to_owned() } else { format!("--{part}") };
        let last = lines.last().map_or(0, |l| l.chars().count());
        if last > 0 && last + part.chars().count() + 3 > width {
            if let Some(line) = lines.last_mut() {
                line.push_str(" \\");
            }
            lines.push(format!("  {part}"));
        } else if let Some(line) = lines.last_mut() {
            let _ = write!(line, "{}{part}", if i == 0 { "" } else { " " });
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use once_app::{EnvValue, Selector};

    use super::*;

    #[test]
    fn commands_read_like_those_one_types_and_hold_no_secret() {
        let mut draft = Draft::default();
        for (path, text) in [("image", "ghcr.io/acme/shop:1.5.0"), ("memory", "512m"), ("env.GREETING", "hello you")] {
            draft.set(&path.parse().unwrap(), text).unwrap();
        }
        draft.env.insert("KEY".parse().unwrap(), EnvValue::secret("hunter2"));
        draft.set(&"smtp-password".parse().unwrap(), "hunter2").unwrap();
        draft.unset.insert("env.OLD".parse().unwrap());
        let deploy = Deploy { existing: Some(Selector("shop".into())), draft, ..Deploy::default() };
        let text = command(&Ask::Deploy(Box::new(deploy)));
        assert_eq!(
            text,
            "once deploy ghcr.io/acme/shop:1.5.0 --name shop --memory 512m --smtp-password - --env 'GREETING=hello you' \
             --secret KEY --unset env.OLD"
        );
        assert!(!text.contains("hunter2"));
        let lines = wrapped(&text, 60);
        assert!(lines.iter().all(|l| l.len() <= 62), "{lines:?}");
        assert_eq!(lines.join("").replace(" \\  ", " "), text);
    }

    #[test]
    fn actions_are_commands_too() {
        let app = Selector("shop".into());
        assert_eq!(command(&Ask::Restart { app: app.clone() }), "once restart shop");
        assert_eq!(command(&Ask::Remove { app, data: true }), "once remove shop --data");
    }
}
