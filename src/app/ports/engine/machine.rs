//! What is seen of the machine the engine runs on, where it is this one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The machine the engine runs on, where it is this one. What this user may not read is not in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Machine {
    /// What listens, TCP.
    pub sockets: Vec<Socket>,
    /// Bytes of the engine's log files, by container id.
    pub logs: BTreeMap<String, u64>,
    /// Memory and disk.
    pub usage: Option<HostUsage>,
    /// Whether a service keeps the clock right, as the system tells.
    pub synchronised: Option<bool>,
    /// Whether every user of the machine may write to the engine's socket.
    pub open_socket: bool,
    /// What this user may not read.
    pub unread: Vec<String>,
}

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// Where.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Name and id of the process that holds it, where that may be known.
    pub process: Option<(String, u32)>,
    /// Whether it answers as an engine does, without encryption and to anybody.
    pub engine: bool,
}

/// What the host uses right now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct HostUsage {
    /// Share of one processor: 1.0 is one whole core.
    pub cpu: f64,
    /// Bytes in use, caches left out.
    pub memory: u64,
    /// Bytes there are.
    pub memory_total: u64,
    /// Bytes in use where the engine keeps its data.
    pub disk: u64,
    /// Bytes there are.
    pub disk_total: u64,
}
