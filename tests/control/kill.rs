//! A worker killed by SIGKILL at any moment loses nothing it acknowledged.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use once_app::ledger::Transaction;
use once_app::proxy::{Proxy, ProxyError};
use once_proxy::client::Client;
use once_proxy::service::Service;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::support::*;

const STATE: &str = "ONCE_TEST_WORKER_STATE";
const READY: &str = "the worker is ready";
/// At least so many kills, and so many changes that were acknowledged before one.
const ROUNDS: u64 = 15;
const CHANGES: u64 = 200;

/// The other process: this test again, with a state directory in its environment.
async fn work(state: &Path) {
    let service = Service::open(state, Arc::new(FakeRoutes::default())).unwrap();
    let server = serve(&state.join("control.sock"), service, CancellationToken::new());
    println!("\n{READY}");
    server.await.unwrap();
}

async fn start(state: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::a_kill_loses_nothing_acknowledged", "--nocapture"])
        .env(STATE, state)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line == READY {
            return child;
        }
    }
    panic!("the worker ended: {:?}", child.wait().await);
}

/// Numbers the proxy said it has kept, by app.
type Kept = BTreeMap<String, u64>;

/// Deploys and counts as fast as it goes, until the connection breaks.
async fn change(client: Client, app: String, mut next: u64) -> (String, Option<u64>, Option<u64>) {
    let (mut sequence, mut served) = (None, None);
    let broken = async {
        let lease = client.lock(wants(&app, "x", "ann", 0)).await?;
        if client.record(&name(&app)).await?.is_none() {
            client.apply(lease.fence(), create(&app)).await?;
        }
        // What the killed one had left behind.
        if let Some(intent) = client.record(&name(&app)).await?.and_then(|r| r.intent) {
            let abandon = Transaction::Abandon { app: id(&app), op: intent.op, release: None };
            client.apply(lease.fence(), abandon).await?;
        }
        loop {
            client.apply(lease.fence(), Transaction::Sequence { app: id(&app), number: next }).await?;
            sequence = Some(next);
            next += 1;
            let change = format!("op{next}");
            let begun = client.apply(lease.fence(), begin(&app, &change)).await?;
            let number = begun.release.map_or(0, |n| n.0);
            client.apply(lease.fence(), switch(&app, number, &change)).await?;
            served = Some(number);
            client.apply(lease.fence(), retire(&app, &change)).await?;
        }
    };
    let ended: Result<(), ProxyError> = broken.await;
    let error = ended.unwrap_err();
    assert!(
        matches!(error, ProxyError::Interrupted { .. } | ProxyError::Unreachable { .. } | ProxyError::LockLost),
        "{error:?}"
    );
    (app, sequence, served)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_loses_nothing_acknowledged() {
    if let Some(state) = std::env::var_os(STATE) {
        return work(Path::new(&state)).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let (mut sequences, mut served) = (Kept::new(), Kept::new());
    // Some forty starts of a process, each of which takes a second beside a load.
    bounded_by(Duration::from_secs(180), async {
        let (mut round, mut acknowledged) = (0, 0);
        while round < ROUNDS || acknowledged < CHANGES {
            round += 1;
            let mut worker = start(dir.path()).await;
            let mut changes = tokio::task::JoinSet::new();
            for app in ["shop", "blog", "wiki"] {
                let client = Client::connect_unix(dir.path().join("control.sock"));
                let next = sequences.get(app).map_or(1, |n| n + 1);
                changes.spawn(change(client, app.to_owned(), next));
            }
            // Anywhere in the stream of changes: that is what is tried, so no event could be waited for.
            let mut moment = [0; 1];
            getrandom::fill(&mut moment).unwrap();
            tokio::time::sleep(Duration::from_millis(20 + u64::from(moment[0]))).await;
            worker.kill().await.unwrap();
            for (app, sequence, release) in changes.join_all().await {
                acknowledged += sequence.map_or(0, |n| n - sequences.get(&app).copied().unwrap_or(0));
                sequences.extend(sequence.map(|n| (app.clone(), n)));
                served.extend(release.map(|n| (app, n)));
            }
            let mut worker = start(dir.path()).await;
            let client = Client::connect_unix(dir.path().join("control.sock"));
            let snapshot = client.snapshot().await.unwrap();
            assert_eq!(snapshot.info.set_aside, []);
            for (app, acknowledged) in &sequences {
                let record = snapshot.apps.iter().find(|r| r.name == name(app)).unwrap();
                let kept = record.last_sequence.unwrap();
                // One more may have been on its way.
                assert!((*acknowledged..=acknowledged + 1).contains(&kept), "{app}: {kept}, not {acknowledged}");
            }
            for (app, acknowledged) in &served {
                let record = snapshot.apps.iter().find(|r| r.name == name(app)).unwrap();
                assert!(record.serving.unwrap().0 >= *acknowledged, "{app}: {:?} {acknowledged}", record.serving);
            }
            worker.kill().await.unwrap();
        }
    })
    .await;
    assert!(sequences.values().sum::<u64>() >= CHANGES, "there was a stream to kill: {sequences:?}");
}
