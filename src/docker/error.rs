//! What a failed call means: by error type, errno and status code. Where the engine only gives text there is one
//! function for it here, held by fixtures of several engine versions.

use std::error::Error as StdError;
use std::io;

use bollard::errors::Error;

use super::call::{Call, HEAD};
use once_app::engine::EngineError;

pub(super) fn explain(address: &str, call: &Call, cause: Error) -> EngineError {
    match cause {
        Error::SocketNotFoundError(_) => EngineError::NoSocket { address: address.to_owned(), source: Box::new(cause) },
        Error::UnsupportedURISchemeError { .. } | Error::CertPathError { .. } | Error::CertParseError { .. } => {
            EngineError::BadAddress { address: address.to_owned(), reason: cause.to_string() }
        }
        Error::RequestTimeoutError => EngineError::TimedOut { what: call.what(), after: HEAD },
        Error::DockerResponseServerError { status_code, message } => by_status(call, status_code, message),
        Error::DockerStreamError { error } => by_text(call, error),
        Error::HyperLegacyError { .. } | Error::HyperResponseError { .. } | Error::IOError { .. } => {
            by_errno(address, call, cause)
        }
        other => EngineError::Failed { what: call.what(), message: other.to_string() },
    }
}

fn by_status(call: &Call, status: u16, message: String) -> EngineError {
    match status {
        404 => EngineError::Absent { what: call.subject().to_owned() },
        // Networks answer 403 for "in use" and "in it already".
        403 | 409 => EngineError::Conflict { message },
        501 => EngineError::Unsupported { message },
        507 => EngineError::DiskFull { message },
        _ => by_text(call, message),
    }
}

fn by_text(call: &Call, message: String) -> EngineError {
    if disk_full(&message) {
        return EngineError::DiskFull { message };
    }
    if is_counting(&message) {
        return EngineError::Busy { message };
    }
    EngineError::Failed { what: call.what(), message }
}

fn by_errno(address: &str, call: &Call, cause: Error) -> EngineError {
    let kind = io_kind(&cause);
    let address = address.to_owned();
    match kind {
        Some(io::ErrorKind::NotFound) => EngineError::NoSocket { address, source: Box::new(cause) },
        Some(io::ErrorKind::PermissionDenied) => EngineError::NoPermission { address, source: Box::new(cause) },
        Some(io::ErrorKind::TimedOut) => EngineError::TimedOut { what: call.what(), after: HEAD },
        _ => EngineError::Unreachable { address, source: Box::new(cause) },
    }
}

/// The kind of the first I/O error in the chain of causes.
fn io_kind(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    // bollard's variant passes for the error in it, which therefore is not in the chain.
    let mut next = match error.downcast_ref::<Error>() {
        Some(Error::IOError { err }) => Some(err as &(dyn StdError + 'static)),
        _ => Some(error),
    };
    while let Some(current) = next {
        if let Some(io) = current.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        next = current.source();
    }
    None
}

/// ENOSPC reaches us inside of status 500, in the words of libc.
pub(super) fn disk_full(message: &str) -> bool {
    message.contains("no space left on device")
}

/// The engine counts its disk usage once at a time: 20.10 answers 500 and this sentence, later ones wait.
fn is_counting(message: &str) -> bool {
    message.contains("a disk usage operation is already running")
}

/// Which of the published ports a failed start is about, if it is about one: the engine answers 500 and a sentence.
pub(super) fn taken_port(message: &str, published: &[u16]) -> Option<u16> {
    let taken = message.contains("address already in use") || message.contains("port is already allocated");
    if !taken {
        return None;
    }
    // Several may be named, as the container's own side of a mapping; the host's comes first.
    let first_mention = |port: u16| {
        let needle = format!(":{port}");
        let ends = |at: usize| !message.as_bytes().get(at + needle.len()).is_some_and(u8::is_ascii_digit);
        message.match_indices(&needle).map(|(at, _)| at).find(|at| ends(*at))
    };
    let named = published.iter().copied().filter_map(|port| Some((first_mention(port)?, port))).min();
    match (named, published) {
        (Some((_, port)), _) | (None, &[port]) => Some(port),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Call::container("start", "shop")
    }

    fn status(status_code: u16, message: &str) -> EngineError {
        explain("unix:///x", &call(), Error::DockerResponseServerError { status_code, message: message.to_owned() })
    }

    #[test]
    fn status_codes_tell_failures_apart() {
        assert!(matches!(status(404, "whatever"), EngineError::Absent { what } if what == "container shop"));
        assert!(matches!(status(409, "name in use"), EngineError::Conflict { message } if message == "name in use"));
        assert!(matches!(status(403, "network x has active endpoints"), EngineError::Conflict { .. }));
        assert!(matches!(status(501, "x"), EngineError::Unsupported { .. }));
        assert!(matches!(status(500, "boom"), EngineError::Failed { what, message }
            if what == "start container shop" && message == "boom"));
        assert!(matches!(
            status(500, "mkdir /var/lib/docker/overlay2/x: no space left on device"),
            EngineError::DiskFull { .. }
        ));
        assert!(matches!(status(500, "a disk usage operation is already running"), EngineError::Busy { .. }));
    }

    #[test]
    fn errno_tells_connection_failures_apart() {
        let io = |kind| explain("unix:///x", &call(), Error::IOError { err: io::Error::from(kind) });
        assert!(matches!(io(io::ErrorKind::NotFound), EngineError::NoSocket { .. }));
        assert!(matches!(io(io::ErrorKind::PermissionDenied), EngineError::NoPermission { .. }));
        assert!(matches!(io(io::ErrorKind::ConnectionRefused), EngineError::Unreachable { .. }));
        assert!(matches!(io(io::ErrorKind::ConnectionReset), EngineError::Unreachable { .. }));
        assert!(matches!(io(io::ErrorKind::TimedOut), EngineError::TimedOut { .. }));
    }

    #[test]
    fn the_errno_is_found_below_other_errors() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] io::Error);
        let wrapped = Outer(io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!(io_kind(&wrapped), Some(io::ErrorKind::PermissionDenied));
    }

    #[test]
    fn reads_the_taken_port_out_of_every_engines_words() {
        for (message, engine) in [
            (
                "driver failed programming external connectivity on endpoint shop (7f): Bind for 0.0.0.0:8080 failed: port is already allocated",
                "20.10, another container has it",
            ),
            (
                "driver failed programming external connectivity on endpoint shop (7f): Error starting userland proxy: listen tcp4 0.0.0.0:8080: bind: address already in use",
                "20.10, another program has it",
            ),
            (
                "driver failed programming external connectivity on endpoint shop (7f): failed to bind port 0.0.0.0:8080/tcp: Error starting userland proxy: listen tcp4 0.0.0.0:8080: bind: address already in use",
                "27",
            ),
            (
                "failed to set up container networking: driver failed programming external connectivity on endpoint shop (7f): failed to bind host port for 0.0.0.0:8080:172.17.0.2:80/tcp: address already in use",
                "28",
            ),
            (
                "Ports are not available: exposing port TCP 0.0.0.0:8080 -> 127.0.0.1:0: listen tcp 0.0.0.0:8080: bind: address already in use",
                "Docker Desktop",
            ),
        ] {
            assert_eq!(taken_port(message, &[80, 8080]), Some(8080), "{engine}");
        }
    }

    #[test]
    fn a_longer_number_is_another_port() {
        let message = "listen tcp4 0.0.0.0:8080: bind: address already in use";
        assert_eq!(taken_port(message, &[80, 808]), None);
        assert_eq!(taken_port("address already in use", &[80]), Some(80));
        assert_eq!(taken_port("address already in use", &[80, 81]), None);
        assert_eq!(taken_port("no such network", &[80]), None);
    }
}
