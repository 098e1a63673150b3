//! `remove`: the app; its data only where that is said twice.

use crate::args::RemoveArgs;
use crate::change;
use crate::confirm::{Answer as Typed, confirm};
use crate::session::{Session, selector};
use once_app::Ask;

use super::Answer;

pub(crate) async fn remove(session: &mut Session<'_>, args: &RemoveArgs) -> Answer {
    if !args.confirm.yes {
        let at = session.installation().await?;
        // A removed app whose data is kept can still be asked for with --data; the change itself decides.
        let name = match session.app(&at, &args.app).await {
            Ok((_, _, record)) => record.name.to_string(),
            Err(_) if args.data => args.app.clone(),
            Err(problem) => return Err(session.refused(&at, problem).await),
        };
        let engine = at.engine.info().await?.name;
        if args.data {
            let text =
                format!("{name} on {engine} goes, with all its data, secrets and history; this cannot be undone");
            confirm(session.out, false, &text, &Typed::Word(&name))?;
        } else {
            let text = format!(
                "{name} on {engine} goes; its data is kept and can be attached again (`docker volume prune` of an \
                 engine before 23 would remove it)"
            );
            confirm(session.out, false, &text, &Typed::Yes)?;
        }
    }
    let ask = Ask::Remove { app: selector(&args.app), data: args.data };
    let ended = change::run(session, ask, args.wait.wait).await?;
    Ok(ended.finished.outcome.exit_code())
}
