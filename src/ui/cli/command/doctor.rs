//! `doctor`: what is wrong on this host, why it matters, which command mends it. Each finding is printed when it is known.
//! Exits 10 when something is wrong; without an engine, as every command then.

use tokio::sync::mpsc;

use crate::args::DoctorArgs;
use crate::change;
use crate::looking::Looking;
use crate::output::{BAD, GOOD, Output, STRONG, styled};
use crate::session::Session;
use once_app::event::Outcome;
use once_app::{Finding, Fix, Kind, Looks, Problem, Seen, Severity, without_engine};
use once_job::examination::of_host;
use once_text::{sanitize, words};

use super::{Answer, FINDINGS};

/// Findings of one `--fix` may uncover others: an orphan's app, once adopted, may have strays.
const ROUNDS: usize = 3;

pub(crate) async fn doctor(session: &mut Session<'_>, args: &DoctorArgs) -> Answer {
    let mut findings = Vec::new();
    let looked = if args.fix {
        mend(session, args, &mut findings).await
    } else {
        look(session, args, &mut findings, print).await
    };
    if let Err(problem) = looked {
        let Some(found) = without_engine(&problem).filter(|_| findings.is_empty()) else { return Err(problem) };
        print(session.out, &found);
        sum_up(session.out, &[found]);
        return Ok(problem.outcome.exit_code());
    }
    sum_up(session.out, &findings);
    let wrong = findings.iter().any(|f| f.severity == Severity::Problem);
    Ok(if wrong { FINDINGS } else { 0 })
}

/// Looks, mends, and looks again; what is left is printed, those that are wrong first.
async fn mend(session: &mut Session<'_>, args: &DoctorArgs, findings: &mut Vec<Finding>) -> Result<(), Problem> {
    look(session, args, findings, |_, _| {}).await?;
    for _ in 0..ROUNDS {
        if !fix(session, findings, args.wait.wait).await? {
            break;
        }
        findings.clear();
        look(session, args, findings, |_, _| {}).await?;
    }
    findings.sort_by(Finding::worst_first);
    findings.iter().for_each(|finding| print(session.out, finding));
    Ok(())
}

/// Examines the host. Every finding is told when it is known, and is in `findings` also when the examination fails.
async fn look(
    session: &mut Session<'_>,
    args: &DoctorArgs,
    findings: &mut Vec<Finding>,
    tell: impl Fn(&mut Output, &Finding),
) -> Result<(), Problem> {
    let looks = Looks { disk: !args.no_disk, ..Looks::default() };
    let at = session.installation().await?;
    let (tx, mut rx) = mpsc::unbounded_channel();
    let examined = async move {
        // When this is gone, so is the last sender, and nothing more is waited for.
        let report = move |seen| drop(tx.send(seen));
        of_host(&at, looks, &report).await
    };
    let mut looking = Looking::new(session.out);
    let heard = async {
        while let Some(seen) = rx.recv().await {
            match seen {
                Seen::Begun(what) => looking.begun(what),
                Seen::Ended(what) => looking.ended(&what),
                Seen::Found(finding) => {
                    looking.above(|| tell(session.out, &finding));
                    findings.push(*finding);
                }
            }
        }
    };
    tokio::join!(examined, heard).0
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

fn print(out: &mut Output, finding: &Finding) {
    if out.is_json() {
        return out.object(finding);
    }
    let mark = match finding.severity {
        Severity::Problem => styled(BAD, "✕"),
        Severity::Remark => "·".to_owned(),
    };
    let kind = styled(STRONG, &finding.kind.to_string());
    out.data(&format!("{mark} {kind}: {}", sanitize::line(&finding.what)));
    for line in &finding.details {
        out.data(&format!("    {}", sanitize::line(line)));
    }
    out.data(&format!("    why: {}", sanitize::line(&finding.why)));
    for command in &finding.mend {
        out.data(&format!("    try: {}", sanitize::line(command)));
    }
}

fn sum_up(out: &mut Output, findings: &[Finding]) {
    let count = |is: fn(&Finding) -> bool| findings.iter().filter(|f| is(f)).count();
    let problems = count(|f| f.severity == Severity::Problem);
    let fixable = count(|f| f.fix.is_some());
    let unseen = count(|f| f.severity == Severity::Remark && f.kind == Kind::Unseen);
    let sum = match (problems, fixable, unseen) {
        (0, _, 0) => format!("{} all is well", styled(GOOD, "✓")),
        (0, _, n) => format!(
            "{} nothing is wrong in what was looked at; {}",
            styled(GOOD, "✓"),
            words::count(n, "thing was not", "things were not")
        ),
        (n, 0, _) => words::count(n, "problem", "problems"),
        (n, _, _) => format!("{}; `once doctor --fix` mends {fixable}", words::count(n, "problem", "problems")),
    };
    out.say(&sum);
}
