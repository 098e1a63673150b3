//! Apps leave as files that need no once, and the files work.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use crate::host::{Host, docker, eventually, run};

#[test]
fn the_script_runs_the_app_without_once_and_holds_no_secret() {
    let host = Host::new();
    let (image, app) = (host.image("1", &[]), format!("{}left", host.namespace));
    let deploy =
        ["deploy", &image, "--name", &app, "--host", "app.localhost", "--secret", "TOKEN", "-e", "WORDS=a 'b' $c"];
    let mut command = host.command(&[&deploy[..], &["--memory", "128m", "--json"]].concat());
    command.env("TOKEN", "planted 'word' $x");
    run(command).expect(0, "created");
    let key = host.get("app.localhost", "/env?key=SECRET_KEY_BASE").1;

    let folder = tempfile::tempdir().unwrap();
    let (secrets, script) = (folder.path().join("secrets"), folder.path().join("run.sh"));
    let port = crate::ports::free().unwrap();
    let text = port.to_string();
    let document = host.once(&["export", &app, "--format", "toml"]);
    let said = host.once(&["export", &app, "--port", &text, "--secrets", secrets.to_str().unwrap()]);
    assert_eq!((said.code, document.code), (0, 0), "{said:#?} {document:#?}");
    for text in [&said.stdout, &said.stderr, &document.stdout] {
        assert!(!text.contains("planted") && !text.contains(&key), "{text}");
    }
    let parsed: toml::Table = document.stdout.parse().unwrap();
    assert_eq!(parsed["format"].as_integer(), Some(1));
    let settings = &parsed["apps"][&app]["settings"];
    assert_eq!(settings["env"]["TOKEN"]["value"].as_str(), Some("@secret"), "{settings}");
    assert_eq!(settings["env"]["WORDS"]["value"].as_str(), Some("a 'b' $c"), "{settings}");
    assert_eq!(std::fs::metadata(&secrets).unwrap().permissions().mode() & 0o777, 0o600);
    let again = host.once(&["export", &app, "--secrets", secrets.to_str().unwrap()]);
    assert_eq!(again.code, 2, "never over a file: {again:#?}");

    host.json(&["remove", &app, "--yes"]).expect(0, "updated");
    std::fs::write(&script, &said.stdout).unwrap();
    let without = Command::new("sh").arg(&script).output().unwrap();
    assert!(
        !without.status.success() && String::from_utf8_lossy(&without.stderr).contains("_SECRET_KEY_BASE"),
        "{without:?}"
    );
    let ran = Command::new("sh").args([&script, &secrets]).output().unwrap();
    let seen = eventually("the app without once", Duration::from_secs(30), || {
        let env = |key: &str| {
            let url = format!("http://127.0.0.1:{port}/env?key={key}");
            let output = Command::new("curl").args(["-s", "-f", "-m", "5", &url]).output().unwrap();
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
        };
        Some([env("TOKEN")?, env("WORDS")?, env("SECRET_KEY_BASE")?])
    });
    let memory = host.inspect(&app, "{{.HostConfig.Memory}}");
    docker(&["rm", "-f", "-v", &app]);
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(seen, ["planted 'word' $x".to_owned(), "a 'b' $c".to_owned(), key]);
    assert_eq!(memory, (128 << 20).to_string());
}
