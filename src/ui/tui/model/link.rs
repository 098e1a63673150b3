//! A connection that can be down: its last content stays, with the reason and the time of the next try.

use jiff::Timestamp;

use once_app::Problem;

/// How a connection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    /// No answer yet.
    Connecting,
    /// There is nothing to connect to, and that is fine: nothing was ever deployed here.
    Absent,
    /// It answers.
    Up,
    /// It does not.
    Down {
        /// Why.
        reason: Box<Problem>,
        /// The next try.
        retry_at: Timestamp,
    },
}

impl Link {
    /// Whether what is shown is as of now.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self, Self::Up)
    }

    /// Why it is down.
    pub(crate) fn reason(&self) -> Option<(&Problem, Timestamp)> {
        match self {
            Self::Down { reason, retry_at } => Some((reason, *retry_at)),
            _ => None,
        }
    }
}
