//! What travels: the calls' arguments, the lines of long answers, and errors.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use once_app::event::LockView;
use once_app::ledger::{Refusal, Transaction};
use once_app::proxy::{DrainLimits, LeaseEnd, LockRequest, ProxyError};
use once_app::{AppId, AppName, CertificateFlaw, OpId, ReleaseNumber, Secret};

/// The header in which a client says what it speaks.
pub(crate) const PROTOCOL_HEADER: &str = "once-protocol";

/// The headers that go with a piece of a newer program, which is the body.
pub(crate) const HASH_HEADER: &str = "once-sha256";
pub(crate) const OFFSET_HEADER: &str = "once-offset";

/// The answer to `GET /hello`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) protocol: u32,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Apply {
    pub(crate) fence: u64,
    pub(crate) transaction: Transaction,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hold {
    pub(crate) app: AppId,
    pub(crate) limit: Duration,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Drain {
    pub(crate) app: AppId,
    pub(crate) release: ReleaseNumber,
    pub(crate) limits: DrainLimits,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Follow {
    pub(crate) op: OpId,
    pub(crate) seq: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Watch {
    pub(crate) every: Duration,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ActivityQuery {
    pub(crate) app: Option<AppName>,
    pub(crate) limit: u32,
}

/// A lock to take in hand again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Relock {
    pub(crate) request: LockRequest,
    pub(crate) fence: u64,
}

/// A lock that is held.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) app: AppName,
    pub(crate) fence: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<Secret>,
    /// It is another change's, and goes with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) shared: bool,
}

/// The lines of a lock's answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LockLine {
    /// Held from now on, until the stream ends.
    Held(Held),
    /// [`LeaseEnd::CancelRequested`].
    CancelRequested,
    /// [`LeaseEnd::Lost`]; the last one.
    Lost,
    /// Another process of the proxy has it now; the last one.
    Moved,
}

impl From<LeaseEnd> for LockLine {
    fn from(end: LeaseEnd) -> Self {
        match end {
            LeaseEnd::Lost => Self::Lost,
            LeaseEnd::CancelRequested => Self::CancelRequested,
        }
    }
}

/// A line of a long answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Line<T> {
    Item(T),
    Error(WireError),
}

impl<T> From<Result<T, ProxyError>> for Line<T> {
    fn from(result: Result<T, ProxyError>) -> Self {
        result.map_or_else(|error| Self::Error(error.into()), Self::Item)
    }
}

impl<T> From<Line<T>> for Result<T, ProxyError> {
    fn from(line: Line<T>) -> Self {
        match line {
            Line::Item(item) => Ok(item),
            Line::Error(error) => Err(error.into()),
        }
    }
}

/// A [`ProxyError`] as it travels.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "error")]
pub(crate) enum WireError {
    Unreachable { message: String },
    Interrupted { message: String },
    Version { server: u32, client: u32 },
    Locked { holder: Box<LockView> },
    LockLost,
    Refused { why: Refusal },
    Storage { message: String },
    Certificate { why: CertificateFlaw },
    Moved,
    UpgradeRefused { why: String },
    Failed { what: String, message: String },
}

impl From<ProxyError> for WireError {
    fn from(error: ProxyError) -> Self {
        match error {
            ProxyError::Unreachable { message } => Self::Unreachable { message },
            ProxyError::Interrupted { message } => Self::Interrupted { message },
            ProxyError::Version { theirs, ours } => Self::Version { server: ours, client: theirs },
            ProxyError::Locked { holder } => Self::Locked { holder },
            ProxyError::LockLost => Self::LockLost,
            ProxyError::Refused(why) => Self::Refused { why },
            ProxyError::Storage { message } => Self::Storage { message },
            ProxyError::Certificate(why) => Self::Certificate { why },
            ProxyError::Moved => Self::Moved,
            ProxyError::UpgradeRefused { why } => Self::UpgradeRefused { why },
            ProxyError::Failed { what, message } => Self::Failed { what, message },
        }
    }
}

impl From<WireError> for ProxyError {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Unreachable { message } => Self::Unreachable { message },
            WireError::Interrupted { message } => Self::Interrupted { message },
            WireError::Version { server, client } => Self::Version { theirs: server, ours: client },
            WireError::Locked { holder } => Self::Locked { holder },
            WireError::LockLost => Self::LockLost,
            WireError::Refused { why } => Self::Refused(why),
            WireError::Storage { message } => Self::Storage { message },
            WireError::Certificate { why } => Self::Certificate(why),
            WireError::Moved => Self::Moved,
            WireError::UpgradeRefused { why } => Self::UpgradeRefused { why },
            WireError::Failed { what, message } => Self::Failed { what, message },
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::Value;

    use super::*;
    use once_app::{Caller, Problem};

    /// One of each. The match has to be added to with every new one.
    fn all() -> Vec<ProxyError> {
        let text = || "words".to_owned();
        let holder = LockView {
            app: "shop".parse().unwrap(),
            by: Caller::default(),
            since: Timestamp::UNIX_EPOCH,
            op: None,
            message: Some(text()),
        };
        let name = || "shop".parse().unwrap();
        let all = vec![
            ProxyError::Unreachable { message: text() },
            ProxyError::Interrupted { message: text() },
            ProxyError::Version { theirs: 1, ours: 2 },
            ProxyError::Locked { holder: Box::new(holder) },
            ProxyError::LockLost,
            ProxyError::Refused(Refusal::NothingServes { name: name() }),
            ProxyError::Refused(Refusal::NotYours { name: name() }),
            ProxyError::Storage { message: text() },
            ProxyError::Certificate(CertificateFlaw::NoCertificate),
            ProxyError::Moved,
            ProxyError::UpgradeRefused { why: text() },
            ProxyError::Failed { what: text(), message: text() },
        ];
        for error in &all {
            match error {
                ProxyError::Unreachable { .. }
                | ProxyError::Interrupted { .. }
                | ProxyError::Version { .. }
                | ProxyError::Locked { .. }
                | ProxyError::LockLost
                | ProxyError::Refused(_)
                | ProxyError::Storage { .. }
                | ProxyError::Certificate(_)
                | ProxyError::Moved
                | ProxyError::UpgradeRefused { .. }
                | ProxyError::Failed { .. } => {}
            }
        }
        all
    }

    /// As a proxy of another version may word it: in the language of the sea.
    fn reworded(value: &mut Value) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match (key.as_str(), &value) {
                        ("message" | "what" | "why", Value::String(_)) => *value = "arr".into(),
                        _ => reworded(value),
                    }
                }
            }
            Value::Array(list) => list.iter_mut().for_each(reworded),
            _ => {}
        }
    }

    #[test]
    fn errors_are_told_apart_by_their_tag_however_they_are_worded() {
        for error in all() {
            let kind = std::mem::discriminant(&error);
            let mut line = serde_json::to_value(WireError::from(error)).unwrap();
            let before: ProxyError = serde_json::from_value::<WireError>(line.clone()).unwrap().into();
            assert_eq!(std::mem::discriminant(&before), kind, "{line}");
            reworded(&mut line);
            let after: ProxyError = serde_json::from_value::<WireError>(line.clone()).unwrap().into();
            assert_eq!(std::mem::discriminant(&after), kind, "{line}");
            // What becomes of it for people and scripts hangs on that too.
            let (before, after) = (Problem::from(before), Problem::from(after));
            assert_eq!(
                (before.outcome, before.code, before.retryable, before.hints),
                (after.outcome, after.code, after.retryable, after.hints),
                "{line}"
            );
        }
    }

    #[test]
    fn an_error_of_another_age_is_no_known_one_by_chance() {
        let unknown = serde_json::json!({"error": "sunk", "message": "LockLost: the lock of this change ran out"});
        assert!(serde_json::from_value::<WireError>(unknown).is_err());
    }
}
