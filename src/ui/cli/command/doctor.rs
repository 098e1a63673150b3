//! `doctor`: what is wrong on this host, why it matters, which command mends it. Exits 10 when something is.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{UdpSocket, lookup_host};

use crate::app::event::Outcome;
use crate::app::{Ask, Finding, Fix, Hostname, Lookup, Problem, Severity, examine, names, public_names};
use crate::ui::cli::args::DoctorArgs;
use crate::ui::cli::change;
use crate::ui::cli::output::{BAD, GOOD, STRONG, styled};
use crate::ui::cli::session::{Session, selector};
use crate::ui::{sanitize, words};

use super::{Answer, FINDINGS};

/// A resolver that says nothing for this long has no answer.
const LOOKUP: Duration = Duration::from_secs(5);

/// Findings of one `--fix` may uncover others: an orphan's app, once adopted, may have strays.
const ROUNDS: usize = 3;

pub(crate) async fn doctor(session: &mut Session<'_>, args: &DoctorArgs) -> Answer {
    let mut findings = find(session).await?;
    if args.fix {
        for _ in 0..ROUNDS {
            if !fix(session, &findings, args.wait.wait).await? {
                break;
            }
            findings = find(session).await?;
        }
    }
    tell(session, &findings);
    let wrong = findings.iter().any(|f| f.severity == Severity::Problem);
    Ok(if wrong { FINDINGS } else { 0 })
}

async fn find(session: &Session<'_>) -> Result<Vec<Finding>, Problem> {
    let at = session.installation().await?;
    let (inventory, mut findings) = examine(&at).await?;
    let lookups = futures_util::future::join_all(public_names(&inventory).into_iter().map(look_up)).await;
    findings.extend(names(&inventory, &lookups));
    findings.sort_by_key(|f| f.severity);
    Ok(findings)
}

async fn look_up(host: Hostname) -> Lookup {
    let asked = tokio::time::timeout(LOOKUP, lookup_host((host.to_string(), 0))).await;
    let found = match asked {
        Err(_) => Err("the resolver does not answer".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(addresses)) => {
            let mut all = Vec::new();
            for ip in addresses.map(|address| address.ip()) {
                all.push((ip, is_ours(ip).await));
            }
            Ok(all)
        }
    };
    Lookup { host, found }
}

/// Whether the kernel takes an address for this machine's own. Nothing is sent.
async fn is_ours(ip: IpAddr) -> bool {
    let any: SocketAddr = if ip.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let Ok(socket) = UdpSocket::bind(any).await else { return false };
    socket.connect((ip, 9)).await.is_ok() && socket.local_addr().is_ok_and(|local| local.ip() == ip)
}

/// Mends what needs nobody's judgement, each through the app's own lock. Whether anything was tried.
async fn fix(session: &mut Session<'_>, findings: &[Finding], wait: u64) -> Result<bool, Problem> {
    let mut fixes: Vec<&Fix> = Vec::new();
    for fix in findings.iter().filter_map(|f| f.fix.as_ref()) {
        if !fixes.contains(&fix) {
            fixes.push(fix);
        }
    }
    let mut tried = false;
    for fix in fixes {
        let ask = match fix {
            Fix::Adopt { container } => Ask::Adopt { container: container.clone(), wish: Box::default() },
            Fix::Start { app } => Ask::Start { app: selector(app.as_str()) },
            Fix::Restart { app } => Ask::Restart { app: selector(app.as_str()) },
            Fix::Tidy { app } => Ask::Tidy { app: selector(app.as_str()) },
        };
        let ended = change::run(session, ask, wait).await?;
        // One that could not be mended is found again, and told with its reason above.
        tried |= matches!(ended.finished.outcome, Outcome::Created | Outcome::Updated);
    }
    Ok(tried)
}

fn tell(session: &mut Session<'_>, findings: &[Finding]) {
    if session.out.is_json() {
        for finding in findings {
            session.out.object(finding);
        }
        return;
    }
    for finding in findings {
        let mark = match finding.severity {
            Severity::Problem => styled(BAD, "✕"),
            Severity::Remark => "·".to_owned(),
        };
        let kind = styled(STRONG, &finding.kind.to_string());
        session.out.data(&format!("{mark} {kind}: {}", sanitize::line(&finding.what)));
        session.out.data(&format!("    why: {}", sanitize::line(&finding.why)));
        for command in &finding.mend {
            session.out.data(&format!("    try: {}", sanitize::line(command)));
        }
    }
    let problems = findings.iter().filter(|f| f.severity == Severity::Problem).count();
    let fixable = findings.iter().filter(|f| f.fix.is_some()).count();
    session.out.say(&match (problems, fixable) {
        (0, _) => format!("{} all is well", styled(GOOD, "✓")),
        (n, 0) => words::count(n, "problem", "problems"),
        (n, _) => format!("{}; `once doctor --fix` mends {fixable}", words::count(n, "problem", "problems")),
    });
}
