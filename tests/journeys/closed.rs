//! Maintenance, pause and resume, two apps below one hostname, and the proxy's own settings.

use std::time::Duration;

use once_demo::load::Mix;

use crate::host::{Host, eventually};

fn state(host: &Host) -> String {
    host.once(&["show", "app", "--json"]).json()[0]["state"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn maintenance_is_shown_until_it_is_over_also_through_a_deploy_and_a_restart_of_the_proxy() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let page = std::env::temp_dir().join(format!("{}.html", host.namespace));
    std::fs::write(&page, "<h1>Moving</h1>{message}").unwrap();
    let with_page = ["maintenance", "app", "--message", "back <soon>", "--page", page.to_str().unwrap()];
    let said = host.json(&with_page);
    std::fs::remove_file(&page).unwrap();
    said.expect(0, "updated");
    let shown = |what: &str| {
        assert_eq!(host.get("app.localhost", "/version"), (503, "<h1>Moving</h1>back &lt;soon&gt;".into()), "{what}");
        assert_eq!(state(&host), "maintenance", "{what}");
        assert_eq!(host.running().len(), 1, "{what}: it goes on running");
    };
    shown("maintenance");
    assert_eq!(host.once(&["status", "app"]).code, 0, "what was asked for is no finding");
    let routes = host.once(&["proxy", "routes", "--json"]).json();
    assert_eq!((&routes[0]["state"], &routes[0]["serving"]), (&"maintenance".into(), &false.into()));
    host.json(&["set", "app", "A=1"]).expect(0, "updated");
    shown("a swap");
    host.json(&["restart", "app"]).expect(0, "updated");
    shown("a restart");
    crate::host::docker(&["restart", "-t", "1", &host.proxy()]);
    eventually("the proxy is back", Duration::from_secs(60), || {
        (host.get("app.localhost", "/version").0 == 503).then_some(())
    });
    shown("a restart of the proxy");
    host.json(&["pause", "app"]).expect(2, "rejected");
    host.json(&["resume", "app"]).expect(2, "rejected");
    host.json(&["maintenance", "app", "--off"]).expect(0, "updated");
    host.json(&["maintenance", "app", "--off"]).expect(0, "unchanged");
    assert_eq!(host.get("app.localhost", "/env?key=A"), (200, "1".into()));
    let words: Vec<String> = host.once(&["activity", "--json"]).json().iter().map(|a| a["text"].to_string()).collect();
    assert!(words.iter().any(|w| w.contains("maintenance off")), "{words:?}");
    host.json(&["stop", "app"]).expect(0, "updated");
    host.json(&["maintenance", "app"]).expect(2, "rejected");
}

#[test]
fn a_pause_loses_no_request_also_across_a_deploy() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &["--drain-timeout", "3"]).expect(0, "created");
    let load = host.load(6, Mix { websocket: 0, ..Mix::ALL });
    host.json(&["pause", "app", "--max-wait", "60s"]).expect(0, "updated");
    assert_eq!(state(&host), "paused");
    host.json(&["pause", "app", "--max-wait", "60s"]).expect(0, "unchanged");
    host.json(&["set", "app", "A=1"]).expect(0, "updated");
    assert_eq!(state(&host), "paused");
    host.json(&["resume", "app"]).expect(0, "updated");
    host.json(&["resume", "app"]).expect(0, "unchanged");
    assert_eq!(host.get("app.localhost", "/env?key=A"), (200, "1".into()));
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report:?}");
}

#[test]
fn two_apps_share_a_hostname_by_path_and_a_third_is_told_in_advance() {
    let host = Host::new();
    let (shop, api) = (host.image("shop", &[]), host.image("api", &[]));
    host.deploy(&shop, &[]).expect(0, "created");
    let below = ["--host", "app.localhost", "--path-prefix", "/api", "--strip-prefix", "on", "--default-app", "on"];
    host.json(&[&["deploy", &api, "--name", "api"], &below[..]].concat()).expect(0, "created");
    assert_eq!(host.get("app.localhost", "/version"), (200, "shop".into()));
    assert_eq!(host.get("app.localhost", "/api/version"), (200, "api".into()));
    assert_eq!(host.get("app.localhost", "/apiversion").0, 404, "the shop's own page");
    let (status, head) = host.get("app.localhost", "/api/headers?x=a%2Fb");
    let head: serde_json::Value = serde_json::from_str(&head).unwrap();
    assert_eq!((status, &head["target"]), (200, &"/headers?x=a%2Fb".into()));
    assert!(head["headers"].to_string().contains("[\"x-forwarded-prefix\",\"/api\"]"), "{head}");
    assert_eq!(host.get("nobody.localhost", "/api/version"), (200, "api".into()), "the default app");
    // Also a plan says so; nothing has been started then.
    let before = host.containers();
    let taken = ["--name", "third", "--host", "app.localhost", "--path-prefix", "/api/"];
    let plan = host.json(&[&["plan", &shop], &taken[..]].concat());
    assert_eq!(plan.finished()["code"], "host-taken", "{plan:#?}");
    let default = host.json(&["set", "app", "--default-app", "on"]).expect(7, "refused");
    assert_eq!(default["code"], "default-taken");
    assert_eq!(host.containers(), before);
}

#[test]
fn the_proxy_keeps_what_it_was_told_and_moves_to_another_port() {
    let mut host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let said = host.once(&["proxy", "configure", "--trusted-proxy", "10.0.0.0/8", "--access-log", "on", "--json"]);
    said.expect(0, "updated");
    assert_eq!(said.json()[0]["trusted_proxies"][0], "10.0.0.0/8", "{said:#?}");
    host.json(&["proxy", "configure", "--access-log", "on"]).expect(0, "unchanged");
    let port = crate::ports::free().unwrap();
    let said = host.once(&["proxy", "configure", "--http-port", &port.to_string()]);
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(said.stderr.contains("requests fail for a moment"), "{said:#?}");
    let old = std::mem::replace(&mut host.port, port);
    assert_eq!(host.version(), "1");
    let shown = host.once(&["proxy", "configure", "--json"]).json();
    assert_eq!((&shown[0]["http_port"], &shown[0]["trusted_proxies"][0]), (&port.into(), &"10.0.0.0/8".into()));
    // A port that is taken leaves everything as it was.
    let taken = std::net::TcpListener::bind(("0.0.0.0", old)).unwrap();
    let said = host.once(&["proxy", "configure", "--http-port", &old.to_string()]);
    assert_eq!(said.code, 3, "{said:#?}");
    drop(taken);
    assert_eq!(host.version(), "1");
    assert_eq!(host.once(&["proxy", "configure", "--json"]).json()[0]["http_port"], port);
}
