//! Engines that are not there, not permitted, or not named right: exit code 3, why, and what to do.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use super::support::Once;

/// Whom a test runs as to be refused: root may open any socket.
const NOBODY: u32 = 65534;

#[test]
fn there_is_none() {
    let commands: [&[&str]; 8] = [
        &["list"],
        &["status"],
        &["show", "shop"],
        &["logs", "shop"],
        &["deploy", "acme/shop"],
        &["restart", "shop"],
        &["teardown", "--yes"],
        &["locks"],
    ];
    for args in commands {
        let human = Once::new().run(args);
        assert_eq!(human.code, 3, "{args:?}: {human:?}");
        for text in ["error: there is no engine at unix:///nonexistent/docker.sock", "cause: ", "hint: ", "once setup"]
        {
            assert!(human.stderr.contains(text), "{args:?} does not say `{text}`: {human:?}");
        }
        let mut with_json = args.to_vec();
        with_json.push("--json");
        let finished = Once::new().run(&with_json).finished();
        assert_eq!((&finished["outcome"], &finished["code"]), (&"environment".into(), &"engine-absent".into()));
        assert_eq!((&finished["retryable"], &finished["serving"]), (&true.into(), &serde_json::Value::Null));
        assert!(!finished["hints"].as_array().unwrap().is_empty(), "{finished}");
    }
}

#[test]
fn to_the_doctor_that_is_a_finding() {
    let human = Once::new().run(&["doctor"]);
    assert_eq!(human.code, 3, "{human:?}");
    for text in ["✕ engine: there is no engine at unix:///nonexistent/docker.sock", "why: ", "try: once setup"] {
        assert!(human.stdout.contains(text), "no `{text}`: {human:?}");
    }
    let script = Once::new().run(&["doctor", "--fix", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&script.stdout).unwrap();
    assert_eq!((script.code, &found["kind"], &found["severity"]), (3, &"engine".into(), &"problem".into()), "{found}");
}

#[test]
fn exec_keeps_its_exit_codes_apart() {
    let ran = Once::new().run(&["exec", "shop", "--", "true"]);
    assert_eq!(ran.code, 125, "{ran:?}");
    assert!(ran.stderr.contains("there is no engine"), "{ran:?}");
}

#[test]
fn nobody_listens() {
    let once = Once::new();
    let path = once.path().join("docker.sock");
    drop(UnixListener::bind(&path).unwrap());
    let once = once.env("DOCKER_HOST", &format!("unix://{}", path.display()));
    let finished = once.run(&["--json", "list"]).finished();
    assert_eq!(finished["code"], "engine-unreachable", "{finished}");
}

#[test]
fn this_user_may_not() {
    let once = Once::new();
    let path = once.path().join("docker.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::set_permissions(once.path(), PermissionsExt::from_mode(0o755)).unwrap();
    if !rustix::process::geteuid().is_root() {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).unwrap();
    }
    for (subcommand, says) in [("list", r#""code":"engine-permission""#), ("doctor", r#""kind":"permissions""#)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_once"));
        command.env_clear().env("HOME", "/").env("DOCKER_HOST", format!("unix://{}", path.display()));
        command.args(["--json", subcommand]).stdin(Stdio::null()).current_dir("/");
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(text.contains(says) && text.contains("group `docker`"), "{text}");
    }
}

#[test]
fn addresses_that_are_none() {
    for (key, value, says) in [
        ("DOCKER_HOST", "ftp://example.com", "ftp://"),
        ("DOCKER_HOST", "unix://", "unix://"),
        ("DOCKER_CONTEXT", "nowhere", "nowhere"),
    ] {
        let once = match key {
            "DOCKER_HOST" => Once::new(),
            _ => Once::new().env("DOCKER_HOST", ""),
        };
        let finished = once.env(key, value).run(&["--json", "list"]).finished();
        assert_eq!((&finished["outcome"], &finished["code"]), (&"environment".into(), &"engine-address".into()));
        assert_eq!(finished["retryable"], false, "{finished}");
        assert!(finished["message"].as_str().unwrap().contains(says), "{finished}");
    }
}

#[test]
fn the_flag_wins_over_the_environment() {
    let finished = Once::new().run(&["--json", "--on", "unix:///nowhere/at/all.sock", "list"]).finished();
    assert!(finished["message"].as_str().unwrap().contains("/nowhere/at/all.sock"), "{finished}");
}
