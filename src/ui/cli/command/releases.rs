//! `releases`: an app's history, newest first. `diff`: how two of them differ.

use std::sync::Arc;

use crate::args::{DiffArgs, ReleasesArgs};
use crate::objects::{DiffObject, ReleaseObject, status};
use crate::output::{FAINT, styled};
use crate::plan_text;
use crate::session::Session;
use crate::table::Table;
use once_app::ledger::AppRecord;
use once_app::proxy::{Proxy, Snapshot};
use once_app::{Installation, Problem, Release, ReleaseNumber, compare};
use once_text::{plan_words, words};

use super::Answer;

/// An app with all its releases.
pub(crate) struct History {
    pub(crate) proxy: Arc<dyn Proxy>,
    pub(crate) snapshot: Snapshot,
    /// With its secrets: that they differ is to be seen.
    pub(crate) record: AppRecord,
    older: Vec<Release>,
}

impl History {
    pub(crate) async fn of(session: &Session<'_>, at: &Installation, app: &str) -> Result<Self, Problem> {
        let (proxy, snapshot, masked) = session.app(at, app).await?;
        let mut record = proxy.record(&masked.name).await?.unwrap_or(masked);
        let mut older = proxy.history(&record.id).await?;
        // What others removed is not kept, whatever is remembered.
        let there = at.engine.all_containers().await?;
        for release in record.releases.iter_mut().chain(&mut older) {
            release.container_kept &= there.iter().any(|c| c.name == release.container);
        }
        Ok(Self { proxy, snapshot, record, older })
    }

    /// Newest first.
    pub(crate) fn releases(&self) -> impl Iterator<Item = &Release> {
        let record = &self.record;
        record.canary_release().into_iter().chain(record.releases.iter().rev()).chain(&self.older)
    }

    pub(crate) fn get(&self, number: ReleaseNumber) -> Result<&Release, Problem> {
        self.releases().find(|release| release.number == number).ok_or_else(|| {
            let name = &self.record.name;
            Problem::rejected("no-such-release", format!("{name} has no release {number}")).hint(format!(
                "`once releases {name}` lists them; a number given out to a change that failed early has none"
            ))
        })
    }
}

pub(crate) async fn releases(session: &mut Session<'_>, args: &ReleasesArgs) -> Answer {
    let at = session.installation().await?;
    let history = History::of(session, &at, &args.app).await?;
    let record = &history.record;
    if session.out.is_json() {
        for release in history.releases().take(args.lines) {
            session.out.object(&ReleaseObject::new(record, release));
        }
        return Ok(0);
    }
    if history.releases().next().is_none() {
        session.out.say(&format!("{} has no releases yet", record.name));
        return Ok(0);
    }
    let now = at.clock.now();
    let mut table = Table::new(&["RELEASE", "STATUS", "IMAGE", "DIGEST", "WHEN", "TOOK", "BY", "REMARK"]);
    let all: Vec<&Release> = history.releases().collect();
    for (i, release) in all.iter().take(args.lines).enumerate() {
        let (status, why) = status(release);
        let rollback = release.rollback_to.map(|r| format!("rollback to {r}"));
        let kept = (release.container_kept && record.serving != Some(release.number)).then(|| "kept".to_owned());
        // A note stays with the app; it is the reason of the release it came with.
        let before = all.get(i + 1).and_then(|before| before.settings.note.as_ref());
        let note = release.settings.note.as_ref().filter(|note| before != Some(*note));
        let remarks = [why.map(str::to_owned), rollback, note.cloned(), release.revision.clone(), kept];
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
    if let Some(more) = all.len().checked_sub(args.lines).filter(|more| *more > 0) {
        session.out.say(&format!("{}; `-n {}` shows all", words::count(more, "older one", "older ones"), all.len()));
    }
    Ok(0)
}

pub(crate) async fn diff(session: &mut Session<'_>, args: &DiffArgs) -> Answer {
    let at = session.installation().await?;
    let history = History::of(session, &at, &args.app).await?;
    let record = &history.record;
    let to = match args.to.map(ReleaseNumber).or(record.serving) {
        Some(to) => to,
        None => return Err(Problem::rejected("nothing-serves", format!("{} has no serving release", record.name))),
    };
    let (from, to) = (history.get(ReleaseNumber(args.from))?, history.get(to)?);
    let changes = compare(from, to);
    if session.out.is_json() {
        for change in &changes {
            session.out.object(&DiffObject::new(&record.name, from.number, to.number, change));
        }
        return Ok(0);
    }
    if changes.is_empty() {
        session.out.say(&format!(
            "releases {} and {} of {} are of the same image and settings",
            from.number, to.number, record.name
        ));
    }
    for change in &changes {
        let cost = styled(FAINT, &format!("[{}]", plan_words::cost(change.cost)));
        session.out.data(&format!("{}  {cost}", plan_text::change(change)));
    }
    Ok(0)
}

fn short(digest: &str) -> String {
    digest.trim_start_matches("sha256:").chars().take(12).collect()
}
