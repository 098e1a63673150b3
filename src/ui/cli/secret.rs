//! Secrets come from the environment, a file or standard input; never from the arguments, which everybody on the
//! machine can read.

use std::io::Read as _;

use once_app::{EnvKey, Problem, UserName, within_bounds};

/// More than this is no secret but a mistake.
const MAX_BYTES: u64 = 1 << 20;

/// Standard input can be read once.
pub(crate) fn one_reads_stdin(secrets: &[&[String]], password: Option<&str>) -> Result<(), Problem> {
    let mut wanting: Vec<&str> = secrets.iter().copied().flatten().filter_map(|s| s.strip_suffix("=-")).collect();
    wanting.extend(password.filter(|p| *p == "-").map(|_| "--smtp-password"));
    match wanting.as_slice() {
        [] | [_] => Ok(()),
        [first, second, ..] => {
            let message = format!("standard input can give only one secret; {first} and {second} both want it");
            Err(Problem::rejected("bad-secret", message).hint("give one of them as `@FILE`"))
        }
    }
}

/// The variable and value that `--secret K`, `K=@FILE` or `K=-` means.
pub(crate) fn variable(text: &str, allow_empty: bool) -> Result<(EnvKey, String), Problem> {
    let (key, from) = match text.split_once('=') {
        Some((key, from)) => (key, Some(from)),
        None => (text, None),
    };
    // The key is not repeated where it is none: it may be the secret itself.
    let key: EnvKey = key.parse().map_err(|_| {
        Problem::rejected(
            "bad-secret",
            "a `--secret` does not begin with a variable's name (not repeated: it may be a secret)",
        )
        .hint(FORMS)
    })?;
    let value = match from {
        None => std::env::var(key.as_str()).ok(),
        Some("-") => Some(stdin(key.as_str())?),
        Some(file) if file.starts_with('@') => Some(read_file(key.as_str(), &file[1..])?),
        Some(_) => return Err(in_arguments(&format!("--secret {key}"), FORMS)),
    };
    match value {
        Some(value) if value.contains('\0') => {
            Err(Problem::rejected("bad-secret", format!("the value of the secret {key} holds a NUL byte")))
        }
        Some(value) if !value.is_empty() || allow_empty => match within_bounds(&value) {
            Ok(()) => Ok((key, value)),
            Err(reason) => {
                Err(Problem::rejected("bad-secret", format!("the value of the secret {key} is too long: {reason}")))
            }
        },
        None if allow_empty => Ok((key, String::new())),
        missing => {
            let what = if missing.is_some() { "empty" } else { "not set in this command's environment" };
            Err(Problem::rejected("missing-secret", format!("the secret {key} is {what}"))
                .hint(format!("`export {key}=…` before the command, or give `--secret {key}=@FILE`"))
                .hint("`--allow-empty` if it is meant to be empty"))
        }
    }
}

/// The user and password that `--basic-auth U`, `U=@FILE` or `U=-` means.
pub(crate) fn user(text: &str) -> Result<(UserName, String), Problem> {
    let (name, from) = match text.split_once('=') {
        Some((name, from)) => (name, Some(from)),
        None => (text, None),
    };
    let user: UserName = name.parse().map_err(|_| {
        let message = "a `--basic-auth` does not begin with a user's name (not repeated: it may be a password)";
        Problem::rejected("bad-secret", message).hint(USER_FORMS)
    })?;
    let password = match from {
        None => std::env::var(name).ok(),
        Some(from) if from == "-" || from.starts_with('@') => {
            Some(self::text(&format!("--basic-auth {user}"), from, false)?)
        }
        Some(_) => return Err(in_arguments(&format!("--basic-auth {user}"), USER_FORMS)),
    };
    match password {
        Some(password) if !password.is_empty() => Ok((user, password)),
        missing => {
            let what = if missing.is_some() { "empty" } else { "not set in this command's environment" };
            Err(Problem::rejected("missing-secret", format!("the password of {user} is {what}"))
                .hint(format!("`export {user}=…` before the command, or give `--basic-auth {user}=@FILE`")))
        }
    }
}

/// The text that `@FILE` or `-` means.
pub(crate) fn text(flag: &str, from: &str, allow_empty: bool) -> Result<String, Problem> {
    let value = match from {
        "-" => stdin(flag)?,
        file if file.starts_with('@') => read_file(flag, &file[1..])?,
        _ => return Err(in_arguments(flag, "give `@FILE`, or `-` for standard input")),
    };
    if value.is_empty() && !allow_empty {
        return Err(Problem::rejected("missing-secret", format!("the value of {flag} is empty"))
            .hint("`--allow-empty` if it is meant to be empty"));
    }
    Ok(value)
}

fn stdin(what: &str) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| unreadable(what, "standard input", &error))?;
    decode(what, bytes)
}

const FORMS: &str = "`--secret KEY` takes the value from the environment, `KEY=@FILE` from a file, `KEY=-` from \
                     standard input";

const USER_FORMS: &str = "`--basic-auth USER` takes the password from the environment, `USER=@FILE` from a file, \
                          `USER=-` from standard input";

fn in_arguments(flag: &str, forms: &str) -> Problem {
    let message = format!("{flag} was given its value as an argument, which everybody on the machine can read");
    Problem::rejected("secret-in-arguments", message).hint(forms).hint("that value has been seen; consider changing it")
}

fn read_file(what: &str, path: &str) -> Result<String, Problem> {
    let shown = format!("the file {path}");
    let file = std::fs::File::open(path).map_err(|error| unreadable(what, &shown, &error))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(what, &shown, &error))?;
    decode(what, bytes)
}

/// Text without the one line end that editors and `echo` put behind it.
fn decode(what: &str, bytes: Vec<u8>) -> Result<String, Problem> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Problem::rejected("bad-secret", format!("the value of {what} is larger than 1 MiB")));
    }
    let mut text = String::from_utf8(bytes)
        .map_err(|_| Problem::rejected("bad-secret", format!("the value of {what} is not UTF-8 text")))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

fn unreadable(what: &str, place: &str, error: &std::io::Error) -> Problem {
    Problem::rejected("unreadable-file", format!("the value of {what} cannot be read from {place}")).because(error)
}
