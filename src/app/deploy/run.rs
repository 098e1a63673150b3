//! From a job to its one honest outcome.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::perform::perform;
use super::report::Report;
use super::stop::Stop;
use super::swap::served;
use crate::host::installation::Installation;
use crate::model::problem::Problem;
use crate::ports::proxy::{Activity, Proxy};
use crate::progress::event::{Envelope, Event, Finished, Outcome};
use crate::progress::journal::{EventSink, Journal};
use crate::request::change::{Ask, Job};

/// How long publishing may hold up the end of a change whose proxy has gone away.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes a change. Events go to `sink` as they happen and to the ledger, where others follow them; the last one is the
/// returned outcome.
pub async fn run(job: Job, installation: &Installation, sink: EventSink, stop: impl Into<Stop>) -> Finished {
    let stop = stop.into();
    let (journal, queue) = Journal::new(job.op.clone(), Arc::clone(&installation.clock), sink);
    let (found, proxy) = watch::channel(None);
    let work = async move {
        journal.write(Event::Started { by: job.by.clone() });
        let mut report = Report::default();
        // Also what is refused before any app is known is noted, so the log is known before the app is.
        let mut log = None;
        let result = perform(&job, installation, &journal, &found, &mut log, &stop, &mut report).await;
        if let (Err(_), Some(proxy)) = (&result, &log) {
            served::ask(installation, &**proxy, journal.app().as_ref(), &mut report).await;
        }
        let finished = finish(result, report, &journal);
        journal.write(Event::Finished(finished.clone()));
        if let Some(proxy) = log
            && !job.ask.is_dry()
        {
            note(&*proxy, installation, &job, &journal, &finished).await;
        }
        finished
    };
    let (finished, ()) = tokio::join!(work, publish(queue, proxy));
    finished
}

fn finish(result: Result<Outcome, Problem>, report: Report, journal: &Journal) -> Finished {
    let (outcome, problem) = match result {
        Ok(outcome) => (outcome, None),
        Err(problem) => (problem.outcome, Some(problem)),
    };
    Finished {
        outcome,
        release: report.release,
        serving: report.serving,
        canary: report.canary,
        visitors: report.visitors,
        url: report.url,
        warnings: journal.warnings(),
        retryable: problem.as_ref().is_some_and(|p| p.retryable),
        release_command_ran: report.release_command_ran,
        problem,
    }
}

/// What was asked for in one word, for the audit log.
const fn verb(ask: &Ask) -> &'static str {
    match ask {
        Ask::Deploy(_) => "deploy",
        Ask::Rollback { .. } => "rollback",
        Ask::Start { .. } => "start",
        Ask::Stop { .. } => "stop",
        Ask::Restart { .. } => "restart",
        Ask::Tidy { .. } => "tidy",
        Ask::Adopt { .. } => "adopt",
        Ask::GiveBack { .. } => "give back",
        Ask::Rename { .. } => "rename",
        Ask::DropAlias { .. } => "drop alias",
        Ask::Maintenance { notice: Some(_), .. } => "maintenance",
        Ask::Maintenance { notice: None, .. } => "maintenance off",
        Ask::Pause { .. } => "pause",
        Ask::Resume { .. } => "resume",
        Ask::Remove { .. } => "remove",
        Ask::Canary { .. } => "canary",
        Ask::Promote { .. } => "promote",
        Ask::Abort { .. } => "abort",
    }
}

/// Appends to the audit log, also what failed or was refused.
async fn note(proxy: &dyn Proxy, installation: &Installation, job: &Job, journal: &Journal, finished: &Finished) {
    let release = finished.release.map(|r| format!(" release {r}")).unwrap_or_default();
    let why = finished.problem.as_ref().map(|p| format!(": {}", p.message)).unwrap_or_default();
    let activity = Activity {
        at: installation.clock.now(),
        by: job.by.clone(),
        app: journal.app(),
        op: Some(job.op.clone()),
        outcome: finished.outcome.to_string(),
        text: format!("{}{release}{why}", verb(&job.ask)),
    };
    let recorded = tokio::time::timeout(PUBLISH_TIMEOUT, proxy.record_activity(activity)).await;
    if !matches!(recorded, Ok(Ok(()))) {
        tracing::warn!("the audit log was not written: {recorded:?}");
    }
}

/// Hands events to the ledger as soon as there is a proxy. A proxy that restarts meanwhile is asked again.
async fn publish(mut queue: mpsc::UnboundedReceiver<Envelope>, mut proxy: watch::Receiver<Option<Arc<dyn Proxy>>>) {
    let Ok(proxy) = proxy.wait_for(Option::is_some).await.map(|p| p.clone()) else { return };
    let Some(proxy) = proxy else { return };
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, 64).await > 0 {
        let mut tries = 0;
        loop {
            let sent = tokio::time::timeout(PUBLISH_TIMEOUT, proxy.publish(batch.clone())).await;
            match sent {
                Ok(Ok(())) => break,
                Ok(Err(error)) if tries < 20 => {
                    tracing::debug!("events were not published yet: {error}");
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                _ => return,
            }
        }
        batch.clear();
    }
}
