//! The main job: make, leave alone, change as little as it takes.

use once_demo::load::Mix;

use crate::host::Host;

#[test]
fn the_same_deploy_twice_changes_nothing() {
    let host = Host::new();
    let image = host.image("1", &[]);
    let first = host.deploy(&image, &[]).expect(0, "created");
    assert_eq!((first["release"].as_u64(), first["serving"].as_u64()), (Some(1), Some(1)));
    assert_eq!(host.version(), "1");
    let name = host.running().pop().unwrap();
    let before = host.inspect(&name, "{{.Id}} {{.State.StartedAt}}");

    let second = host.deploy(&image, &[]).expect(0, "unchanged");
    assert_eq!(second["serving"].as_u64(), Some(1));
    assert_eq!(host.inspect(&name, "{{.Id}} {{.State.StartedAt}}"), before);
    assert_eq!(host.containers().len(), 1);
}

#[test]
fn the_smallest_change_that_does_it() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let container = |host: &Host| host.inspect(&host.running()[0], "{{.Id}} {{.State.StartedAt}}");
    let before = container(&host);

    host.deploy(&image, &["--host", "www.localhost"]).expect(0, "updated");
    assert_eq!(container(&host), before, "a hostname is a route");
    assert_eq!(host.get("www.localhost", "/version").0, 200);

    host.json(&["set", "app", "--note", "hello"]).expect(0, "updated");
    assert_eq!(container(&host), before, "a note restarts nothing");

    host.json(&["set", "app", "GREETING=hello"]).expect(0, "updated");
    assert_ne!(container(&host), before, "an environment needs a new container");
    assert_eq!(host.get("www.localhost", "/env?key=GREETING").1.trim(), "hello");
}

#[test]
fn swaps_lose_no_request() {
    for swap in ["overlap", "handover"] {
        let host = Host::new();
        let images = [host.image("1", &[]), host.image("2", &[])];
        host.deploy(&images[0], &["--swap", swap, "--drain-timeout", "3"]).expect(0, "created");
        let load = host.load(16, Mix::ALL);
        for n in 1..=6 {
            host.deploy(&images[n % 2], &[]).expect(0, "updated");
        }
        let report = load.stop();
        assert_eq!(report.failed, 0, "{swap}: {report:?}");
        assert!(report.requests > 500, "{swap}: {report:?}");
        assert_eq!(report.versions.len(), 2, "{swap}: both versions were seen: {report:?}");
        assert_eq!(host.running().len(), 1, "{swap}");
    }
}
