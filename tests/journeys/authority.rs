//! Certificates from an authority: the real command, the proxy in its container, pebble.

use serde_json::Value;

use crate::host::{Said, docker};
use crate::site::Site;

/// The steps that ended well, in their order, with what they said.
fn steps(said: &Said) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let ended = said.json().into_iter().filter(|event| event["event"] == "step-finished");
    ended.map(|event| (text(&event["step"]), text(&event["detail"]))).collect()
}

fn place(steps: &[(String, String)], step: &str) -> usize {
    steps.iter().position(|(s, _)| s == step).unwrap_or_else(|| panic!("no {step} in {steps:?}"))
}

#[test]
fn a_deploy_gets_a_certificate_and_proves_it_and_it_outlives_the_app() {
    let mut site = Site::new();
    let name = "shop.once-journey.com";
    site.lead_here(&[name]);
    let said = site.deploy(name, &["--require-tls"]);
    let finished = said.expect(0, "created");
    assert_eq!(finished["url"], format!("https://{name}:{}", site.https), "{finished}");
    assert_eq!(finished["warnings"].as_array().map(Vec::len), Some(0), "{finished}");
    let told = steps(&said);
    let (certificate, switch, proof) = (place(&told, "certificate"), place(&told, "switch"), place(&told, "proof"));
    assert!(place(&told, "healthy") < certificate && certificate < switch && switch < proof, "{told:?}");
    assert!(told[certificate].1.starts_with(name) && told[certificate].1.ends_with(", new"), "{told:?}");
    assert!(told[proof].1.contains("a handshake through the public name shows it"), "{told:?}");

    // Answered with what the authority signed; plain requests are sent there.
    let root = site.pebble.issuing_root();
    let (status, body, first) = site.secure(&root, name, "/version");
    assert_eq!((status, body.as_str()), (200, "1"));
    assert_eq!(site.host.get(name, "/version").0, 301);
    let shown = site.certificate();
    assert_eq!((&shown["host"], &shown["state"], &shown["source"]), (&name.into(), &"valid".into(), &"acme".into()));
    assert!(shown["issuer"].as_str().unwrap().contains("Pebble"), "{shown}");
    assert_eq!(site.once(&["status", "shop", "--json"]).json()[0]["certificates"][0], shown);
    let told = site.once(&["show", "shop"]);
    assert!(told.stdout.contains(&format!("{name}: valid until ")), "{told:#?}");

    // Nobody else reads keys and accounts.
    let files = site.files();
    let secret: Vec<&String> = files.iter().filter(|f| f.contains("/certs/") || f.contains("/acme/")).collect();
    let plain = secret.iter().filter(|file| !file.ends_with('/'));
    assert!(plain.clone().count() >= 3, "{files:#?}");
    assert!(plain.clone().all(|file| file.starts_with("-rw------- ")), "{secret:#?}");
    assert!(secret.iter().filter(|f| f.ends_with('/')).all(|dir| dir.starts_with("drwx------ ")), "{secret:#?}");

    // From here on nobody could give another one.
    site.pebble.stop();
    let again = site.deploy(name, &["--require-tls", "--force"]);
    again.expect(0, "updated");
    let told = steps(&again);
    let kept = &told[place(&told, "certificate")].1;
    assert!(kept.starts_with(name) && !kept.contains("new"), "{kept}");
    assert_eq!(site.secure(&root, name, "/version").2, first);

    // Without the app, and with it again, and after a restart of the proxy.
    assert_eq!(site.once(&["remove", "shop", "--yes"]).code, 0);
    assert_eq!(site.secure(&root, name, "/version").0, 421);
    docker(&["restart", "--time", "5", &site.host.proxy()]);
    site.deploy(name, &["--require-tls"]).expect(0, "created");
    let (status, _, served) = site.secure(&root, name, "/version");
    assert_eq!((status, served), (200, first));
}

/// The plan of the same deploy: exit code, what it says, and its lines for people.
fn planned(site: &Site, name: &str) -> (i32, Value, String) {
    let args = ["plan", &site.image, "--name", "shop", "--host", name, "--detailed-exitcode"];
    let said = site.once(&[&args[..], &["--json"]].concat());
    let plan = said.json().into_iter().find(|event| event["event"] == "planned").unwrap_or_else(|| panic!("{said:#?}"));
    (said.code, plan["plan"].clone(), site.once(&args).stderr)
}

#[test]
fn a_certificate_alone_is_a_difference_once_the_name_leads_here() {
    let site = Site::new();
    let name = "late.once-journey.com";
    site.lead_elsewhere(name);
    let said = site.deploy(name, &[]);
    let warnings = said.expect(0, "created")["warnings"].to_string();
    assert!(warnings.contains("where something else answers") && warnings.contains("curl --resolve"), "{warnings}");
    // Nobody is sent where there is no certificate.
    assert_eq!(site.host.get(name, "/version"), (200, "1".to_owned()));
    assert_eq!(site.certificate()["state"], "waiting");
    let (code, plan, told) = planned(&site, name);
    assert_eq!(
        (code, plan["action"].as_str(), plan["changes"].as_array().map(Vec::len)),
        (0, Some("nothing"), Some(0))
    );
    assert!(told.contains("late.once-journey.com has no certificate yet: it does not lead to this proxy"), "{told}");
    site.deploy(name, &[]).expect(0, "unchanged");

    docker(&["rm", "-f", &format!("{}-stranger", site.host.namespace)]);
    site.lead_here(&[name]);
    let (code, plan, told) = planned(&site, name);
    assert_eq!((code, plan["action"].as_str()), (10, Some("route")), "{plan}");
    let change = serde_json::json!({ "field": format!("certificate.{name}"), "from": null, "to": "from the authority", "cost": "route" });
    assert_eq!(plan["changes"], serde_json::json!([change]));
    assert!(told.contains("+ certificate.late.once-journey.com  from the authority  [re-route]"), "{told}");
    assert_eq!(site.certificate()["state"], "waiting", "a plan orders nothing");
    let said = site.deploy(name, &[]);
    assert_eq!(said.expect(0, "updated")["release"], Value::Null);
    assert_eq!(site.once(&["releases", "shop", "--json"]).json().len(), 1, "nothing restarts for it");

    let (code, plan, _) = planned(&site, name);
    assert_eq!((code, plan["action"].as_str()), (0, Some("nothing")), "{plan}");
    site.deploy(name, &[]).expect(0, "unchanged");
    assert_eq!(site.host.get(name, "/version").0, 301);
    assert_eq!(site.secure(&site.pebble.issuing_root(), name, "/version").1, "1");
}
