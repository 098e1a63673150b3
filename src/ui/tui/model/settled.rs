//! What is known of the selected app beyond what every snapshot tells.

use jiff::Timestamp;

use crate::app::engine::ContainerDetail;
use crate::app::proxy::ProbeAnswer;
use crate::app::traffic::TrafficReport;
use crate::app::{AppName, Problem};

/// What a closer look at the selected app found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settled {
    /// Its container, by id.
    pub container: Option<(String, ContainerDetail)>,
    /// What its health path answers.
    pub health: Option<(AppName, ProbeAnswer)>,
    /// When it was asked for last, and about which container.
    pub asked: Option<(Timestamp, String)>,
    /// Its traffic over time, or why it could not be had.
    pub traffic: Option<(AppName, Result<Box<TrafficReport>, Problem>)>,
    /// When that was asked for last, and about which app.
    pub traffic_asked: Option<(Timestamp, AppName)>,
}
