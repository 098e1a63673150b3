//! What the next release of an app is to be.

use crate::ledger::RunState;
use crate::model::canary::CanaryRule;
use crate::model::name::ReleaseNumber;
use crate::plan::diff::PlanView;
use crate::plan::resolve::Resolved;
use crate::settings::Settings;

/// A wish that was turned into settings, an image, and a plan.
pub(crate) struct Decided {
    pub(crate) settings: Settings,
    pub(crate) resolved: Resolved,
    pub(crate) view: PlanView,
}

/// What a new release is to be.
#[derive(Clone)]
pub(crate) struct Wish {
    pub(crate) settings: Settings,
    pub(crate) resolved: Resolved,
    /// What the app is meant to do once it is switched.
    pub(crate) state: RunState,
    pub(crate) revision: Option<String>,
    pub(crate) rollback_to: Option<ReleaseNumber>,
    /// The stopped container of an earlier release that is just what is wished for.
    pub(crate) kept_container: Option<String>,
    /// A canary goes on beside the new release.
    pub(crate) keep_canary: bool,
    /// It is to be a canary itself, for these requests.
    pub(crate) canary: Option<CanaryRule>,
}
