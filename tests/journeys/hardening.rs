//! What containers may and may not, as the engine has it.

use serde_json::Value;

use crate::host::{Host, docker};

fn inspect(name: &str) -> Value {
    let all: Vec<Value> = serde_json::from_str(&docker(&["inspect", name])).unwrap();
    all.into_iter().next().unwrap()
}

fn mounts(container: &Value) -> Vec<(String, String, String, bool)> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let all = container["Mounts"].as_array().unwrap().iter();
    let source = |m: &Value| text(if m["Type"] == "volume" { &m["Name"] } else { &m["Source"] });
    let mut all: Vec<_> = all.map(|m| (text(&m["Destination"]), text(&m["Type"]), source(m), m["RW"] == true)).collect();
    all.sort();
    all
}

#[test]
fn an_apps_container() {
    let host = Host::new();
    let image = host.image("1", &[]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let network = format!("{}-extra", host.namespace);
    let label = format!("once.namespace={}", host.namespace);
    let gone = host.deploy(&image, &["--network", &network]).expect(2, "rejected");
    assert_eq!(gone["code"], "no-such-network");
    docker(&["network", "create", "--label", &label, &network]);
    let bind = format!("{path}:/config:ro");
    let settings = ["--network", &network, "--volume", "cache:/cache", "--volume", &bind, "--label", "team=blue"];
    host.deploy(&image, &[&settings[..], &["--log-max-size", "5m", "--memory", "256m"]].concat()).expect(0, "created");

    let container = inspect(&host.running()[0]);
    let config = &container["HostConfig"];
    assert_eq!(config["SecurityOpt"], serde_json::json!(["no-new-privileges"]));
    assert_eq!((&config["Init"], &config["Privileged"]), (&true.into(), &false.into()));
    assert_eq!(config["RestartPolicy"]["Name"], "unless-stopped");
    assert_eq!(config["LogConfig"]["Type"], "json-file");
    assert_eq!(config["LogConfig"]["Config"]["max-size"], (5 << 20).to_string());
    assert_eq!(config["LogConfig"]["Config"]["max-file"], "3");
    assert_eq!((&config["Memory"], &config["MemorySwap"]), (&(256 << 20).into(), &(256 << 20).into()));
    assert_eq!(config["PortBindings"], serde_json::json!({}), "nobody gets around the proxy");
    assert_eq!(container["Config"]["Labels"]["team"], "blue");
    let networks: Vec<&String> = container["NetworkSettings"]["Networks"].as_object().unwrap().keys().collect();
    assert_eq!(networks, [&host.namespace, &network]);
    let data = format!("{}-app", host.namespace);
    let volume = |target: &str, name: &str| (target.to_owned(), "volume".to_owned(), name.to_owned(), true);
    assert_eq!(
        mounts(&container),
        [
            volume("/cache", &format!("{data}-cache")),
            ("/config".to_owned(), "bind".to_owned(), path.to_owned(), false),
            volume("/rails/storage", &data),
            volume("/storage", &data),
        ]
    );
    assert_eq!(host.version(), "1");
}

#[test]
fn the_proxys_container() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let container = inspect(&host.proxy());
    let config = &container["HostConfig"];
    assert_eq!(config["ReadonlyRootfs"], true);
    assert_eq!(config["CapDrop"], serde_json::json!(["ALL"]));
    assert!(config["CapAdd"].as_array().is_none_or(Vec::is_empty), "{}", config["CapAdd"]);
    assert_eq!(config["SecurityOpt"], serde_json::json!(["no-new-privileges"]));
    assert_eq!(config["RestartPolicy"]["Name"], "unless-stopped");
    assert!(container["Config"]["User"].as_str().unwrap().starts_with("65532"), "{}", container["Config"]["User"]);
    let mounts = mounts(&container);
    assert_eq!(mounts.len(), 1, "its volume alone, and never the engine's socket: {mounts:?}");
    assert_eq!(mounts[0].2, host.proxy());
}
