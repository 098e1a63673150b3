//! An app that speaks HTTP/2 with prior knowledge and nothing else, as gRPC servers do.

use once_demo::load::Mix;

use crate::host::Host;

#[test]
fn an_app_that_speaks_only_http2_is_deployed_and_swapped_without_a_loss() {
    let host = Host::new();
    let first = host.image("1", &[("DEMO_HTTP", "h2c")]);
    let second = host.image("2", &[("DEMO_HTTP", "h2c")]);
    // Spoken to in HTTP/1.1 it cannot be healthy.
    host.deploy(&first, &["--health-timeout", "3s"]).expect(5, "failed");
    host.deploy(&first, &["--upstream", "h2c"]).expect(0, "created");
    assert_eq!(host.version(), "1");
    let load = host.load(8, Mix { websocket: 0, ..Mix::ALL });
    // The same settings again, and its health as gRPC servers tell it.
    host.deploy(&second, &["--health-path", "/grpc.health.v1.Health/Check"]).expect(0, "updated");
    assert_eq!(host.version(), "2");
    host.json(&["restart", "app"]).expect(0, "updated");
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report}: {:?}", report.failures);
    assert!(report.versions.contains_key("1") && report.versions.contains_key("2"), "{:?}", report.versions);
}
