//! `rename`: another name for the same app.

use crate::args::RenameArgs;
use crate::change;
use crate::session::{Session, selector};
use once_app::{Ask, Problem};

use super::Answer;

pub(crate) async fn rename(session: &mut Session<'_>, args: &RenameArgs) -> Answer {
    let dry_run = args.dry_run;
    let ask = match (&args.drop_alias, &args.old, &args.new) {
        (Some(alias), ..) => Ask::DropAlias { alias: alias.clone(), dry_run },
        (None, Some(old), Some(new)) => Ask::Rename { app: selector(old), to: new.clone(), dry_run },
        _ => return Err(Problem::rejected("which-app", "a rename needs the app and its new name")),
    };
    let ended = change::run(session, ask, args.wait.wait).await?;
    Ok(ended.finished.outcome.exit_code())
}
