//! The claim protocol: a request is either seen by the drain of a release, or goes to the next release.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::app::{App, Gate, Live};
use crate::app::RouteState;

/// A request's place at an upstream. It is given back when this is dropped, so it travels with the answer.
pub(super) struct Claim {
    pub(super) live: Arc<Live>,
    pub(super) lane: usize,
    /// [`Upstream::requests_cut`](super::upstream::Upstream::requests_cut) at the start.
    pub(super) cut: u64,
}

/// Why there is no claim.
pub(super) enum Refused {
    Held {
        until: Instant,
        live: Arc<Live>,
    },
    /// Held on purpose, each request for so long.
    Paused {
        max_wait: Duration,
        live: Arc<Live>,
    },
    /// Or under maintenance.
    Stopped,
    Removed,
}

impl Claim {
    /// Takes the target, counts itself in, and looks again: if the target changed in between, gives back and repeats.
    pub(super) fn take(app: &App, lane: usize) -> Result<Self, Refused> {
        Self::take_with(app, lane, || {})
    }

    fn take_with(app: &App, lane: usize, mut between: impl FnMut()) -> Result<Self, Refused> {
        let mut live = app.live();
        loop {
            match (&live.gate, &live.route.state) {
                (Gate::Removed, _) => return Err(Refused::Removed),
                (_, RouteState::Stopped | RouteState::Maintenance(_)) => return Err(Refused::Stopped),
                (_, RouteState::Paused { max_wait }) => {
                    return Err(Refused::Paused { max_wait: max_wait.duration(), live: Arc::clone(&live) });
                }
                (_, RouteState::Serving) => {}
            }
            match live.gate {
                Gate::Open => {}
                Gate::Held { until } => return Err(Refused::Held { until, live: Arc::clone(&live) }),
                Gate::Removed => return Err(Refused::Removed),
            }
            between();
            let cut = live.upstream.requests_cut();
            live.upstream.count_in(lane);
            let again = app.live();
            if Arc::ptr_eq(&live, &again) {
                return Ok(Self { live: Arc::clone(&again), lane, cut });
            }
            live.upstream.count_out(lane);
            live = again;
        }
    }

    /// Whether the drain's limit has passed for this request.
    pub(super) fn is_cut(&self) -> bool {
        self.live.upstream.requests_cut() != self.cut
    }

    /// Turns the request into an upgraded connection; it is never uncounted in between.
    pub(super) fn upgrade(self) -> UpgradedClaim {
        self.live.upstream.count_upgraded_in(self.lane);
        let cut = self.live.upstream.upgraded_cut();
        UpgradedClaim { live: Arc::clone(&self.live), lane: self.lane, cut }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.live.upstream.count_out(self.lane);
    }
}

/// An upgraded connection's place at an upstream.
pub(super) struct UpgradedClaim {
    live: Arc<Live>,
    lane: usize,
    cut: u64,
}

impl UpgradedClaim {
    /// Resolves when the drain's limit for upgraded connections has passed.
    pub(super) async fn cut(&self) {
        let upstream = &self.live.upstream;
        loop {
            let signal = upstream.upgraded_end.notified();
            if upstream.upgraded_cut() != self.cut {
                return;
            }
            signal.await;
        }
    }
}

impl Drop for UpgradedClaim {
    fn drop(&mut self) {
        self.live.upstream.count_upgraded_out(self.lane);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{AppId, ReleaseNumber, Route, Target, Tls, UrlPath, Web};

    fn route(release: u64) -> Route {
        Route {
            app: AppId("a".into()),
            name: "a".parse().unwrap(),
            hosts: vec!["a.test".parse().unwrap()],
            path_prefix: None,
            tls: Tls::default(),
            web: Web::default(),
            target: Target { release: ReleaseNumber(release), address: format!("127.0.0.1:{release}") },
            state: RouteState::Serving,
            health_path: UrlPath::up(),
        }
    }

    #[test]
    fn a_switch_between_look_and_count_is_noticed() {
        let app = App::new(route(1), 2);
        let old = Arc::clone(&app.live().upstream);
        let mut switched = false;
        let claim = Claim::take_with(&app, 1, || {
            if !switched {
                switched = true;
                app.switch(route(2));
            }
        });
        let claim = claim.ok().unwrap();
        assert_eq!(claim.live.upstream.target.release, ReleaseNumber(2));
        assert_eq!(old.under_way(), (0, 0));
        assert_eq!(claim.live.upstream.under_way(), (1, 0));
    }

    #[test]
    fn a_hold_between_look_and_count_is_noticed() {
        let app = App::new(route(1), 1);
        let held = Claim::take_with(&app, 0, || app.hold(Instant::now()));
        assert!(matches!(held, Err(Refused::Held { .. })));
        assert_eq!(app.live().upstream.under_way(), (0, 0));
    }

    #[test]
    fn counts_follow_the_claim() {
        let app = App::new(route(1), 2);
        let one = Claim::take(&app, 0).ok().unwrap();
        let two = Claim::take(&app, 1).ok().unwrap();
        let upstream = Arc::clone(&one.live.upstream);
        assert_eq!(upstream.under_way(), (2, 0));
        let socket = two.upgrade();
        assert_eq!(upstream.under_way(), (1, 1));
        upstream.cut_requests();
        assert!(one.is_cut());
        assert!(!Claim::take(&app, 0).ok().unwrap().is_cut());
        drop((one, socket));
        assert_eq!(upstream.under_way(), (0, 0));
    }
}
