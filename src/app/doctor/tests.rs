use super::*;
use crate::app::engine::HostUsage;
use crate::app::finding::Severity;

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

fn container(name: &str, open: &[u16]) -> Container {
    Container {
        id: format!("id-{name}"),
        name: name.into(),
        identity: None,
        image: "x".into(),
        image_id: "sha256:x".into(),
        running: true,
        state: "running".into(),
        status: "Up".into(),
        created_at: jiff::Timestamp::UNIX_EPOCH,
        labels: BTreeMap::new(),
        ports: Vec::new(),
        open: open.to_vec(),
    }
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
fn the_machine_tells_of_an_open_engine_full_disks_and_logs_without_bound() {
    let socket =
        |address: &str, port| Socket { address: address.parse().unwrap(), port, process: Some(("dockerd".into(), 7)) };
    let usage = |disk, memory| Some(HostUsage { cpu: 0.1, memory, memory_total: 100, disk, disk_total: 100 });
    let machine = |sockets, usage, logs: &[(&str, u64)]| Machine {
        sockets,
        usage,
        logs: logs.iter().map(|(id, bytes)| ((*id).to_owned(), *bytes)).collect(),
    };
    let containers = [container("web", &[])];
    for (machine, expected) in [
        (machine(vec![socket("127.0.0.1", 2375)], usage(50, 50), &[("id-web", 5)]), &[][..]),
        (machine(vec![socket("0.0.0.0", 2375)], None, &[]), &[Kind::EngineExposed]),
        (machine(vec![socket("0.0.0.0", 80)], None, &[]), &[Kind::Foreign]),
        (machine(vec![], usage(95, 50), &[]), &[Kind::Disk]),
        (machine(vec![], usage(50, 99), &[]), &[Kind::Memory]),
        (machine(vec![], None, &[("id-web", 2 << 30)]), &[Kind::Log]),
        (machine(vec![], None, &[("id-gone", 2 << 30)]), &[]),
    ] {
        assert_eq!(kinds(&of_machine(&machine, &containers, &info("28.2.2"))), expected, "{machine:?}");
    }
}

#[test]
fn the_web_port_of_a_container_is_nobody_elses() {
    let mut proxy = container("once-proxy", &[80]);
    proxy.ports = vec![80];
    let socket = Socket { address: "0.0.0.0".parse().unwrap(), port: 80, process: None };
    let machine = Machine { sockets: vec![socket], ..Machine::default() };
    assert_eq!(of_machine(&machine, &[proxy], &info("28.2.2")), []);
}

#[test]
fn a_name_that_leads_elsewhere_is_a_remark_and_one_that_leads_nowhere_a_problem() {
    let mut inventory =
        Inventory { apps: Vec::new(), snapshot: None, proxy: None, strays: Vec::new(), containers: Vec::new() };
    inventory.apps.push(crate::app::reconcile::tests::view("shop", &["shop.example.com"]));
    let lookup = |found| Lookup { host: "shop.example.com".parse().unwrap(), found };
    let (ours, theirs) = (("192.0.2.1".parse().unwrap(), true), ("192.0.2.2".parse().unwrap(), false));
    for (found, expected) in [
        (Ok(vec![ours]), None),
        (Ok(vec![ours, theirs]), None),
        (Ok(vec![theirs]), Some(Severity::Remark)),
        (Err("no such name".to_owned()), Some(Severity::Problem)),
    ] {
        let findings = names(&inventory, &[lookup(found.clone())]);
        assert_eq!(findings.first().map(|f| f.severity), expected, "{found:?}");
    }
}

#[test]
fn names_of_this_machine_alone_are_not_looked_up() {
    let mut inventory =
        Inventory { apps: Vec::new(), snapshot: None, proxy: None, strays: Vec::new(), containers: Vec::new() };
    let hosts = ["shop.example.com", "shop.localhost", "*.example.com", "192.0.2.1"];
    inventory.apps.push(crate::app::reconcile::tests::view("shop", &hosts));
    let names: Vec<String> = public_names(&inventory).iter().map(ToString::to_string).collect();
    assert_eq!(names, ["shop.example.com"]);
}
