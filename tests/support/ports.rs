//! TCP ports for tests and benchmarks.
//!
//! A port that is chosen by binding port 0 and then released is lost now and then: until it is used, the kernel gives it
//! to whoever binds port 0 next, or to an outgoing connection. A port from here is outside of the range from which the
//! kernel chooses, and belongs to the process that asked for it until this process ends: it holds a lock that all test
//! processes of the machine see, those of other checkouts too.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Mutex, PoisonError};

/// The kernel's own choice where it does not say otherwise: `net.ipv4.ip_local_port_range`.
const USUAL: (u16, u16) = (32768, 60999);

/// Below it are the ports of well-known programs.
const LOWEST: u16 = 10000;

/// Each lock is an abstract socket with the port's name: the kernel lets a name go when its process ends, however it ends.
static LOCKS: Mutex<Vec<UnixDatagram>> = Mutex::new(Vec::new());

/// A port on which nobody listens now, on no address, and which no other test gets while this process lives.
///
/// # Errors
/// All ports are taken.
pub fn free() -> io::Result<u16> {
    let (first, last) = outside(chosen_by_the_kernel());
    let count = u64::from(last - first) + 1;
    let start = RandomState::new().hash_one(std::process::id()) % count;
    for step in 0..count {
        let port = first + u16::try_from((start + step) % count).unwrap_or_default();
        let name = SocketAddr::from_abstract_name(format!("once-test-port-{port}"))?;
        let Ok(lock) = UnixDatagram::bind_addr(&name) else { continue };
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            LOCKS.lock().unwrap_or_else(PoisonError::into_inner).push(lock);
            return Ok(port);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, format!("all ports from {first} to {last} are taken")))
}

/// The first and the last port that the kernel chooses from.
pub fn chosen_by_the_kernel() -> (u16, u16) {
    let read = || {
        let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
        let mut words = text.split_whitespace();
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    };
    read().unwrap_or(USUAL)
}

/// The wider part beside that range. A kernel that chooses from all ports leaves none: then only the locks protect.
fn outside((first, last): (u16, u16)) -> (u16, u16) {
    let below = first.saturating_sub(LOWEST);
    let above = u16::MAX - last;
    match () {
        () if below.max(above) == 0 => (LOWEST, u16::MAX),
        () if below >= above => (LOWEST, first - 1),
        () => (last + 1, u16::MAX),
    }
}
