//! A host as it could be, for tests and pictures: every app in another state, told through messages as in life.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::app::engine::{Container, ContainerDetail, EngineInfo, HostUsage, Identity, LogLine, Role, Usage};
use crate::app::event::{Envelope, Event, Finished, LockView, Outcome, Step, TrafficView};
use crate::app::ledger::{AppRecord, Generated, ManualLock, RunState};
use crate::app::proxy::{Activity, AppTraffic, InFlight, OpView, ProbeAnswer, ProxyInfo, Snapshot};
use crate::app::traffic::{PathTraffic, Series, TrafficReport};
use crate::app::{
    Action, AppId, AppName, Caller, Change, Cost, EnvValue, Namespace, OpId, PlanView, Port, Problem, ProxyPorts,
    Release, ReleaseNumber, ReleaseStatus, ResolvedImage, Secret, Settings,
};

use super::console::ConsoleOptions;
use super::model::Model;
use super::msg::{Effect, Msg};
use super::update::update;

/// 20 November 2026, 18:42:07 UTC.
pub(crate) fn now() -> Timestamp {
    "2026-11-20T18:42:07Z".parse().unwrap()
}

pub(crate) fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() - seconds).unwrap()
}

pub(crate) fn caller(user: &str, host: &str, command: &str) -> Caller {
    Caller { user: user.into(), host: host.into(), command: command.into() }
}

/// A console that has just been opened.
pub(crate) fn fresh(columns: u16, rows: u16, options: ConsoleOptions) -> Model {
    let options = ConsoleOptions { by: caller("mia", "laptop", "console"), engine_label: "web-1".into(), ..options };
    let ports = ProxyPorts { http: 80, https: Some(443), metrics: None };
    let mut m = Model::new(options, Namespace::default(), ports, "0123456789abcdef".into(), now());
    update(&mut m, Msg::Resize(columns, rows));
    update(&mut m, Msg::Painted(Vec::new()));
    m
}

/// The host in full swing: six apps, a deploy under way, an orphan.
pub(crate) fn host(columns: u16, rows: u16, options: ConsoleOptions) -> Model {
    let mut m = fresh(columns, rows, options);
    feed(&mut m, engine_up());
    feed(&mut m, Msg::Containers(containers()));
    feed(&mut m, Msg::Snapshot(Box::new(snapshot())));
    for second in 0..60 {
        feed(&mut m, usage(second));
    }
    for envelope in deploy("f00d", true).into_iter().take(DEPLOYING) {
        feed(&mut m, Msg::Progress(Box::new(envelope)));
    }
    select(&mut m, "books");
    let id = "books-7".to_owned();
    feed(&mut m, Msg::Detail(id.clone(), Some(Box::new(detail(&id)))));
    feed(&mut m, Msg::Health("books".parse().unwrap(), ProbeAnswer::Healthy { status: 200, took_ms: 12 }));
    m
}

/// Events of [`deploy`] after which it drains.
pub(crate) const DEPLOYING: usize = 17;

pub(crate) fn feed(m: &mut Model, msg: Msg) -> Vec<Effect> {
    update(m, msg)
}

/// Marks an app.
pub(crate) fn select(m: &mut Model, app: &str) {
    m.selected = Some(super::model::RowKey::App(app.parse().unwrap()));
}

pub(crate) fn engine_up() -> Msg {
    Msg::EngineUp(Box::new(EngineInfo {
        id: "E".into(),
        name: "web-1".into(),
        version: "28.2.2".into(),
        api: "1.50".into(),
        os: "linux".into(),
        arch: "amd64".into(),
        cpus: 2,
        memory: 25_233_981_440,
        root_dir: "/var/lib/docker".into(),
        address: "unix:///var/run/docker.sock".into(),
        local: true,
        time: None,
    }))
}

pub(crate) fn problem() -> Problem {
    let mut problem =
        Problem::new(Outcome::Environment, "engine-unreachable", "the engine at /var/run/docker.sock does not answer")
            .hint("`systemctl status docker` says whether it runs");
    problem.causes.push("Connection refused (os error 111)".into());
    problem
}

fn digest(seed: char) -> ResolvedImage {
    ResolvedImage { digest: Some(format!("sha256:3f2a91c{}", seed.to_string().repeat(57))), id: String::new() }
}

fn release(app: &str, number: u64, image: &str, age: i64, status: ReleaseStatus) -> Release {
    let mut settings = Settings::new(image.parse().unwrap(), format!("{app}.example.com").parse().unwrap());
    settings.memory = Some("1g".parse().unwrap());
    settings.env.insert("RAILS_LOG_LEVEL".parse().unwrap(), EnvValue::plain("info"));
    settings.env.insert("SMTP_PASSWORD".parse().unwrap(), EnvValue::secret("••••••"));
    if number % 2 == 1 {
        settings.env.insert("FEATURE_X".parse().unwrap(), EnvValue::plain("on"));
    }
    Release {
        number: ReleaseNumber(number),
        op: OpId(format!("op-{app}-{number}")),
        image: digest(char::from(b'0' + (number % 10) as u8)),
        settings,
        container: format!("once-{app}-{number}"),
        port: Port::HTTP,
        created_at: ago(age),
        by: caller("deploy", "ci", "deploy"),
        revision: (number % 2 == 1).then(|| "9c1f04e".into()),
        rollback_to: None,
        status,
        took_ms: 6_400,
        container_kept: true,
        adopted: false,
    }
}

pub(crate) fn record(app: &str, releases: Vec<Release>, state: RunState) -> AppRecord {
    let secret = || Secret::new(String::new());
    let generated =
        Generated { secret_key_base: secret(), vapid_public_key: String::new(), vapid_private_key: secret() };
    let mut record = AppRecord::new(AppId(format!("id-{app}")), app.parse().unwrap(), generated, ago(9_000_000));
    record.serving = releases.iter().find(|r| r.status == ReleaseStatus::Serving).map(|r| r.number);
    record.next_release = releases.last().map_or(1, |r| r.number.0 + 1);
    record.releases = releases;
    record.state = state;
    record.revision = 20;
    record
}

fn serving(app: &str, number: u64, image: &str, age: i64) -> Vec<Release> {
    let replaced = ReleaseStatus::Replaced { at: ago(age) };
    let tagged = |n: u64| format!("{image}:1.{n}.0");
    (number.saturating_sub(4).max(1)..number)
        .map(|n| release(app, n, &tagged(n), age + 86_400 * (number - n) as i64, replaced.clone()))
        .chain([release(app, number, &tagged(number), age, ReleaseStatus::Serving)])
        .collect()
}

pub(crate) fn records() -> Vec<AppRecord> {
    let mut failed =
        release("wiki", 1, "acme/wiki:2.0", 7200, ReleaseStatus::Failed { why: "it never answered on port 80".into() });
    failed.container_kept = false;
    let mut locked = record("chat", serving("chat", 41, "ghcr.io/acme/chat", 3 * 86_400), RunState::Running);
    locked.manual_lock =
        Some(ManualLock { by: caller("mia", "laptop", "lock"), since: ago(4000), message: Some("load test".into()) });
    vec![
        record("books", serving("books", 7, "ghcr.io/acme/books", 5 * 3600), RunState::Running),
        locked,
        record("shop", serving("shop", 12, "ghcr.io/acme/shop", 86_400), RunState::Running),
        record("blog", serving("blog", 3, "ghcr.io/acme/blog", 40 * 86_400), RunState::Running),
        record("old", serving("old", 2, "acme/old", 90 * 86_400), RunState::Stopped),
        record("wiki", vec![failed], RunState::Running),
    ]
}

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
    let id = |app: &str| AppId(format!("id-{app}"));
    Snapshot {
        info: ProxyInfo {
            protocol: 1,
            version: "0.1.0".into(),
            instance: "i".into(),
            started_at: ago(900_000),
            set_aside: Vec::new(),
            memory: 9 << 20,
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

pub(crate) fn container(app: &str, release: u64) -> Container {
    Container {
        id: format!("{app}-{release}"),
        name: format!("once-{app}-{release}"),
        identity: Some(Identity {
            namespace: Namespace::default(),
            role: Role::Web,
            app: Some(app.parse().unwrap()),
            id: Some(AppId(format!("id-{app}"))),
            release: Some(ReleaseNumber(release)),
        }),
        image: "sha256:abc".into(),
        image_id: "sha256:abc".into(),
        running: true,
        state: "running".into(),
        status: "Up 5 hours".into(),
        created_at: ago(18_000),
        labels: std::collections::BTreeMap::new(),
        ports: Vec::new(),
        open: Vec::new(),
    }
}

pub(crate) fn containers() -> Vec<Container> {
    vec![
        container("books", 7),
        container("chat", 41),
        container("shop", 12),
        container("blog", 3),
        container("lost", 2),
    ]
}

pub(crate) fn usage(second: u32) -> Msg {
    let wave = |low: f64, high: f64, step: u32| low + (high - low) * f64::from(second * step % 13) / 12.0;
    let of = |cpu, memory| Usage { cpu, memory, memory_limit: 1 << 30 };
    let by_container = HashMap::from([
        ("books-7".to_owned(), of(wave(0.02, 0.41, 5), (210 << 20) + u64::from(second) * 100_000)),
        ("chat-41".to_owned(), of(wave(0.05, 0.2, 3), 480 << 20)),
        ("shop-12".to_owned(), of(wave(0.3, 0.9, 7), 640 << 20)),
        ("blog-3".to_owned(), of(0.004, 96 << 20)),
    ]);
    let host = HostUsage {
        cpu: wave(0.1, 0.9, 5),
        memory: 4_402_341_478,
        memory_total: 25_233_981_440,
        disk: 20 << 30,
        disk_total: 220 << 30,
    };
    Msg::Usage(by_container, Some(host))
}

pub(crate) fn detail(id: &str) -> ContainerDetail {
    ContainerDetail {
        id: id.into(),
        name: format!("once-{id}"),
        running: true,
        restarting: false,
        exit_code: None,
        out_of_memory: false,
        error: String::new(),
        started_at: Some(ago(18_000)),
        restarts: 0,
        image_id: String::new(),
        networks: std::collections::BTreeMap::new(),
        labels: std::collections::BTreeMap::new(),
        env: Vec::new(),
        ports: std::collections::BTreeMap::new(),
        memory: None,
        nano_cpus: None,
        restart: crate::app::engine::Restart::UnlessStopped,
    }
}

/// The plan of [`deploy`].
pub(crate) fn plan() -> PlanView {
    let change = |field: &str, from: Option<&str>, to: Option<&str>, cost| Change {
        field: field.into(),
        from: from.map(Into::into),
        to: to.map(Into::into),
        cost,
    };
    PlanView {
        action: Action::Swap,
        changes: vec![
            change("image", Some("ghcr.io/acme/shop:1.12.0"), Some("ghcr.io/acme/shop:1.13.0"), Cost::Swap),
            change("env.FEATURE_X", None, Some("on"), Cost::Swap),
            change("env.SMTP_PASSWORD", None, None, Cost::Swap),
        ],
        remarks: Vec::new(),
    }
}

/// A deploy of shop, release 12 to 13; `good`: it ends well, else its container never listens.
pub(crate) fn deploy(op: &str, good: bool) -> Vec<Envelope> {
    let steps = vec![Step::Lock, Step::Pull, Step::Start, Step::Healthy, Step::Switch, Step::Drain, Step::Retire];
    let done = |step, detail: &str, took_ms| Event::StepFinished { step, detail: detail.into(), took_ms };
    let started = |step| Event::StepStarted { step };
    let log = |line: &str| Event::Log { line: line.into() };
    let traffic = TrafficView {
        old: 1024,
        new: 180,
        failed: 0,
        slowest_ms: 84,
        series: (0..24)
            .map(|i: u32| (if i < 16 { 60 + i % 5 * 8 } else { (24 - i) * 6 }, i.saturating_sub(15) * 9))
            .collect(),
    };
    let mut events = vec![
        Event::Started { by: caller("deploy", "ci", "deploy") },
        done(Step::Lock, "yours", 10),
        Event::Planned { plan: plan(), host: "shop.example.com".into(), from: Some(ReleaseNumber(12)), steps },
        Event::Numbered { release: ReleaseNumber(13) },
        started(Step::Pull),
        Event::Progress {
            step: Step::Pull,
            text: "2 of 4 layers, 61 of 128 MB".into(),
            done: Some(61),
            total: Some(128),
        },
        done(Step::Pull, "4 of 9 layers, 128 MB", 3_100),
        started(Step::Start),
        done(Step::Start, "once-shop-13", 210),
        log("=> Booting Puma"),
        log("* Listening on http://0.0.0.0:80"),
        started(Step::Healthy),
    ];
    if good {
        events.extend([
            done(Step::Healthy, "GET /up → refused, 503, 200", 1_900),
            done(Step::Switch, "new requests go to release 13", 10),
            started(Step::Drain),
            Event::Traffic(traffic),
            Event::Progress {
                step: Step::Drain,
                text: "release 12 still has 14 requests, 2 websockets".into(),
                done: None,
                total: None,
            },
            done(Step::Drain, "release 12 has nothing under way", 4_000),
            done(Step::Retire, "once-shop-12 is kept for a rollback", 300),
            Event::Finished(Finished {
                canary: None,
                outcome: Outcome::Updated,
                release: Some(ReleaseNumber(13)),
                serving: Some(ReleaseNumber(13)),
                url: Some("http://shop.example.com".into()),
                warnings: Vec::new(),
                retryable: false,
                release_command_ran: None,
                problem: None,
            }),
        ]);
    } else {
        let mut problem = Problem::new(
            Outcome::Failed,
            "not-healthy",
            "release 13 did not become healthy within 60 s: nobody listens on port 80",
        )
        .hint("port 3000 answers: `once deploy --name shop --port 3000`")
        .hint("`once logs shop --release 13` shows all it wrote");
        problem.causes.push("GET /up was refused 61 times".into());
        problem.log = vec!["Error: bind EADDRINUSE :80".into(), "exiting".into()];
        events.extend([
            log("Error: bind EADDRINUSE :80"),
            Event::StepFailed { step: Step::Healthy, detail: "GET /up → refused".into(), took_ms: 60_000 },
            Event::Finished(Finished {
                canary: None,
                outcome: Outcome::Failed,
                release: Some(ReleaseNumber(13)),
                serving: Some(ReleaseNumber(12)),
                url: None,
                warnings: Vec::new(),
                retryable: false,
                release_command_ran: Some(false),
                problem: Some(problem),
            }),
        ]);
    }
    let app: AppName = "shop".parse().unwrap();
    let at = |i: usize| Timestamp::from_millisecond(ago(14).as_millisecond() + i as i64 * 700).unwrap();
    let envelope = |(i, event): (usize, Event)| Envelope {
        event,
        op: OpId(op.into()),
        app: Some(app.clone()),
        seq: i as u64,
        at: at(i),
    };
    events.into_iter().enumerate().map(envelope).collect()
}

/// What an app writes.
pub(crate) fn log_lines() -> Vec<LogLine> {
    let texts = [
        "=> Booting Puma",
        "* Listening on http://0.0.0.0:80",
        "GET /up 200 in 2ms",
        "GET / 200 in 31ms",
        "WARN slow query: select * from orders where customer_id = 91 order by created_at desc limit 20 took 812 ms",
        "GET /orders 200 in 840ms",
        "ERROR ActiveRecord::ConnectionTimeoutError: could not obtain a connection from the pool within 5.000 seconds",
        "GET /orders 500 in 5002ms",
        "DEBUG cache miss orders/91",
        "GET /orders 200 in 22ms",
    ];
    let line =
        |(i, text): (usize, &&str)| LogLine { at: Some(ago(60 - i as i64)), stderr: false, text: (*text).into() };
    texts.iter().enumerate().map(line).collect()
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
        entry(200_000, "mia", "laptop", "old", "stopped", "visitors see a 503 page"),
    ]
}
