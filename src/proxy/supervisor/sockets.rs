//! The listening sockets: made by the supervisor, handed to each worker.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// As many connections wait to be accepted while a worker is started again.
const BACKLOG: i32 = 4096;

/// Listens on a port on all addresses, IPv4 and IPv6 with one socket where the kernel has IPv6. Port 0 takes a free one.
///
/// # Errors
///
/// The port is taken, or must not be taken by this user.
pub fn listen(port: u16) -> io::Result<TcpListener> {
    let dual = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    match bind(dual, Domain::IPV6) {
        // IPv6 is switched off, one way or the other.
        Err(error) if is_without_ipv6(&error) => bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), Domain::IPV4),
        bound => bound,
    }
}

fn is_without_ipv6(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    matches!(errno, Some(rustix::io::Errno::AFNOSUPPORT | rustix::io::Errno::ADDRNOTAVAIL))
}

fn bind(address: SocketAddr, domain: Domain) -> io::Result<TcpListener> {
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The worker's end: the sockets it was started with, in their order. Empty if it was not started by [`supervise`] or
/// by socket activation. To be called once.
///
/// # Errors
///
/// A descriptor that was promised is not a listening TCP socket.
pub fn inherited_listeners() -> io::Result<Vec<TcpListener>> {
    let mut inherited = listenfd::ListenFd::from_env();
    (0..inherited.len())
        .map(|i| inherited.take_tcp_listener(i)?.ok_or_else(|| io::Error::other(format!("socket {i} is gone"))))
        .collect()
}
