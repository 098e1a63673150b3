use std::time::Duration;

use super::telemetry::access_log::AccessLog;

/// How a [`Plane`](super::Plane) works; the defaults are fit for the internet.
#[derive(Debug, Clone)]
pub struct PlaneOptions {
    /// Where the access log goes. Default: nowhere.
    pub access_log: AccessLog,
    /// Threads, each with a runtime of its own, and kept on a core of its own where there are as many as this process may
    /// use. Default: so many, 16 at most.
    pub threads: usize,
    /// Requests held over all apps; more get a 503. Default 4096.
    pub max_held: u64,
    /// Requests held of one app, so that its visitors leave room for those of others; more get a 503. Default 1024.
    pub max_held_of_app: u64,
    /// Read and write buffers of a connection grow to this many bytes, which also bounds a request's head. Default
    /// 64 KiB; 8 KiB at least.
    pub buffer: usize,
    /// The port of the host by which clients reach the sockets with TLS. Default `None`: none does, and nobody is sent
    /// there.
    pub https_port: Option<u16>,
    /// The waits.
    pub timeouts: Timeouts,
    /// What one client may ask for at once.
    pub limits: Limits,
}

impl Default for PlaneOptions {
    fn default() -> Self {
        Self {
            access_log: AccessLog::Off,
            threads: std::thread::available_parallelism().map_or(1, usize::from).min(16),
            max_held: 4096,
            max_held_of_app: 1024,
            buffer: 64 * 1024,
            https_port: None,
            timeouts: Timeouts::default(),
            limits: Limits::default(),
        }
    }
}

/// How long a [`Plane`](super::Plane) waits for what.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// From a head's first byte (or from the connection, for the first one) to its last. 30 s.
    pub head: Duration,
    /// A client's connection without a request. 75 s.
    pub idle: Duration,
    /// For a client to take any part of an answer that is there: of a connection, or of one HTTP/2 stream. 60 s.
    pub stall: Duration,
    /// For a TLS handshake, from the connection on. 10 s.
    pub handshake: Duration,
    /// For an app to accept a connection. 5 s.
    pub connect: Duration,
    /// From the first connection that an app does not take until requests wait no longer for it, then 502; while it lasts
    /// on they are turned down at once. Zero: none ever waits. 10 s.
    pub outage: Duration,
    /// From the request's last byte to the head of the answer, then 504. 60 s.
    pub response_head: Duration,
    /// For an app to say whether a client that asks first (`Expect: 100-continue`) may send its body; then it may. 1 s.
    pub go_ahead: Duration,
    /// A connection to an app that rests. Shorter than what apps allow: the shortest in common use is Node's 5 s. 4 s.
    pub upstream_idle: Duration,
    /// After the stop, until connections without a request are closed. 2 s.
    pub lame_duck: Duration,
    /// After the stop, until what is still under way is cut. 8 s: the engine kills after 10.
    pub stop: Duration,
    /// After another process took over, until requests still under way are cut. 10 min.
    pub leave: Duration,
    /// The same for WebSockets and other upgraded connections, which are closed politely. 60 s.
    pub leave_upgraded: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(30),
            idle: Duration::from_secs(75),
            stall: Duration::from_secs(60),
            handshake: Duration::from_secs(10),
            connect: Duration::from_secs(5),
            outage: Duration::from_secs(10),
            response_head: Duration::from_secs(60),
            go_ahead: Duration::from_secs(1),
            upstream_idle: Duration::from_secs(4),
            lame_duck: Duration::from_secs(2),
            stop: Duration::from_secs(8),
            leave: Duration::from_mins(10),
            leave_upgraded: Duration::from_mins(1),
        }
    }
}

/// What one client may ask for, so that it cannot harm its neighbours.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request's target; a longer one is a 414. Default 16 KiB, twice what other servers take.
    pub target: usize,
    /// Lines of a request's head; more are a 431. Cookies that HTTP/2 splits count as one. Default 100.
    pub headers: usize,
    /// Bytes a second of a request's body, over all the time that the app has waited for it: a client that sends less
    /// gets a 408. Counted from [`Limits::body_grace`] on, until the answer begins; not for gRPC, whose streams may be
    /// silent. Default 240, a tenth of what the slowest of mobile networks bring.
    pub body_rate: u32,
    /// How long a body may be waited for before its rate is looked at. Default 30 s.
    pub body_grace: Duration,
    /// HTTP/2: requests of a connection at the same time; more are refused. Default 128.
    pub streams: u32,
    /// HTTP/2: requests a connection may take back before they are answered, beyond those it lets be answered; then it
    /// is closed. Browsers take back a page's worth. Default 200.
    pub taken_back: u32,
    /// HTTP/2: streams of a connection that may end in the client's own faults before it is closed. Default 64.
    pub faults: usize,
    /// HTTP/2: bytes of a body that may come before the app takes them. Default 256 KiB.
    pub stream_window: u32,
    /// HTTP/2: the same for all of a connection's bodies together. Default 1 MiB.
    pub connection_window: u32,
    /// HTTP/2: bytes of pings, settings and the like that may come, besides bodies that lie in the window, before
    /// anything gets further; then the connection is closed. Default 256 KiB, two days of pings.
    pub overhead: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            target: 16 * 1024,
            headers: 100,
            body_rate: 240,
            body_grace: Duration::from_secs(30),
            streams: 128,
            taken_back: 200,
            faults: 64,
            stream_window: 256 * 1024,
            connection_window: 1024 * 1024,
            overhead: 256 * 1024,
        }
    }
}

impl Limits {
    /// Bytes that may come over a multiplexed connection without anything getting further.
    pub(super) fn idle_bytes(&self) -> u64 {
        u64::from(self.connection_window) + u64::from(self.overhead)
    }
}
