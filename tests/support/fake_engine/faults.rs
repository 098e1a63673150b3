//! Faults on demand.

use once_app::engine::EngineError;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done and failure is reported.
    Fails,
    /// Nothing is done and no answer comes.
    Hangs,
    /// It is done, but the answer gets lost on the way.
    DoesButFails,
    /// It is done, but no answer comes.
    DoesButHangs,
}

/// Which calls are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Every call counts.
    Any,
    /// Only those of this method of the port: `"start"`.
    Call(&'static str),
}

/// Which of the calls that are meant, counted from the moment the fault is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The n-th, counted from 1; later ones are fine.
    Nth(usize),
    /// From the n-th on.
    From(usize),
}

#[derive(Debug, Default)]
pub struct Faults {
    calls: Vec<&'static str>,
    planned: Vec<Planned>,
}

#[derive(Debug)]
struct Planned {
    which: Which,
    when: When,
    fault: Fault,
    seen: usize,
}

impl Faults {
    pub fn push(&mut self, which: Which, when: When, fault: Fault) {
        self.planned.push(Planned { which, when, fault, seen: 0 });
    }

    pub fn clear(&mut self) {
        self.planned.clear();
    }

    pub fn calls(&self) -> &[&'static str] {
        &self.calls
    }

    /// Counts a call; its fault, if it has one.
    pub fn enter(&mut self, call: &'static str) -> Option<Fault> {
        self.calls.push(call);
        let mut struck = None;
        for planned in &mut self.planned {
            let meant = match planned.which {
                Which::Any => true,
                Which::Call(name) => name == call,
            };
            if !meant {
                continue;
            }
            planned.seen += 1;
            let strikes = match planned.when {
                When::Nth(n) => planned.seen == n,
                When::From(n) => planned.seen >= n,
            };
            if strikes {
                struck = struck.or(Some(planned.fault));
            }
        }
        struck
    }
}

/// What a struck call reports.
pub fn error(call: &'static str) -> EngineError {
    EngineError::Failed { what: call.into(), message: "a fault that the test asked for".into() }
}

/// What a lost answer reports.
pub fn lost() -> EngineError {
    EngineError::Unreachable { address: "fake://".into(), source: "the answer got lost".into() }
}
