//! Certificates as part of a plan. Those of one's own are looked at before anything changes, and installed when the change
//! is sure to be made.

use std::time::Duration;

use futures_util::StreamExt;
use jiff::Timestamp;

use super::acme::day;
use crate::deploy::context::Context;
use crate::deploy::next_release::Decided;
use crate::model::certificate::{self, CertificateFacts, CertificateOffer, CertificateSource, CertificateView};
use crate::model::hostname::Hostname;
use crate::model::issuing::{Certified, CertifyAnswer, CertifyAsk, CertifyRequest};
use crate::model::problem::Problem;
use crate::plan::diff::{Change, PlanView};
use crate::ports::proxy::{Proxy, ProxyError};
use crate::progress::journal::Journal;
use crate::request::change::Deploy;
use crate::settings::{Settings, Tls};

/// Who renews by hand wants to know so much earlier.
const SOON: Duration = Duration::from_hours(14 * 24);

/// Adds to a plan what becomes of the certificates. The one that is to be installed; `None`: nothing is, or it is what is
/// served already.
///
/// # Errors
/// It cannot be used, or hostnames that were given have none.
pub(in crate::deploy) async fn weigh(
    proxy: &dyn Proxy,
    journal: &Journal,
    now: Timestamp,
    deploy: &Deploy,
    serving: Option<&Settings>,
    decided: &mut Decided,
) -> Result<Option<CertificateOffer>, Problem> {
    let settings = &decided.settings;
    if settings.tls != Tls::Custom && deploy.certificate.is_some() {
        return Err(Problem::rejected("unused-certificate", "a certificate goes with `--tls custom` only"));
    }
    if settings.tls == Tls::Off {
        return Ok(None);
    }
    let served = proxy.snapshot().await?.certificates;
    if settings.tls == Tls::Auto {
        let lacking = serving.map(|serving| lacking_still(&served, serving, settings, now)).unwrap_or_default();
        look(proxy, &served, lacking, &mut decided.view).await?;
        return Ok(None);
    }
    let Some(pair) = &deploy.certificate else {
        let asked = deploy.draft.tls.is_some() || !deploy.draft.hosts.is_empty();
        return lacking(&served, settings, asked, journal).map(|()| None);
    };
    let source = CertificateSource::Custom;
    let offer = CertificateOffer { names: settings.hosts.clone(), pair: pair.clone(), source };
    let facts = proxy.check_certificate(offer.clone()).await?;
    let left = facts.not_after.duration_since(now);
    if left.as_secs() < i64::try_from(SOON.as_secs()).unwrap_or(i64::MAX) {
        let days = left.as_hours() / 24;
        let text =
            format!("the certificate for {} expires on {}, in {days} days", settings.primary_host(), facts.not_after);
        journal.warn("certificate-expires-soon", text);
    }
    let mut changes = Vec::new();
    for host in &settings.hosts {
        let before = facts_of(host, &served);
        if before.is_none_or(|before| before.fingerprint != facts.fingerprint) {
            changes.push(Change::certificate(host, before.map(shown), shown(&facts)));
        }
    }
    let news = !changes.is_empty();
    decided.view.add_certificates(changes);
    Ok(news.then_some(offer))
}

/// Names that the app has already and an authority vouches for, without a certificate that is good. A new name's comes
/// with its route.
fn lacking_still(served: &[CertificateView], serving: &Settings, wished: &Settings, now: Timestamp) -> Vec<Hostname> {
    let has = |host: &Hostname| certificate::served(host, served).is_some_and(|facts| now < facts.not_after);
    wished.hosts.iter().filter(|host| serving.hosts.contains(host) && !has(host)).cloned().collect()
}

/// A certificate that could be had now is a difference, though no setting is one. Where a name leads elsewhere there is
/// nothing to do yet, and the plan says so.
async fn look(
    proxy: &dyn Proxy,
    served: &[CertificateView],
    hosts: Vec<Hostname>,
    view: &mut PlanView,
) -> Result<(), Problem> {
    if hosts.is_empty() {
        return Ok(());
    }
    let mut changes = Vec::new();
    let mut answers = proxy.certify(CertifyRequest { hosts, ask: CertifyAsk::Look });
    while let Some(answer) = answers.next().await {
        let CertifyAnswer { host, came } = match answer {
            Ok(answer) => answer,
            // A proxy that does not know the question goes on as it is.
            Err(ProxyError::Failed { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        match came {
            Certified::Obtainable => {
                let before = facts_of(&host, served).map(|facts| format!("expired {}", day(facts.not_after)));
                changes.push(Change::certificate(&host, before, "from the authority".to_owned()));
                let failure = served.iter().find(|view| view.name == host).and_then(|view| view.last_error.as_ref());
                view.remarks.extend(failure.map(|f| format!("the last try for {host} failed: {}", f.message)));
            }
            Certified::Elsewhere { leads } => view
                .remarks
                .push(format!("{host} has no certificate yet: it does not lead to this proxy, it leads to {leads}")),
            _ => {}
        }
    }
    view.add_certificates(changes);
    Ok(())
}

fn facts_of<'a>(host: &Hostname, served: &'a [CertificateView]) -> Option<&'a CertificateFacts> {
    served.iter().find(|view| view.name == *host)?.certificate.as_ref()
}

fn shown(facts: &CertificateFacts) -> String {
    format!("until {}, {}", day(facts.not_after), facts.source)
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
    /// Before the commit, so that what fails still changes nothing else. Whether there was one.
    pub(in crate::deploy) async fn install_certificate(&mut self) -> Result<bool, Problem> {
        let Some(offer) = self.certificate.take() else { return Ok(false) };
        self.proxy.install_certificate(offer).await?;
        Ok(true)
    }
}
