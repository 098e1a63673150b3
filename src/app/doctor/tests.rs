use std::collections::{BTreeMap, HashMap};

use super::engine::{databases, looping_others, of_engine};
use super::machine::of_machine;
use super::*;
use crate::doctor::finding::Severity;
use crate::ports::engine::sample::of_others;
use crate::ports::engine::{Container, EngineInfo, HostUsage, Identity, Restart, Role, Usage};
use crate::ports::engine::{Machine, Socket};

fn info(version: &str) -> EngineInfo {
    EngineInfo {
        id: "E".into(),
        name: "web-1".into(),
        version: version.into(),
        api: "1.41".into(),
        os: "linux".into(),
        arch: "amd64".into(),
        cpus: 2,
        memory: 1 << 30,
        root_dir: "/var/lib/docker".into(),
        address: "unix:///var/run/docker.sock".into(),
        local: true,
        time: Some("2026-01-31T12:00:00Z".parse().unwrap()),
    }
}

pub(super) fn container(name: &str, open: &[u16]) -> Container {
    Container { open: open.to_vec(), ..of_others(name) }
}

fn kinds(findings: &[Finding]) -> Vec<Kind> {
    findings.iter().map(|f| f.kind).collect()
}

#[test]
fn an_old_engine_and_a_clock_that_is_off_are_said() {
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    for (version, now, expected) in [
        ("20.10.24+dfsg1", "2026-01-31T12:00:05Z", &[][..]),
        ("28.2.2", "2026-01-31T12:00:00Z", &[]),
        ("19.03.15", "2026-01-31T12:00:00Z", &[Kind::Engine]),
        ("28.2.2", "2026-01-31T12:02:00Z", &[Kind::Clock]),
        ("28.2.2", "2026-01-31T11:58:00Z", &[Kind::Clock]),
        ("dev", "2026-01-31T12:00:00Z", &[]),
    ] {
        assert_eq!(kinds(&of_engine(&info(version), at(now))), expected, "{version} {now}");
    }
}

#[test]
fn only_databases_that_other_machines_reach_are_said() {
    let found = databases(&[container("db", &[5432]), container("web", &[80, 8080]), container("private", &[])]);
    assert_eq!(kinds(&found), [Kind::DatabasePublished]);
    assert!(found[0].what.contains("db") && found[0].what.contains("PostgreSQL"), "{found:?}");
}

#[test]
fn containers_of_others_that_never_stay_up_are_said() {
    let mut others = [container("web", &[]), container("db", &[])];
    others[1].state = "restarting".into();
    let found = looping_others(&others);
    assert_eq!(kinds(&found), [Kind::RestartLoop]);
    assert!(found[0].severity == Severity::Remark && found[0].what.contains("db"), "{found:?}");
}

#[test]
fn the_machine_tells_of_an_open_engine_and_of_logs_without_bound() {
    let socket = |address: &str, engine| Socket {
        address: address.parse().unwrap(),
        port: 2375,
        process: Some(("dockerd".into(), 7)),
        engine,
    };
    let machine = |sockets, logs: &[(&str, u64)]| Machine {
        sockets,
        logs: logs.iter().map(|(id, bytes)| ((*id).to_owned(), *bytes)).collect(),
        ..Machine::default()
    };
    let containers = [container("web", &[])];
    for (machine, expected) in [
        (machine(vec![socket("127.0.0.1", true)], &[("id-web", 5)]), &[][..]),
        (machine(vec![socket("0.0.0.0", true)], &[]), &[Kind::EngineExposed]),
        // Somebody listens there, and is no engine.
        (machine(vec![socket("0.0.0.0", false)], &[]), &[]),
        (machine(vec![], &[("id-web", 2 << 30)]), &[Kind::Log]),
        (machine(vec![], &[("id-gone", 2 << 30)]), &[]),
        (Machine { synchronised: Some(false), ..Machine::default() }, &[Kind::Clock]),
        (Machine { synchronised: Some(true), ..Machine::default() }, &[]),
        (Machine { open_socket: true, ..Machine::default() }, &[Kind::Permissions]),
        (Machine { unread: vec!["logs".into()], ..Machine::default() }, &[Kind::Unseen]),
    ] {
        let found = of_machine(&machine, &containers, &info("28.2.2"), &HashMap::new());
        assert_eq!(kinds(&found), expected, "{machine:?}");
        assert!(found.iter().all(|f| !f.why.is_empty() && !f.mend.is_empty()), "{found:?}");
    }
}

#[test]
fn little_memory_names_those_that_have_most_of_it() {
    let usage = |memory| Some(HostUsage { cpu: 0.1, memory, memory_total: 100, disk: 0, disk_total: 0 });
    let identity = Identity {
        namespace: "once".parse().unwrap(),
        role: Role::Web,
        app: "shop".parse().ok(),
        id: None,
        release: None,
    };
    let containers = [container("db", &[]), Container { identity: Some(identity), ..container("once-shop-3", &[]) }];
    let used = |memory| Usage { cpu: 0.0, memory, memory_limit: 0 };
    let used = HashMap::from([("id-db".to_owned(), used(1 << 20)), ("id-once-shop-3".to_owned(), used(3 << 20))]);
    let at = |memory| Machine { usage: usage(memory), ..Machine::default() };
    assert_eq!(of_machine(&at(50), &containers, &info("28.2.2"), &used), []);
    let found = of_machine(&at(99), &containers, &info("28.2.2"), &used);
    assert_eq!(kinds(&found), [Kind::Memory]);
    assert_eq!(found[0].details, ["shop: 3 MiB", "db: 1 MiB"]);
}

#[test]
fn a_loop_is_seen_also_while_it_happens_to_run() {
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let detail = |restarts, started: &str, restarting: bool| ContainerDetail {
        id: "i".into(),
        name: "once-shop-1".into(),
        running: !restarting,
        restarting,
        exit_code: None,
        out_of_memory: true,
        error: String::new(),
        started_at: Some(at(started)),
        restarts,
        image_id: String::new(),
        networks: BTreeMap::new(),
        labels: BTreeMap::new(),
        env: Vec::new(),
        ports: BTreeMap::new(),
        volumes: BTreeMap::new(),
        memory: None,
        nano_cpus: None,
        restart: Restart::UnlessStopped,
    };
    let (app, now) = ("shop".parse().unwrap(), at("2026-01-31T12:00:00Z"));
    for (container, expected) in [
        (detail(7, "2026-01-31T11:59:30Z", false), true),
        (detail(1, "2026-01-31T11:59:30Z", false), false),
        // It was long ago: it runs since.
        (detail(7, "2026-01-31T10:00:00Z", false), false),
        // The list shows it.
        (detail(7, "2026-01-31T11:59:30Z", true), false),
    ] {
        let found = looping(&app, &container, now);
        assert_eq!(found.is_some(), expected, "{container:?}");
        if let Some(found) = found {
            assert!(found.what.contains("7 times, last for want of memory"), "{found:?}");
            assert_eq!((found.kind, found.mend[0].as_str()), (Kind::RestartLoop, "once logs shop"));
        }
    }
}

#[test]
fn a_name_that_leads_elsewhere_is_a_remark_and_one_that_leads_nowhere_a_problem() {
    let mut inventory =
        Inventory { apps: Vec::new(), snapshot: None, proxy: None, strays: Vec::new(), containers: Vec::new() };
    inventory.apps.push(crate::doctor::reconcile::tests::view("shop", &["shop.example.com"]));
    let address = || Ok(vec!["192.0.2.1".parse().unwrap()]);
    for (found, here, expected) in [
        (address(), Some(true), None),
        (address(), Some(false), Some(Severity::Remark)),
        // Where the machine's addresses are not known, nothing is claimed about them.
        (address(), None, None),
        (Err("no such name".to_owned()), None, Some(Severity::Problem)),
    ] {
        let lookup = Lookup { host: "shop.example.com".parse().unwrap(), found: found.clone(), here };
        let findings = names(&inventory, &[lookup], "web-1");
        assert_eq!(findings.first().map(|f| f.severity), expected, "{found:?}");
        assert!(findings.iter().all(|f| f.mend[0].contains("web-1")), "{findings:?}");
    }
}

#[test]
fn names_of_this_machine_alone_are_not_looked_up() {
    let mut inventory =
        Inventory { apps: Vec::new(), snapshot: None, proxy: None, strays: Vec::new(), containers: Vec::new() };
    let hosts = ["shop.example.com", "shop.localhost", "*.example.com", "192.0.2.1"];
    inventory.apps.push(crate::doctor::reconcile::tests::view("shop", &hosts));
    let names: Vec<String> = public_names(&inventory).iter().map(ToString::to_string).collect();
    assert_eq!(names, ["shop.example.com"]);
}
