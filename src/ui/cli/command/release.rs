//! `show --release`: everything known about one release.

use futures_util::StreamExt as _;

use crate::objects::{ReleaseObject, StepObject};
use crate::session::Session;
use once_app::proxy::{Proxy, Snapshot};
use once_app::{DeployView, Problem, Release, ReleaseNumber};
use once_text::words;

use super::Answer;
use super::releases::History;
use super::show::{print, settings};
use crate::objects::status;

pub(crate) async fn release(session: &mut Session<'_>, app: &str, number: ReleaseNumber) -> Answer {
    let at = session.installation().await?;
    let history = History::of(session, &at, app).await?;
    let release = history.get(number)?;
    let steps = steps(&*history.proxy, &history.snapshot, release).await?;
    if session.out.is_json() {
        session.out.object(&ReleaseObject::new(&history.record, release).with_steps(steps));
        return Ok(0);
    }
    let mut pairs = told(release, at.clock.now());
    pairs.extend(steps.iter().map(|step| ("step", step.to_string())));
    pairs.extend(settings(&release.settings.without_secrets()));
    print(session, &pairs);
    Ok(0)
}

fn told(release: &Release, now: jiff::Timestamp) -> Vec<(&'static str, String)> {
    let (word, why) = status(release);
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    let by = &release.by;
    let mut pairs = vec![
        ("release", release.number.to_string()),
        ("status", format!("{word}{why}")),
        (
            "when",
            format!("{}, {}", release.created_at.strftime("%Y-%m-%d %H:%M:%SZ"), words::ago(release.created_at, now)),
        ),
        ("by", format!("{} on {} (`{}`)", by.user, by.host, by.command)),
        ("digest", release.image.identity().to_owned()),
        ("container", release.container.clone()),
    ];
    if release.took_ms > 0 {
        pairs.push(("took", words::took(release.took_ms)));
    }
    pairs.extend(release.revision.clone().map(|revision| ("revision", revision)));
    pairs.extend(release.rollback_to.map(|to| ("rollback to", to.to_string())));
    pairs.push(("change", release.op.to_string()));
    pairs
}

/// What the change went through, as far as its events are still there.
async fn steps(proxy: &dyn Proxy, snapshot: &Snapshot, release: &Release) -> Result<Vec<StepObject>, Problem> {
    if !snapshot.ops.iter().any(|op| op.op == release.op && op.finished) {
        return Ok(Vec::new());
    }
    let mut view = DeployView::new(release.op.clone(), release.created_at);
    let mut events = proxy.follow(&release.op, 0);
    while let Some(event) = events.next().await {
        view.fold(&event?);
    }
    Ok(view.steps.iter().map(StepObject::new).collect())
}
