//! The port to the proxy, which is also the host's memory. `src/proxy/client/` implements it over the control socket,
//! the tests with a fake.

use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::host::proxy_config::{ProxyConfig, ProxyDraft};
use crate::ledger::{AppRecord, Applied, Refusal, Transaction};
use crate::model::certificate::{AccountOffer, CertificateFacts, CertificateFlaw, CertificateOffer, CertificateView};
use crate::model::hostname::Hostname;
use crate::model::issuing::{CertifyAnswer, CertifyRequest};
use crate::model::name::{AppId, AppName, OpId, ReleaseNumber};
use crate::model::release::{Caller, Release};
use crate::model::traffic::{Recent, ReleaseTraffic, TrafficReport};
use crate::model::undelivered::Untold;
use crate::model::units::UrlPath;
use crate::progress::event::{Envelope, LockView};
use crate::settings::{Secret, Upstream};

pub use crate::model::processes::{ProxyProcesses, WorkerView};

/// Why the proxy did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The container is not there, not running, or its socket does not answer.
    #[error("the proxy does not answer: {message}")]
    Unreachable {
        /// What was tried and what came of it.
        message: String,
    },
    /// The connection broke after the request was sent: it may or may not have been done. Ask again.
    #[error("the connection to the proxy broke: {message}")]
    Interrupted {
        /// What was under way.
        message: String,
    },
    /// The proxy is too old or too new for this binary.
    #[error("the proxy speaks protocol {theirs}, this command {ours}")]
    Version {
        /// Its protocol.
        theirs: u32,
        /// Ours.
        ours: u32,
    },
    /// Somebody else holds the lock.
    #[error("{} is being changed by {}", .holder.app, .holder.by.user)]
    Locked {
        /// Who.
        holder: Box<LockView>,
    },
    /// The lock was lost: no ping within 30 s.
    #[error("the lock of this change ran out")]
    LockLost,
    /// The ledger turned a change down; nothing changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The ledger could not be written; nothing changed.
    #[error("the proxy could not write its ledger: {message}")]
    Storage {
        /// The proxy's words.
        message: String,
    },
    /// A certificate was turned down; nothing changed.
    #[error("the certificate cannot be used: {0}")]
    Certificate(CertificateFlaw),
    /// Another process of the proxy is taking over: nothing was done, and the same call again is answered by that one.
    /// Clients do that by themselves.
    #[error("the proxy is being relieved by a newer one")]
    Moved,
    /// The newer program was not put in charge; the one before serves on.
    #[error("the newer proxy was refused: {why}")]
    UpgradeRefused {
        /// The supervisor's words.
        why: String,
    },
    /// Anything else it says.
    #[error("the proxy could not {what}: {message}")]
    Failed {
        /// What it was to do.
        what: String,
        /// Its words.
        message: String,
    },
}

type Result<T, E = ProxyError> = std::result::Result<T, E>;

/// The proxy itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyInfo {
    /// Version of the control protocol; neighbours understand each other.
    pub protocol: u32,
    /// The binary's version.
    pub version: String,
    /// Made once per volume; tells one installation's proxy from another's.
    pub instance: String,
    /// The worker's start.
    pub started_at: Timestamp,
    /// Ledger files that could not be read and were set aside: file name and why.
    pub set_aside: Vec<(String, String)>,
    /// Bytes of resident memory of the worker.
    pub memory: u64,
    /// What the web hook was not told, since it was told something last; `None`: all of it, or there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untold: Option<Untold>,
}

/// Everything at one moment, in one call, however many apps there are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The proxy itself.
    pub info: ProxyInfo,
    /// All records, removed apps included. Secrets are left out of `settings` (masked) and `generated` (empty).
    pub apps: Vec<AppRecord>,
    /// Locks held now, manual ones included.
    pub locks: Vec<LockView>,
    /// Traffic by app.
    pub traffic: Vec<(AppId, AppTraffic)>,
    /// Changes under way or lately ended, newest last.
    pub ops: Vec<OpView>,
    /// The names served over TLS or meant to be, with certificate and last error.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<CertificateView>,
}

/// A change the proxy has events of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpView {
    /// The change.
    pub op: OpId,
    /// Of which app.
    pub app: AppName,
    /// Since when.
    pub started_at: Timestamp,
    /// Whether its `finished` event has come.
    pub finished: bool,
}

/// An app's traffic, as of now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AppTraffic {
    /// Requests since the proxy's start.
    pub requests: u64,
    /// By class: 1xx, 2xx, 3xx, 4xx, 5xx.
    pub classes: [u64; 5],
    /// Answered by the proxy itself with 502, 503 or 504, or broken off on the app's side. The pages of an app that is
    /// stopped, paused or under maintenance are not among them.
    pub failed: u64,
    /// Answers of the proxy's own, which say nothing about the app: pages of an app that is stopped, paused or under
    /// maintenance, redirects, refusals of a guard. `None`: the proxy is too old to count them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<u64>,
    /// How the app itself answered in the last minute; `None`: the proxy is too old to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recent: Option<Recent>,
    /// Requests per second over the last ten seconds.
    pub rate: f64,
    /// Over the last minute, milliseconds; `None`: no requests.
    pub p50_ms: Option<f64>,
    /// The same.
    pub p95_ms: Option<f64>,
    /// The same.
    pub p99_ms: Option<f64>,
    /// Bytes received from clients.
    pub bytes_in: u64,
    /// Bytes sent to clients.
    pub bytes_out: u64,
    /// Under way now, by release: requests, and upgraded connections.
    pub in_flight: Vec<InFlight>,
    /// Requests held now.
    pub held: u64,
    /// Requests per second for each of the last 120 seconds, oldest first, the current one left out.
    pub per_second: Vec<u32>,
    /// 5xx of the app's own per second for the same seconds.
    pub errors_per_second: Vec<u32>,
    /// Responses by release since the proxy's start, for the newest releases: release, requests, failed.
    pub by_release: Vec<(ReleaseNumber, u64, u64)>,
    /// The same releases, the newest first, in full.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<ReleaseTraffic>,
    /// The slowest response since the proxy's start or the last [`Proxy::mark`], milliseconds.
    pub slowest_ms: u64,
    /// Different client addresses since midnight UTC, or since the proxy's start; within about 3 %. Of an IPv6 address
    /// only the network (/64) counts.
    #[serde(default)]
    pub visitors_today: u64,
    /// The same for the last 24 hours, the current one and 23 whole ones.
    #[serde(default)]
    pub visitors_24h: u64,
}

/// What a release has under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// Which release.
    pub release: ReleaseNumber,
    /// Requests.
    pub requests: u64,
    /// WebSockets and other upgraded connections.
    pub upgraded: u64,
}

/// Whom a lock is for, and how long to wait for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockRequest {
    /// Which app, by name: it may not exist yet.
    pub app: AppName,
    /// For which change.
    pub op: OpId,
    /// Who.
    pub by: Caller,
    /// Milliseconds; 0 fails at once.
    pub wait_ms: u64,
    /// [`Lease::token`] of a change of this app that this one is a part of: it shares that one's lock and never outlives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<Secret>,
}

/// A lock that is held. Dropping it gives it back, as does the end of the connection or of the process; a half-open
/// connection loses it 30 s after the last ping. Pings are sent by the implementation, every 5 s.
#[async_trait]
pub trait Lease: Send + Sync {
    /// The fencing number: each lock of an app gets a higher one.
    fn fence(&self) -> u64;
    /// Lets a command that the holder starts share the lock, and nobody else. `None`: the proxy is too old.
    fn token(&self) -> Option<Secret>;
    /// Resolves when the lock was lost, or when somebody asked for the change to be cancelled.
    async fn ended(&self) -> LeaseEnd;
    /// Gives it back.
    async fn release(self: Box<Self>) -> Result<()>;
}

/// Why a lease is no longer good for going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseEnd {
    /// The lock is gone.
    Lost,
    /// [`Proxy::cancel`] was called for the change.
    CancelRequested,
}

/// What to ask of a candidate before it may serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeRequest {
    /// `name:port`.
    pub address: String,
    /// The path that answers 2xx.
    pub path: UrlPath,
    /// Sent as `Host`.
    pub host: Hostname,
    /// How long to go on, milliseconds. Each try gets 5 s at most.
    pub timeout_ms: u64,
    /// Ports to try when the address refuses: the image's exposed ones; the usual ones are added.
    pub other_ports: Vec<u16>,
    /// What it is asked in; the same as its requests will be.
    #[serde(default)]
    pub upstream: Upstream,
}

/// What one try came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "answer")]
pub enum ProbeAnswer {
    /// A 2xx: the candidate is healthy.
    Healthy {
        /// The status.
        status: u16,
        /// How long this try took, milliseconds.
        took_ms: u64,
    },
    /// The name does not resolve (yet): the container is not on the network, or ended.
    NoAddress,
    /// Nobody listens on the port. Carries the ports that do answer.
    Refused {
        /// Ports that accept connections.
        open_ports: Vec<u16>,
    },
    /// Another status than 2xx.
    Status {
        /// The status.
        status: u16,
        /// The `Location` header, for 3xx.
        location: Option<String>,
    },
    /// It accepted and then said nothing.
    TimedOut,
    /// It closed the connection, or what it said is not HTTP.
    Broken {
        /// What was wrong.
        message: String,
    },
}

impl std::fmt::Display for ProbeAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Healthy { status, .. } | Self::Status { status, location: None } => write!(f, "{status}"),
            Self::Status { status, location: Some(to) } => write!(f, "{status} to {to}"),
            Self::NoAddress => f.write_str("no address"),
            Self::Refused { .. } => f.write_str("refused"),
            Self::TimedOut => f.write_str("no answer"),
            Self::Broken { message } => write!(f, "broken: {message}"),
        }
    }
}

/// How far a drain got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainProgress {
    /// Requests under way whose answer has not begun or has a known length.
    pub requests: u64,
    /// Answers that may go on for ever: server-sent events, and those of unknown length.
    #[serde(default)]
    pub streams: u64,
    /// Upgraded connections open.
    pub upgraded: u64,
    /// Set in the last one: how many were cut at the limit.
    pub cut: Option<u64>,
}

/// Limits of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainLimits {
    /// For requests, milliseconds.
    pub requests_ms: u64,
    /// For streams, WebSockets and other upgraded connections, milliseconds; then they are closed. Server-sent events
    /// are known by their type; other answers of unknown length may be ordinary ones, and have the longer of both times.
    pub upgraded_ms: u64,
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Caller,
    /// Which app.
    pub app: Option<AppName>,
    /// Which change.
    pub op: Option<OpId>,
    /// The outcome's word, or what was done.
    pub outcome: String,
    /// One sentence.
    pub text: String,
}

/// The proxy.
#[async_trait]
pub trait Proxy: Send + Sync {
    /// The proxy itself; also a cheap "are you there".
    async fn info(&self) -> Result<ProxyInfo>;
    /// Everything at one moment.
    async fn snapshot(&self) -> Result<Snapshot>;
    /// One record with its secrets, live or removed, by name or alias; `None`: there is none.
    async fn record(&self, name: &AppName) -> Result<Option<AppRecord>>;
    /// Releases that are too old for the record, with their secrets, newest first.
    async fn history(&self, app: &AppId) -> Result<Vec<Release>>;
    /// Takes an app's lock, waiting as long as asked. [`ProxyError::Locked`] names the holder.
    async fn lock(&self, request: LockRequest) -> Result<Box<dyn Lease>>;
    /// Who holds an app's lock now.
    async fn holder(&self, app: &AppName) -> Result<Option<LockView>>;
    /// Takes the lock away from the change that holds it; whose it was. What it has begun is mended by the next one.
    async fn break_lock(&self, app: &AppName) -> Result<Option<LockView>>;
    /// Asks the change to undo itself; it does so only before its switch. Whether there is such a change.
    async fn cancel(&self, op: &OpId) -> Result<bool>;
    /// One atomic change of the ledger, synced to disk; routes follow it before it returns. `fence` is checked: it must
    /// be of the app's present lock, but for [`Transaction::ManualLock`], which needs none.
    async fn apply(&self, fence: u64, transaction: Transaction) -> Result<Applied>;
    /// Tries a candidate at once and then at intervals growing from 25 ms to 1 s. Ends after the first healthy answer,
    /// or with the last unhealthy one when the time is over. Dropping the stream ends it.
    fn probe(&self, request: ProbeRequest) -> BoxStream<'static, Result<ProbeAnswer>>;
    /// Holds an app's new requests until [`Proxy::resume`], a switch, or the limit; then they get a 503 (504 at the limit).
    async fn hold(&self, app: &AppId, limit: Duration) -> Result<()>;
    /// Lets held requests go on to the current target.
    async fn resume(&self, app: &AppId) -> Result<()>;
    /// Waits until a release has nothing under way, or cuts what is left at the limits. The last item has `cut` set.
    /// During [`Proxy::hold`] it may be called for the serving release.
    fn drain(
        &self,
        app: &AppId,
        release: ReleaseNumber,
        limits: DrainLimits,
    ) -> BoxStream<'static, Result<DrainProgress>>;
    /// One app's traffic.
    async fn traffic(&self, app: &AppId) -> Result<AppTraffic>;
    /// What is more than every snapshot could carry.
    async fn traffic_report(&self, app: &AppId) -> Result<TrafficReport>;
    /// Resets [`AppTraffic::slowest_ms`].
    async fn mark(&self, app: &AppId) -> Result<()>;

    /// Appends events of a change, for others to follow. The last 200 changes are kept.
    async fn publish(&self, events: Vec<Envelope>) -> Result<()>;
    /// Events of a change from `seq` on, and those to come until its `finished`. A change nobody has heard of yet is
    /// waited for.
    fn follow(&self, op: &OpId, seq: u64) -> BoxStream<'static, Result<Envelope>>;
    /// A [`Snapshot`] now and again every `every`, until dropped.
    fn watch(&self, every: Duration) -> BoxStream<'static, Result<Snapshot>>;

    /// Sees to certificates of hostnames, or proves them: how it goes on and what came of it, for each. Names are seen to
    /// at the same time; the stream ends with the last one's answer.
    fn certify(&self, request: CertifyRequest) -> BoxStream<'static, Result<CertifyAnswer>>;

    /// The proxy's processes.
    async fn processes(&self) -> Result<ProxyProcesses>;
    /// Hands over a piece of a newer program, named by its SHA-256 in hex. A piece may be sent twice.
    async fn put_binary(&self, hash: &str, offset: u64, piece: &[u8]) -> Result<()>;
    /// Puts a program in charge that was handed over whole, while all sockets stay open. What is under way is finished by
    /// the one before. [`ProxyError::UpgradeRefused`]: it serves on.
    async fn upgrade(&self, hash: &str) -> Result<()>;
    /// What holds for the proxy as a whole, the secret key masked.
    async fn config(&self) -> Result<ProxyConfig>;
    /// Changes it; on disk, and in force as far as it needs no new container, when this returns. What holds then, the
    /// secret key masked.
    async fn configure(&self, draft: ProxyDraft) -> Result<ProxyConfig>;

    /// Whether a certificate can be served for these names now. Changes nothing.
    async fn check_certificate(&self, offer: CertificateOffer) -> Result<CertificateFacts>;
    /// Serves it from now on; it is on disk when this returns. Dates are not looked at.
    async fn install_certificate(&self, offer: CertificateOffer) -> Result<CertificateFacts>;

    /// Goes on with an account at an authority that another program made; whether it will: an account that the proxy
    /// has there already stays.
    async fn offer_account(&self, offer: AccountOffer) -> Result<bool>;

    /// Appends to the audit log.
    async fn record_activity(&self, activity: Activity) -> Result<()>;
    /// The newest entries, newest first.
    async fn activity(&self, app: Option<&AppName>, limit: u32) -> Result<Vec<Activity>>;
}
