//! An engine that is reached over TCP: the way to the proxy leads through an exec in it.

use crate::host::{Host, Said, bounded};
use crate::relay::Relay;

#[test]
fn a_remote_engine() {
    let host = Host::new();
    let image = host.image("1", &[]);
    let relay = Relay::tcp();
    let once = |args: &[&str]| {
        relay.requests();
        let mut command = host.command(&[args, &["--json"]].concat());
        command.env("DOCKER_HOST", &relay.address);
        let said = Said::of(&bounded(command));
        assert!(relay.requests() > 0, "it went another way: {said:#?}");
        said
    };
    once(&["deploy", &image, "--name", "app", "--host", "app.localhost"]).expect(0, "created");
    assert_eq!(host.version(), "1");
    once(&["deploy", &image, "--name", "app"]).expect(0, "unchanged");
    let load = host.load(6, once_demo::load::Mix::ALL);
    once(&["deploy", &image, "--name", "app", "-e", "DEMO_VERSION=2", "--drain-timeout", "3"]).expect(0, "updated");
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report:?}");
    assert_eq!(once(&["list"]).json()[0]["release"], 2);

    // A change that is made elsewhere is followed to its end.
    let slow = host.begin(&["set", "app", "DEMO_BOOT_MS=4000", "DEMO_VERSION=3"]);
    let watched = once(&["watch", "app", "--wait"]);
    let finished = watched.finished();
    assert_eq!((watched.code, finished["outcome"].as_str()), (0, Some("updated")), "{watched:#?}");
    assert!(watched.json().iter().any(|e| e["event"] == "step-finished" && e["step"] == "healthy"), "{watched:#?}");
    let own = slow.end().expect(0, "updated");
    assert_eq!(own["op"], finished["op"]);

    let said = once(&["exec", "app", "--", "/once", "completions", "bash"]);
    assert_eq!(said.code, 0, "{said:#?}");
    once(&["rollback", "app"]).expect(0, "updated");
    once(&["remove", "app", "--data", "--yes"]).expect(0, "updated");
    assert!(once(&["list"]).json().is_empty());
}
