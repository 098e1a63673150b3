//! Certificates during a change: obtained before visitors are sent to a name, proven after.

use std::collections::BTreeMap;
use std::net::IpAddr;

use futures_util::StreamExt;
use jiff::Timestamp;

use crate::deploy::context::Context;
use crate::host::installation::Installation;
use crate::model::hostname::Hostname;
use crate::model::issuing::{Certified, CertifyAsk, CertifyRequest, NoCertificate};
use crate::model::problem::Problem;
use crate::ports::proxy::{Proxy, ProxyError};
use crate::progress::event::{Event, Outcome, Step};
use crate::progress::journal::Journal;
use crate::request::change::{Ask, Deploy};
use crate::settings::{Settings, Tls};

/// The names an authority is asked for, as far as that can be told without asking it. The steps of a change are
/// planned by it.
pub(crate) async fn certifiable(proxy: Option<&dyn Proxy>, settings: &Settings) -> Result<Vec<Hostname>, Problem> {
    if settings.tls != Tls::Auto || settings.hosts.iter().all(|host| host.certifiable(false).is_err()) {
        return Ok(Vec::new());
    }
    let public = match proxy {
        None => true,
        Some(proxy) => match proxy.config().await {
            Ok(config) => config.acme.directory.is_none(),
            // One that does not know the question knows the internet's authority at most.
            Err(ProxyError::Failed { .. }) => true,
            Err(error) => return Err(error.into()),
        },
    };
    Ok(settings.hosts.iter().filter(|host| host.certifiable(public).is_ok()).cloned().collect())
}

/// Says which names are served without TLS though the app's others are not. On demand each name below one gets its own.
pub(crate) fn warn_about_wildcards(journal: &Journal, settings: &Settings) {
    if settings.tls != Tls::Auto || settings.web.tls_on_demand.is_some() {
        return;
    }
    for host in settings.hosts.iter().filter(|host| host.certifiable(true) == Err(NoCertificate::Wildcard)) {
        journal.warn(
            "wildcard-without-certificate",
            format!("{host} is served over plain HTTP: a wildcard needs a certificate of your own"),
        );
    }
}

impl Context<'_> {
    /// Gets the certificates of the names before visitors are sent there; whether there was a new one. What cannot be had
    /// yet is a warning, or the end of the change with `--require-tls`.
    pub(crate) async fn obtain_certificates(&self, settings: &Settings) -> Result<bool, Problem> {
        let hosts = certifiable(Some(&*self.proxy), settings).await?;
        self.insist_on_tls(settings, &hosts)?;
        if hosts.is_empty() {
            return Ok(false);
        }
        let mut news = false;
        let work = async {
            let (mut good, mut missing) = (Vec::new(), Vec::new());
            for (host, came) in self.ask(&hosts, CertifyAsk::Obtain, Step::Certificate).await? {
                match came {
                    Certified::Kept { not_after } => good.push(format!("{host} until {}", day(not_after))),
                    Certified::Obtained { not_after } => {
                        news = true;
                        good.push(format!("{host} until {}, new", day(not_after)));
                    }
                    other => missing.push((host, other)),
                }
            }
            if !missing.is_empty() && self.requires_tls() {
                return Err(refusal(&missing));
            }
            if missing.is_empty() {
                return Ok((Vec::new(), good.join(", ")));
            }
            let names: Vec<&str> = missing.iter().map(|(host, _)| host.as_str()).collect();
            good.push(format!("none yet for {}", names.join(", ")));
            Ok((missing, good.join(", ")))
        };
        let missing = self.journal.step(Step::Certificate, self.until_stopped(work)).await?;
        for (host, came) in missing {
            let (code, text) = warning(self.installation, &host, &came).await?;
            self.journal.warn(code, text);
        }
        Ok(news)
    }

    /// Looks through the public names at what is served there now. The change is made; what is wrong is a warning.
    pub(crate) async fn prove_certificates(&self, settings: &Settings) {
        let hosts = match certifiable(Some(&*self.proxy), settings).await {
            Ok(hosts) if hosts.is_empty() => return,
            Ok(hosts) => hosts,
            Err(problem) => return self.journal.warn("certificate-unproven", problem.to_string()),
        };
        let work = async {
            let mut wrong = Vec::new();
            let mut proven = Vec::new();
            for (host, came) in self.ask(&hosts, CertifyAsk::Prove, Step::Proof).await? {
                match came {
                    Certified::Proven => proven.push(host.to_string()),
                    // Said before: there is none yet.
                    Certified::Failed { code, .. } if code == "no-certificate" => {}
                    Certified::Failed { message, .. } => wrong.push(format!("https://{host}: {message}")),
                    _ => {}
                }
            }
            let detail = match (proven.is_empty(), wrong.is_empty()) {
                (false, _) => format!("a handshake through the public name shows it: {}", proven.join(", ")),
                (true, true) => "there is no certificate yet".to_owned(),
                (true, false) => "not through the public name".to_owned(),
            };
            Ok::<_, Problem>((wrong, detail))
        };
        match self.journal.step(Step::Proof, work).await {
            Ok(wrong) => wrong.into_iter().for_each(|text| self.journal.warn("certificate-unproven", text)),
            Err(problem) => self.journal.warn("certificate-unproven", problem.to_string()),
        }
    }

    /// Each host's answer, in the order they were asked for.
    async fn ask(
        &self,
        hosts: &[Hostname],
        ask: CertifyAsk,
        step: Step,
    ) -> Result<Vec<(Hostname, Certified)>, Problem> {
        let mut came = BTreeMap::new();
        let mut answers = self.proxy.certify(CertifyRequest { hosts: hosts.to_vec(), ask });
        while let Some(answer) = answers.next().await {
            let answer = match answer {
                Ok(answer) => answer,
                // A proxy from before there were certificates.
                Err(ProxyError::Failed { message, .. }) => {
                    let message = format!("this proxy gets no certificates: {message}; `--upgrade-proxy` replaces it");
                    let failed = Certified::Failed { code: "old-proxy".to_owned(), message };
                    return Ok(hosts.iter().map(|host| (host.clone(), failed.clone())).collect());
                }
                Err(error) => return Err(error.into()),
            };
            match answer.came {
                Certified::Progress { text } => self.journal.write(Event::Progress {
                    step,
                    text: format!("{}: {text}", answer.host),
                    done: Some(came.len() as u64),
                    total: Some(hosts.len() as u64),
                }),
                other => drop(came.insert(answer.host, other)),
            }
        }
        let lost = || Certified::Failed { code: "no-answer".into(), message: "the proxy did not say".into() };
        Ok(hosts.iter().map(|host| (host.clone(), came.remove(host).unwrap_or_else(lost))).collect())
    }

    fn requires_tls(&self) -> bool {
        matches!(&self.job.ask, Ask::Deploy(deploy) if deploy.require_tls)
    }

    /// With `--require-tls` a name without a certificate must not pass because none is asked for.
    fn insist_on_tls(&self, settings: &Settings, asked: &[Hostname]) -> Result<(), Problem> {
        if !self.requires_tls() || settings.tls == Tls::Custom {
            return Ok(());
        }
        // Beside public names a local one may stand: nobody could vouch for it.
        let without =
            settings.hosts.iter().filter(|host| asked.is_empty() || !host.is_local() && !asked.contains(host));
        let without: Vec<&str> = without.map(Hostname::as_str).collect();
        if without.is_empty() {
            return Ok(());
        }
        let message = format!("no certificate is asked for, for {}", without.join(", "));
        Err(Problem::new(Outcome::Failed, "no-certificate", message).hint(
            "an authority gives certificates for names of the public internet only, and `--tls off` asks for none",
        ))
    }
}

/// A deploy that changes nothing still proves what `--require-tls` asks for.
pub(crate) const fn asks_anyway(deploy: &Deploy) -> bool {
    deploy.require_tls
}

pub(in crate::deploy) fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

fn refusal(missing: &[(Hostname, Certified)]) -> Problem {
    let names: Vec<&str> = missing.iter().map(|(host, _)| host.as_str()).collect();
    let message = format!("there is no certificate for {}, and --require-tls asks for one", names.join(", "));
    let mut problem = Problem::new(Outcome::Failed, "no-certificate", message);
    for (host, came) in missing {
        problem.causes.push(why(host, came));
    }
    problem.retryable = true;
    problem.hint("without --require-tls the app is served over plain HTTP until the certificate is there")
}

fn why(host: &Hostname, came: &Certified) -> String {
    match came {
        Certified::Elsewhere { leads } => format!("{host} does not lead to this proxy yet: it leads to {leads}"),
        Certified::Failed { message, .. } => format!("{host}: {message}"),
        Certified::NotWanted { why } => format!("{host}: {why}"),
        _ => format!("{host}: no answer"),
    }
}

/// What to say about a name that is served without a certificate for now.
async fn warning(
    installation: &Installation,
    host: &Hostname,
    came: &Certified,
) -> Result<(&'static str, String), Problem> {
    let why = why(host, came);
    Ok(match came {
        Certified::Elsewhere { .. } => {
            let port = installation.public_ports().await?.http;
            let shown = if port == 80 { String::new() } else { format!(":{port}") };
            let here = address(&installation.engine.info().await?);
            let text = format!(
                "{why}; it is served over plain HTTP until it does, and its certificate is fetched within a minute of \
                 it; to try the app before: curl --resolve {host}:{port}:{here} http://{host}{shown}/"
            );
            ("name-leads-elsewhere", text)
        }
        Certified::NotWanted { .. } => ("no-certificate", format!("{why}; it is served over plain HTTP")),
        _ => ("certificate-failed", format!("{why}; it is served over plain HTTP, and tried again by itself")),
    })
}

/// The engine's host for `curl`, where its address tells it.
fn address(info: &crate::ports::engine::EngineInfo) -> String {
    if info.local {
        return "127.0.0.1".to_owned();
    }
    let host = info.address.split_once("://").map_or("", |(_, rest)| rest);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host.split(['/', ':']).next().unwrap_or_default();
    if host.parse::<IpAddr>().is_ok() { host.to_owned() } else { "ADDRESS-OF-THE-SERVER".to_owned() }
}

/// It is never replaced unasked.
pub(crate) fn warn_about_version(journal: &Journal, proxy: &str) {
    let ours = env!("CARGO_PKG_VERSION");
    if proxy != ours {
        let text = format!(
            "the proxy is version {proxy}, this command {ours}; `once proxy upgrade` brings it up without a gap"
        );
        journal.warn("proxy-version", text);
    }
}
