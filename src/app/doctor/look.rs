//! One look of an examination: how long it may take, and what is reported of it.

use std::time::Duration;

use crate::doctor::finding::Finding;
use crate::model::problem::Problem;

/// How an examination is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    /// Whether it is counted what images, containers and volumes take on the disk. The engine may need minutes for it.
    pub disk: bool,
    /// How long each look may take.
    pub limit: Duration,
}

impl Default for Looks {
    fn default() -> Self {
        Self { disk: true, limit: Duration::from_secs(10) }
    }
}

/// What an examination reports while it goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// A look has begun: at what.
    Begun(String),
    /// That look has ended.
    Ended(String),
    /// Something was found.
    Found(Box<Finding>),
}

/// Who hears of it. It is called from within the examination, and must not wait.
pub type Report<'a> = dyn Fn(Seen) + Send + Sync + 'a;

/// The code of a [`Problem`] whose cause is that the engine did not answer in time.
const TIMED_OUT: &str = "engine-timeout";

/// Makes looks.
pub(super) struct Look<'a> {
    limit: Duration,
    report: &'a Report<'a>,
}

impl<'a> Look<'a> {
    pub(super) fn new(limit: Duration, report: &'a Report<'a>) -> Self {
        Self { limit, report }
    }

    /// Waits for an answer; `None`: there was none in time, which is reported as a problem.
    ///
    /// # Errors
    /// Whatever else went wrong.
    pub(super) async fn within<T, E: Into<Problem>>(
        &self,
        what: &str,
        asked: impl Future<Output = Result<T, E>>,
    ) -> Result<Option<T>, Problem> {
        let answer = self.timed(what, asked).await?;
        if answer.is_none() {
            self.found([Finding::unseen(what, self.late(what))]);
        }
        Ok(answer)
    }

    /// The same, with nothing reported of an answer that did not come in time.
    ///
    /// # Errors
    /// Whatever else went wrong.
    pub(super) async fn timed<T, E: Into<Problem>>(
        &self,
        what: &str,
        asked: impl Future<Output = Result<T, E>>,
    ) -> Result<Option<T>, Problem> {
        (self.report)(Seen::Begun(what.to_owned()));
        let answer = tokio::time::timeout(self.limit, asked).await;
        (self.report)(Seen::Ended(what.to_owned()));
        match answer {
            Ok(Ok(answer)) => Ok(Some(answer)),
            Ok(Err(error)) => {
                let problem = error.into();
                if problem.code == TIMED_OUT { Ok(None) } else { Err(problem) }
            }
            Err(_) => Ok(None),
        }
    }

    /// Says that there was no answer in time.
    pub(super) fn late(&self, what: &str) -> String {
        format!("{what}: no answer within {} seconds", self.limit.as_secs_f64())
    }

    /// Reports findings, those that are wrong first.
    pub(super) fn found(&self, findings: impl IntoIterator<Item = Finding>) {
        let mut findings: Vec<Finding> = findings.into_iter().collect();
        findings.sort_by(Finding::worst_first);
        findings.into_iter().for_each(|finding| (self.report)(Seen::Found(Box::new(finding))));
    }
}
