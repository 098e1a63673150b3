//! Certificates for people and scripts: `show`, `status --json` and `proxy status`.

use jiff::Timestamp;
use serde::Serialize;

use once_app::{CertificateView, IssuingState};
use once_text::words;

/// A hostname's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CertificateObject {
    host: String,
    /// `valid`, `pending`, `waiting`, `failing`, `expired`.
    state: String,
    /// `acme`, `custom`; `null`: there is none yet.
    source: Option<String>,
    issuer: Option<String>,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
    /// When something is next done about it.
    next: Option<Timestamp>,
    /// Where the name leads, while it does not lead here.
    leads: Option<String>,
    /// Stable, while something is wrong.
    code: Option<String>,
    error: Option<String>,
    error_at: Option<Timestamp>,
}

impl CertificateObject {
    pub(crate) fn new(view: &CertificateView, now: Timestamp) -> Self {
        let facts = view.certificate.as_ref();
        let issuing = view.issuing.as_ref();
        let error = view.last_error.as_ref();
        Self {
            host: view.name.to_string(),
            state: view.state(now).to_string(),
            source: facts.map(|f| f.source.to_string()),
            issuer: facts.map(|f| f.issuer.clone()),
            not_before: facts.map(|f| f.not_before),
            not_after: facts.map(|f| f.not_after),
            next: issuing.and_then(|i| i.next),
            leads: issuing.and_then(|i| i.leads.clone()),
            code: issuing.and_then(|i| i.code.clone()),
            error: error.map(|e| e.message.clone()),
            error_at: error.map(|e| e.at),
        }
    }
}

/// A line for people: what is served, and how the getting of it stands where it is got.
pub(crate) fn told(view: &CertificateView, now: Timestamp) -> String {
    match view.issuing {
        None => words::certificate(view, now),
        Some(_) => format!("{}: {}", view.name, line(view, now)),
    }
}

fn line(view: &CertificateView, now: Timestamp) -> String {
    let minute = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
    let next = view.issuing.as_ref().and_then(|issuing| issuing.next);
    let state = view.state(now);
    let mut text = match (&view.certificate, state) {
        (Some(facts), IssuingState::Valid) => {
            let renewal =
                next.filter(|_| view.last_error.is_none()).map(|at| format!(", renewed about {}", minute(at)));
            format!("valid until {}{}, from {}", minute(facts.not_after), renewal.unwrap_or_default(), facts.issuer)
        }
        (Some(facts), _) => format!("expired {}", minute(facts.not_after)),
        (None, IssuingState::Waiting) => "waiting: the name does not lead here".to_owned(),
        (None, state) => state.to_string(),
    };
    if let Some(leads) = view.issuing.as_ref().and_then(|issuing| issuing.leads.as_deref()) {
        text = format!("{text}; it leads to {leads}");
    }
    if let Some(error) = &view.last_error {
        text = format!("{text}; {}: {}", minute(error.at), error.message);
    }
    match next.filter(|_| state != IssuingState::Valid || view.last_error.is_some()) {
        Some(at) => format!("{text}; looked at again at {}", minute(at)),
        None => text,
    }
}

/// What somebody should look at; a name that waits for its DNS is not one.
pub(crate) fn finding(view: &CertificateView, now: Timestamp) -> Option<String> {
    match view.state(now) {
        IssuingState::Failing | IssuingState::Expired => {
            Some(format!("the certificate of {}: {}", view.name, line(view, now)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use once_app::{CertificateFacts, CertificateFailure, CertificateSource, Issuing};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn view() -> CertificateView {
        CertificateView {
            name: "shop.example.com".parse().unwrap(),
            certificate: None,
            last_error: None,
            issuing: Some(Issuing { state: IssuingState::Pending, next: None, leads: None, code: None }),
        }
    }

    #[test]
    fn lines_say_what_is_next_and_what_is_wrong() {
        let now = at("2026-03-01T00:00:00Z");
        let mut shown = view();
        assert_eq!(line(&shown, now), "pending");
        shown.issuing = Some(Issuing {
            state: IssuingState::Waiting,
            next: Some(at("2026-03-01T00:01:00Z")),
            leads: Some("203.0.113.9, where something else answers (404)".into()),
            code: None,
        });
        assert_eq!(
            line(&shown, now),
            "waiting: the name does not lead here; it leads to 203.0.113.9, where something else answers (404); \
             looked at again at 2026-03-01 00:01 UTC"
        );
        assert_eq!(finding(&shown, now), None);
        shown.certificate = Some(CertificateFacts {
            names: vec!["shop.example.com".into()],
            not_before: at("2026-02-01T00:00:00Z"),
            not_after: at("2026-05-02T00:00:00Z"),
            issuer: "R11".into(),
            source: CertificateSource::Acme,
            obtained_at: at("2026-02-01T00:00:00Z"),
            fingerprint: String::new(),
        });
        shown.issuing = Some(Issuing {
            state: IssuingState::Valid,
            next: Some(at("2026-04-01T00:00:00Z")),
            leads: None,
            code: None,
        });
        let fine = "valid until 2026-05-02 00:00 UTC, renewed about 2026-04-01 00:00 UTC, from R11";
        assert_eq!(line(&shown, now), fine);
        shown.last_error =
            Some(CertificateFailure { at: at("2026-02-28T00:00:00Z"), message: "no answer".into(), next_try: None });
        assert!(line(&shown, now).contains("2026-02-28 00:00 UTC: no answer; looked at again"));
        let late = at("2026-05-03T00:00:00Z");
        shown.issuing = Some(Issuing { state: IssuingState::Failing, next: None, leads: None, code: None });
        assert!(finding(&shown, late).unwrap().contains("expired 2026-05-02"));
    }
}
