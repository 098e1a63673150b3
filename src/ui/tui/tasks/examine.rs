//! The examination of the host, bounded in time.

use std::time::Duration;

use crate::app::event::Outcome;
use crate::app::{Installation, Problem};
use crate::ui::examination::findings;

use super::super::model::Examined;

/// With hundreds of apps on a slow link it takes its time; what takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn examine(at: &Installation) -> Result<Examined, Problem> {
    let look = async {
        let findings = findings(at).await?;
        // One that is too old to tell of its processes was named by the findings.
        let processes = match at.proxy().await? {
            Some(proxy) => proxy.processes().await.ok(),
            None => None,
        };
        Ok(Examined { findings, processes })
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| {
        let message = format!("the examination was not finished within {} seconds", PATIENCE.as_secs());
        Err(Problem::new(Outcome::Environment, "no-answer", message).hint("`once doctor` waits longer"))
    })
}
