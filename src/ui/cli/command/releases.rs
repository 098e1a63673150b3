//! `releases`: an app's history, newest first.

use crate::app::{Release, ReleaseStatus};
use crate::ui::cli::objects::ReleaseObject;
use crate::ui::cli::session::Session;
use crate::ui::cli::table::Table;
use crate::ui::words;

use super::Answer;

pub(crate) async fn releases(session: &mut Session<'_>, app: &str) -> Answer {
    let at = session.installation().await?;
    let (_, _, record) = session.app(&at, app).await?;
    if session.out.is_json() {
        for release in record.canary_release().into_iter().chain(record.releases.iter().rev()) {
            session.out.object(&ReleaseObject::new(&record, release));
        }
        return Ok(0);
    }
    if record.releases.is_empty() {
        session.out.say(&format!("{} has no releases yet", record.name));
        return Ok(0);
    }
    let now = at.clock.now();
    let mut table = Table::new(&["RELEASE", "STATUS", "IMAGE", "DIGEST", "WHEN", "TOOK", "BY", "REMARK"]);
    for release in record.canary_release().into_iter().chain(record.releases.iter().rev()) {
        let (status, why) = status(release);
        let rollback = release.rollback_to.map(|r| format!("rollback to {r}"));
        let kept = (release.container_kept && record.serving != Some(release.number)).then(|| "kept".to_owned());
        let remarks = [why.map(str::to_owned), rollback, release.revision.clone(), kept];
        table.row([
            release.number.to_string(),
            status.to_owned(),
            release.settings.image.to_string(),
            short(release.image.identity()),
            words::ago(release.created_at, now),
            if release.took_ms > 0 { words::took(release.took_ms) } else { "-".into() },
            release.by.user.clone(),
            remarks.into_iter().flatten().collect::<Vec<_>>().join(", "),
        ]);
    }
    table.print(session.out);
    Ok(0)
}

/// The status's word, and why where it failed.
pub(crate) fn status(release: &Release) -> (&'static str, Option<&str>) {
    match &release.status {
        ReleaseStatus::Serving => ("serving", None),
        ReleaseStatus::Canary => ("canary", None),
        ReleaseStatus::Replaced { .. } => ("replaced", None),
        ReleaseStatus::Failed { why } => ("failed", Some(why)),
    }
}

fn short(digest: &str) -> String {
    digest.trim_start_matches("sha256:").chars().take(12).collect()
}
