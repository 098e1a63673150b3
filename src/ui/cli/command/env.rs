//! `env`: an app's environment as it was given, secrets masked.

use crate::objects::EnvObject;
use crate::session::Session;
use once_text::sanitize;

use super::Answer;

pub(crate) async fn env(session: &mut Session<'_>, app: &str) -> Answer {
    let at = session.installation().await?;
    let (_, _, record) = session.app(&at, app).await?;
    let Some(settings) = record.settings() else {
        session.out.say(&format!("{} has never served and has no settings yet", record.name));
        return Ok(0);
    };
    if settings.env.is_empty() {
        session
            .out
            .say(&format!("{} has no variables of its own; `once set {} K=V` adds one", record.name, record.name));
    }
    for (key, value) in &settings.env {
        if session.out.is_json() {
            session.out.object(&EnvObject::new(key, value));
        } else {
            session.out.data(&format!("{key}={}", sanitize::line(value.shown())));
        }
    }
    Ok(0)
}
