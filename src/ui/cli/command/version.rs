//! `version`: of this command, and of the proxy where it can be asked.

use serde_json::json;

use crate::session::Session;

use super::Answer;

pub(crate) async fn version(session: &mut Session<'_>) -> Answer {
    let ours = env!("CARGO_PKG_VERSION");
    // The version must be had also where there is no engine.
    let proxy = match session.installation().await {
        Ok(at) => match session.proxy(&at).await {
            Ok(Some((_, snapshot))) => Ok(Some(snapshot.info.version)),
            Ok(None) => Ok(None),
            Err(problem) => Err(problem.message),
        },
        Err(problem) => Err(problem.message),
    };
    if session.out.is_json() {
        session.out.object(&json!({ "version": ours, "proxy": proxy.as_ref().ok().cloned().flatten() }));
        return Ok(0);
    }
    session.out.data(&format!("once {ours}"));
    match proxy {
        Ok(Some(version)) => session.out.data(&format!("proxy {version}")),
        Ok(None) => session.out.say("there is no proxy here yet"),
        Err(why) => session.out.say(&format!("the proxy's version is not known: {why}")),
    }
    Ok(0)
}
