//! What is wrong with certificates, or soon will be. Pure.

use jiff::{SignedDuration, Timestamp};

use crate::doctor::finding::{Finding, Kind};
use crate::host::inventory::Inventory;
use crate::model::certificate::{CertificateFacts, CertificateSource, CertificateView, served};
use crate::model::hostname::Hostname;
use crate::model::issuing::IssuingState;
use crate::model::name::AppName;
use crate::settings::{Settings, Tls};

/// With less than this left somebody has to do something: authorities give 90 days and more, and renewal begins when a
/// third of it is left; one's own has to be made by hand.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A certificate that is given for a few days only is not near its end all the time.
const SHARE: f64 = 0.2;

/// What is to be said of the certificates of all apps.
pub(super) fn certificates(inventory: &Inventory, now: Timestamp) -> Vec<Finding> {
    let all = inventory.snapshot.as_ref().map(|s| s.certificates.as_slice()).unwrap_or_default();
    let mut found = Vec::new();
    for app in &inventory.apps {
        let Some(settings) = app.record.settings().filter(|s| s.tls != Tls::Off) else { continue };
        for host in &settings.hosts {
            found.extend(of_host(&app.record.name, settings, host, all, now));
        }
    }
    found
}

fn of_host(
    app: &AppName,
    settings: &Settings,
    host: &Hostname,
    all: &[CertificateView],
    now: Timestamp,
) -> Option<Finding> {
    let view = all.iter().find(|view| view.name == *host);
    let finding = match served(host, all) {
        Some(facts) if facts.not_after <= now => over(app, settings, host, facts, view),
        Some(facts) if !facts.names.iter().any(|name| covers(name, host)) => {
            let what = format!("the certificate of {host} is for {}", facts.names.join(", "));
            let why = "browsers refuse it: visitors see a warning instead of the app";
            Finding::problem(Kind::Certificate, host.as_str(), what, why).mend(own(app, settings))
        }
        Some(facts) => ending(app, settings, host, facts, view, now)?,
        None if settings.tls == Tls::Custom => {
            let what = format!("{host} has no certificate, and `tls custom` obtains none");
            let why = "nobody gets through to it over HTTPS";
            Finding::problem(Kind::Certificate, host.as_str(), what, why).mend(own(app, settings))
        }
        None => missing(app, settings, host, view?)?,
    };
    Some(finding.of(app))
}

fn covers(name: &str, host: &Hostname) -> bool {
    let above = host.as_str().split_once('.').map(|(_, rest)| format!("*.{rest}"));
    name.eq_ignore_ascii_case(host.as_str()) || above.is_some_and(|above| name.eq_ignore_ascii_case(&above))
}

/// It ran out.
fn over(
    app: &AppName,
    settings: &Settings,
    host: &Hostname,
    facts: &CertificateFacts,
    view: Option<&CertificateView>,
) -> Finding {
    let what = format!("the certificate of {host} expired on {}{}", day(facts.not_after), because(view));
    let why = "browsers refuse it: visitors see a warning instead of the app";
    Finding::problem(Kind::Certificate, host.as_str(), what, why).mend(mend(app, settings, facts.source))
}

/// It is near its end, or its renewal fails.
fn ending(
    app: &AppName,
    settings: &Settings,
    host: &Hostname,
    facts: &CertificateFacts,
    view: Option<&CertificateView>,
    now: Timestamp,
) -> Option<Finding> {
    let left = facts.not_after.duration_since(now);
    let life = facts.not_after.duration_since(facts.not_before).max(SignedDuration::ZERO);
    let soon = left < SOON.min(life.mul_f64(SHARE));
    let failing = view.and_then(|view| view.last_error.as_ref()).is_some();
    let until = day(facts.not_after);
    let why = "without another one browsers refuse the app from then on";
    let finding = |what: String, severe: bool| {
        let subject = host.as_str();
        let found = match severe {
            true => Finding::problem(Kind::Certificate, subject, what, why),
            false => Finding::remark(Kind::Certificate, subject, what, why),
        };
        Some(found.mend(mend(app, settings, facts.source)))
    };
    match (failing, soon) {
        (true, _) => finding(
            format!("the certificate of {host} is good until {until}, and its renewal fails{}", because(view)),
            soon,
        ),
        (false, true) => finding(format!("the certificate of {host} ends on {until}"), true),
        (false, false) => None,
    }
}

/// There is none yet.
fn missing(app: &AppName, settings: &Settings, host: &Hostname, view: &CertificateView) -> Option<Finding> {
    let issuing = view.issuing.as_ref()?;
    let why = "it is served over plain HTTP until there is one";
    match issuing.state {
        IssuingState::Waiting => {
            let leads = issuing.leads.as_deref().unwrap_or("somewhere else");
            let what = format!("{host} has no certificate yet: it leads to {leads}");
            let found = Finding::remark(Kind::Certificate, host.as_str(), what, why);
            Some(found.mend(format!("let {host} lead to this machine: its certificate is fetched within a minute")))
        }
        IssuingState::Failing | IssuingState::Expired => {
            let what = format!("{host} has no certificate{}", because(Some(view)));
            let clock = issuing.code.as_deref() == Some("clock-skew");
            let command = if clock { "timedatectl set-ntp true".to_owned() } else { again(app, settings) };
            Some(Finding::problem(Kind::Certificate, host.as_str(), what, why).mend(command))
        }
        IssuingState::Pending | IssuingState::Valid => None,
    }
}

fn because(view: Option<&CertificateView>) -> String {
    let Some(failure) = view.and_then(|view| view.last_error.as_ref()) else { return String::new() };
    let next = failure.next_try.map(|at| format!("; tried again at {}", at.strftime("%Y-%m-%d %H:%M UTC")));
    format!(": {}{}", failure.message, next.unwrap_or_default())
}

fn mend(app: &AppName, settings: &Settings, source: CertificateSource) -> String {
    match (source, settings.tls) {
        (CertificateSource::Acme, Tls::Auto) => again(app, settings),
        _ => own(app, settings),
    }
}

/// Asks the authority now, whatever the back-off says, and tells how it goes.
fn again(app: &AppName, settings: &Settings) -> String {
    format!("once deploy {} --name {} --require-tls", settings.image, app)
}

fn own(app: &AppName, settings: &Settings) -> String {
    format!("once deploy {} --name {} --tls custom --tls-cert FILE --tls-key FILE", settings.image, app)
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity;
    use crate::{CertificateFailure, Draft, Issuing};

    const HOST: &str = "shop.example.com";

    fn at(day: &str) -> Timestamp {
        format!("{day}T00:00:00Z").parse().unwrap()
    }

    fn view(source: CertificateSource, names: &str, until: &str) -> CertificateView {
        let facts = CertificateFacts {
            names: vec![names.into()],
            not_before: at("2026-01-01"),
            not_after: at(until),
            issuer: "an authority".into(),
            source,
            obtained_at: at("2026-01-01"),
            fingerprint: "00".into(),
        };
        CertificateView { name: HOST.parse().unwrap(), certificate: Some(facts), last_error: None, issuing: None }
    }

    fn none(state: IssuingState, code: &str) -> CertificateView {
        let leads = Some("203.0.113.9".to_owned());
        let issuing = Some(Issuing { state, next: None, leads, code: Some(code.into()) });
        CertificateView { name: HOST.parse().unwrap(), certificate: None, last_error: None, issuing }
    }

    fn failed(mut view: CertificateView) -> CertificateView {
        let next_try = Some(at("2026-06-02"));
        view.last_error = Some(CertificateFailure { at: at("2026-06-01"), message: "refused".into(), next_try });
        view
    }

    /// What is said of one name on the first of June.
    fn said(tls: Tls, views: &[CertificateView]) -> Option<(Severity, String, String)> {
        let mut draft = Draft { image: Some("shop:1".parse().unwrap()), tls: Some(tls), ..Draft::default() };
        draft.hosts = vec![HOST.parse().unwrap()];
        let settings = draft.merge(None, None).unwrap();
        let found = of_host(&"shop".parse().unwrap(), &settings, &settings.hosts[0], views, at("2026-06-01"))?;
        Some((found.severity, found.what, found.mend.join(" ")))
    }

    #[test]
    fn what_is_good_and_what_is_only_new_is_not_said() {
        let (acme, own) = (CertificateSource::Acme, CertificateSource::Custom);
        assert_eq!(said(Tls::Auto, &[view(acme, HOST, "2026-06-30")]), None);
        assert_eq!(said(Tls::Custom, &[view(own, "*.example.com", "2027-01-01")]), None);
        assert_eq!(said(Tls::Auto, &[none(IssuingState::Pending, "")]), None);
        assert_eq!(said(Tls::Auto, &[]), None, "no authority is asked for it");
        let short =
            CertificateFacts { not_before: at("2026-05-29"), ..view(acme, HOST, "2026-06-04").certificate.unwrap() };
        let short = CertificateView { certificate: Some(short), ..view(acme, HOST, "2026-06-04") };
        assert_eq!(said(Tls::Auto, &[short]), None, "it is given for six days");
    }

    #[test]
    fn each_trouble_is_said_with_what_mends_it() {
        let (acme, own) = (CertificateSource::Acme, CertificateSource::Custom);
        let above =
            CertificateView { name: "*.example.com".parse().unwrap(), ..view(own, "*.example.com", "2026-05-01") };
        let (problem, remark) = (Severity::Problem, Severity::Remark);
        for (tls, view, severity, what, mend) in [
            (Tls::Custom, view(own, HOST, "2026-06-10"), problem, "ends on 2026-06-10", "--tls custom --tls-cert"),
            (Tls::Custom, view(own, HOST, "2026-05-10"), problem, "expired on 2026-05-10", "--tls custom --tls-cert"),
            (Tls::Custom, above, problem, "expired on 2026-05-01", "--tls custom --tls-cert"),
            (Tls::Custom, view(own, "other.test", "2027-01-01"), problem, "is for other.test", "--tls custom"),
            (Tls::Custom, none(IssuingState::Pending, ""), problem, "obtains none", "--tls custom --tls-cert"),
            (Tls::Auto, view(acme, HOST, "2026-06-10"), problem, "ends on 2026-06-10", "--require-tls"),
            (
                Tls::Auto,
                failed(view(acme, HOST, "2026-06-30")),
                remark,
                "renewal fails: refused; tried again at 2026-06-02",
                "once deploy shop:1 --name shop --require-tls",
            ),
            (Tls::Auto, failed(view(acme, HOST, "2026-06-10")), problem, "renewal fails", "--require-tls"),
            (Tls::Auto, none(IssuingState::Waiting, ""), remark, "it leads to 203.0.113.9", "within a minute"),
            (
                Tls::Auto,
                failed(none(IssuingState::Failing, "rejected")),
                problem,
                "no certificate: refused",
                "--require-tls",
            ),
            (Tls::Auto, none(IssuingState::Failing, "clock-skew"), problem, "no certificate", "timedatectl"),
        ] {
            let (found, text, command) = said(tls, &[view]).expect(what);
            assert_eq!(found, severity, "{text}");
            assert!(text.contains(what) && command.contains(mend), "{text} / {command}");
        }
    }
}
