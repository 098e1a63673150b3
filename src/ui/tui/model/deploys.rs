//! Changes under way or lately ended, one's own and others', each the fold of its events.

use jiff::Timestamp;

use once_app::event::Envelope;
use once_app::{AppName, Ask, DeployView, Job, OpId, Problem};

/// Ended changes that are kept for looking at again.
const KEPT: usize = 30;

/// A change and how the console came to it.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    /// The fold.
    pub view: DeployView,
    /// What was asked, where this console did: for "the same as", retry and edit.
    pub ask: Option<Ask>,
    /// The app's name or host as known before the first event.
    pub title: String,
    /// It cannot be followed any more.
    pub lost: Option<Problem>,
    /// A dry run: it belongs to the review of a form and is shown nowhere else.
    pub dry: bool,
}

impl Watched {
    /// Whether more is to come.
    pub(crate) fn is_active(&self) -> bool {
        self.view.finished.is_none() && self.lost.is_none()
    }

    /// Whether it belongs to this app.
    pub(crate) fn is_of(&self, app: &AppName) -> bool {
        self.view.app.as_ref() == Some(app) || (self.view.app.is_none() && self.title == app.as_str())
    }
}

/// All of them, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deploys {
    all: Vec<Watched>,
}

impl Deploys {
    /// One by its id.
    pub(crate) fn get(&self, op: &OpId) -> Option<&Watched> {
        self.all.iter().find(|w| &w.view.op == op)
    }

    /// Those that are shown.
    pub(crate) fn shown(&self) -> impl DoubleEndedIterator<Item = &Watched> {
        self.all.iter().filter(|w| !w.dry)
    }

    /// The change an app is in.
    pub(crate) fn active(&self, app: &AppName) -> Option<&Watched> {
        self.shown().rev().find(|w| w.is_active() && w.is_of(app))
    }

    /// A change this console has asked for.
    pub(crate) fn asked(&mut self, job: &Job, title: String, at: Timestamp) {
        let dry = job.ask.is_dry();
        self.push(Watched {
            view: DeployView::new(job.op.clone(), at),
            ask: Some(job.ask.clone()),
            title,
            lost: None,
            dry,
        });
    }

    /// A change of somebody else; whether it was not known.
    pub(crate) fn found(&mut self, op: &OpId, app: &AppName, at: Timestamp) -> bool {
        if self.get(op).is_some() {
            return false;
        }
        let mut view = DeployView::new(op.clone(), at);
        view.app = Some(app.clone());
        self.push(Watched { view, ask: None, title: app.to_string(), lost: None, dry: false });
        true
    }

    /// Takes an event in; whether its change is known.
    pub(crate) fn fold(&mut self, envelope: &Envelope) -> bool {
        let Some(watched) = self.all.iter_mut().find(|w| w.view.op == envelope.op) else { return false };
        watched.lost = None;
        watched.view.fold(envelope);
        true
    }

    /// A change cannot be followed any more.
    pub(crate) fn lost(&mut self, op: &OpId, problem: Problem) {
        if let Some(watched) = self.all.iter_mut().find(|w| &w.view.op == op && w.view.finished.is_none()) {
            watched.lost = Some(problem);
        }
    }

    fn push(&mut self, watched: Watched) {
        self.all.push(watched);
        let surplus = self.all.len().saturating_sub(KEPT);
        let mut dropped = 0;
        self.all.retain(|w| {
            let drop = dropped < surplus && !w.is_active();
            dropped += usize::from(drop);
            !drop
        });
    }
}
