//! Whether a container still is what its release made of it. Pure.

use super::finding::{Finding, Fix, Kind};
use crate::model::name::AppName;
use crate::ports::engine::{ContainerDetail, ContainerSpec, Restart};

/// What was changed behind our back, in words for people. Values of variables are never among them.
#[must_use]
pub fn drift(expected: &ContainerSpec, image_id: &str, found: &ContainerDetail) -> Vec<String> {
    let mut changes = Vec::new();
    if found.image_id != image_id {
        changes.push("it runs another image".to_owned());
    }
    changes.extend(variables(expected, found));
    if found.memory != expected.memory {
        changes.push(format!("its memory limit is {}", words(found.memory)));
    }
    if found.nano_cpus != expected.nano_cpus {
        changes.push(match found.nano_cpus {
            Some(nanos) => format!("its processor limit is {:.2}", nanos as f64 / 1e9),
            None => "its processor limit is gone".to_owned(),
        });
    }
    let missing = expected.networks.iter().filter(|network| !found.networks.contains_key(*network));
    changes.extend(missing.map(|network| format!("it left the network {network}")));
    if found.restart != expected.restart {
        changes.push(match found.restart {
            Restart::No => "the engine does not start it again".to_owned(),
            Restart::UnlessStopped => "the engine starts it again when it ends".to_owned(),
        });
    }
    changes
}

fn variables(expected: &ContainerSpec, found: &ContainerDetail) -> Option<String> {
    let differs = |(key, value): &&(String, String)| {
        !found.env.iter().any(|pair| pair.split_once('=') == Some((key.as_str(), value.as_str())))
    };
    let keys: Vec<&str> = expected.env.iter().filter(differs).map(|(key, _)| key.as_str()).collect();
    if keys.is_empty() { None } else { Some(format!("variables differ: {}", keys.join(", "))) }
}

fn words(memory: Option<u64>) -> String {
    memory.map_or_else(|| "gone".to_owned(), |bytes| crate::model::units::ByteSize(bytes).to_string())
}

/// The finding that tells of it; `None`: nothing drifted.
#[must_use]
pub fn finding(app: &AppName, found: &ContainerDetail, changes: &[String]) -> Option<Finding> {
    if changes.is_empty() {
        return None;
    }
    let what = format!("the container {} is not as {app} was deployed: {}", found.name, changes.join("; "));
    let why = "the next deploy undoes it, and until then nobody can tell what runs";
    let found = Finding::problem(Kind::Drift, &found.name, what, why).of(app).mend(format!("once restart {app}"));
    Some(found.fix(Fix::Restart { app: app.clone() }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn expected() -> ContainerSpec {
        ContainerSpec {
            name: "once-shop-1".into(),
            image: "sha256:1".into(),
            command: None,
            entrypoint: None,
            env: vec![("A".into(), "1".into()), ("TOKEN".into(), "hunter2".into())],
            labels: BTreeMap::new(),
            networks: vec!["once".into()],
            mounts: Vec::new(),
            memory: Some(512 << 20),
            nano_cpus: None,
            pids: None,
            publish: Vec::new(),
            publish_local: Vec::new(),
            restart: Restart::UnlessStopped,
            log_max_size: 1,
            user: None,
            read_only: false,
            drop_capabilities: false,
            init: true,
            stop_timeout: 10,
        }
    }

    fn found() -> ContainerDetail {
        ContainerDetail {
            id: "1".into(),
            name: "once-shop-1".into(),
            running: true,
            restarting: false,
            exit_code: None,
            out_of_memory: false,
            error: String::new(),
            started_at: None,
            restarts: 0,
            image_id: "sha256:1".into(),
            networks: BTreeMap::from([
                ("once".to_owned(), "172.18.0.2".to_owned()),
                ("extra".to_owned(), String::new()),
            ]),
            labels: BTreeMap::new(),
            env: vec!["PATH=/bin".into(), "A=1".into(), "TOKEN=hunter2".into()],
            ports: BTreeMap::new(),
            volumes: BTreeMap::new(),
            memory: Some(512 << 20),
            nano_cpus: None,
            restart: Restart::UnlessStopped,
        }
    }

    #[test]
    fn a_container_as_it_was_made_has_not_drifted() {
        assert_eq!(drift(&expected(), "sha256:1", &found()), Vec::<String>::new());
        assert_eq!(finding(&"shop".parse().unwrap(), &found(), &[]), None);
    }

    #[test]
    fn each_change_is_named_and_no_value_is() {
        type Change = fn(&mut ContainerDetail);
        let cases: [(&str, Change); 7] = [
            ("another image", |c| c.image_id = "sha256:2".into()),
            ("variables differ: TOKEN", |c| c.env[2] = "TOKEN=changed".into()),
            ("variables differ: A", |c| {
                c.env.remove(1);
            }),
            ("memory limit is gone", |c| c.memory = None),
            ("processor limit is 0.50", |c| c.nano_cpus = Some(500_000_000)),
            ("left the network once", |c| {
                c.networks.remove("once");
            }),
            ("does not start it again", |c| c.restart = Restart::No),
        ];
        for (expected_text, change) in cases {
            let mut changed = found();
            change(&mut changed);
            let changes = drift(&expected(), "sha256:1", &changed);
            assert_eq!(changes.len(), 1, "{changes:?}");
            assert!(changes[0].contains(expected_text), "{changes:?}");
            let told = finding(&"shop".parse().unwrap(), &changed, &changes).unwrap();
            assert!(!format!("{told:?}").contains("hunter2") && !told.what.contains("changed;"), "{told:?}");
        }
    }
}
