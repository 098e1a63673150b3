//! `doctor`: what is wrong on this host, why it matters, which command mends it. Exits 10 when something is; without an
//! engine, as every command then.

use crate::app::event::Outcome;
use crate::app::{Finding, Fix, Problem, Severity, without_engine};
use crate::ui::cli::args::DoctorArgs;
use crate::ui::cli::change;
use crate::ui::cli::output::{BAD, GOOD, STRONG, styled};
use crate::ui::cli::session::Session;
use crate::ui::examination::findings;
use crate::ui::{sanitize, words};

use super::{Answer, FINDINGS};

/// Findings of one `--fix` may uncover others: an orphan's app, once adopted, may have strays.
const ROUNDS: usize = 3;

pub(crate) async fn doctor(session: &mut Session<'_>, args: &DoctorArgs) -> Answer {
    let mut findings = match find(session).await {
        Ok(findings) => findings,
        Err(problem) => {
            let Some(found) = without_engine(&problem) else { return Err(problem) };
            tell(session, &[found]);
            return Ok(problem.outcome.exit_code());
        }
    };
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
    findings(&session.installation().await?).await
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
        let ended = change::run(session, fix.ask(), wait).await?;
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
        for line in &finding.details {
            session.out.data(&format!("    {}", sanitize::line(line)));
        }
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
