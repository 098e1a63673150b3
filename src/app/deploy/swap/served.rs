//! What serves after a change that failed: the engine and the proxy are asked, for what is remembered may be gone.

use std::time::Duration;

use crate::deploy::report::Report;
use crate::host::installation::Installation;
use crate::ledger::AppRecord;
use crate::model::name::{AppName, ReleaseNumber};
use crate::model::problem::Problem;
use crate::ports::proxy::Proxy;
use crate::progress::event::Visitors;

/// How long this may hold up the end of a change.
const PATIENCE: Duration = Duration::from_secs(5);

/// Corrects what the report says of the app. Where nobody answers, it says what was known last.
pub(in crate::deploy) async fn ask(
    installation: &Installation,
    proxy: &dyn Proxy,
    app: Option<&AppName>,
    report: &mut Report,
) {
    let Some(app) = app else { return };
    match tokio::time::timeout(PATIENCE, look(installation, proxy, app)).await {
        Ok(Ok((serving, visitors))) => {
            report.serving = serving;
            report.visitors = visitors;
        }
        Ok(Err(problem)) => tracing::debug!("what serves {app} is not known: {problem}"),
        Err(_) => tracing::debug!("what serves {app} is not known in time"),
    }
}

/// The release that serves, or would if the app was not stopped, and what visitors get where it is not the app. A
/// release whose container does not run serves nobody.
async fn look(
    installation: &Installation,
    proxy: &dyn Proxy,
    app: &AppName,
) -> Result<(Option<ReleaseNumber>, Option<Visitors>), Problem> {
    let Some(record) = proxy.record(app).await?.filter(AppRecord::is_live) else { return Ok((None, None)) };
    let visitors = Visitors::of(&record);
    let Some(release) = record.serving_release() else { return Ok((None, visitors)) };
    let container = installation.engine.container(&release.container).await?;
    let serves = match container {
        Some(container) => container.running || !record.state.runs(),
        None => false,
    };
    Ok((serves.then_some(release.number), visitors))
}
