//! What the proxy tells: records, locks, traffic, the audit log.

use once_app::event::LockView;
use once_app::proxy::{Activity, AppTraffic, InFlight, OpView, ProxyInfo, Snapshot};
use once_app::traffic::{PathTraffic, Recent, Series, TrafficReport};
use once_app::{AppId, OpId, ReleaseNumber};

use super::{ago, caller, records};

pub(crate) fn report() -> TrafficReport {
    let series = |step, len: u32| {
        let wave = |i: u32| 40 + (i * 7 + 3) % 23;
        Series {
            step,
            requests: (0..len).map(wave).collect(),
            errors: (0..len).map(|i| u32::from(i == len / 2)).collect(),
        }
    };
    let path = |path: &str, requests| PathTraffic { path: path.into(), requests, at_least: requests };
    TrafficReport {
        hour: series(60, 60),
        day: series(600, 144),
        visitors_by_hour: vec![16; 24],
        paths: vec![path("/", 2140), path("/orders", 812), path("/assets/app.css", 640)],
    }
}

pub(crate) fn traffic(seed: u32, rate: f64) -> AppTraffic {
    let wave = |i: u32| (rate * (0.75 + 0.25 * f64::from(i * (3 + seed) % 17) / 8.0)) as u32;
    AppTraffic {
        requests: 1_204_331,
        classes: [0, 1_190_002, 9_120, 5_200, 9],
        failed: 0,
        own: Some(0),
        recent: Some(Recent { answers: (rate * 60.0) as u64, errors: 0, failing: false }),
        rate,
        p50_ms: Some(9.1),
        p95_ms: Some(31.4 + f64::from(seed)),
        p99_ms: Some(80.2),
        bytes_in: 812 << 20,
        bytes_out: 91 << 30,
        in_flight: vec![InFlight { release: ReleaseNumber(7), requests: 3, upgraded: 2 }],
        held: 0,
        per_second: (0..120).map(wave).collect(),
        errors_per_second: vec![0; 120],
        by_release: Vec::new(),
        releases: Vec::new(),
        visitors_today: 214,
        visitors_24h: 388,
        slowest_ms: 412,
    }
}

pub(crate) fn snapshot() -> Snapshot {
    let mut failing = traffic(5, 6.0);
    failing.errors_per_second[100..].fill(1);
    failing.recent = Some(Recent { answers: 360, errors: 20, failing: true });
    let id = |app: &str| AppId(format!("id-{app}"));
    Snapshot {
        info: ProxyInfo {
            protocol: 1,
            version: "0.1.0".into(),
            instance: "i".into(),
            started_at: ago(900_000),
            set_aside: Vec::new(),
            memory: 9 << 20,
            untold: None,
        },
        apps: records(),
        locks: vec![LockView {
            app: "chat".parse().unwrap(),
            by: caller("mia", "laptop", "lock"),
            since: ago(4000),
            op: None,
            message: Some("load test".into()),
        }],
        traffic: vec![
            (id("books"), traffic(0, 12.0)),
            (id("chat"), traffic(1, 48.0)),
            (id("shop"), traffic(2, 148.0)),
            (id("blog"), failing),
        ],
        certificates: vec![],
        ops: vec![OpView {
            op: OpId("f00d".into()),
            app: "shop".parse().unwrap(),
            started_at: ago(14),
            finished: false,
        }],
    }
}

pub(crate) fn activity() -> Vec<Activity> {
    let entry = |age, user: &str, host: &str, app: &str, outcome: &str, text: &str| Activity {
        at: ago(age),
        by: caller(user, host, "deploy"),
        app: Some(app.parse().unwrap()),
        op: None,
        outcome: outcome.into(),
        text: text.into(),
    };
    vec![
        entry(600, "deploy", "ci", "books", "updated", "release 7 of ghcr.io/acme/books:1.7.0 in 6.4 s"),
        entry(7200, "mia", "laptop", "wiki", "failed", "release 1 never answered on port 80"),
        entry(90_000, "deploy", "ci", "shop", "updated", "release 12 of ghcr.io/acme/shop:1.12.0 in 5.1 s"),
        entry(200_000, "mia", "laptop", "old", "updated", "stop"),
        entry(260_000, "mia", "laptop", "gone", "updated", "remove"),
        Activity { app: None, ..entry(300_000, "deploy", "ci", "x", "rejected", "stop: there is no app `shpo`") },
    ]
}
