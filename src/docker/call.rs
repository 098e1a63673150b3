//! One request to the engine: what it is about, how long it may take, what its failure means.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::error;
use once_app::engine::EngineError;

/// For questions: an engine that holds 200 containers on a busy host answers in well under a second.
pub(super) const ANSWER: Duration = Duration::from_secs(30);

/// For deeds: creating and removing touch the disk, and a busy disk was seen to take half a minute.
pub(super) const DEED: Duration = Duration::from_secs(120);

/// What bollard waits for a response's head. Our own limits are shorter and name what was waited for; this one only
/// bounds streams, whose heads the engine sends at once.
pub(super) const HEAD: Duration = Duration::from_secs(180);

/// What is being done to which thing: `Call::new("start", "container shop")`.
#[derive(Debug, Clone)]
pub(super) struct Call {
    verb: &'static str,
    subject: String,
}

impl Call {
    pub fn new(verb: &'static str, subject: impl Into<String>) -> Self {
        Self { verb, subject: subject.into() }
    }

    pub fn container(verb: &'static str, id: &str) -> Self {
        Self::new(verb, format!("container {id}"))
    }

    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// As a verb phrase.
    pub fn what(&self) -> String {
        format!("{} {}", self.verb, self.subject)
    }
}

/// bollard's client, and where it leads. Cheap to clone, so that streams can own one.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub api: bollard::Docker,
    pub address: Arc<str>,
}

impl Client {
    /// Waits for a question's answer.
    pub async fn ask<T>(
        &self,
        call: Call,
        request: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, EngineError> {
        self.within(ANSWER, call, request).await
    }

    /// Waits for a deed's end.
    pub async fn order<T>(
        &self,
        call: Call,
        request: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, EngineError> {
        self.within(DEED, call, request).await
    }

    pub async fn within<T>(
        &self,
        limit: Duration,
        call: Call,
        request: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, EngineError> {
        match tokio::time::timeout(limit, request).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(cause)) => Err(self.explain(&call, cause)),
            Err(_) => Err(EngineError::TimedOut { what: call.what(), after: limit }),
        }
    }

    pub fn explain(&self, call: &Call, cause: bollard::errors::Error) -> EngineError {
        error::explain(&self.address, call, cause)
    }
}

/// Turns "there is no such thing" into `None`.
pub(super) fn optional<T>(result: Result<T, EngineError>) -> Result<Option<T>, EngineError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(EngineError::Absent { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Fills in for a field the engine always sends but its description leaves optional.
pub(super) fn required<T>(value: Option<T>, field: &str, call: &Call) -> Result<T, EngineError> {
    value.ok_or_else(|| EngineError::Failed {
        what: call.what(),
        message: format!("its answer lacks the field `{field}`"),
    })
}
