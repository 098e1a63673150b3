//! Takes and lifts locks, as `once lock` and `once unlock` do.

use once_app::ledger::AppRecord;
use once_app::proxy::Proxy;
use once_app::{AppName, Caller, Installation, OpId, Problem, hold, lift};

/// What is to become of an app's lock.
pub(super) enum Wish {
    /// Taken on purpose, with a reason.
    Hold(OpId, Option<String>),
    /// Lifted; or taken away from a change under way.
    Lift(bool),
}

/// What was done, in words.
pub(super) async fn change(
    at: &Installation,
    proxy: &dyn Proxy,
    app: &AppName,
    by: Caller,
    wish: Wish,
) -> Result<String, Problem> {
    let Some(record) = proxy.record(app).await?.filter(AppRecord::is_live) else {
        return Err(Problem::rejected("no-such-app", format!("there is no app {app} any more")));
    };
    match wish {
        Wish::Hold(op, why) => hold(at, proxy, &record, by, op, why).await.map(|()| format!("{app} is locked")),
        Wish::Lift(force) => {
            let lifted = lift(at, proxy, &record, by, force).await?;
            Ok(if lifted.is_empty() { format!("{app} was not locked any more") } else { format!("{app} is unlocked") })
        }
    }
}
