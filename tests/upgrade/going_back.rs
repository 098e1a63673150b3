//! Where nothing new was used, the version before goes on with what the present one has written.

use crate::before::{Upgraded, bytes, holds, put, rows};
use crate::host::run;

#[test]
fn the_version_before_reads_what_the_present_one_has_written() {
    let on = Upgraded::new();
    let image = on.host.image("1", &[]);
    let settings = ["--volume", "data:/data", "--memory", "256m", "-e", "LOCALE=de"];
    on.before(&[&["deploy", &image, "--name", "ours"][..], &settings].concat()).expect(0, "created");
    on.host.json(&["deploy", "--name", "ours", "-e", "DEMO_VERSION=2"]).expect(0, "updated");
    on.host.json(&[&["deploy", &image, "--name", "fresh"][..], &settings].concat()).expect(0, "created");
    on.host.json(&["set", "fresh", "DEMO_VERSION=2", "--note", "by the newer one"]).expect(0, "updated");
    for (app, seed) in [("ours", 1), ("fresh", 2)] {
        put(&on.serving(app), "/data/bytes", &bytes(seed));
    }

    let listed = rows(&run(on.command_before(&["list", "--json"])));
    assert_eq!(listed, on.listed());
    for (app, seed) in [("ours", 1), ("fresh", 2)] {
        on.before(&["deploy", &image, "--name", app, "-e", "DEMO_VERSION=3"]).expect(0, "updated");
        assert_eq!(on.version(app), (200, "3".to_owned()), "{app}");
        assert_eq!(on.host.get(&format!("{app}.localhost"), "/env?key=LOCALE"), (200, "de".to_owned()));
        on.before(&["rollback", app]).expect(0, "updated");
        assert_eq!(on.version(app), (200, "2".to_owned()), "{app}");
        holds(&on.serving(app), "/data/bytes", &bytes(seed));
        // And forth again.
        on.host.json(&["deploy", "--name", app, "-e", "DEMO_VERSION=4"]).expect(0, "updated");
        holds(&on.serving(app), "/data/bytes", &bytes(seed));
    }
}
