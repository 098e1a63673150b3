//! The engine itself ends and is started again: an engine of the test's own, beside the one of this machine.

use std::time::Duration;

use crate::host::{Host, Said, eventually, run};
use crate::own_engine::OwnEngine;

const LIMIT: Duration = Duration::from_secs(40);

#[test]
fn all_routes_are_back_after_the_engine_was_restarted() {
    let host = Host::new();
    let mut engine = OwnEngine::new(&host);
    let once = |args: &[&str], address: &str| -> Said {
        let mut command = host.command(args);
        command.env("DOCKER_HOST", address);
        run(command)
    };
    let address = engine.address();
    let image = format!("{}-demo:1", host.namespace);
    let made = once(&["demo-image", &image, "--env", "DEMO_VERSION=1"], &address);
    assert_eq!(made.code, 0, "{made:#?}");
    for app in ["one", "two"] {
        let name = format!("{app}.localhost");
        once(&["deploy", &image, "--name", app, "--host", &name, "--json"], &address).expect(0, "created");
        assert_eq!(engine.version(&host, &name), (200, "1".into()));
    }
    once(&["deploy", &image, "--name", "off", "--host", "off.localhost", "--json"], &address).expect(0, "created");
    once(&["stop", "off", "--json"], &address).expect(0, "updated");

    engine.stop();
    assert_eq!(engine.version(&host, "one.localhost").0, 0, "with its engine all of it ends");
    engine.start();

    for app in ["one", "two"] {
        let name = format!("{app}.localhost");
        eventually(app, LIMIT, || (engine.version(&host, &name) == (200, "1".into())).then_some(()));
    }
    assert_eq!(engine.version(&host, "off.localhost").0, 503, "what was stopped stays so");
    once(&["deploy", &image, "--name", "one", "--json"], &address).expect(0, "unchanged");
}
