//! Releases that leave a record are in the app's history: none is lost, none is there twice, and records stay small.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use once_app::ReleaseNumber;
use once_app::ledger::Transaction;
use once_app::proxy::Proxy;
use once_proxy::service::Service;
use once_proxy::store::StoreError;
use serde_json::{Value, json};

use crate::support::*;

async fn open(dir: &Path) -> Service {
    bounded(async {
        loop {
            match Service::open(dir, Arc::new(FakeRoutes::default())) {
                Ok(service) => break service,
                Err(StoreError::InUse) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await
}

/// As a deploy does it: the container of the release before the last goes.
async fn deploy_and_prune(proxy: &dyn Proxy, n: u64) {
    let change = format!("c{n}");
    let lease = lock(proxy, "shop", &change).await;
    let number = proxy.apply(lease.fence(), begin("shop", &change)).await.unwrap().release.unwrap().0;
    proxy.apply(lease.fence(), switch("shop", number, &change)).await.unwrap();
    let gone = (1..number).map(ReleaseNumber).collect();
    let retire = Transaction::Retire { app: id("shop"), op: op(&change), took_ms: 7, gone };
    proxy.apply(lease.fence(), retire).await.unwrap();
    lease.release().await.unwrap();
}

/// Numbers in the record and in the history, newest first.
async fn numbers(proxy: &dyn Proxy) -> (Vec<u64>, Vec<u64>) {
    let record = proxy.record(&name("shop")).await.unwrap().unwrap();
    let older = proxy.history(&record.id).await.unwrap();
    (record.releases.iter().rev().map(|r| r.number.0).collect(), older.iter().map(|r| r.number.0).collect())
}

fn down(from: u64, to: u64) -> Vec<u64> {
    (to..=from).rev().collect()
}

#[tokio::test]
async fn a_record_stays_small_and_no_release_is_lost() {
    let rig = Rig::over_socket();
    deploy(&*rig.proxy, "shop", "a1").await;
    for n in 2..=60 {
        deploy_and_prune(&*rig.proxy, n).await;
    }
    let (recent, older) = numbers(&*rig.proxy).await;
    assert_eq!((recent.len(), [recent.clone(), older.clone()].concat()), (20, down(60, 1)));
    let history = rig.proxy.history(&id("shop")).await.unwrap();
    assert_eq!(history[0].settings, release("shop", 40, "c40").settings, "with its secrets: it can be gone back to");
    assert_eq!((history[0].took_ms, history[0].op.0.as_str()), (7, "c40"));
    let path = rig.dir.path().join("history/id-shop.jsonl");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let snapshot = serde_json::to_string(&rig.proxy.snapshot().await.unwrap()).unwrap();
    assert!(SECRETS.iter().all(|secret| !snapshot.contains(secret)));

    // Forgotten with its app, and not before.
    let lease = lock(&*rig.proxy, "shop", "end").await;
    let at = jiff::Timestamp::UNIX_EPOCH;
    rig.proxy.apply(lease.fence(), Transaction::Remove { app: id("shop"), at }).await.unwrap();
    assert_eq!(rig.proxy.history(&id("shop")).await.unwrap().len(), 40);
    rig.proxy.apply(lease.fence(), Transaction::Forget { app: id("shop") }).await.unwrap();
    assert_eq!(rig.proxy.history(&id("shop")).await.unwrap(), []);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_long_record_of_an_older_version_moves_over() {
    let dir = tempfile::tempdir().unwrap();
    deploy(&open(dir.path()).await, "shop", "a1").await;
    let path = dir.path().join("apps/id-shop.json");
    let mut value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let first = value["releases"][0].clone();
    let old = |n: u64| {
        let mut release = first.clone();
        release["number"] = json!(n);
        release["status"] = json!({"status": "replaced", "at": "1970-01-01T00:00:00Z"});
        release["container_kept"] = json!(false);
        // What a newer version wrote and this one does not know goes along.
        release["later"] = json!(format!("of {n}"));
        release
    };
    let mut releases: Vec<Value> = (1..100).map(old).collect();
    let mut serving = first.clone();
    serving["number"] = json!(100);
    releases.push(serving);
    (value["releases"], value["serving"], value["next_release"]) = (json!(releases), json!(100), json!(101));
    fs::write(&path, serde_json::to_vec(&value).unwrap()).unwrap();

    let service = open(dir.path()).await;
    let (recent, older) = numbers(&service).await;
    assert_eq!((recent, older), (down(100, 1), vec![]), "read as it is");
    deploy_and_prune(&service, 101).await;
    let (recent, older) = numbers(&service).await;
    assert_eq!((recent, older), (down(101, 82), down(81, 1)));
    let kept = fs::read_to_string(dir.path().join("history/id-shop.jsonl")).unwrap();
    assert!(kept.contains(r#""later":"of 7""#), "{kept}");
    drop(service);
    assert_eq!(numbers(&open(dir.path()).await).await.1, down(81, 1));
}

#[tokio::test]
async fn a_damaged_line_costs_that_release_only() {
    let dir = tempfile::tempdir().unwrap();
    let service = open(dir.path()).await;
    deploy(&service, "shop", "a1").await;
    for n in 2..=25 {
        deploy_and_prune(&service, n).await;
    }
    assert_eq!(numbers(&service).await.1, down(5, 1));
    let path = dir.path().join("history/id-shop.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    let newer = lines[3].replacen("\"schema\":1", "\"schema\":2", 1);
    (lines[1], lines[3]) = ("{\"schema\":1,\"rel", &newer);
    // Written twice, and the last line torn by a crash.
    lines.push(lines[0]);
    fs::write(&path, lines.join("\n")).unwrap();
    assert_eq!(numbers(&service).await.1, [5, 3, 1]);
    deploy_and_prune(&service, 26).await;
    assert_eq!(numbers(&service).await.1, [6, 5, 3, 1]);
}
