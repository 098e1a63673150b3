//! The places of requests that wait, whatever for: so many of one app, so many of all.

use std::sync::atomic::{AtomicU64, Ordering};

use super::app::App;
use crate::plane::handle::Shared;

/// A request's place among those held; a client that leaves gives it back.
pub(in crate::plane) struct Held<'a> {
    of_app: &'a AtomicU64,
    of_all: &'a AtomicU64,
}

impl<'a> Held<'a> {
    /// `None`: too many are held already.
    pub(in crate::plane) fn enter(shared: &'a Shared, app: &'a App) -> Option<Self> {
        let of_all = shared.held.fetch_add(1, Ordering::Relaxed);
        let of_app = app.held.fetch_add(1, Ordering::Relaxed);
        let held = Self { of_app: &app.held, of_all: &shared.held };
        let options = &shared.options;
        (of_all < options.max_held && of_app < options.max_held_of_app).then_some(held)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.of_app.fetch_sub(1, Ordering::Relaxed);
        self.of_all.fetch_sub(1, Ordering::Relaxed);
    }
}
