//! The examination of the host: each finding is a message of its own, and all of them are one at the end.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use once_app::{Finding, Installation, Looks, Problem, Seen};
use once_job::examination::of_host;

use super::super::model::Examined;
use super::super::msg::Msg;

/// With hundreds of apps on a slow link it takes its time; what takes longer than this is left out.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn examine(at: &Installation, tx: &mpsc::Sender<Msg>) -> Result<Examined, Problem> {
    let found = Mutex::new(Vec::<Finding>::new());
    let report = |seen| {
        if let Seen::Found(finding) = seen {
            found.lock().unwrap_or_else(PoisonError::into_inner).push((*finding).clone());
            // A console that is behind gets it with the others at the end.
            let _ = tx.try_send(Msg::Found(finding));
        }
    };
    let looked = tokio::time::timeout(PATIENCE, of_host(at, Looks::default(), &report)).await;
    let mut findings = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
    match looked {
        Ok(looked) => looked?,
        Err(_) => findings.push(Finding::unseen(
            "the rest of the host",
            format!("the examination was not finished within {} seconds", PATIENCE.as_secs()),
        )),
    }
    findings.sort_by(Finding::worst_first);
    Ok(Examined { findings, processes: processes(at).await })
}

/// One that is too old to say, or does not answer in time, was named by the findings.
async fn processes(at: &Installation) -> Option<once_app::proxy::ProxyProcesses> {
    let asked = async { at.proxy().await.ok()??.processes().await.ok() };
    tokio::time::timeout(Looks::default().limit, asked).await.ok().flatten()
}
