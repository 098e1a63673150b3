//! What happens to the console ([`Msg`]) and what it wants done ([`Effect`]). Values only: the loop hands messages to
//! [`update`](super::update), [`tasks`](super::tasks) carries effects out.

use std::collections::HashMap;

use crossterm::event::Event;
use jiff::Timestamp;
use ratatui::layout::Rect;

use once_app::engine::{Container, ContainerDetail, EngineInfo, HostUsage, LogLine, Usage};
use once_app::event::Envelope;
use once_app::proxy::{Activity, ProbeAnswer, Snapshot};
use once_app::traffic::TrafficReport;
use once_app::{AppId, AppName, Caller, Finding, Hostname, Job, OpId, Problem, ProxyPorts, Release, Upstream, UrlPath};

use super::keymap::Cmd;
use super::model::{Examined, LogSource, RowKey, Tab};

/// Something happened.
#[derive(Debug, Clone)]
pub(crate) enum Msg {
    /// Keys, pastes, buttons and turns of the wheel, as they came at once.
    Typed(Vec<Event>),
    /// The terminal has another size now.
    Resize(u16, u16),
    /// It is later.
    Tick(Timestamp),
    /// A frame is on the screen; these are the places that can be clicked.
    Painted(Vec<(Rect, Hit)>),
    /// The engine answers.
    EngineUp(Box<EngineInfo>),
    /// It does not; when it will be tried again.
    EngineDown(Problem, Timestamp),
    /// The host's ports that lead to the proxy.
    Ports(ProxyPorts),
    /// All containers of the namespace.
    Containers(Vec<Container>),
    /// There is no proxy on this engine (yet): nothing was ever deployed.
    ProxyAbsent,
    /// The proxy does not answer; when it will be tried again.
    ProxyDown(Problem, Timestamp),
    /// Everything the proxy knows.
    Snapshot(Box<Snapshot>),
    /// What containers, by id, and the host use.
    Usage(HashMap<String, Usage>, Option<HostUsage>),
    /// A closer look at a container; `None`: it is gone.
    Detail(String, Option<Box<ContainerDetail>>),
    /// What the app's health path answers.
    Health(AppName, ProbeAnswer),
    /// An app's traffic over time, or why it could not be had.
    Traffic(AppName, Result<Box<TrafficReport>, Problem>),
    /// Lines of the log with this generation.
    Log(u64, Vec<LogLine>),
    /// That log has ended, with the reason where there is one.
    LogEnded(u64, Option<Problem>),
    /// Something happened in a change.
    Progress(Box<Envelope>),
    /// A change cannot be followed any more.
    Lost(OpId, Problem),
    /// The audit log.
    Activity(Vec<Activity>),
    /// All releases of an app, newest first, or why they could not be had.
    History(AppName, Result<Vec<Release>, Problem>),
    /// A lock was taken or lifted, in words; or why not.
    Locked(Result<String, Problem>),
    /// The examination of the host, which goes on, has found something.
    Found(Box<Finding>),
    /// The host was examined, or could not be.
    Examined(Result<Box<Examined>, Problem>),
    /// Something in the background went wrong.
    Problem(Problem),
}

/// What lies under the mouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hit {
    /// A row of the apps list.
    Row(RowKey),
    /// A tab.
    Tab(Tab),
    /// The list as a whole, for the wheel.
    List,
    /// The detail as a whole, for the wheel.
    Detail,
    /// The nth entry of what is on top: a menu's item, a form's row, a dialog's button, a release.
    Entry(usize),
    /// A key of the footer.
    Command(Cmd),
}

/// Something to be done outside of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Start a change in a process of its own and follow it.
    Run(Box<Job>),
    /// Ask a change to undo itself.
    Cancel(OpId),
    /// It goes on, although nobody looks at it.
    Detach(OpId),
    /// Follow a change of somebody else from this event on.
    Follow(OpId, u64),
    /// Read an app's log; the one read before is dropped.
    Logs(LogRequest),
    /// Look closely at the container of the selected app and try its health path.
    Inspect(Inspect),
    /// Load an app's traffic over time.
    Traffic(AppName, AppId),
    /// Load all releases of an app.
    History(AppName, AppId),
    /// Examine the host.
    Examine,
    /// Take a lock on purpose, with a reason; the id is the moment's own.
    Hold(AppName, OpId, Caller, Option<String>),
    /// Lift it, or take the lock of a change under way away.
    Lift(AppName, Caller, bool),
    /// Load the audit log.
    Activity(Option<AppName>),
    /// Put text into the clipboard.
    Copy(String),
    /// Leave the screen to a shell in the app's container.
    Shell(AppName),
    /// Leave the screen to the shell that started the console.
    Suspend,
    /// Draw everything anew.
    Repaint,
    /// End.
    Quit,
}

/// Which log to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogRequest {
    /// Tells its lines from those of the log read before.
    pub generation: u64,
    /// Whose.
    pub app: AppName,
    /// Which of its logs.
    pub source: LogSource,
}

/// What to look at closely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inspect {
    /// Whose.
    pub app: AppName,
    /// The container's id.
    pub container: String,
    /// Where it listens.
    pub address: String,
    /// Its health path.
    pub path: UrlPath,
    /// Sent as `Host`.
    pub host: Hostname,
    /// What it speaks.
    pub upstream: Upstream,
}
