//! Certificates of one's own: looked at before anything changes, installed when the change is sure to be made.

use std::time::Duration;

use jiff::Timestamp;

use super::context::Context;
use crate::app::certificate::{CertificateOffer, CertificateView};
use crate::app::job::Deploy;
use crate::app::journal::Journal;
use crate::app::problem::Problem;
use crate::app::proxy::Proxy;
use crate::app::settings::{Settings, Tls};

/// Who renews by hand wants to know so much earlier.
const SOON: Duration = Duration::from_hours(14 * 24);

/// The certificate that is to be installed; `None`: nothing is, or it is what is served already.
///
/// # Errors
/// It cannot be used, or hostnames that were given have none.
pub(super) async fn offer(
    proxy: &dyn Proxy,
    journal: &Journal,
    now: Timestamp,
    deploy: &Deploy,
    settings: &Settings,
) -> Result<Option<CertificateOffer>, Problem> {
    if settings.tls != Tls::Custom {
        return match &deploy.certificate {
            Some(_) => Err(Problem::rejected("unused-certificate", "a certificate goes with `--tls custom` only")),
            None => Ok(None),
        };
    }
    let served = proxy.snapshot().await?.certificates;
    let Some(pair) = &deploy.certificate else {
        let asked = deploy.draft.tls.is_some() || !deploy.draft.hosts.is_empty();
        return lacking(&served, settings, asked, journal).map(|()| None);
    };
    let offer = CertificateOffer { names: settings.hosts.clone(), pair: pair.clone() };
    let facts = proxy.check_certificate(offer.clone()).await?;
    let left = facts.not_after.duration_since(now);
    if left.as_secs() < i64::try_from(SOON.as_secs()).unwrap_or(i64::MAX) {
        let days = left.as_hours() / 24;
        let text =
            format!("the certificate for {} expires on {}, in {days} days", settings.primary_host(), facts.not_after);
        journal.warn("certificate-expires-soon", text);
    }
    let same = |view: &CertificateView| view.certificate.as_ref().is_some_and(|c| c.fingerprint == facts.fingerprint);
    let all = settings.hosts.iter().all(|host| served.iter().any(|view| view.name == *host && same(view)));
    Ok((!all).then_some(offer))
}

/// Hostnames without a certificate: an error for who gives hostnames or asks for TLS, a warning for who changes
/// something else.
fn lacking(served: &[CertificateView], settings: &Settings, asked: bool, journal: &Journal) -> Result<(), Problem> {
    let has = |name: &str| served.iter().any(|view| view.name.as_str() == name && view.certificate.is_some());
    let covered = |host: &str| has(host) || host.split_once('.').is_some_and(|(_, rest)| has(&format!("*.{rest}")));
    let Some(host) = settings.hosts.iter().find(|host| !covered(host.as_str())) else { return Ok(()) };
    let message = format!("there is no certificate for {host}, and `--tls custom` obtains none");
    if asked {
        return Err(Problem::rejected("no-certificate", message)
            .hint("give one with `--tls-cert FILE --tls-key FILE`; it has to hold for all hostnames of the app"));
    }
    journal.warn("no-certificate", message);
    Ok(())
}

impl Context<'_> {
    /// Before the commit, so that what fails still changes nothing else.
    pub(super) async fn install_certificate(&mut self) -> Result<(), Problem> {
        if let Some(offer) = self.certificate.take() {
            self.proxy.install_certificate(offer).await?;
        }
        Ok(())
    }
}
