//! What can go wrong between us and the engine, or between the engine and a registry.

use std::time::Duration;

use crate::model::units::in_words;

/// Why the engine did not do what it was asked to. Told apart by type and status code, never by text.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no socket at the address.
    #[error("there is no engine at {address}")]
    NoSocket {
        /// Where.
        address: String,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// The socket is there, this user may not use it.
    #[error("this user may not use the engine at {address}")]
    NoPermission {
        /// Where.
        address: String,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// Nobody listens, or the connection broke.
    #[error("the engine at {address} does not answer")]
    Unreachable {
        /// Where.
        address: String,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// ssh does not trust the key that the machine shows.
    #[error("ssh does not trust the host key of {address}")]
    HostKey {
        /// Where.
        address: String,
        /// What ssh says.
        #[source]
        source: BoxError,
    },
    /// No answer, or no further piece of one, within the time.
    #[error("the engine did not {what} within {}", in_words(*.after))]
    TimedOut {
        /// What was waited for, as a verb phrase.
        what: String,
        /// How long.
        after: Duration,
    },
    /// Older than 20.10 (API 1.41).
    #[error("the engine speaks API {found}; {needed} or newer is needed (Docker 20.10)")]
    TooOld {
        /// Its version.
        found: String,
        /// Ours.
        needed: String,
    },
    /// `DOCKER_HOST`, a context, or a certificate cannot be used.
    #[error("the engine's address {address} cannot be used: {reason}")]
    BadAddress {
        /// What was given.
        address: String,
        /// Why.
        reason: String,
    },
    /// No such container, image, volume or network.
    #[error("the engine has no {what}")]
    Absent {
        /// Kind and name.
        what: String,
    },
    /// A name is taken, or the thing is in use or in the wrong state.
    #[error("{message}")]
    Conflict {
        /// The engine's words.
        message: String,
    },
    /// It does this once at a time, and is at it already.
    #[error("the engine is at it already: {message}")]
    Busy {
        /// The engine's words.
        message: String,
    },
    /// A published port is in use.
    #[error("port {port} of the host is in use by another program")]
    PortTaken {
        /// Which.
        port: u16,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// The registry turned the credentials down, or wants some.
    #[error("the registry refused access to {image}")]
    Unauthorised {
        /// What was asked for.
        image: String,
        /// The registry's words.
        message: String,
        /// Whose credentials were used; `None`: none were found.
        login: Option<String>,
    },
    /// The registry has no such image or tag.
    #[error("the registry has no {image}")]
    NoSuchImage {
        /// What was asked for.
        image: String,
        /// The registry's words.
        message: String,
    },
    /// Neither the image nor the container's settings say which program to run.
    #[error("the image {image} has no command, so there is nothing to run")]
    NoCommand {
        /// Which.
        image: String,
    },
    /// The registry could not be asked.
    #[error("the registry of {image} does not answer")]
    RegistryUnreachable {
        /// What was asked for.
        image: String,
        /// The engine's words.
        message: String,
    },
    /// No space left.
    #[error("the engine's disk is full")]
    DiskFull {
        /// The engine's words.
        message: String,
    },
    /// The engine cannot do it here: another platform, a missing feature.
    #[error("{message}")]
    Unsupported {
        /// What and why.
        message: String,
    },
    /// Anything else the engine says.
    #[error("the engine could not {what}: {message}")]
    Failed {
        /// What it was to do, as a verb phrase.
        what: String,
        /// The engine's words.
        message: String,
    },
}

/// A cause of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
