//! What others made becomes an app while it runs on: anybody's container, ONCE's, Kamal's.

use std::process::Command;

use once::demo::load::Mix;
use serde_json::Value;

use crate::host::{Host, docker, run};

/// Containers, volumes and networks that carry no label of ours. They go when the test ends, also when it failed.
#[derive(Default)]
struct Theirs {
    containers: Vec<String>,
    volumes: Vec<String>,
    networks: Vec<String>,
}

impl Theirs {
    /// `docker run -d --name NAME …`; the container's id.
    fn run(&mut self, name: &str, args: &[&str]) -> String {
        self.containers.push(name.to_owned());
        let output = Command::new("docker").args(["run", "-d", "--name", name]).args(args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn volume(&mut self, name: &str, labels: &[String]) {
        self.volumes.push(name.to_owned());
        let mut args = vec!["volume", "create"];
        labels.iter().for_each(|label| args.extend(["--label", label]));
        args.push(name);
        docker(&args);
    }

    fn network(&mut self, name: &str) {
        self.networks.push(name.to_owned());
        docker(&["network", "create", name]);
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        for name in &self.containers {
            docker(&["rm", "-f", "-v", name]);
        }
        for name in &self.volumes {
            docker(&["volume", "rm", "-f", name]);
        }
        for name in &self.networks {
            docker(&["network", "rm", name]);
        }
    }
}

fn since(host: &Host, container: &str) -> String {
    host.inspect(container, "{{.Id}} {{.State.StartedAt}} {{.RestartCount}}")
}

fn planned(lines: &[Value]) -> &Value {
    lines.iter().find(|line| line["event"] == "planned").unwrap_or_else(|| panic!("{lines:#?}"))
}

fn change<'a>(plan: &'a Value, field: &str) -> Option<&'a str> {
    let changes = plan["plan"]["changes"].as_array().unwrap();
    changes.iter().find(|c| c["field"] == field).map(|c| c["to"].as_str().unwrap())
}

#[test]
fn anybodys_container_becomes_an_app_as_it_runs_and_its_next_deploy_swaps_it() {
    let host = Host::new();
    let image = host.image("1", &[]);
    let mut theirs = Theirs::default();
    let (wiki, data, net) =
        (format!("{}-wiki", host.namespace), format!("{}_pages", host.namespace), format!("{}-net", host.namespace));
    theirs.volume(&data, &[]);
    theirs.network(&net);
    let (volume, bind) = (format!("{data}:/pages"), "/tmp:/outside:ro");
    theirs.run(
        &wiki,
        &[
            "-e", "DB_PASSWORD=planted-word", "-e", "DATABASE_URL=postgres://wiki:planted-too@db/wiki", "-e",
            "LOCALE=de", "-v", &volume, "-v", bind, "--memory", "256m", "--cpus", "0.5", "--network", &net, "--restart",
            "always", "--cap-add", "NET_RAW", "-p", "127.0.0.1:0:80", &image,
        ],
    );
    let before = since(&host, &wiki);

    let seen = host.json(&["adopt", &wiki, "--name", "app", "--host", "app.localhost", "--dry-run"]);
    seen.expect(0, "unchanged");
    let lines = seen.json();
    let plan = planned(&lines);
    assert_eq!(change(plan, "env.LOCALE"), Some("de"), "{plan:#}");
    assert_eq!(change(plan, "volume./pages"), Some(format!("docker:{data}").as_str()), "{plan:#}");
    assert_eq!(change(plan, "volume./outside"), Some("/tmp (read-only)"), "{plan:#}");
    assert_eq!((change(plan, "port"), change(plan, "cpus")), (Some("80"), Some("0.5")), "{plan:#}");
    assert!(change(plan, "env.PATH").is_none() && change(plan, "env.DEMO_VERSION").is_none(), "the image's own: {plan:#}");
    let text = format!("{seen:?}");
    assert!(!text.contains("planted"), "{text}");
    assert!(text.contains("further capabilities") && text.contains("port ") && text.contains("until it is swapped"), "{text}");
    assert_eq!(host.inspect(&host.proxy(), "{{.Id}}"), "", "to look is not to make");

    let said = host.json(&["adopt", &wiki, "--name", "app", "--host", "app.localhost", "--yes"]);
    let created = said.expect(0, "created");
    assert_eq!(created["serving"], 1);
    assert!(!format!("{said:?}").contains("planted"), "{said:#?}");
    assert_eq!(host.version(), "1");
    assert_eq!(since(&host, &wiki), before, "it ran on");
    assert_eq!(host.inspect(&wiki, "{{.HostConfig.RestartPolicy.Name}}"), "unless-stopped");
    host.json(&["adopt", &wiki, "--name", "app", "--yes"]).expect(0, "unchanged");
    let status = host.once(&["status", "app", "--json"]);
    assert_eq!((status.code, status.json()[0]["health"].as_str()), (0, Some("running")), "{status:#?}");
    host.json(&["deploy", "--name", "app"]).expect(0, "unchanged");
    assert!(!format!("{:?}", host.once(&["show", "app", "--json"])).contains("planted"));

    let next = host.image("2", &[]);
    let load = host.load(4, Mix::ALL);
    host.json(&["deploy", &next, "--name", "app"]).expect(0, "updated");
    let report = load.stop();
    assert_eq!((report.failed, host.version().as_str()), (0, "2"), "{report:?}");
    let ours = format!("{}-app-2", host.namespace);
    assert_eq!(host.inspect(&wiki, "{{.State.Running}}"), "false", "kept for a rollback");
    let mounts = host.inspect(&ours, "{{range .Mounts}}{{.Name}}{{.Source}}:{{.Destination}} {{end}}");
    assert!(mounts.contains(&format!("{data}/")) || mounts.contains(&data), "{mounts}");
    assert!(host.inspect(&ours, "{{.Config.Env}}").contains("planted-word"));
    assert!(!host.inspect(&ours, "{{json .Config.Labels}}").contains("planted"));
    let back = host.json(&["rollback", "app"]).expect(0, "updated");
    assert_eq!((back["serving"].as_u64(), host.version().as_str()), (Some(3), "1"));
    assert_eq!(host.inspect(&wiki, "{{.State.Running}}"), "true", "the very container");

    host.json(&["remove", "app", "--data", "--yes"]).expect(0, "updated");
    assert_eq!(host.inspect(&wiki, "{{.Id}}"), "", "it was the app's, and went with it");
    assert_eq!(docker(&["volume", "ls", "-q", "--filter", &format!("name=^{data}$")]).trim(), data, "its data stays");
}

#[test]
fn what_does_not_answer_is_left_as_it_was() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let mut theirs = Theirs::default();
    let name = format!("{}-wiki", host.namespace);
    theirs.run(&name, &[&image]);
    let before = (since(&host, &name), host.inspect(&name, "{{json .NetworkSettings.Networks}}"));
    let failed = host.json(&["adopt", &name, "--name", "wiki", "--port", "81", "--yes"]).expect(5, "failed");
    assert_eq!(failed["problem"]["code"].as_str().or(failed["code"].as_str()), Some("unhealthy"), "{failed:#}");
    let taken = host.json(&["adopt", &name, "--name", "wiki", "--host", "app.localhost", "--yes"]);
    assert_ne!(taken.code, 0, "{taken:#?}");
    host.json(&["adopt", &name, "--name", "app", "--yes"]).expect(7, "refused");
    let after = (since(&host, &name), host.inspect(&name, "{{json .NetworkSettings.Networks}}"));
    assert_eq!(after, before);
    assert_eq!(host.volumes().len(), 1, "only the other app's: {:?}", host.volumes());
    let shared = format!("{}-shared", host.namespace);
    theirs.run(&shared, &["--network", &format!("container:{name}"), "-e", "PORT=81", &image]);
    let rejected = run(host.command(&["adopt", &shared, "--yes", "--json"])).expect(2, "rejected");
    assert_eq!(rejected["code"], "no-network", "{rejected:#}");
}
