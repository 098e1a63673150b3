//! What can go wrong on the way to a certificate, told apart by the protocol's types.

use instant_acme::{Error, Problem};
use jiff::SignedDuration;

use super::schedule::Outcome;
use super::transport::Seen;

/// Longer sentences of an authority are cut: they end up in events and tables.
const LONGEST: usize = 400;

/// Why there is no certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// As in [`Issuing::code`](once_app::Issuing::code).
    pub(super) code: &'static str,
    /// In words.
    pub(super) message: String,
    /// For the schedule.
    pub(super) outcome: Outcome,
    /// The authority does not know the account any more, or has closed it.
    pub(super) account_gone: bool,
}

/// How far an order had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Directory, account.
    Before,
    /// The order was being placed, nothing could be looked at yet.
    Placing,
    /// The authority was told to look.
    Looking,
    /// The certificate was asked for.
    Finishing,
}

impl Fault {
    pub(super) fn new(code: &'static str, message: impl Into<String>, outcome: Outcome) -> Self {
        Self { code, message: shortened(message.into()), outcome, account_gone: false }
    }

    /// From the library's error, with what was seen on the wire.
    pub(super) fn of(error: &Error, stage: Stage, seen: &Seen) -> Self {
        let unreachable = |why: String| {
            let message = format!("the authority does not answer: {why}");
            let outcome = if stage >= Stage::Looking { Outcome::Lost } else { Outcome::Unreachable };
            Self::new("authority-unreachable", message, outcome)
        };
        match error {
            Error::Api(problem) => Self::said(problem, stage, seen),
            Error::Other(error) => unreachable(causes(&**error)),
            Error::Timeout(_) => unreachable("it takes too long over the order".to_owned()),
            // A proxy's or a load balancer's page in place of a problem document.
            _ if seen.status.is_none_or(|status| status.is_server_error()) => {
                let status = seen.status.map_or_else(|| error.to_string(), |status| status.to_string());
                unreachable(status)
            }
            other => Self::new("rejected", format!("the authority's answer makes no sense: {other}"), Outcome::Failed),
        }
    }

    /// The authority's own word.
    fn said(problem: &Problem, stage: Stage, seen: &Seen) -> Self {
        let kind = problem.r#type.as_deref().unwrap_or_default();
        let kind = kind.strip_prefix("urn:ietf:params:acme:error:").unwrap_or(kind);
        let detail = sentence(problem);
        match kind {
            "rateLimited" => {
                let wait = seen.retry_after.filter(|wait| *wait > SignedDuration::ZERO);
                Self::new(
                    "rate-limited",
                    format!("the authority wants fewer orders: {detail}"),
                    Outcome::RateLimited(wait),
                )
            }
            "accountDoesNotExist" => {
                let message = format!("the authority does not know this proxy's account: {detail}");
                Self { account_gone: true, ..Self::new("account", message, Outcome::Failed) }
            }
            // Of an order that is placed it says that the account may not; of a name, that the proof was wrong.
            "unauthorized" if stage <= Stage::Placing => {
                let message = format!("the authority has closed this proxy's account: {detail}");
                Self { account_gone: true, ..Self::new("account", message, Outcome::Failed) }
            }
            "externalAccountRequired" => {
                let message = format!(
                    "the authority wants an account of its own first: {detail}; `once proxy configure` takes it with \
                     --acme-eab-kid and --acme-eab-key"
                );
                Self::new("account", message, Outcome::Failed)
            }
            "invalidContact" | "unsupportedContact" | "userActionRequired" | "badSignatureAlgorithm" => {
                Self::new("account", format!("the authority turned the account down: {detail}"), Outcome::Failed)
            }
            "serverInternal" => {
                let message = format!("the authority has trouble of its own: {detail}");
                let outcome = if stage >= Stage::Looking { Outcome::Lost } else { Outcome::Unreachable };
                Self::new("authority-unreachable", message, outcome)
            }
            "rejectedIdentifier" | "unsupportedIdentifier" | "malformed" | "badCSR" | "orderNotReady" => {
                Self::new("rejected", format!("the authority gives none for this name: {detail}"), Outcome::Failed)
            }
            _ if stage == Stage::Before => {
                Self::new("account", format!("the authority turned the account down: {detail}"), Outcome::Failed)
            }
            _ => Self::new("not-validated", format!("the authority is not convinced: {detail}"), Outcome::NotValidated),
        }
    }
}

/// The detail, and those of the parts it was put together from.
pub(super) fn sentence(problem: &Problem) -> String {
    let details = std::iter::once(problem.detail.as_deref())
        .chain(problem.subproblems.iter().map(|part| part.detail.as_deref()))
        .flatten();
    let text = details.collect::<Vec<_>>().join("; ");
    if text.is_empty() { problem.r#type.clone().unwrap_or_else(|| "it gives no reason".to_owned()) } else { text }
}

/// An error and all that is behind it.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut at = error.source();
    while let Some(error) = at {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        at = error.source();
    }
    text
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
