//! `adopt`: what runs already gets its record back.

use crate::app::Ask;
use crate::ui::cli::args::AdoptArgs;
use crate::ui::cli::change;
use crate::ui::cli::confirm::{Answer as Typed, confirm};
use crate::ui::cli::session::Session;
use crate::ui::sanitize;

use super::Answer;

pub(crate) async fn adopt(session: &mut Session<'_>, args: &AdoptArgs) -> Answer {
    if !args.confirm.yes {
        let shown = sanitize::line(&args.container);
        let text = format!("the app of {shown} gets a record again; its containers are not touched");
        confirm(session.out, false, &text, &Typed::Yes)?;
    }
    let ask = Ask::Adopt { container: args.container.clone() };
    let ended = change::run(session, ask, args.wait.wait).await?;
    Ok(ended.finished.outcome.exit_code())
}
