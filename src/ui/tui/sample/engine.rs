//! What the engine tells: containers, what they use and write.

use std::collections::HashMap;

use once_app::engine::{Container, ContainerDetail, EngineInfo, HostUsage, Identity, LogLine, Role, Usage};
use once_app::{AppId, Namespace, ReleaseNumber};

use super::super::msg::Msg;
use super::ago;

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

pub(crate) fn container(app: &str, release: u64) -> Container {
    let identity = Identity {
        namespace: Namespace::default(),
        role: Role::Web,
        app: Some(app.parse().unwrap()),
        id: Some(AppId(format!("id-{app}"))),
        release: Some(ReleaseNumber(release)),
    };
    Container {
        id: format!("{app}-{release}"),
        name: format!("once-{app}-{release}"),
        identity: Some(identity),
        image: "acme/shop:1".into(),
        image_id: "sha256:1".into(),
        running: true,
        state: "running".into(),
        status: "Up 5 hours".into(),
        created_at: ago(18_000),
        labels: std::collections::BTreeMap::new(),
        ports: Vec::new(),
        open: Vec::new(),
        unhealthy: false,
        memory_kills: None,
    }
}

pub(crate) fn containers() -> Vec<Container> {
    let serving = [("books", 7), ("chat", 41), ("shop", 12), ("blog", 3), ("lost", 2)];
    let kept = |(app, release): (&'static str, u64)| {
        let older = if app == "lost" { release } else { release.saturating_sub(4).max(1) };
        (older..release).map(move |n| Container { running: false, state: "exited".into(), ..container(app, n) })
    };
    serving.into_iter().flat_map(|of| std::iter::once(container(of.0, of.1)).chain(kept(of))).collect()
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
        volumes: std::collections::BTreeMap::new(),
        memory: None,
        nano_cpus: None,
        restart: once_app::engine::Restart::UnlessStopped,
    }
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
