//! `start`, `stop`, `restart` and `rollback`.

use once_app::{Ask, ReleaseNumber, Selector};

use super::Answer;
use crate::args::{AppsArg, RollbackArgs};
use crate::change;
use crate::session::{Session, selector};

/// The same for each app named, one after the other; the first failure's exit code, and the others are still done.
pub(crate) async fn each(session: &mut Session<'_>, args: &AppsArg, ask: impl Fn(Selector) -> Ask) -> Answer {
    let mut code = 0;
    for app in &args.apps {
        let ended = change::run(session, ask(selector(app)), args.wait.wait).await?;
        let this = ended.finished.outcome.exit_code();
        code = if code == 0 { this } else { code };
    }
    Ok(code)
}

pub(crate) async fn rollback(session: &mut Session<'_>, args: &RollbackArgs) -> Answer {
    let ask = Ask::Rollback { app: selector(&args.app), to: args.release.map(ReleaseNumber) };
    let ended = change::run(session, ask, args.wait.wait).await?;
    Ok(ended.finished.outcome.exit_code())
}
