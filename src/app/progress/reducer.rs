//! One fold over the events of a change. Pure; progress never goes back, whatever the order of arrival.

use jiff::Timestamp;

use super::event::{Envelope, Event, Finished, LockView, Step, TrafficView};
use crate::model::name::{AppName, OpId, ReleaseNumber};
use crate::model::release::Caller;
use crate::plan::diff::PlanView;

/// Lines of the candidate's log that are kept for showing.
const LOG_LINES: usize = 200;

/// A change as a whole: what every drawing of it starts from.
#[derive(Debug, Clone, PartialEq)]
pub struct DeployView {
    /// The change.
    pub op: OpId,
    /// The app, once known.
    pub app: Option<AppName>,
    /// The primary hostname, once planned.
    pub host: Option<String>,
    /// Who asked.
    pub by: Option<Caller>,
    /// When it began.
    pub started_at: Timestamp,
    /// When the last event came.
    pub last_at: Timestamp,
    /// The lock's holder while it is waited for.
    pub waiting_for: Option<LockView>,
    /// What will be done, once planned.
    pub plan: Option<PlanView>,
    /// The release that served before.
    pub from: Option<ReleaseNumber>,
    /// The release to be.
    pub to: Option<ReleaseNumber>,
    /// All steps in order, those to come included once planned.
    pub steps: Vec<StepView>,
    /// What was put in order before.
    pub tidied: Vec<String>,
    /// Warnings so far.
    pub warnings: Vec<String>,
    /// Requests meanwhile.
    pub traffic: TrafficView,
    /// What the candidate says, newest last. Untrusted text.
    pub log: Vec<String>,
    /// The end, once it has come.
    pub finished: Option<Finished>,
    /// The next sequence number that is not yet folded in.
    pub next_seq: u64,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepView {
    /// Which.
    pub step: Step,
    /// How it stands.
    pub state: StepState,
    /// In words: progress, or what came of it.
    pub detail: String,
    /// Pieces or bytes done and in all, where known.
    pub amount: Option<(u64, u64)>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// How long it took, milliseconds, once it ended.
    pub took_ms: Option<u64>,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum StepState {
    Pending,
    Running,
    Skipped,
    Done,
    Failed,
}

impl DeployView {
    /// Nothing known yet.
    #[must_use]
    pub fn new(op: OpId, at: Timestamp) -> Self {
        Self {
            op,
            app: None,
            host: None,
            by: None,
            started_at: at,
            last_at: at,
            waiting_for: None,
            plan: None,
            from: None,
            to: None,
            steps: Vec::new(),
            tidied: Vec::new(),
            warnings: Vec::new(),
            traffic: TrafficView::default(),
            log: Vec::new(),
            finished: None,
            next_seq: 0,
        }
    }

    /// Takes one event in. Events that were taken in before are passed over.
    pub fn fold(&mut self, envelope: &Envelope) {
        if envelope.seq < self.next_seq || self.finished.is_some() {
            return;
        }
        self.next_seq = envelope.seq + 1;
        self.last_at = envelope.at;
        if envelope.app.is_some() {
            self.app.clone_from(&envelope.app);
        }
        let at = envelope.at;
        match &envelope.event {
            Event::Started { by } => {
                self.by = Some(by.clone());
                self.started_at = at;
            }
            Event::Waiting { holder } => self.waiting_for = Some(holder.clone()),
            Event::Tidied { text } => self.tidied.push(text.clone()),
            Event::Planned { plan, host, from, steps } => {
                self.plan = Some(plan.clone());
                self.host = Some(host.clone());
                self.from = *from;
                for step in steps {
                    self.step(*step);
                }
            }
            Event::Numbered { release } => self.to = Some(*release),
            Event::StepStarted { step } => {
                let view = self.step(*step);
                view.state = view.state.max(StepState::Running);
                view.started_at.get_or_insert(at);
            }
            Event::Progress { step, text, done, total } => {
                let view = self.step(*step);
                view.state = view.state.max(StepState::Running);
                view.detail.clone_from(text);
                view.amount = done.zip(*total);
            }
            Event::StepFinished { step, detail, took_ms } => self.end(*step, StepState::Done, detail, *took_ms),
            Event::StepFailed { step, detail, took_ms } => self.end(*step, StepState::Failed, detail, *took_ms),
            Event::StepSkipped { step, why } => self.end(*step, StepState::Skipped, why, 0),
            Event::Log { line } => {
                self.log.push(line.clone());
                let surplus = self.log.len().saturating_sub(LOG_LINES);
                self.log.drain(..surplus);
            }
            Event::Traffic(traffic) => self.traffic = traffic.clone(),
            Event::Warning { text, .. } => self.warnings.push(text.clone()),
            Event::Finished(finished) => self.finished = Some(finished.clone()),
        }
    }

    /// How many steps have ended, and how many there are.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        let ended = self.steps.iter().filter(|s| s.state >= StepState::Skipped).count();
        (ended, self.steps.len())
    }

    /// The step that runs.
    #[must_use]
    pub fn running(&self) -> Option<&StepView> {
        self.steps.iter().rev().find(|s| s.state == StepState::Running)
    }

    /// Whether the switch is behind: from there on a cancel has no effect.
    #[must_use]
    pub fn is_past_switch(&self) -> bool {
        self.steps.iter().any(|s| s.step == Step::Switch && s.state == StepState::Done)
    }

    fn end(&mut self, step: Step, state: StepState, detail: &str, took_ms: u64) {
        if step == Step::Lock {
            self.waiting_for = None;
        }
        let view = self.step(step);
        view.state = state;
        detail.clone_into(&mut view.detail);
        view.amount = None;
        view.took_ms = Some(took_ms);
    }

    fn step(&mut self, step: Step) -> &mut StepView {
        let at = match self.steps.iter().position(|s| s.step == step) {
            Some(at) => at,
            None => {
                self.steps.push(StepView {
                    step,
                    state: StepState::Pending,
                    detail: String::new(),
                    amount: None,
                    started_at: None,
                    took_ms: None,
                });
                self.steps.len() - 1
            }
        };
        &mut self.steps[at]
    }
}
