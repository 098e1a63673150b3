//! An app whose ledger is lost: what is left of it are the labels of the version before.

use std::time::Duration;

use crate::before::{Upgraded, bytes, holds, put};
use crate::host::{docker, eventually, run};

#[test]
fn labels_of_the_version_before_make_a_lost_ledger_again() {
    let on = Upgraded::new();
    let image = on.host.image("1", &[]);
    let settings = ["-e", "LOCALE=de", "--secret", "TOKEN", "--volume", "data:/data", "--memory", "256m", "--json"];
    let deploy = [&["deploy", &image, "--name", "app"][..], &settings].concat();
    let mut made = on.command_before(&deploy);
    made.env("TOKEN", "planted");
    run(made).expect(0, "created");
    put(&on.serving("app"), "/data/bytes", &bytes(1));
    let asked =
        || ["LOCALE", "TOKEN", "SECRET_KEY_BASE"].map(|key| on.host.get("app.localhost", &format!("/env?key={key}")));
    let values = asked();
    let label = on.host.inspect(&on.serving("app"), "{{index .Config.Labels \"once.settings\"}}");
    assert!(label.contains("LOCALE") && label.contains("\"de\""), "labels as they were: {label}");

    docker(&["rm", "-f", &on.host.proxy()]);
    docker(&["volume", "rm", &on.host.proxy()]);
    on.host.once(&["doctor", "--fix"]);
    eventually("the route", Duration::from_secs(30), || (on.version("app").0 == 200).then_some(()));
    assert_eq!(asked(), values);
    let mut again = on.host.command(&deploy);
    again.env("TOKEN", "planted");
    run(again).expect(0, "unchanged");
    let shown = on.host.once(&["show", "app", "--json"]);
    assert!(!shown.stdout.contains("planted"), "{shown:#?}");

    on.host.json(&["deploy", "--name", "app", "-e", "DEMO_VERSION=2"]).expect(0, "updated");
    assert_eq!(on.version("app"), (200, "2".to_owned()));
    assert_eq!(asked(), values);
    on.host.json(&["rollback", "app"]).expect(0, "updated");
    assert_eq!((asked(), on.version("app").1), (values, "1".to_owned()));
    holds(&on.serving("app"), "/data/bytes", &bytes(1));
}
