//! What is said about arguments that cannot be used, where clap would say what does not help.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};
use clap::{Command, CommandFactory as _};

use super::args::Cli;

/// Puts the usage of the command that was meant in the place of one that repeats what is set in the environment, and
/// takes tips away that lead nowhere.
pub(super) fn corrected(mut error: clap::Error, args: &[OsString]) -> clap::Error {
    let mut root = Cli::command();
    root.build();
    let (usage, name) = meant(&mut root, args);
    if error.get(ContextKind::Usage).is_some() {
        error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
    }
    if let Some(ContextValue::StyledStrs(tips)) = error.remove(ContextKind::Suggested) {
        // To write an argument behind `--` helps only where something may stand there.
        let mut kept: Vec<_> = tips.into_iter().filter(|tip| !tip.to_string().contains("as a value, use")).collect();
        if name == "exec" {
            kept.push("the command stands behind `--`, as in `once exec shop -- ls -l`".into());
        }
        if !kept.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(kept));
        }
    } else if name == "exec" && error.kind() == clap::error::ErrorKind::UnknownArgument {
        let tip = "the command stands behind `--`, as in `once exec shop -- ls -l`".into();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

/// Usage and name of the innermost command among the arguments.
fn meant(root: &mut Command, args: &[OsString]) -> (StyledStr, String) {
    let mut path = Vec::new();
    let mut command = &*root;
    for arg in args.iter().skip(1).take_while(|arg| *arg != "--") {
        if let Some(found) = arg.to_str().and_then(|name| command.find_subcommand(name)) {
            path.push(found.get_name().to_owned());
            command = found;
        }
    }
    (usage(root, &path), path.pop().unwrap_or_default())
}

fn usage(command: &mut Command, path: &[String]) -> StyledStr {
    if let Some((first, rest)) = path.split_first()
        && let Some(found) = command.find_subcommand_mut(first)
    {
        return usage(found, rest);
    }
    command.render_usage()
}
