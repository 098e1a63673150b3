//! Raw settings into a [`Draft`], once: every flag goes through [`Draft::set`], as forms do.

use std::collections::BTreeMap;

use once_app::{Draft, EnvKey, EnvValue, Field, FieldPath, Hostname, Problem, Secret, within_bounds};

use super::args::SettingsArgs;
use super::env_file;
use super::secret;

/// The draft that the arguments mean.
pub(crate) fn draft(image: Option<&str>, variables: &[String], args: &SettingsArgs) -> Result<Draft, Problem> {
    let mut draft = Draft { exact: args.exact, ..Draft::default() };
    let mut wrong = Vec::new();
    for (field, text) in given(image, args) {
        if field == Field::Host && text.trim().contains(char::is_whitespace) {
            wrong.push(format!(
                "invalid host `{}`: a hostname has no spaces; each gets a `--host` of its own",
                text.escape_debug()
            ));
            continue;
        }
        if let Err(error) = draft.set(&FieldPath { field, entry: None }, text) {
            wrong.push(error.to_string());
        }
    }
    for host in &args.drop_host {
        match host.parse::<Hostname>() {
            Ok(host) => draft.drop_hosts.push(host),
            Err(reason) => wrong.push(format!("invalid host `{}`: {reason}", host.escape_debug())),
        }
    }
    if let Some(host) = &args.move_host {
        match host.parse() {
            Ok(host) => draft.move_host = Some(host),
            Err(reason) => wrong.push(format!("invalid host `{}`: {reason}", host.escape_debug())),
        }
    }
    for path in &args.unset {
        match path.parse::<FieldPath>() {
            Ok(path) if path.field == Field::Image => wrong.push("an app's image cannot be unset".into()),
            Ok(path) => drop(draft.unset.insert(path)),
            Err(reason) => wrong.push(reason.to_string()),
        }
    }
    let env = FieldPath { field: Field::Env, entry: None };
    let mut is_variable = false;
    for text in variables.iter().chain(&args.env) {
        if let Err(error) = draft.set(&env, text) {
            is_variable = true;
            wrong.push(error.to_string());
        }
    }
    // What is given by name on the command line wins over files, and a later file over an earlier one.
    let mut from_files = BTreeMap::new();
    for path in &args.env_file {
        from_files.extend(read_env_file(path)?);
    }
    for (key, value) in from_files {
        if let Err(reason) = within_bounds(&value) {
            wrong.push(format!("invalid env `{key}`: {reason}"));
        }
        draft.env.entry(key).or_insert(EnvValue::plain(value));
    }
    both_set_and_unset(&draft, args, &mut wrong);
    if let Some(problem) = variables.iter().find_map(|text| setting_as_variable(text)) {
        return Err(problem);
    }
    if !wrong.is_empty() {
        return Err(told(wrong, is_variable));
    }
    read_secrets(&mut draft, args)?;
    Ok(draft)
}

/// `once set shop memory=512m`: most likely the setting was meant. The value of a password is not repeated.
fn setting_as_variable(text: &str) -> Option<Problem> {
    let (key, value) = text.split_once('=')?;
    let field = *Field::ALL.iter().find(|f| f.key() == key && **f != Field::Env)?;
    let message = format!("`{key}` is the name of a setting, not of a variable");
    let problem = Problem::rejected("setting-as-variable", message);
    let problem = match field {
        Field::Image => problem.hint("for another image: `once deploy IMAGE --name APP`"),
        Field::SmtpPassword => problem.hint("for the setting: `--smtp-password @FILE`"),
        Field::BasicAuth => problem.hint("for the setting: `--basic-auth USER=@FILE`"),
        _ => problem.hint(format!("for the setting: `--{key} {value}`")),
    };
    Some(match key.parse::<EnvKey>() {
        Ok(_) => problem.hint(format!("for a variable of that name: `-e {text}`")),
        Err(_) => problem,
    })
}

/// Single fields and lists, with the text given for them.
fn given<'a>(image: Option<&'a str>, args: &'a SettingsArgs) -> Vec<(Field, &'a str)> {
    let single = [
        (Field::Image, image),
        (Field::PathPrefix, args.path_prefix.as_deref()),
        (Field::Tls, args.tls.as_deref()),
        (Field::Port, args.port.as_deref()),
        (Field::HealthPath, args.health_path.as_deref()),
        (Field::HealthTimeout, args.health_timeout.as_deref()),
        (Field::DrainTimeout, args.drain_timeout.as_deref()),
        (Field::StopTimeout, args.stop_timeout.as_deref()),
        (Field::Memory, args.memory.as_deref()),
        (Field::Cpus, args.cpus.as_deref()),
        (Field::Swap, args.swap.as_deref()),
        (Field::ReleaseCommand, args.release_command.as_deref()),
        (Field::SmtpServer, args.smtp_server.as_deref()),
        (Field::SmtpPort, args.smtp_port.as_deref()),
        (Field::SmtpUsername, args.smtp_username.as_deref()),
        (Field::SmtpFrom, args.smtp_from.as_deref()),
        (Field::AutoUpdate, args.auto_update.as_deref()),
        (Field::LogMaxSize, args.log_max_size.as_deref()),
        (Field::KeepContainers, args.keep_containers.as_deref()),
        (Field::KeepImages, args.keep_images.as_deref()),
        (Field::Note, args.note.as_deref()),
        (Field::StripPrefix, args.web.strip_prefix.as_deref()),
        (Field::CanonicalHost, args.web.canonical_host.as_deref()),
        (Field::DefaultApp, args.web.default_app.as_deref()),
        (Field::TlsRedirect, args.web.tls_redirect.as_deref()),
        (Field::Hsts, args.web.hsts.as_deref()),
        (Field::TlsOnDemand, args.web.tls_on_demand.as_deref()),
        (Field::Upstream, args.web.upstream.as_deref()),
        (Field::ResponseTimeout, args.web.response_timeout.as_deref()),
        (Field::StreamTimeout, args.web.stream_timeout.as_deref()),
        (Field::WatchTime, args.web.watch_time.as_deref()),
        (Field::MaxBody, args.web.max_body.as_deref()),
        (Field::RateLimit, args.web.rate_limit.as_deref()),
        (Field::Compress, args.web.compress.as_deref()),
    ];
    let lists = [
        (Field::Host, &args.host),
        (Field::Volume, &args.volume),
        (Field::Network, &args.network),
        (Field::Label, &args.label),
        (Field::AllowIp, &args.web.allow_ip),
    ];
    let single = single.into_iter().filter_map(|(field, text)| Some((field, text?)));
    let lists = lists.into_iter().flat_map(|(field, texts)| texts.iter().map(move |t| (field, t.as_str())));
    single.chain(lists).collect()
}

fn both_set_and_unset(draft: &Draft, args: &SettingsArgs, wrong: &mut Vec<String>) {
    let secrets = || args.secret.iter().map(|s| s.split('=').next().unwrap_or_default());
    for path in &draft.unset {
        let set = match (&path.field, &path.entry) {
            (Field::Env, Some(entry)) => {
                entry.parse::<EnvKey>().is_ok_and(|key| draft.env.contains_key(&key)) || secrets().any(|s| s == entry)
            }
            (Field::BasicAuth, Some(entry)) => args.web.basic_auth.iter().any(|u| u.split('=').next() == Some(entry)),
            (Field::SmtpPassword, _) => args.smtp_password.is_some(),
            (field, None) if !field.is_keyed() => given(None, args).iter().any(|(f, _)| f == field),
            _ => false,
        };
        if set {
            wrong.push(format!("{path} is both given and unset"));
        }
    }
    for host in draft.drop_hosts.iter().filter(|h| draft.hosts.contains(h)) {
        wrong.push(format!("{host} is both given and dropped"));
    }
}

fn read_secrets(draft: &mut Draft, args: &SettingsArgs) -> Result<(), Problem> {
    secret::one_reads_stdin(&[&args.secret, &args.web.basic_auth], args.smtp_password.as_deref())?;
    for text in &args.secret {
        let (key, value) = secret::variable(text, args.allow_empty)?;
        if draft.env.contains_key(&key) {
            return Err(Problem::rejected("bad-settings", format!("{key} is given twice, once as a secret"))
                .hint("leave one of the two out"));
        }
        draft.env.insert(key, EnvValue::secret(value));
    }
    for text in &args.web.basic_auth {
        let (user, password) = secret::user(text)?;
        draft.set(&FieldPath { field: Field::BasicAuth, entry: Some(user.to_string()) }, &password)?;
    }
    if let Some(from) = &args.smtp_password {
        draft.smtp_password = Some(Secret::new(secret::text("--smtp-password", from, args.allow_empty)?));
    }
    Ok(())
}

fn read_env_file(path: &str) -> Result<Vec<(EnvKey, String)>, Problem> {
    let unreadable = |error: &std::io::Error| {
        Problem::rejected("unreadable-file", format!("the env file {path} cannot be read")).because(error)
    };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(&error))?;
    env_file::parse(&text).map_err(|error| {
        Problem::rejected("bad-env-file", format!("{path}:{}", error.to_string().trim_start_matches("line ")))
            .hint("each line is KEY=VALUE, a comment that starts with `#`, or blank")
    })
}

/// Of one thing, or of several; the way for secrets where it is a variable that is wrong.
fn told(mut wrong: Vec<String>, is_variable: bool) -> Problem {
    if wrong.len() == 1 {
        let message = wrong.remove(0);
        let told = Problem::rejected("bad-settings", message);
        return if is_variable {
            told.hint("`--secret KEY` takes a value from this command's environment")
        } else {
            told
        };
    }
    let mut told = Problem::rejected("bad-settings", format!("{} settings are wrong", wrong.len()));
    told.causes = wrong;
    told
}
