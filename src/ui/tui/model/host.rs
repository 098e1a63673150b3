//! The host as a whole: what is wrong with it, and how the mending goes.

use jiff::Timestamp;

use once_app::proxy::ProxyProcesses;
use once_app::{Finding, Fix, OpId, Problem, Severity};

/// What an examination brings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Examined {
    /// What somebody should know, what is wrong first.
    pub findings: Vec<Finding>,
    /// The proxy's processes; `None`: there is no proxy, or one too old to tell.
    pub processes: Option<ProxyProcesses>,
}

/// What the host was found to be.
#[derive(Debug, Clone, Default)]
pub(crate) struct HostView {
    /// The last examination that was finished, and when. `None`: nothing is known yet, which is not the same as clean.
    pub seen: Option<(Timestamp, Examined)>,
    /// What the examination under way has found so far, what is wrong first. It is shown where none was finished yet.
    pub coming: Vec<Finding>,
    /// Why the last one was not finished; what is shown is of the one before.
    pub failed: Option<Problem>,
    /// When one was asked for or answered last: a slow one is not followed by the next at once.
    pub last: Option<Timestamp>,
    /// It has not answered yet.
    pub looking: bool,
    /// The marked finding.
    pub at: usize,
    /// What is being mended, in order.
    pub mending: Vec<Mending>,
}

/// A fix on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mending {
    /// What is done.
    pub fix: Fix,
    /// How far it is.
    pub progress: Progress,
}

/// How far a fix is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Others come first: one at a time, as `doctor --fix` has it.
    Waiting,
    /// This change does it.
    Running(OpId),
    /// It did, or could not; the reason is given.
    Ended(OpId, Result<(), String>),
}

impl HostView {
    /// All findings as of the last examination; where none was finished yet, what is known so far.
    pub(crate) fn findings(&self) -> &[Finding] {
        self.seen.as_ref().map_or(&self.coming, |(_, examined)| &examined.findings)
    }

    /// Takes in what the examination under way has found.
    pub(crate) fn found(&mut self, finding: Finding) {
        let at = self.coming.partition_point(|known| known.worst_first(&finding).is_lt());
        self.coming.insert(at, finding);
    }

    /// The marked one.
    pub(crate) fn marked(&self) -> Option<&Finding> {
        self.findings().get(self.at)
    }

    /// How many are wrong, and how many only worth knowing.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let problems = self.findings().iter().filter(|f| f.severity == Severity::Problem).count();
        (problems, self.findings().len() - problems)
    }

    /// What could be mended and is not on its way, each once.
    pub(crate) fn fixes(&self) -> impl Iterator<Item = &Fix> {
        let found = || self.findings().iter().filter_map(|f| f.fix.as_ref());
        let first = move |(i, fix): &(usize, &Fix)| found().take(*i).all(|before| before != *fix);
        found().enumerate().filter(first).map(|(_, fix)| fix).filter(|fix| !self.is_under_way(fix))
    }

    /// Whether it is waiting or running.
    pub(crate) fn is_under_way(&self, fix: &Fix) -> bool {
        self.progress(fix).is_some_and(|p| !matches!(p, Progress::Ended(..)))
    }

    /// How far a fix is; `None`: nobody asked for it here.
    pub(crate) fn progress(&self, fix: &Fix) -> Option<&Progress> {
        self.mending.iter().find(|m| &m.fix == fix).map(|m| &m.progress)
    }

    /// Takes an examination in. Fixes that ended are told as long as what they were for is still found.
    pub(crate) fn take(&mut self, at: Timestamp, answer: Result<Examined, Problem>) {
        self.looking = false;
        self.last = Some(at);
        match answer {
            Ok(examined) => {
                self.coming.clear();
                let found = |m: &Mending| examined.findings.iter().any(|f| f.fix.as_ref() == Some(&m.fix));
                self.mending.retain(|m| !matches!(m.progress, Progress::Ended(..)) || found(m));
                self.at = self.at.min(examined.findings.len().saturating_sub(1));
                self.seen = Some((at, examined));
                self.failed = None;
            }
            Err(problem) => self.failed = Some(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use once_app::{AppName, Kind};

    use super::*;

    fn ghost(app: &str) -> Finding {
        let app: AppName = app.parse().unwrap();
        Finding::problem(Kind::Ghost, app.as_str(), "gone", "errors").fix(Fix::Restart { app })
    }

    #[test]
    fn what_two_findings_need_is_done_once_and_what_is_on_its_way_not_again() {
        let mut host = HostView::default();
        let findings = vec![ghost("shop"), ghost("shop"), ghost("books"), Finding::remark(Kind::Log, "x", "y", "z")];
        host.take(Timestamp::UNIX_EPOCH, Ok(Examined { findings, processes: None }));
        assert_eq!((host.counts(), host.fixes().count()), ((3, 1), 2));
        let fix = ghost("shop").fix.unwrap();
        host.mending.push(Mending { fix, progress: Progress::Waiting });
        assert_eq!(host.fixes().count(), 1);
    }

    #[test]
    fn what_is_found_first_is_shown_first_and_stays_when_the_look_fails() {
        let mut host = HostView { looking: true, ..HostView::default() };
        host.found(Finding::remark(Kind::Log, "x", "y", "z"));
        host.found(ghost("shop"));
        assert_eq!((host.counts(), host.findings()[0].kind), ((1, 1), Kind::Ghost));
        host.take(Timestamp::UNIX_EPOCH, Err(Problem::rejected("x", "no answer")));
        assert_eq!(host.counts(), (1, 1));
        let all = Examined { findings: vec![ghost("shop")], processes: None };
        host.take(Timestamp::UNIX_EPOCH, Ok(all));
        host.found(ghost("books"));
        assert_eq!(host.counts(), (1, 0), "the next look is shown when it is finished");
    }

    #[test]
    fn an_examination_that_failed_leaves_the_last_one_and_says_so() {
        let mut host = HostView::default();
        host.take(Timestamp::UNIX_EPOCH, Ok(Examined { findings: vec![ghost("shop")], processes: None }));
        host.take(Timestamp::UNIX_EPOCH, Err(Problem::rejected("x", "no answer")));
        assert!(host.failed.is_some() && host.findings().len() == 1);
    }
}
