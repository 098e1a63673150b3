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
    let mut all: Vec<_> =
        all.map(|m| (text(&m["Destination"]), text(&m["Type"]), source(m), m["RW"] == true)).collect();
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
    assert_eq!((&config["Memory"], &config["MemorySwap"]), (&(512 << 20).into(), &(512 << 20).into()));
    assert_eq!(config["PidsLimit"], 4096);
    assert_eq!(config["Privileged"], false);
    assert!(container["Config"]["User"].as_str().unwrap().starts_with("65532"), "{}", container["Config"]["User"]);
    let mounts = mounts(&container);
    assert_eq!(mounts.len(), 1, "its volume alone, and never the engine's socket: {mounts:?}");
    assert_eq!(mounts[0].2, host.proxy());
}

/// The demo load's exit code from a container of its own in the apps' network.
fn from_the_apps_network(host: &Host, image: &str, address: &str) -> Option<i32> {
    let label = format!("once.namespace={}", host.namespace);
    let run = ["run", "--rm", "--network", &host.namespace, "--label", &label, image];
    let load = ["demo-load", "--address", address, "--host", "app.localhost", "--seconds", "2", "--mix", "close"];
    std::process::Command::new("docker").args(run).args(load).output().unwrap().status.code()
}

#[test]
fn metrics_are_for_the_host_itself_and_for_no_app() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    host.version();
    let port = crate::ports::free().unwrap().to_string();
    let said = host.once(&["proxy", "configure", "--metrics-port", &port]);
    assert_eq!(said.code, 0, "{said:#?}");
    let bindings = &inspect(&host.proxy())["HostConfig"]["PortBindings"]["9180/tcp"];
    assert_eq!(*bindings, serde_json::json!([{"HostIp": "127.0.0.1", "HostPort": port}]));

    host.version();
    let scrape = || {
        let url = format!("http://127.0.0.1:{port}/metrics");
        let output = std::process::Command::new("curl").args(["-s", "-m", "10", &url]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.contains("kamal_proxy_http_requests_total{method=\"GET\",service=\"app\",status=\"200\"}").then_some(text)
    };
    let text = crate::host::eventually("a scrape", std::time::Duration::from_secs(60), scrape);
    assert!(text.contains("once_app_up{service=\"app\",release=\"1\"} 1"), "{text}");

    let (web, metrics) = (format!("{}:8080", host.proxy()), format!("{}:9180", host.proxy()));
    assert_eq!(from_the_apps_network(&host, &image, &web), Some(0), "the network itself works");
    assert_ne!(from_the_apps_network(&host, &image, &metrics), Some(0), "an app reads everybody's traffic");

    let said = host.once(&["proxy", "configure", "--unset", "metrics-port"]);
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(inspect(&host.proxy())["HostConfig"]["PortBindings"]["9180/tcp"].is_null());
    host.version();
}
