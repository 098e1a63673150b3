//! Secrets are in the ledger and in the container's environment, and nowhere else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::host::{Host, Said, bounded, docker};

const TOKEN: &str = "hunter2-token-q8Zr";
const FROM_FILE: &str = "hunter2-file-x7Yt";
const MAIL: &str = "hunter2-mail-p5Wv";

/// Command lines of all processes, looked at again and again until it is told to stop.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Vec<String>>,
}

impl Watch {
    fn begin() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut seen = std::collections::BTreeSet::new();
            while !end.load(Ordering::Relaxed) {
                for entry in std::fs::read_dir("/proc").unwrap().flatten() {
                    if let Ok(line) = std::fs::read(entry.path().join("cmdline")) {
                        seen.insert(String::from_utf8_lossy(&line).into_owned());
                    }
                }
                crate::host::pause(std::time::Duration::from_millis(15));
            }
            seen.into_iter().collect()
        });
        Self { stop, thread }
    }

    fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

#[track_caller]
fn clean(what: &str, text: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!text.contains(secret), "{what} tells {secret}: {text}");
    }
}

#[test]
fn secrets_are_nowhere_but_where_they_have_to_be() {
    let host = Host::new();
    let image = host.image("1", &[]);
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (key, mail) = (file("key", FROM_FILE), file("mail", &format!("{MAIL}\n")));
    let (key, mail) = (format!("KEY=@{key}"), format!("@{mail}"));
    let args = [
        "--secret", "TOKEN", "--secret", &key, "--smtp-server", "mail.localhost", "--smtp-username", "ana",
        "--smtp-password", &mail, "--health-timeout", "2",
    ];
    let deploy = |more: &[&str]| {
        let all = [&["deploy", &image, "--name", "app", "--host", "app.localhost"], &args[..], more].concat();
        let mut command = host.command(&all);
        command.env("TOKEN", TOKEN);
        Said::of(&bounded(command))
    };
    let watch = Watch::begin();
    let follow = host.begin(&["watch", "--wait"]);
    let made = deploy(&["--json", "-vv"]);
    made.expect(0, "created");
    let changed = deploy(&["--json", "-e", "A=1"]);
    changed.expect(0, "updated");
    let told = deploy(&["-e", "A=2"]);
    let failed = [deploy(&["--json", "-e", "DEMO_MODE=500"]), deploy(&["-e", "DEMO_MODE=exit"])];
    assert_eq!(failed.each_ref().map(|f| f.code), [5, 5], "{failed:#?}");
    let planned = [deploy(&["--dry-run", "--json", "--unset", "env.KEY"]), deploy(&["--dry-run", "--force"])];
    let processes = watch.end();
    assert!(processes.iter().any(|p| p.contains("run-job")), "the deploy's own process was seen");

    // They got where they belong.
    let key_base = host.get("app.localhost", "/env?key=SECRET_KEY_BASE").1;
    for (name, value) in [("TOKEN", TOKEN), ("KEY", FROM_FILE), ("SMTP_PASSWORD", MAIL)] {
        assert_eq!(host.get("app.localhost", &format!("/env?key={name}")), (200, value.to_owned()));
    }
    let secrets = [TOKEN, FROM_FILE, MAIL, &key_base];

    for process in &processes {
        clean("a command line", process, &secrets);
    }
    for said in [&made, &changed, &told, &planned[0], &planned[1], &failed[0], &failed[1], &follow.end()] {
        clean("standard output", &said.stdout, &secrets);
        clean("standard error", &said.stderr, &secrets);
    }
    for args in [
        &["show", "app"][..],
        &["env", "app"],
        &["releases", "app"],
        &["activity"],
        &["list"],
        &["status"],
        &["logs", "app"],
        &["logs", "app", "--access"],
        &["proxy", "logs"],
        &["proxy", "routes"],
    ] {
        for said in [host.once(args), host.once(&[args, &["--json"]].concat())] {
            assert_eq!(said.code, 0, "{args:?}: {said:#?}");
            clean(&format!("{args:?}"), &format!("{}{}", said.stdout, said.stderr), &secrets);
        }
    }
    let shown = host.once(&["env", "app", "--json"]).json();
    assert!(shown.iter().any(|v| v["key"] == "TOKEN" && v["secret"] == true), "{shown:#?}");
    for (container, _) in host.containers() {
        for part in ["{{json .Config.Labels}}", "{{json .Args}} {{json .Path}}", "{{json .Config.Cmd}} {{json .HostConfig}}"] {
            clean(part, &host.inspect(&container, part), &secrets);
        }
    }
    clean("the proxy", &docker(&["inspect", &host.proxy()]), &secrets);
    clean("the proxy's log", &docker(&["logs", &host.proxy()]), &secrets);
    in_files_of_their_own(&host, &secrets);
}

/// Files in the proxy's volume that hold secrets are for their owner alone.
fn in_files_of_their_own(host: &Host, secrets: &[&str]) {
    use std::os::unix::fs::PermissionsExt;
    let root = docker(&["volume", "inspect", "--format", "{{.Mountpoint}}", &host.proxy()]).trim().to_owned();
    let mut directories = vec![std::path::PathBuf::from(root)];
    let mut holding = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                directories.push(entry.path());
            } else if metadata.is_file()
                && let Ok(text) = std::fs::read(entry.path()).map(|b| String::from_utf8_lossy(&b).into_owned())
                && secrets.iter().any(|s| text.contains(s))
            {
                assert_eq!(metadata.permissions().mode() & 0o077, 0, "{}", entry.path().display());
                holding.push(entry.path());
            }
        }
    }
    assert_eq!(holding.len(), 1, "the app's own ledger file: {holding:?}");
}

#[test]
fn a_secret_that_is_missing_or_given_as_an_argument_is_refused() {
    let host = Host::new();
    let image = host.image("1", &[]);
    let finished = host.deploy(&image, &["--secret", "NOT_THERE"]).expect(2, "rejected");
    assert!(finished.to_string().contains("NOT_THERE"), "{finished:#}");
    let given = host.deploy(&image, &["--secret", &format!("KEY={TOKEN}")]);
    given.expect(2, "rejected");
    clean("the refusal", &format!("{}{}", given.stdout, given.stderr), &[TOKEN]);
    assert!(host.containers().is_empty());
}
