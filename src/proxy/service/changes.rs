//! The events of the last changes, for others to follow.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use once_app::OpId;
use once_app::event::{Envelope, Event};
use once_app::proxy::OpView;

/// Changes kept.
const CHANGES: usize = 200;

/// Events kept of a change; beyond it what only decorates is dropped, so that a candidate that writes without end
/// does not fill the memory.
const EVENTS: usize = 10_000;

pub(super) struct Changes {
    kept: Mutex<VecDeque<Change>>,
    published: watch::Sender<()>,
}

struct Change {
    op: OpId,
    events: Vec<Envelope>,
}

impl Change {
    fn finished(&self) -> bool {
        self.events.iter().rev().any(|e| matches!(e.event, Event::Finished(_)))
    }

    /// Whether it is news: a publisher that lost an answer sends again.
    fn wants(&self, event: &Envelope) -> bool {
        let decorates = matches!(event.event, Event::Log { .. } | Event::Progress { .. } | Event::Traffic(_));
        self.events.last().is_none_or(|last| event.seq > last.seq) && !(decorates && self.events.len() >= EVENTS)
    }

    fn view(&self) -> Option<OpView> {
        let app = self.events.iter().find_map(|e| e.app.clone())?;
        let started_at = self.events.first()?.at;
        Some(OpView { op: self.op.clone(), app, started_at, finished: self.finished() })
    }
}

impl Changes {
    /// From disk, oldest first; those beyond the limit are given back.
    pub(super) fn new(found: Vec<Vec<Envelope>>) -> (Self, Vec<OpId>) {
        let mut kept: VecDeque<Change> =
            found.into_iter().filter_map(|events| Some(Change { op: events.first()?.op.clone(), events })).collect();
        let surplus = kept.drain(..kept.len().saturating_sub(CHANGES)).map(|change| change.op).collect();
        (Self { kept: Mutex::new(kept), published: watch::Sender::new(()) }, surplus)
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Change>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what is news; what is to be appended on disk, by change, and which changes are to go.
    pub(super) fn append(&self, events: Vec<Envelope>) -> (Vec<(OpId, Vec<Envelope>)>, Vec<OpId>) {
        let mut news: Vec<(OpId, Vec<Envelope>)> = Vec::new();
        let mut gone = Vec::new();
        let mut kept = self.kept();
        for event in events {
            let at = kept.iter().rposition(|change| change.op == event.op);
            let at = at.unwrap_or_else(|| {
                gone.extend((kept.len() >= CHANGES).then(|| kept.pop_front()).flatten().map(|change| change.op));
                kept.push_back(Change { op: event.op.clone(), events: Vec::new() });
                kept.len() - 1
            });
            if !kept[at].wants(&event) {
                continue;
            }
            kept[at].events.push(event.clone());
            match news.iter_mut().find(|(op, _)| *op == event.op) {
                Some((_, events)) => events.push(event),
                None => news.push((event.op.clone(), vec![event])),
            }
        }
        drop(kept);
        self.published.send_replace(());
        (news, gone)
    }

    pub(super) fn views(&self) -> Vec<OpView> {
        self.kept().iter().filter_map(Change::view).collect()
    }

    /// The first event from `seq` on, and whether it is the change's last; waits for one.
    pub(super) async fn next(&self, op: &OpId, seq: u64) -> Option<Envelope> {
        let mut published = self.published.subscribe();
        loop {
            published.borrow_and_update();
            {
                let kept = self.kept();
                if let Some(change) = kept.iter().rfind(|change| &change.op == op) {
                    if let Some(event) = change.events.iter().find(|event| event.seq >= seq) {
                        return Some(event.clone());
                    }
                    if change.finished() {
                        return None;
                    }
                }
            }
            if published.changed().await.is_err() {
                return None;
            }
        }
    }
}
