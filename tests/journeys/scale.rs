//! How much is asked of the engine does not grow with the number of apps.

use crate::host::{Begun, Host, Said, bounded};
use crate::relay::Relay;

/// Requests to the engine of a command.
fn asked(host: &Host, relay: &Relay, args: &[&str], apps: usize) -> usize {
    relay.requests();
    let mut command = host.command(args);
    command.env("DOCKER_HOST", &relay.address);
    let said = Said::of(&bounded(command));
    assert_eq!(said.code, 0, "{said:#?}");
    let objects = said.json();
    assert_eq!(objects.len(), apps, "{said:#?}");
    assert!(objects.iter().all(|o| o["state"] == "running"), "{said:#?}");
    relay.requests()
}

#[test]
fn a_list_of_many_apps_costs_as_much_as_one_of_one() {
    let host = Host::new();
    let image = host.image("1", &[]);
    let relay = Relay::unix();
    host.deploy(&image, &[]).expect(0, "created");
    let questions: [&[&str]; 2] = [&["list", "--json"], &["status", "--json"]];
    let one = questions.map(|q| asked(&host, &relay, q, 1));
    assert!(one.iter().all(|n| (1..=6).contains(n)), "{one:?}");
    let names: Vec<String> = (1..12).map(|n| format!("app-{n}")).collect();
    for four in names.chunks(4) {
        let begun: Vec<Begun> = four.iter().map(|name| host.begin(&["deploy", &image, "--name", name])).collect();
        for deploy in begun {
            deploy.end().expect(0, "created");
        }
    }
    assert_eq!(questions.map(|q| asked(&host, &relay, q, 12)), one);
}
