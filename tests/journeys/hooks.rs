//! Hooks of a person's own around a deploy, on the machine it is asked from.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::host::{Host, ONCE, Said};

/// A config directory with these hooks; each writes what it was told into `told`.
fn hooks(scripts: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("hooks")).unwrap();
    for (name, script) in scripts {
        hook(dir.path(), name, script);
    }
    dir
}

fn hook(config: &Path, name: &str, script: &str) {
    let path = config.join("hooks").join(name);
    let told = config.join("told");
    let line = "$ONCE_HOOK:$ONCE_APP:$ONCE_HOSTS:$ONCE_ACTION:$ONCE_OUTCOME:$ONCE_RELEASE";
    let text = format!("#!/bin/sh\necho \"{line}\" >> {}\nenv >> {}.env\n{script}\n", told.display(), told.display());
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn told(config: &Path) -> Vec<String> {
    let path = config.join("told");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    std::fs::remove_file(&path).ok();
    text.lines().map(str::to_owned).collect()
}

fn once(host: &Host, config: &Path, args: &[&str]) -> Said {
    let mut command = host.command(&[args, &["--json"]].concat());
    command.env("ONCE_CONFIG_DIR", config).env("TOKEN", "hunter-env");
    Said::of(&crate::host::bounded(command))
}

#[test]
fn they_run_around_a_deploy_and_know_no_secret() {
    let host = Host::new();
    let image = host.image("1", &[]);
    let config = hooks(&[("pre-deploy", "echo from the hook"), ("post-deploy", "exit 4"), ("on-failure", "")]);
    let at = config.path();
    let deploy = ["deploy", &image, "--name", "app", "--host", "app.localhost", "--secret", "TOKEN"];
    let said = once(&host, at, &deploy);
    let finished = said.expect(0, "created");
    assert_eq!(told(at), ["pre-deploy:app:app.localhost:create::", "post-deploy:app:app.localhost:create:created:1"]);
    assert!(said.json().iter().any(|e| e["event"] == "log" && e["line"] == "from the hook"), "{said:#?}");
    assert!(finished["warnings"].to_string().contains("post-deploy ended with exit code 4"), "{finished:#}");
    let env = std::fs::read_to_string(at.join("told.env")).unwrap();
    assert!(env.contains("ONCE_IMAGE=") && env.contains("ONCE_DIGEST=") && !env.contains("hunter-env"), "{env}");

    // Nothing to do, nothing to run.
    once(&host, at, &deploy).expect(0, "unchanged");
    assert_eq!(told(at), [""; 0]);

    // A failing one stops it before anything is touched.
    hook(at, "pre-deploy", "echo not on a Friday; exit 1");
    let before = host.containers();
    let said = once(&host, at, &["set", "app", "A=1"]);
    let finished = said.expect(5, "failed");
    assert_eq!(finished["code"], "pre-deploy-failed", "{finished:#}");
    assert!(finished.to_string().contains("not on a Friday"), "its last words: {finished:#}");
    assert_eq!((host.containers(), finished["serving"].as_u64()), (before, Some(1)));
    assert_eq!(told(at), ["pre-deploy:app:app.localhost:swap::", "on-failure:app:app.localhost:swap:failed:"]);
}

#[test]
fn what_is_done_with_a_canary_runs_them_and_nothing_keeps_an_abort_back() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let config = hooks(&[("pre-deploy", ""), ("post-deploy", ""), ("on-failure", "")]);
    let at = config.path();
    let canary = ["deploy", "--name", "app", "--canary", "10%", "-e"];
    let begin = |variable: &str| once(&host, at, &[&canary[..], &[variable]].concat()).expect(0, "updated");
    begin("A=1");
    assert_eq!(told(at), ["pre-deploy:app:app.localhost:swap::", "post-deploy:app:app.localhost:swap:updated:2"]);
    once(&host, at, &["canary", "app", "--share", "50%"]).expect(0, "updated");
    assert_eq!(told(at), ["pre-deploy:app:app.localhost:share::", "post-deploy:app:app.localhost:share:updated:"]);
    once(&host, at, &["canary", "app", "--share", "50%"]).expect(0, "unchanged");
    assert_eq!(told(at), [""; 0], "nothing to do, nothing to run");
    once(&host, at, &["promote", "app"]).expect(0, "updated");
    assert_eq!(told(at), ["pre-deploy:app:app.localhost:promote::", "post-deploy:app:app.localhost:promote:updated:2"]);

    begin("A=2");
    told(at);
    hook(at, "pre-deploy", "exit 1");
    let said = once(&host, at, &["promote", "app"]).expect(5, "failed");
    assert_eq!((said["code"].as_str(), said["serving"].as_u64()), (Some("pre-deploy-failed"), Some(2)), "{said:#}");
    let failed = ["pre-deploy:app:app.localhost:promote::", "on-failure:app:app.localhost:promote:failed:"];
    assert_eq!(told(at), failed);
    // Who takes a bad release away is not asked whether it is Friday.
    once(&host, at, &["abort", "app"]).expect(0, "updated");
    assert_eq!(told(at), ["post-deploy:app:app.localhost:abort:updated:3"]);
    assert_eq!(host.get("app.localhost", "/env?key=A").1, "1");
}

#[test]
fn what_they_start_shares_the_lock_and_nobody_else_does() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    // Its own command goes through, one without the lease is kept out.
    let nested = format!(
        "{ONCE} set app NESTED=1 --wait 0 >/dev/null 2>&1 || exit 7\nenv -u ONCE_LEASE {ONCE} set app OTHER=1 --wait 0 \
         >/dev/null 2>&1\n[ $? = 4 ] || exit 8"
    );
    // The lock is held until the last of them has ended.
    let last = format!("env -u ONCE_LEASE {ONCE} set app OTHER=2 --wait 0 >/dev/null 2>&1\n[ $? = 4 ] || exit 9");
    let config = hooks(&[("pre-deploy", &nested), ("post-deploy", &last)]);
    let said = once(&host, config.path(), &["set", "app", "A=1"]);
    assert_eq!(said.expect(0, "updated")["warnings"], serde_json::json!([]), "both were kept out: {said:#?}");
    assert_eq!(told(config.path()).len(), 2, "what a hook starts runs no hooks");
    let env = |key: &str| host.get("app.localhost", &format!("/env?key={key}"));
    assert_eq!((env("A").1.as_str(), env("NESTED").1.as_str(), env("OTHER").0), ("1", "1", 404));
    assert_eq!(host.once(&["locks", "--json"]).json(), Vec::<serde_json::Value>::new());
}

#[test]
fn a_stuck_change_can_be_broken_by_name() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let config = hooks(&[("pre-deploy", "echo holding; sleep 100")]);
    let mut command = host.command(&["set", "app", "A=1", "--json"]);
    command.env("ONCE_CONFIG_DIR", config.path());
    let stuck = std::thread::spawn(move || crate::host::run(command));
    crate::host::eventually("the hook holds the lock", std::time::Duration::from_secs(30), || {
        (!told(config.path()).is_empty()).then_some(())
    });
    host.json(&["unlock", "app"]).expect(0, "unchanged");
    let broken = host.once(&["unlock", "app", "--force"]);
    assert!(broken.stderr.contains("lock broken: `set` by"), "{broken:#?}");
    host.json(&["set", "app", "B=1", "--wait", "0"]).expect(0, "updated");
    let ended = stuck.join().unwrap();
    assert_ne!(ended.code, 0, "{ended:#?}");
    assert_eq!(host.get("app.localhost", "/env?key=A").0, 404);
    let log = host.once(&["activity", "app", "--json"]).stdout;
    assert!(log.contains("lock broken: `set` by"), "{log}");
}
