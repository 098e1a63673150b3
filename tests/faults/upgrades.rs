//! A newer program takes over the proxy, while visitors keep asking and deploys go on.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use once_app::proxy::{Proxy as _, ProxyError};
use once_demo::load::Mix;
use once_proxy::client::Client;
use rustix::process::Signal;
use serde_json::Value;

use crate::doomed::{Doomed, children, send};
use crate::host::{Host, ONCE, Said, docker, eventually, run};
use crate::support::newer::{Newer, newer};

const LIMIT: Duration = Duration::from_secs(60);

/// `once proxy upgrade --json` by another binary.
pub fn upgrade_by(host: &Host, newer: &Newer) -> Said {
    run(command_of(host, newer, &["proxy", "upgrade", "--json"]))
}

fn command_of(host: &Host, newer: &Newer, args: &[&str]) -> Command {
    let mut command = Command::new(&newer.path);
    command.args(args).env("ONCE_NAMESPACE", &host.namespace).env("ONCE_HTTP_PORT", host.port.to_string());
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

fn status(host: &Host) -> Value {
    let said = host.json(&["proxy", "status"]);
    serde_json::from_str(said.stdout.trim()).unwrap_or_else(|e| panic!("{e} {said:#?}"))
}

fn serving(host: &Host) -> String {
    status(host)["workers"][0]["hash"].as_str().unwrap().to_owned()
}

fn container_start(host: &Host) -> String {
    host.inspect(&host.proxy(), "{{.Id}} {{.State.StartedAt}}")
}

/// Programs in the proxy's volume, with their modes. The container has no shell.
fn listed(host: &Host) -> Vec<(String, String)> {
    let copy = format!("docker cp {}:/state/workers - 2>/dev/null | tar tv", host.proxy());
    let output = Command::new("sh").args(["-c", &copy]).output().unwrap();
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = lines.lines().filter_map(|line| Some((line.split(' ').next()?, line.rsplit('/').next()?)));
    words.filter(|(_, name)| name.len() >= 64).map(|(mode, name)| (mode.to_owned(), name.to_owned())).collect()
}

fn programs(host: &Host) -> Vec<String> {
    listed(host).into_iter().map(|(_, name)| name).collect()
}

/// The control channel, as from anywhere.
async fn control(host: &Host) -> (tokio::process::Child, Client) {
    let mut bridge = tokio::process::Command::new("docker")
        .args(["exec", "-i", &host.proxy(), "/once", "proxy", "ctl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (input, output) = (bridge.stdin.take().unwrap(), bridge.stdout.take().unwrap());
    (bridge, Client::over(tokio::io::join(output, input)))
}

/// Why a program of these bytes, named by this hash, is refused.
fn refused(host: &Host, bytes: &[u8], hash: &str) -> String {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let (_bridge, client) = control(host).await;
        for (n, piece) in bytes.chunks(1 << 20).enumerate() {
            client.put_binary(hash, (n as u64) << 20, piece).await.unwrap();
        }
        match client.upgrade(hash).await {
            Err(ProxyError::UpgradeRefused { why }) => why,
            other => panic!("{other:?}"),
        }
    })
}

fn supervisor(host: &Host) -> u32 {
    host.inspect(&host.proxy(), "{{.State.Pid}}").parse().unwrap()
}

#[test]
fn upgrades_lose_no_request_and_sockets_stay_open() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let (container, before) = (container_start(&host), serving(&host));
    let load = host.load(16, Mix::ALL);
    let mut hashes = vec![before];
    for mark in ["one", "two"] {
        let newer = newer(mark);
        upgrade_by(&host, &newer).expect(0, "updated");
        let now = serving(&host);
        assert!(!hashes.contains(&now), "another program serves");
        hashes.push(now);
        upgrade_by(&host, &newer).expect(0, "unchanged");
    }
    // And back to the one of the image.
    host.json(&["proxy", "upgrade"]).expect(0, "updated");
    assert_eq!(serving(&host), hashes[0]);
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report}: {:?} {:#?}", report.reasons, report.failures);
    assert!(report.requests > 300, "{report}");
    assert_eq!(container_start(&host), container, "it is the same container");
    assert_eq!(programs(&host), [hashes[0].clone()], "no program stays that nobody needs");
    eventually("the relieved workers' end", LIMIT, || (children(supervisor(&host)).len() == 1).then_some(()));
    let noted = host.json(&["activity"]).stdout;
    assert!(noted.contains("proxy upgrade"), "{noted}");
}

#[test]
fn what_is_no_proxy_is_refused_and_nothing_is_left() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let before = serving(&host);
    let load = host.load(6, Mix::KEEP_ALIVE);
    for (bytes, reason) in [
        (&b"no program at all"[..], "cannot be run"),
        (b"#!/nonexistent\n", "cannot be run"),
        // The binary itself, cut short: the kernel takes it or not, but it never says that it is ready.
        (&std::fs::read(ONCE).unwrap()[..4096], ""),
    ] {
        let why = refused(&host, bytes, &hash(bytes));
        assert!(why.contains(reason), "{why}");
        assert_eq!((serving(&host), programs(&host)), (before.clone(), vec![]));
    }
    let damaged = refused(&host, b"damaged on its way", &hash(b"something else"));
    assert!(damaged.contains("damaged"), "{damaged}");
    assert_eq!(programs(&host), Vec::<String>::new());
    // One that runs, and is no proxy.
    let demo = std::fs::read("/bin/busybox").or_else(|_| std::fs::read("/sbin/ldconfig")).unwrap();
    let why = refused(&host, &demo, &hash(&demo));
    assert!(why.contains("ended before it was ready") || why.contains("cannot be run"), "{why}");
    // The one that serves goes on as if nothing had been.
    host.json(&["set", "app", "--note", "still here"]).expect(0, "updated");
    assert_eq!((serving(&host), programs(&host)), (before, vec![]));
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report}: {:#?}", report.failures);
}

fn hash(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn deploys_go_on_over_an_upgrade() {
    for (step, swap) in [("healthy", "overlap"), ("hold", "handover"), ("start", "overlap")] {
        let host = Host::new();
        let image = host.image("1", &[("DEMO_BOOT_MS", "1500")]);
        host.deploy(&image, &["--swap", swap, "--drain-timeout", "3"]).expect(0, "created");
        let load = host.load(8, Mix::ALL);
        let mut deploy = Doomed::deploy(&host, &image, &["-e", "DEMO_VERSION=2"]);
        deploy.until("step-started", Some(step));
        upgrade_by(&host, &newer(step)).expect(0, "updated");
        let said = deploy.end(Duration::from_secs(90));
        said.expect(0, "updated");
        assert_eq!(host.version(), "2");
        // Its lock was handed over and given back.
        host.json(&["set", "app", "--note", "free"]).expect(0, "updated");
        let report = load.stop();
        assert_eq!(report.failed, 0, "{step}: {report}: {:#?}", report.failures);
    }
}

#[test]
fn deploys_begun_during_upgrades_wait_for_the_new_one() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &["--drain-timeout", "3"]).expect(0, "created");
    let load = host.load(8, Mix::ALL);
    for round in 0..3 {
        let newer = newer(&format!("round {round}"));
        let upgrade = std::thread::spawn({
            let command = command_of(&host, &newer, &["proxy", "upgrade", "--json"]);
            move || run(command)
        });
        let said = host.deploy(&image, &["--force", "-e", &format!("DEMO_VERSION={round}")]);
        said.expect(0, "updated");
        upgrade.join().unwrap().expect(0, "updated");
        assert_eq!(host.version(), round.to_string());
    }
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report}: {:#?}", report.failures);
}

#[test]
fn the_newest_program_is_started_after_a_restart_and_the_images_own_when_it_cannot() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let own = serving(&host);
    let newer = newer("for a restart");
    upgrade_by(&host, &newer).expect(0, "updated");
    let upgraded = serving(&host);

    docker(&["restart", &host.proxy()]);
    eventually("an answer", LIMIT, || (host.get("app.localhost", "/version").0 == 200).then_some(()));
    assert_eq!(serving(&host), upgraded);
    assert_eq!(status(&host)["note"], Value::Null);

    let modes = listed(&host);
    assert!(modes.iter().all(|(mode, _)| mode == "-rwx------"), "only its owner may touch it: {modes:?}");
    let rotten = tempfile::tempdir().unwrap();
    let (copy, inside) = (rotten.path().join(&upgraded), format!("{}:/state/workers/{upgraded}", host.proxy()));
    docker(&["cp", &inside, copy.to_str().unwrap()]);
    std::fs::OpenOptions::new().append(true).open(&copy).unwrap().write_all(b"bit rot").unwrap();
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    docker(&["cp", copy.to_str().unwrap(), &inside]);
    docker(&["restart", &host.proxy()]);
    eventually("an answer", LIMIT, || (host.get("app.localhost", "/version").0 == 200).then_some(()));
    let seen = status(&host);
    assert_eq!(seen["workers"][0]["hash"], own.as_str());
    assert!(seen["note"].as_str().unwrap().contains(&upgraded), "{seen:#}");
    assert_eq!(host.json(&["proxy", "status"]).code, 10, "somebody should look");
    // And it can be put right.
    upgrade_by(&host, &newer).expect(0, "updated");
    assert_eq!(serving(&host), upgraded);
}

#[test]
fn the_new_worker_may_die_right_after_it_took_over() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let before = children(supervisor(&host));
    upgrade_by(&host, &newer("to be killed")).expect(0, "updated");
    let hash = serving(&host);
    let new = children(supervisor(&host)).into_iter().find(|pid| !before.contains(pid)).unwrap();
    send(new, Signal::KILL);
    eventually("an answer", LIMIT, || (host.get("app.localhost", "/version").0 == 200).then_some(()));
    assert_eq!(eventually("the same program", LIMIT, || Some(serving(&host))), hash);
    host.deploy(&image, &["--force"]).expect(0, "updated");
    assert_eq!(host.version(), "1");
}

/// The old worker dies at some moment of the call, and its answer with it: what is said is what serves then.
#[test]
fn an_upgrade_whose_old_worker_dies_meanwhile_is_told_as_it_ended() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let mut done = 0;
    for round in 0..4 {
        let old = *children(supervisor(&host)).iter().min().unwrap();
        let newer = newer(&format!("round {round}"));
        let theirs = hash(&std::fs::read(&newer.path).unwrap());
        let upgrade = std::thread::spawn({
            let command = command_of(&host, &newer, &["proxy", "upgrade", "--json"]);
            move || run(command)
        });
        // The newer worker runs: the old one gives away what it has in memory, or has just done so.
        eventually("the newer worker", LIMIT, || (children(supervisor(&host)).len() > 1).then_some(()));
        send(old, Signal::KILL);
        let said = upgrade.join().unwrap();
        let serves = eventually("one worker", LIMIT, || {
            (status(&host)["workers"].as_array().unwrap().len() == 1).then(|| serving(&host))
        });
        assert_eq!(said.code == 0, serves == theirs, "{said:#?} and {serves} serves");
        done += u32::from(said.code == 0);
        eventually("an answer", LIMIT, || (host.get("app.localhost", "/version").0 == 200).then_some(()));
    }
    println!("{done} of 4 were done");
}

#[test]
fn websockets_and_long_answers_outlive_an_upgrade() {
    use std::io::Read as _;
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &["--drain-timeout", "25"]).expect(0, "created");
    let ask = |request: &str| {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", host.port)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    // Longer than an upgrade takes beside a load.
    let mut slow = ask("GET /slow?ms=20000 HTTP/1.1\r\nHost: app.localhost\r\n\r\n");
    let mut idle = ask("GET /version HTTP/1.1\r\nHost: app.localhost\r\n\r\n");
    let mut socket = ask("GET /ws HTTP/1.1\r\nHost: app.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    let mut head = [0; 12];
    socket.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
    upgrade_by(&host, &newer("under way")).expect(0, "updated");
    let seen = status(&host);
    let relieved = &seen["workers"][1];
    assert_eq!((&relieved["serving"], &relieved["upgraded"]), (&Value::Bool(false), &Value::from(1)), "{seen:#}");
    // The drain of a release waits for what the relieved worker still has of it.
    let deploy = host.begin(&["deploy", &image, "--name", "app", "--force", "-e", "DEMO_VERSION=2"]);
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(&[0x88, 0x02, 0x03, 0xe9]), "a goodbye with 1001: {rest:?}");
    deploy.end().expect(0, "updated");
    let mut last = Vec::new();
    idle.read_to_end(&mut last).unwrap();
    assert!(last.starts_with(b"HTTP/1.1 200"));
    eventually("its end", LIMIT, || (status(&host)["workers"].as_array().unwrap().len() == 1).then_some(()));
}

#[test]
fn of_upgrades_at_once_the_second_waits_for_the_first_and_finds_it_done() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let (newer, before) = (newer("three at once"), serving(&host));
    let begun: Vec<_> = ["one", "two", "three"]
        .iter()
        .map(|note| {
            let args = ["deploy", "--name", "app", "--note", note, "--upgrade-proxy", "--json"];
            let mut command = command_of(&host, &newer, &args);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in begun {
        let said = Said::of(&child.wait_with_output().unwrap());
        let finished = said.expect(0, "updated");
        assert_eq!((&finished["app"], &finished["serving"]), (&"app".into(), &1.into()), "{said:#?}");
    }
    assert_ne!(serving(&host), before);
    assert_eq!(host.json(&["locks"]).stdout, "", "the lock of the upgrade is given back");
}
