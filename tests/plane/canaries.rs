//! A release beside the serving one, for some of the requests.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use once_app::proxy::DrainLimits;
use once_app::traffic::Compared;
use once_app::{CanaryRoute, ReleaseNumber, Route};

use crate::support::{Demo, House, Reply, app, request, route, until};

struct Pair {
    house: House,
    old: Demo,
    new: Demo,
}

impl Pair {
    async fn new(rule: &str) -> Self {
        let pair = Self { house: House::new(), old: Demo::start("old").await, new: Demo::start("new").await };
        pair.house.plane.set_route(pair.route(rule));
        pair
    }

    /// Release 1, and release 2 beside it.
    fn route(&self, rule: &str) -> Route {
        let canary = CanaryRoute { target: route(2, self.new.address).target, rule: rule.parse().unwrap() };
        Route { canary: Some(canary), ..route(1, self.old.address) }
    }

    async fn ask(&self, head: &str) -> Reply {
        let text = format!("GET /version HTTP/1.1\r\nHost: app.test\r\n{head}Connection: close\r\n\r\n");
        request(self.house.address, &text).await
    }

    /// How many of so many strangers got which version.
    async fn strangers(&self, count: usize) -> BTreeMap<String, usize> {
        let mut seen = BTreeMap::new();
        for _ in 0..count {
            *seen.entry(self.ask("").await.text()).or_default() += 1;
        }
        seen
    }

    fn compared(&self, release: u64) -> Option<Compared> {
        let traffic = self.house.plane.traffic(&app());
        traffic.releases.iter().find(|r| r.release == ReleaseNumber(release)).and_then(|r| r.compared.clone())
    }
}

/// The cookie an answer set, as a client sends it back.
fn cookie(reply: &Reply) -> String {
    let set = reply.header("set-cookie").expect("a place");
    format!("Cookie: a=1; {}; b=2\r\n", set.split(';').next().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_shared_out() {
    let pair = Pair::new("30%").await;
    let seen = pair.strangers(600).await;
    // 180 is expected; so far away from it is one chance in a million.
    assert!((125..=235).contains(&seen["new"]), "{seen:?}");
    assert_eq!(pair.house.plane.traffic(&app()).failed, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_and_everybody_are_shares_too() {
    let pair = Pair::new("0%").await;
    assert_eq!(pair.strangers(30).await.get("new"), None);
    pair.house.plane.set_route(pair.route("100%"));
    assert_eq!(pair.strangers(30).await.get("old"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_sees_one_version() {
    let pair = Pair::new("50%").await;
    for _ in 0..20 {
        let first = pair.ask("").await;
        let place = cookie(&first);
        for _ in 0..5 {
            let next = pair.ask(&place).await;
            assert_eq!(next.text(), first.text());
            assert_eq!(next.header("set-cookie"), None, "it has one");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_growing_share_moves_visitors_one_way() {
    let pair = Pair::new("40%").await;
    let mut visitors = Vec::new();
    for _ in 0..40 {
        let first = pair.ask("").await;
        visitors.push((cookie(&first), first.text()));
    }
    pair.house.plane.set_route(pair.route("90%"));
    for (place, before) in &visitors {
        let now = pair.ask(place).await.text();
        assert!(before == "old" || now == "new", "who was in fell out");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_of_another_canary_or_of_nobody_is_drawn_anew() {
    let pair = Pair::new("100%").await;
    for forged in ["once-canary=1-9999", "once-canary=2-10000", "once-canary=2-x", "once-canary="] {
        let reply = pair.ask(&format!("Cookie: {forged}\r\n")).await;
        assert_eq!(reply.text(), "new", "{forged}");
        assert!(reply.header("set-cookie").is_some_and(|c| c.starts_with("once-canary=2-")), "{forged}: {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_or_a_header_chooses() {
    let pair = Pair::new("cookie:beta").await;
    for (head, expected) in [
        ("", "old"),
        ("Cookie: beta=0\r\n", "new"),
        ("Cookie: a=1; beta=x\r\n", "new"),
        ("Cookie: Beta=1\r\n", "old"),
        ("Cookie: alphabeta=1\r\n", "old"),
    ] {
        let reply = pair.ask(head).await;
        assert_eq!((reply.text().as_str(), reply.header("set-cookie")), (expected, None), "{head}");
    }
    pair.house.plane.set_route(pair.route("cookie:beta=on"));
    assert_eq!(pair.ask("Cookie: beta=on\r\n").await.text(), "new");
    assert_eq!(pair.ask("Cookie: beta=only\r\n").await.text(), "old");
    pair.house.plane.set_route(pair.route("header:X-Beta=yes"));
    assert_eq!(pair.ask("x-beta: yes\r\n").await.text(), "new");
    assert_eq!(pair.ask("x-beta: no\r\n").await.text(), "old");
    assert_eq!(pair.ask("X-BETA: no\r\nx-beta: yes\r\n").await.text(), "new", "one of several");
    pair.house.plane.set_route(pair.route("header:x-beta"));
    assert_eq!(pair.ask("X-Beta: \r\n").await.text(), "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_are_counted_from_when_it_began() {
    let pair = Pair::new("header:x-beta").await;
    for _ in 0..3 {
        pair.ask("").await;
    }
    pair.ask("x-beta: 1\r\n").await;
    request(pair.house.address, "GET /crash HTTP/1.1\r\nHost: app.test\r\nx-beta: 1\r\nConnection: close\r\n\r\n")
        .await;
    until("all counted", || pair.compared(2).is_some_and(|c| c.requests == 2)).await;
    until("all counted", || pair.compared(1).is_some_and(|c| c.requests == 3)).await;
    assert_eq!((pair.compared(1).unwrap().errors, pair.compared(2).unwrap().errors), (0, 1));
    assert!(pair.compared(2).unwrap().p99_ms.is_some());
    // Another share is the same comparison; no canary is none.
    pair.house.plane.set_route(pair.route("1%"));
    assert_eq!(pair.compared(1).unwrap().requests, 3);
    pair.house.plane.set_route(route(1, pair.old.address));
    assert_eq!((pair.compared(1), pair.compared(2)), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_canary_costs_nobody_a_request() {
    let Pair { house, old, new } = Pair::new("100%").await;
    let gone = new.address;
    new.kill().await;
    let text = "GET /version HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n";
    for _ in 0..10 {
        let reply = request(house.address, text).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, "old"));
    }
    let post = "POST /upload HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    assert!(request(house.address, post).await.text().starts_with("5 "), "what was not sent may be sent elsewhere");
    let traffic = house.plane.traffic(&app());
    assert_eq!(traffic.failed, 0);
    let canary = traffic.releases.iter().find(|r| r.release == ReleaseNumber(2)).unwrap();
    assert_eq!((canary.requests, canary.errors), (11, 11), "but it is to be seen, at {gone}");
    drop(old);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_drained_like_any_release() {
    let pair = Pair::new("100%").await;
    let drained = async {
        until("under way", || !pair.house.plane.traffic(&app()).in_flight.is_empty()).await;
        pair.house.plane.set_route(route(1, pair.old.address));
        let limits = DrainLimits { requests_ms: 20_000, upgraded_ms: 20_000 };
        pair.house.plane.drain(&app(), ReleaseNumber(2), limits).collect::<Vec<_>>().await
    };
    let (slow, progress) = tokio::join!(pair.house.get("app.test", "/slow?ms=300"), drained);
    assert_eq!((slow.status, slow.header("x-version")), (200, Some("new")));
    assert_eq!((progress[0].requests, progress.last().unwrap().cut), (1, Some(0)));
    assert_eq!(pair.strangers(5).await["old"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn held_requests_are_shared_out_when_they_go_on() {
    let pair = Pair::new("header:x-beta").await;
    assert!(pair.house.plane.hold(&app(), std::time::Duration::from_secs(30)));
    let go_on = async {
        until("held", || pair.house.plane.traffic(&app()).held == 2).await;
        pair.house.plane.resume(&app());
    };
    let (one, two, ()) = tokio::join!(pair.ask(""), pair.ask("x-beta: 1\r\n"), go_on);
    assert_eq!((one.text().as_str(), two.text().as_str()), ("old", "new"));
}
