//! A proxy of an older version: whether it is brought up is asked at a terminal, and nowhere else.

use std::process::{Command, Stdio};

use once_demo::load::Mix;
use portable_pty::ExitStatus;

use super::host::{Host, Said, run};
use super::newer::of_version;
use super::term::Term;

const OURS: &str = env!("CARGO_PKG_VERSION");
const OLDER: &str = "0.0.9";
const QUESTION: &str = "Go on? [y/N]";

/// An app whose proxy was made by a command of an older version.
fn older() -> (Host, String) {
    let host = Host::new();
    let image = host.image("1", &[]);
    let older = of_version(OLDER);
    let mut command = Command::new(&older.path);
    command.args(["deploy", &image, "--name", "app", "--host", "app.localhost", "--json"]);
    command.env("ONCE_NAMESPACE", &host.namespace).env("ONCE_HTTP_PORT", host.port.to_string());
    run({
        command.stdin(Stdio::null());
        command
    })
    .expect(0, "created");
    host.adopt_image(&host.inspect(&host.proxy(), "{{.Config.Image}}"));
    assert_eq!(version(&host), OLDER);
    (host, image)
}

/// What the proxy says it is.
fn version(host: &Host) -> String {
    let said = host.once(&["proxy", "status", "--json"]);
    said.json()[0]["workers"][0]["version"].as_str().unwrap_or_else(|| panic!("{said:#?}")).to_owned()
}

/// A deploy in a terminal, wide enough that no line is broken.
fn deploy(host: &Host, image: &str, more: &[&str]) -> Term {
    Term::on(host, 220, 40, &[&["deploy", image, "--name", "app"], more].concat(), &[("NO_COLOR", "1")])
}

/// Its end, and all that it said.
fn ended(mut term: Term) -> (ExitStatus, String) {
    let status = term.exit();
    (status, term.text())
}

fn started(host: &Host) -> String {
    host.inspect(&host.proxy(), "{{.Id}} {{.State.StartedAt}}")
}

#[test]
fn a_deploy_at_a_terminal_asks_whether_to_upgrade_the_proxy_first() {
    let (host, image) = older();
    let before = started(&host);
    // Who just presses enter, or says no, wants it left alone; the deploy goes on.
    for (answer, note) in [("\r", "one"), ("n\r", "two")] {
        let mut term = deploy(&host, &image, &["--note", note]);
        term.wait(&format!(
            "The proxy is version {OLDER}, this command {OURS}. It can be upgraded first, without a gap."
        ));
        term.wait(QUESTION);
        term.send(answer);
        let (status, text) = ended(term);
        assert!(status.success(), "{text}");
        assert!(text.contains("`once proxy upgrade` brings it up without a gap"), "{text}");
        assert_eq!(version(&host), OLDER, "{answer:?}");
        let releases = host.once(&["show", "app", "--json"]).json();
        assert_eq!(releases[0]["settings"]["note"], note);
    }
    let load = host.load(4, Mix::ALL);
    let mut term = deploy(&host, &image, &["--note", "three"]);
    term.wait(QUESTION);
    term.send("y\r");
    let (status, text) = ended(term);
    assert!(status.success(), "{text}");
    assert!(!text.contains("`once proxy upgrade`"), "{text}");
    assert_eq!((version(&host).as_str(), started(&host)), (OURS, before), "the same container");
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report}: {:?}", report.failures);
    // From now on there is nothing to ask.
    let (status, text) = ended(deploy(&host, &image, &["--note", "four"]));
    assert!(status.success() && !text.contains(QUESTION), "{text}");
}

#[test]
fn without_a_terminal_only_the_flag_upgrades_the_proxy() {
    let (host, image) = older();
    let warned = |said: &Said| said.json().iter().any(|event| event["code"] == "proxy-version");
    let said = host.deploy(&image, &["--note", "from CI"]);
    said.expect(0, "updated");
    assert!(warned(&said) && !said.stderr.contains(QUESTION), "{said:#?}");
    // Who reads JSON is a program, also at a terminal.
    let (status, text) = ended(deploy(&host, &image, &["--note", "a script", "--json"]));
    assert!(status.success() && text.contains("proxy-version") && !text.contains(QUESTION), "{text}");
    // A plan asks nothing, for it changes nothing.
    let (status, text) = ended(deploy(&host, &image, &["--note", "a plan", "--dry-run"]));
    assert!(status.success() && !text.contains(QUESTION), "{text}");
    assert_eq!(version(&host), OLDER);
    let said = host.deploy(&image, &["--note", "meant", "--upgrade-proxy"]);
    said.expect(0, "updated");
    assert!(!warned(&said), "{said:#?}");
    assert_eq!(version(&host), OURS);
}
