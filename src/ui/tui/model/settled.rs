//! What is known of the selected app beyond what every snapshot tells.

use jiff::Timestamp;

use once_app::engine::ContainerDetail;
use once_app::proxy::ProbeAnswer;
use once_app::traffic::TrafficReport;
use once_app::{AppName, DeployView, Problem, Release};

/// What a closer look at the selected app found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settled {
    /// Its container, by id.
    pub container: Option<(String, ContainerDetail)>,
    /// What its health path answers.
    pub health: Option<(AppName, ProbeAnswer)>,
    /// When it was asked for last, and about which container.
    pub asked: Option<(Timestamp, String)>,
    /// All its releases, newest first, with their secrets: that these differ is to be seen. Or why they could not be had.
    pub history: Option<(AppName, Result<Vec<Release>, Problem>)>,
    /// When they were asked for last, of which app, and at which revision.
    pub history_asked: Option<(Timestamp, AppName, u64)>,
    /// The change that made the release that is shown, as far as its events are there.
    pub made_by: Option<DeployView>,
    /// Its traffic over time, or why it could not be had.
    pub traffic: Option<(AppName, Result<Box<TrafficReport>, Problem>)>,
    /// When that was asked for last, and about which app.
    pub traffic_asked: Option<(Timestamp, AppName)>,
}
