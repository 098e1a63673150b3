//! What becomes known of a change on the way.

use crate::model::canary::CanaryView;
use crate::model::name::ReleaseNumber;
use crate::progress::event::Visitors;
use crate::settings::Settings;

/// What becomes known on the way, for the outcome.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) release: Option<ReleaseNumber>,
    pub(crate) serving: Option<ReleaseNumber>,
    pub(crate) canary: Option<CanaryView>,
    /// What visitors get where it is not the app.
    pub(crate) visitors: Option<Visitors>,
    /// Whose address is to be told.
    pub(crate) reached: Option<Settings>,
    pub(crate) url: Option<String>,
    pub(crate) release_command_ran: Option<bool>,
}
