//! On a host where ONCE of Basecamp is installed with its own names, which are the names of our default namespace: network
//! `once`, container and volume `once-proxy`, apps `once-app-…`. On an engine of the test's own, for these names are taken
//! by whoever comes first.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::host::{Host, Said, eventually, run};
use crate::own_engine::OwnEngine;

const LIMIT: Duration = Duration::from_secs(40);

/// The host, its engine, and ONCE on it with three apps of one image.
struct Beside {
    host: Host,
    engine: OwnEngine,
    image: String,
}

impl Beside {
    fn new() -> Self {
        let host = Host::new();
        let engine = OwnEngine::new(&host);
        let image = format!("{}-demo:1", host.namespace);
        let beside = Self { host, engine, image };
        let made = beside.once(&["demo-image", &beside.image, "--env", "DEMO_VERSION=1"]);
        assert_eq!(made.code, 0, "{made:#?}");
        beside.docker(&["network", "create", "once"]);
        beside.docker(&["volume", "create", "once-proxy"]);
        let label = r#"once={"httpPort":80,"httpsPort":443,"metricsPort":1318}"#;
        let mount = "once-proxy:/home/kamal-proxy/.config/kamal-proxy";
        let usual = ["run", "-d", "--network", "once", "--restart", "always"];
        let proxy = ["--name", "once-proxy", "--label", label, "-v", mount, "-p", "80:80", "-p", "443:443"];
        beside.docker(&[&usual[..], &proxy, &[&beside.image]].concat());
        for (id, name) in [("a1b2c3", "chat"), ("d4e5f6", "team"), ("0718aa", "app")] {
            let volume = format!("once-app-campfire.{id}");
            beside.docker(&["volume", "create", &volume]);
            let label = format!(
                r#"once={{"name":"campfire.{id}","image":"{}","host":"{name}.example.com","disableTLS":true}}"#,
                beside.image
            );
            let (container, mount) = (format!("{volume}-0f0f0f"), format!("{volume}:/storage"));
            let app = ["--name", &container, "--label", &label, "-v", &mount, &beside.image];
            beside.docker(&[&usual[..], &app].concat());
        }
        beside
    }

    /// The command in its default namespace, on the engine.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.host.command(args);
        command.env_remove("ONCE_NAMESPACE").env("DOCKER_HOST", self.engine.address());
        command
    }

    fn once(&self, args: &[&str]) -> Said {
        run(self.command(args))
    }

    #[track_caller]
    fn docker(&self, args: &[&str]) -> String {
        let output = self.engine.docker(args);
        assert!(output.status.success(), "docker {args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn exists(&self, kind: &str, name: &str) -> bool {
        self.engine.docker(&[kind, "inspect", name]).status.success()
    }
}

/// App and outcome of each change.
fn ended(said: &Said) -> Vec<(String, String)> {
    let finished = said.json().into_iter().filter(|line| line["event"] == "finished");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    finished.map(|line| (text(&line["app"]), text(&line["outcome"]))).collect()
}

#[test]
fn its_apps_are_adopted_in_the_default_namespace_and_nothing_of_its_own_is_touched() {
    let beside = Beside::new();
    let doctor = beside.once(&["doctor", "--json"]);
    assert!(matches!(doctor.code, 0 | 10), "{doctor:#?}");
    let port = doctor.json().into_iter().find(|f| f["kind"] == "port" && f["subject"] == "80");
    if let Some(port) = port {
        let said = port.to_string();
        assert!(
            said.contains("ONCE") && said.contains("takeover once-proxy") && !said.contains("docker stop"),
            "{said}"
        );
    }
    assert!(doctor.stdout.contains("once adopt --all"), "{doctor:#?}");

    // The dry run is the run: the same names. An app must not be called `app`, which ONCE would take for its own.
    let seen = beside.once(&["adopt", "--all", "--dry-run", "--json"]);
    assert_eq!(seen.code, 0, "{seen:#?}");
    let mut planned: Vec<String> = ended(&seen).into_iter().map(|(app, _)| app).collect();
    let said = beside.once(&["adopt", "--all", "--yes", "--json"]);
    assert_eq!(said.code, 0, "{said:#?}");
    let mut adopted = Vec::new();
    for (app, outcome) in ended(&said) {
        assert_eq!(outcome, "created", "{app}: {said:#?}");
        adopted.push(app);
    }
    planned.sort();
    adopted.sort();
    assert_eq!((&planned, adopted.as_slice()), (&adopted, &["campfire", "chat", "team"].map(String::from)[..]));
    assert!(beside.exists("container", "once-gateway") && beside.exists("volume", "once-gateway"));
    for name in ["chat", "team", "app"] {
        let host = format!("{name}.example.com");
        assert_eq!(beside.engine.version(&beside.host, &host), (200, "1".into()), "{host}");
    }
    let again = beside.once(&["adopt", "--all", "--yes", "--json"]);
    assert_eq!(again.code, 0, "{again:#?}");

    // Names that would blind ONCE.
    for name in ["app", "app-x"] {
        let refused = beside.once(&["deploy", &beside.image, "--name", name, "--host", "x.localhost", "--json"]);
        assert_eq!(refused.expect(7, "refused")["code"], "name-of-once", "{refused:#?}");
        let refused = beside.once(&["rename", "chat", name, "--json"]);
        assert_eq!(refused.expect(7, "refused")["code"], "name-of-once", "{refused:#?}");
    }
    let refused = beside.once(&["deploy", &beside.image, "--name", "gateway", "--host", "x.localhost", "--json"]);
    assert_eq!(refused.expect(7, "refused")["code"], "name-of-proxy", "{refused:#?}");
    beside
        .once(&["deploy", &beside.image, "--name", "apple", "--host", "apple.localhost", "--json"])
        .expect(0, "created");

    // The next release of an adopted app serves too, and commands that look for the proxy find it.
    beside.once(&["restart", "chat", "--json"]).expect(0, "updated");
    assert_eq!(beside.engine.version(&beside.host, "chat.example.com"), (200, "1".into()));
    let status = beside.once(&["proxy", "status", "--json"]);
    assert_eq!(status.json()[0]["container"], "once-gateway", "{status:#?}");
    let log = beside.once(&["logs", "chat", "--access"]);
    assert_eq!(log.code, 0, "{log:#?}");

    // It keeps its name for ever, also when ONCE has left and the container has to be made again.
    beside.docker(&["rm", "-f", "once-gateway"]);
    let configured = beside.once(&["proxy", "configure", "--access-log", "on"]);
    assert_eq!(configured.code, 0, "{configured:#?}");
    assert!(beside.exists("container", "once-gateway"));
    eventually("the routes", LIMIT, || {
        (beside.engine.version(&beside.host, "team.example.com") == (200, "1".into())).then_some(())
    });

    let down = beside.once(&["teardown", "--data", "--yes", "--json"]);
    down.expect(0, "updated");
    assert!(!beside.exists("container", "once-gateway") && !beside.exists("volume", "once-gateway"));
    for (kind, name) in [
        ("container", "once-proxy"),
        ("volume", "once-proxy"),
        ("network", "once"),
        ("volume", "once-app-campfire.a1b2c3"),
    ] {
        assert!(beside.exists(kind, name), "{kind} {name}");
    }
    assert_eq!(beside.docker(&["network", "inspect", "-f", "{{len .Labels}}", "once"]), "0", "it is not labelled");
    assert_eq!(beside.docker(&["container", "inspect", "-f", "{{.State.Running}}", "once-proxy"]), "true");
    let at = beside.docker(&["volume", "inspect", "-f", "{{.Mountpoint}}", "once-proxy"]);
    assert_eq!(std::fs::read_dir(at).unwrap().count(), 0, "its volume is only read");
}
