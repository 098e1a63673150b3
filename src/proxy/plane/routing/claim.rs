//! The claim protocol: a request is either seen by the drain of a release, or goes to the next release.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::app::{App, Gate, Live};
use super::canary::Visitor;
use crate::plane::upstream::{Kind, Upstream};
use once_app::RouteState;

/// A request's place at an upstream. It is given back when this is dropped, so it travels with the answer.
pub(in crate::plane) struct Claim {
    pub(in crate::plane) live: Arc<Live>,
    pub(in crate::plane) lane: usize,
    /// It is the canary's.
    pub(in crate::plane) canary: bool,
    kind: Kind,
    /// [`Upstream::cuts`] at the start.
    cuts: (u64, u64),
}

/// Why there is no claim.
pub(in crate::plane) enum Refused {
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
    pub(in crate::plane) fn take(app: &App, lane: usize, visitor: &mut Visitor<'_>) -> Result<Self, Refused> {
        Self::take_with(app, lane, visitor, || {})
    }

    fn take_with(
        app: &App,
        lane: usize,
        visitor: &mut Visitor<'_>,
        mut between: impl FnMut(),
    ) -> Result<Self, Refused> {
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
            let canary = live.canary.as_ref().is_some_and(|canary| canary.takes(visitor));
            between();
            let upstream = side(&live, canary);
            let cuts = upstream.cuts();
            upstream.count_in(lane);
            let again = app.live();
            if Arc::ptr_eq(&live, &again) {
                return Ok(Self { live: Arc::clone(&again), lane, canary, kind: Kind::Request, cuts });
            }
            upstream.count_out(lane, Kind::Request);
            live = again;
        }
    }

    /// Where the request goes.
    pub(in crate::plane) fn upstream(&self) -> &Arc<Upstream> {
        side(&self.live, self.canary)
    }

    /// Whether the drain's limit for what this is has passed.
    pub(in crate::plane) fn is_cut(&self) -> bool {
        let (requests, streams) = self.upstream().cuts();
        let (requests, streams) = (requests != self.cuts.0, streams != self.cuts.1);
        match self.kind {
            Kind::Request => requests,
            Kind::Events => streams,
            Kind::Open => requests && streams,
        }
    }

    /// The answer has begun, and is this.
    pub(in crate::plane) fn becomes(&mut self, kind: Kind) {
        self.upstream().count_stream_in(self.lane, kind);
        self.kind = kind;
    }

    /// Whether its end is an end like any other to its client, so that it need not break off.
    pub(in crate::plane) fn ends_well(&self) -> bool {
        self.kind == Kind::Events
    }

    /// Turns the request into an upgraded connection; it is never uncounted in between.
    pub(in crate::plane) fn upgrade(self) -> UpgradedClaim {
        let upstream = Arc::clone(self.upstream());
        upstream.count_upgraded_in(self.lane);
        let cut = upstream.cuts().1;
        UpgradedClaim { upstream, lane: self.lane, cut }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.upstream().count_out(self.lane, self.kind);
    }
}

fn side(live: &Live, canary: bool) -> &Arc<Upstream> {
    match &live.canary {
        Some(side) if canary => &side.upstream,
        _ => &live.upstream,
    }
}

/// An upgraded connection's place at an upstream.
pub(in crate::plane) struct UpgradedClaim {
    upstream: Arc<Upstream>,
    lane: usize,
    cut: u64,
}

impl UpgradedClaim {
    /// Resolves when the drain's limit for upgraded connections has passed.
    pub(in crate::plane) async fn cut(&self) {
        loop {
            let signal = self.upstream.upgraded_end.notified();
            if self.upstream.cuts().1 != self.cut {
                return;
            }
            signal.await;
        }
    }
}

impl Drop for UpgradedClaim {
    fn drop(&mut self) {
        self.upstream.count_upgraded_out(self.lane);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    use super::super::canary::Draw;
    use once_app::{AppId, CanaryRoute, ReleaseNumber, Route, Target, Tls, UrlPath, Web};

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
            canary: None,
        }
    }

    fn take_with(app: &App, lane: usize, between: impl FnMut()) -> Result<Claim, Refused> {
        let (head, mut draw) = (HeaderMap::new(), Draw::default());
        Claim::take_with(app, lane, &mut draw.visitor(&head), between)
    }

    fn with_canary(release: u64, canary: u64, rule: &str) -> Route {
        let rule = rule.parse().unwrap();
        Route { canary: Some(CanaryRoute { target: route(canary).target, rule }), ..route(release) }
    }

    #[test]
    fn a_canary_that_ends_between_look_and_count_gets_nothing() {
        let app = App::new(with_canary(1, 2, "100%"), 1);
        let canary = Arc::clone(&app.live().canary.as_ref().unwrap().upstream);
        let mut ended = false;
        let claim = take_with(&app, 0, || {
            if !ended {
                ended = true;
                app.switch(route(1));
            }
        });
        let claim = claim.ok().unwrap();
        assert_eq!((claim.upstream().target.release, claim.canary), (ReleaseNumber(1), false));
        assert_eq!(canary.under_way(), (0, 0));
    }

    #[test]
    fn a_promoted_canary_keeps_what_it_has_under_way() {
        let app = App::new(with_canary(1, 2, "100%"), 1);
        let claim = take_with(&app, 0, || {}).ok().unwrap();
        let upstream = Arc::clone(claim.upstream());
        assert_eq!(upstream.target.release, ReleaseNumber(2));
        app.switch(route(2));
        assert!(Arc::ptr_eq(&upstream, &app.live().upstream), "not a second one of the same address");
        assert_eq!(app.of_release(ReleaseNumber(2)).len(), 1);
        assert_eq!(upstream.under_way(), (1, 0));
        app.switch(with_canary(2, 1, "0%"));
        assert_eq!(take_with(&app, 0, || {}).ok().unwrap().upstream().target.release, ReleaseNumber(2));
        drop(claim);
        assert_eq!(upstream.under_way(), (0, 0));
    }

    #[test]
    fn streams_are_cut_by_their_own_limit() {
        let app = App::new(route(1), 1);
        let take = || take_with(&app, 0, || {}).ok().unwrap();
        let (plain, mut events, mut open) = (take(), take(), take());
        events.becomes(Kind::Events);
        open.becomes(Kind::Open);
        let upstream = Arc::clone(plain.upstream());
        assert_eq!((upstream.under_way(), upstream.streams()), ((3, 0), (1, 1)));
        upstream.cut_requests();
        assert_eq!([&plain, &events, &open].map(Claim::is_cut), [true, false, false]);
        upstream.cut_streams();
        assert_eq!([&plain, &events, &open].map(Claim::is_cut), [true, true, true]);
        drop((plain, events, open));
        assert_eq!((upstream.under_way(), upstream.streams()), ((0, 0), (0, 0)));
        // Where streams get less time than requests, an answer of unknown length gets that of requests.
        let (mut events, mut open) = (take(), take());
        events.becomes(Kind::Events);
        open.becomes(Kind::Open);
        upstream.cut_streams();
        assert_eq!([&events, &open].map(Claim::is_cut), [true, false]);
    }

    #[test]
    fn a_switch_between_look_and_count_is_noticed() {
        let app = App::new(route(1), 2);
        let old = Arc::clone(&app.live().upstream);
        let mut switched = false;
        let claim = take_with(&app, 1, || {
            if !switched {
                switched = true;
                app.switch(route(2));
            }
        });
        let claim = claim.ok().unwrap();
        assert_eq!(claim.upstream().target.release, ReleaseNumber(2));
        assert_eq!(old.under_way(), (0, 0));
        assert_eq!(claim.upstream().under_way(), (1, 0));
    }

    #[test]
    fn a_hold_between_look_and_count_is_noticed() {
        let app = App::new(route(1), 1);
        let held = take_with(&app, 0, || app.hold(Instant::now()));
        assert!(matches!(held, Err(Refused::Held { .. })));
        assert_eq!(app.live().upstream.under_way(), (0, 0));
    }

    #[test]
    fn counts_follow_the_claim() {
        let app = App::new(route(1), 2);
        let one = take_with(&app, 0, || {}).ok().unwrap();
        let two = take_with(&app, 1, || {}).ok().unwrap();
        let upstream = Arc::clone(one.upstream());
        assert_eq!(upstream.under_way(), (2, 0));
        let socket = two.upgrade();
        assert_eq!(upstream.under_way(), (1, 1));
        upstream.cut_requests();
        assert!(one.is_cut());
        assert!(!take_with(&app, 0, || {}).ok().unwrap().is_cut());
        drop((one, socket));
        assert_eq!(upstream.under_way(), (0, 0));
    }
}
