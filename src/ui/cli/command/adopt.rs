//! `adopt`: what runs already becomes an app, or gets its record back; and the way back.

use crate::args::AdoptArgs;
use crate::change;
use crate::confirm::{Answer as Typed, confirm};
use crate::report;
use crate::session::{Session, selector};
use once_app::event::Outcome;
use once_app::{AdoptWish, Adoption, Ask, find_container, plan_adoptions};
use once_text::{sanitize, words};

use super::Answer;

pub(crate) async fn adopt(session: &mut Session<'_>, args: &AdoptArgs) -> Answer {
    match (&args.undo, &args.container) {
        (Some(app), _) => undo(session, app, args).await,
        (None, Some(container)) => one(session, container, args).await,
        (None, None) => all(session, args).await,
    }
}

async fn one(session: &mut Session<'_>, container: &str, args: &AdoptArgs) -> Answer {
    if !args.dry_run {
        if !args.confirm.yes {
            // Nobody is asked about what is not there.
            find_container(&session.installation().await?, container).await?;
        }
        let shown = sanitize::line(container);
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
    let ask = Ask::Adopt { container: container.to_owned(), wish: Box::new(wish) };
    let ended = change::run(session, ask, args.wait.wait).await?;
    Ok(ended.finished.outcome.exit_code())
}

/// Each through its own lock; the first failure's exit code, and the others are still done.
async fn all(session: &mut Session<'_>, args: &AdoptArgs) -> Answer {
    let found = plan_adoptions(&session.installation().await?).await?;
    if found.is_empty() {
        if session.out.is_json() {
            session.out.object(&report::done(Outcome::Unchanged, None));
        }
        session.out.say("there is nothing to adopt: no app of ours without a record, none of ONCE's, none of Kamal's");
        return Ok(0);
    }
    for one in &found {
        let app = one.app.as_ref().map_or_else(|_| "refused".to_owned(), |name| format!("the app {name}"));
        session.out.say(&format!("{} (made by {}): {app}", sanitize::line(&one.container), one.maker));
    }
    if args.dry_run {
        return each(session, &found, args, true).await;
    }
    if !args.confirm.yes {
        each(session, &found, args, true).await?;
    }
    let ready = found.iter().filter(|one| one.app.is_ok()).count();
    let count = words::count(ready, "container becomes an app", "containers become apps");
    confirm(session.out, args.confirm.yes, &format!("{count}; they run on as they are"), &Typed::Yes)?;
    each(session, &found, args, false).await
}

/// What was refused in the plan is not tried: the dry run and the run say the same.
async fn each(session: &mut Session<'_>, found: &[Adoption], args: &AdoptArgs, dry_run: bool) -> Answer {
    let mut code = 0;
    for one in found {
        let this = match &one.app {
            Ok(name) => {
                let wish = AdoptWish { name: Some(name.clone()), dry_run, ..AdoptWish::default() };
                let ask = Ask::Adopt { container: one.container.clone(), wish: Box::new(wish) };
                change::run(session, ask, args.wait.wait).await?.finished.outcome.exit_code()
            }
            Err(refused) => {
                let mut problem = refused.clone();
                problem.message = format!("{}: {}", one.container, refused.message);
                report::problem(session.out, &problem);
                problem.outcome.exit_code()
            }
        };
        code = if code == 0 { this } else { code };
    }
    Ok(code)
}

async fn undo(session: &mut Session<'_>, app: &str, args: &AdoptArgs) -> Answer {
    if !args.dry_run {
        if !args.confirm.yes {
            session.app(&session.installation().await?, app).await?;
        }
        let shown = sanitize::line(app);
        let text = format!("{shown} is no app any more; the container it was taken over from runs on, or again");
        confirm(session.out, args.confirm.yes, &text, &Typed::Yes)?;
    }
    let ask = Ask::GiveBack { app: selector(app), dry_run: args.dry_run };
    let ended = change::run(session, ask, args.wait.wait).await?;
    Ok(ended.finished.outcome.exit_code())
}
