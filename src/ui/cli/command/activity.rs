//! `activity`: who did what, when, with what outcome.

use crate::objects::ActivityObject;
use crate::session::Session;
use crate::table::Table;
use once_app::Problem;
use once_text::words;

use super::Answer;

pub(crate) async fn activity(session: &mut Session<'_>, app: Option<&str>, lines: u32) -> Answer {
    let at = session.installation().await?;
    let Some(proxy) = at.proxy().await? else {
        super::list::say_empty(session, &at).await?;
        return Ok(0);
    };
    // Apps that were removed have a history too, so the name only has to be one.
    let app = app.map(|a| {
        a.parse()
            .map_err(|reason| Problem::rejected("bad-name", format!("invalid name `{}`: {reason}", a.escape_debug())))
    });
    let app = app.transpose()?;
    let entries = proxy.activity(app.as_ref(), lines).await?;
    if session.out.is_json() {
        for entry in &entries {
            session.out.object(&ActivityObject::new(entry));
        }
        return Ok(0);
    }
    if entries.is_empty() {
        session.out.say(&format!("nothing is recorded in the namespace `{}`", at.namespace));
        return Ok(0);
    }
    let now = at.clock.now();
    let mut table = Table::new(&["WHEN", "APP", "BY", "FROM", "OUTCOME", "WHAT"]);
    for entry in entries {
        table.row([
            words::ago(entry.at, now),
            entry.app.map_or_else(|| "-".into(), |a| a.to_string()),
            entry.by.user,
            entry.by.host,
            entry.outcome,
            entry.text,
        ]);
    }
    table.print(session.out);
    Ok(0)
}
