//! `adopt`: what runs already becomes an app, or gets its record back.

use crate::app::{AdoptWish, Ask};
use crate::ui::cli::args::AdoptArgs;
use crate::ui::cli::change;
use crate::ui::cli::confirm::{Answer as Typed, confirm};
use crate::ui::cli::session::Session;
use crate::ui::sanitize;

use super::Answer;

pub(crate) async fn adopt(session: &mut Session<'_>, args: &AdoptArgs) -> Answer {
    if !args.dry_run {
        let shown = sanitize::line(&args.container);
        let text = format!("{shown} becomes an app, or gets its record again; it runs on as it is");
        confirm(session.out, args.confirm.yes, &text, &Typed::Yes)?;
    }
    let wish = AdoptWish {
        name: args.name.clone(),
        hosts: args.host.clone(),
        port: args.port,
        health_path: args.health_path.clone(),
        dry_run: args.dry_run,
    };
    let ask = Ask::Adopt { container: args.container.clone(), wish: Box::new(wish) };
    let ended = change::run(session, ask, args.wait.wait).await?;
    Ok(ended.finished.outcome.exit_code())
}
