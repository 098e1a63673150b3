use std::time::Duration;

use super::access_log::AccessLog;

/// How a [`Plane`](super::Plane) works; the defaults are fit for the internet.
#[derive(Debug, Clone)]
pub struct PlaneOptions {
    /// Where the access log goes. Default: nowhere.
    pub access_log: AccessLog,
    /// Threads, each with a runtime of its own. Default: one a core that this process may use, 16 at most.
    pub threads: usize,
    /// Requests held over all apps; more get a 503. Default 4096.
    pub max_held: u64,
    /// Read and write buffers of a connection grow to this many bytes, which also bounds a request's head. Default
    /// 64 KiB; 8 KiB at least.
    pub buffer: usize,
    /// The port of the host by which clients reach the sockets with TLS. Default `None`: none does, and nobody is sent
    /// there.
    pub https_port: Option<u16>,
    /// The waits.
    pub timeouts: Timeouts,
}

impl Default for PlaneOptions {
    fn default() -> Self {
        Self {
            access_log: AccessLog::Off,
            threads: std::thread::available_parallelism().map_or(1, usize::from).min(16),
            max_held: 4096,
            buffer: 64 * 1024,
            https_port: None,
            timeouts: Timeouts::default(),
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
    /// For a TLS handshake, from the connection on. 10 s.
    pub handshake: Duration,
    /// For an app to accept a connection. 5 s.
    pub connect: Duration,
    /// From the request's last byte to the head of the answer, then 504. 60 s.
    pub response_head: Duration,
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
            handshake: Duration::from_secs(10),
            connect: Duration::from_secs(5),
            response_head: Duration::from_secs(60),
            upstream_idle: Duration::from_secs(4),
            lame_duck: Duration::from_secs(2),
            stop: Duration::from_secs(8),
            leave: Duration::from_mins(10),
            leave_upgraded: Duration::from_mins(1),
        }
    }
}
