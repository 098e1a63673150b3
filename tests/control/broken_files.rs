//! Ledger files as crashes, disks, editors and other versions leave them: each costs its own app only.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use once_app::ledger::SCHEMA;
use once_app::proxy::{Proxy, ProxyInfo};
use once_app::{ProxyConfig, ProxyDraft, ProxyField};
use once_proxy::service::Service;
use once_proxy::store::{Store, StoreError};
use serde_json::{Value, json};

use crate::support::*;

/// A directory in which `shop` and `good` have been deployed.
async fn written() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let service = open(dir.path()).await.0;
    deploy(&service, "shop", "a1").await;
    deploy(&service, "shop", "a2").await;
    deploy(&service, "good", "g1").await;
    dir
}

async fn open(dir: &Path) -> (Service, Arc<FakeRoutes>, ProxyInfo) {
    let routes = Arc::new(FakeRoutes::default());
    // The task of the last change may hold the store for a moment after its answer.
    let service = bounded(async {
        loop {
            match Service::open(dir, routes.clone()) {
                Ok(service) => break service,
                Err(StoreError::InUse) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await;
    let info = service.info().await.unwrap();
    (service, routes, info)
}

#[tokio::test]
async fn each_broken_file_costs_its_own_app_only() {
    let whole = {
        let dir = written().await;
        fs::read(dir.path().join("apps/id-shop.json")).unwrap()
    };
    let edited = |edit: fn(&mut Value)| {
        let mut value: Value = serde_json::from_slice(&whole).unwrap();
        edit(&mut value);
        serde_json::to_vec(&value).unwrap()
    };
    let half = whole.len() / 2;
    let mut zeroed = whole.clone();
    zeroed[half..].fill(0);
    let mut flipped = whole.clone();
    flipped[0] ^= 0x80;
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", Vec::new(), "damaged"),
        ("torn in the middle", whole[..half].to_vec(), "damaged"),
        ("torn before its last byte", whole[..whole.len() - 1].to_vec(), "damaged"),
        ("the end is zeroes", zeroed, "damaged"),
        ("only zeroes", vec![0; 4096], "damaged"),
        ("a flipped bit", flipped, "damaged"),
        ("written twice", [whole.clone(), whole.clone()].concat(), "damaged"),
        ("not JSON", b"<html>502 Bad Gateway</html>".to_vec(), "damaged"),
        ("another JSON", b"[1, 2, 3]".to_vec(), "damaged"),
        ("null", b"null".to_vec(), "damaged"),
        ("no schema", edited(|v| drop(v.as_object_mut().unwrap().remove("schema"))), "damaged"),
        ("a newer schema", edited(|v| v["schema"] = json!(SCHEMA + 1)), "schema 2"),
        ("a newer schema of another shape", format!("{{\"schema\":{}}}", SCHEMA + 7).into_bytes(), "schema 8"),
        ("an older schema", edited(|v| v["schema"] = json!(0)), "schema 0"),
        ("no id", edited(|v| drop(v.as_object_mut().unwrap().remove("id"))), "damaged"),
        ("somebody else's id", edited(|v| v["id"] = json!("id-good")), "the app with id id-good"),
        ("a bad name", edited(|v| v["name"] = json!("Not A Name")), "damaged"),
        ("somebody else's name", edited(|v| v["name"] = json!("good")), "same name"),
        ("no hosts", edited(|v| v["releases"][1]["settings"]["hosts"] = json!([])), "no hostname"),
        ("a bad host", edited(|v| v["releases"][1]["settings"]["hosts"] = json!(["a b"])), "damaged"),
        ("a wrong type", edited(|v| v["next_release"] = json!("three")), "damaged"),
        ("a negative number", edited(|v| v["next_release"] = json!(-1)), "damaged"),
        ("a number given out again", edited(|v| v["next_release"] = json!(2)), "would be again"),
        ("the last number there is", edited(|v| v["next_release"] = json!(u64::MAX)), "no release number"),
        ("a release twice", edited(|v| v["releases"][0] = v["releases"][1].clone()), "twice"),
        (
            "two that serve",
            edited(|v| v["releases"][0]["status"] = json!({"status": "serving"})),
            "says that it serves",
        ),
        ("another one serving", edited(|v| v["serving"] = json!(1)), "says that it serves"),
        ("the serving one missing", edited(|v| v["releases"] = json!([])), "missing"),
        ("an unknown swap", edited(|v| v["releases"][1]["settings"]["swap"] = json!("teleport")), "damaged"),
    ];
    for (what, content, why) in cases {
        let dir = written().await;
        fs::write(dir.path().join("apps/id-shop.json"), &content).unwrap();
        let (service, routes, info) = open(dir.path()).await;
        assert_eq!(info.set_aside.len(), 1, "{what}: {:?}", info.set_aside);
        let (file, reason) = &info.set_aside[0];
        assert_eq!(file, "id-shop.json.1", "{what}");
        assert!(reason.contains(why), "{what}: {reason}");
        assert_eq!(fs::read(dir.path().join("apps/set-aside").join(file)).unwrap(), content, "{what}: kept as it is");
        assert_eq!(service.record(&name("shop")).await.unwrap(), None, "{what}");
        assert_eq!((routes.target("good"), routes.target("shop")), (Some(1), None), "{what}");
        assert_eq!(deploy(&service, "good", "g2").await, 2, "{what}");
        assert_eq!(deploy(&service, "shop", "a3").await, 1, "{what}: its name is free");
        drop(service);
        let (_, routes, info) = open(dir.path()).await;
        assert_eq!(info.set_aside.len(), 1, "{what}: still told");
        assert_eq!((routes.target("good"), routes.target("shop")), (Some(2), Some(1)), "{what}");
    }
}

#[tokio::test]
async fn a_directory_or_a_lost_disk_block_is_set_aside_too() {
    let dir = written().await;
    let file = dir.path().join("apps/id-shop.json");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let (_, routes, info) = open(dir.path()).await;
    assert!(info.set_aside[0].1.contains("cannot be read"), "{:?}", info.set_aside);
    assert_eq!(routes.target("good"), Some(1));
}

#[tokio::test]
async fn an_earlier_set_aside_file_is_not_overwritten() {
    let dir = written().await;
    for n in 1..=3 {
        fs::write(dir.path().join("apps/id-shop.json"), format!("broken {n}")).unwrap();
        assert_eq!(open(dir.path()).await.2.set_aside.len(), n);
    }
    assert_eq!(fs::read(dir.path().join("apps/set-aside/id-shop.json.2")).unwrap(), b"broken 2");
}

#[tokio::test]
async fn killed_between_write_and_rename_leaves_the_old_record() {
    let dir = written().await;
    let (file, unfinished) = (dir.path().join("apps/id-shop.json"), dir.path().join("apps/id-shop.tmp"));
    let content = fs::read(&file).unwrap();
    fs::write(&unfinished, &content[..content.len() / 3]).unwrap();
    let (service, routes, info) = open(dir.path()).await;
    assert_eq!(routes.target("shop"), Some(2));
    assert!(info.set_aside.is_empty() && !unfinished.exists());
    assert_eq!(deploy(&service, "shop", "a3").await, 3);
}

#[tokio::test]
async fn a_torn_audit_log_loses_its_last_line_only() {
    let dir = written().await;
    let entry = |n: u32| once_app::proxy::Activity {
        at: jiff::Timestamp::UNIX_EPOCH,
        by: by("ann"),
        app: None,
        op: None,
        outcome: "updated".to_owned(),
        text: format!("number {n}"),
    };
    let log = dir.path().join("activity.jsonl");
    {
        let (service, ..) = open(dir.path()).await;
        for n in 0..3 {
            service.record_activity(entry(n)).await.unwrap();
        }
    }
    let content = fs::read(&log).unwrap();
    fs::write(&log, &content[..content.len() - 9]).unwrap();
    let (service, ..) = open(dir.path()).await;
    service.record_activity(entry(3)).await.unwrap();
    let texts: Vec<_> = service.activity(None, 10).await.unwrap().into_iter().map(|a| a.text).collect();
    assert_eq!(texts, ["number 3", "number 1", "number 0"]);
}

#[tokio::test]
async fn the_audit_log_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let line = |n: u32| {
        format!(
            "{{\"at\":\"2026-01-01T00:00:00Z\",\"by\":{{\"user\":\"a\",\"host\":\"b\",\"command\":\"c\"}},\"app\":null,\"op\":null,\"outcome\":\"o\",\"text\":\"{n}\"}}\n"
        )
    };
    let full: String = (0..10_000).map(line).collect();
    fs::write(dir.path().join("activity.jsonl"), &full).unwrap();
    fs::write(dir.path().join("activity.1.jsonl"), "an older generation\n").unwrap();
    let mut store = Store::open(dir.path()).unwrap().store;
    let newest: once_app::proxy::Activity = serde_json::from_str(&line(10_000)).unwrap();
    store.append_activity(&newest).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("activity.1.jsonl")).unwrap(), full, "one generation back");
    assert_eq!(fs::read_to_string(dir.path().join("activity.jsonl")).unwrap(), line(10_000));
    let found = store.activity(None, 20_000).unwrap();
    assert_eq!((found.len(), found[0].text.as_str(), found[1].text.as_str()), (10_001, "10000", "9999"));
}

#[tokio::test]
async fn events_outlive_a_restart_and_two_hundred_changes_are_kept() {
    use futures_util::TryStreamExt;
    use once_app::event::{Envelope, Event};
    let dir = tempfile::tempdir().unwrap();
    let event = |n: u32, seq: u64| Envelope {
        event: Event::Log { line: format!("line {seq}") },
        op: op(&format!("op{n:03}")),
        app: Some(name("shop")),
        seq,
        at: jiff::Timestamp::from_second(i64::from(n)).unwrap(),
    };
    {
        let (service, ..) = open(dir.path()).await;
        for n in 0..203 {
            service.publish(vec![event(n, 0), event(n, 1)]).await.unwrap();
        }
    }
    let torn = dir.path().join("ops/op150.jsonl");
    let content = fs::read(&torn).unwrap();
    fs::write(&torn, &content[..content.len() - 5]).unwrap();
    fs::write(dir.path().join("ops/op001.jsonl"), b"nothing that can be read").unwrap();
    let (service, ..) = open(dir.path()).await;
    let ops = service.snapshot().await.unwrap().ops;
    assert_eq!((ops.len(), ops[0].op.0.as_str(), ops[199].op.0.as_str()), (200, "op003", "op202"));
    assert_eq!(fs::read_dir(dir.path().join("ops")).unwrap().count(), 200);
    service.publish(vec![event(150, 1), event(150, 2)]).await.unwrap();
    let mut following = service.follow(&op("op150"), 0);
    for seq in 0..3 {
        assert_eq!(following.try_next().await.unwrap(), Some(event(150, seq)));
    }
}

#[tokio::test]
async fn damaged_identity_files_cost_no_app() {
    let dir = written().await;
    let before = open(dir.path()).await.2.instance;
    assert_eq!(open(dir.path()).await.2.instance, before);
    let fence = lock(&open(dir.path()).await.0, "shop", "x").await.fence();
    fs::write(dir.path().join("instance"), b"").unwrap();
    fs::write(dir.path().join("start"), b"\0\0").unwrap();
    let (service, routes, info) = open(dir.path()).await;
    assert_eq!((info.instance.len(), routes.target("shop")), (32, Some(2)));
    assert_ne!(info.instance, before);
    assert!(lock(&service, "shop", "x").await.fence() > fence, "fences never go back");
}

#[tokio::test]
async fn only_its_owner_may_read_it() {
    let dir = written().await;
    let mode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o777;
    let (service, ..) = open(dir.path()).await;
    service.publish(Vec::new()).await.unwrap();
    for file in ["apps/id-shop.json", "instance", "start", "lock"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
    for dir in ["apps", "apps/set-aside", "ops", ""] {
        assert_eq!(mode(dir), 0o700, "{dir}");
    }
}

#[tokio::test]
async fn one_process_at_a_time() {
    let dir = written().await;
    let held = open(dir.path()).await;
    assert!(matches!(Store::open(dir.path()), Err(StoreError::InUse)));
    drop(held);
    Store::open(dir.path()).unwrap();
}

#[tokio::test]
async fn a_broken_proxy_json_is_set_aside_and_the_defaults_hold() {
    for (content, why) in [
        (&b"{"[..], "damaged"),
        (br#"{"schema":2}"#, "it has schema 2"),
        (br#"{"schema":1,"trusted_proxies":["lb"]}"#, "damaged"),
    ] {
        let dir = written().await;
        fs::write(dir.path().join("proxy.json"), content).unwrap();
        let (service, routes, info) = open(dir.path()).await;
        assert_eq!(service.config().await.unwrap(), ProxyConfig::default());
        assert_eq!(info.set_aside.len(), 1, "{info:?}");
        assert!(info.set_aside[0].0.starts_with("proxy.json") && info.set_aside[0].1.contains(why), "{info:?}");
        // The apps do not care.
        assert_eq!(routes.target("shop"), Some(2));
        drop(service);
        let (_service, _, info) = open(dir.path()).await;
        assert_eq!(info.set_aside.len(), 1, "it is shown until somebody takes it away");
    }
}

#[tokio::test]
async fn what_the_proxy_was_told_is_on_disk_before_the_answer_and_never_given_out_again() {
    let dir = written().await;
    let mut draft = ProxyDraft::default();
    for (field, text) in
        [(ProxyField::TrustedProxies, "10.0.0.0/8"), (ProxyField::AcmeEabKey, "hunter2-hunter2-hunter2")]
    {
        draft.set(field, text).unwrap();
    }
    let (service, routes, _) = open(dir.path()).await;
    let said = service.configure(draft.clone()).await.unwrap();
    assert!(!serde_json::to_string(&said).unwrap().contains("hunter2"));
    assert_eq!(routes.config(), Some(draft.merge(&ProxyConfig::default())));
    let path = dir.path().join("proxy.json");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(service);
    let (service, routes, info) = open(dir.path()).await;
    assert!(info.set_aside.is_empty());
    assert_eq!(service.config().await.unwrap(), said);
    assert_eq!(routes.config(), Some(draft.merge(&ProxyConfig::default())));
}

/// A file of a newer schema is not touched by an older version, and read again when the newer one returns.
#[tokio::test]
async fn a_file_of_a_newer_schema_comes_back_with_the_newer_version() {
    let dir = written().await;
    let file = dir.path().join("apps/id-shop.json");
    let ours = fs::read(&file).unwrap();
    let mut newer: Value = serde_json::from_slice(&ours).unwrap();
    newer["schema"] = json!(SCHEMA + 1);
    let newer = serde_json::to_vec(&newer).unwrap();
    fs::write(&file, &newer).unwrap();
    let (service, routes, info) = open(dir.path()).await;
    assert_eq!((routes.target("shop"), routes.target("good")), (None, Some(1)));
    assert_eq!(info.set_aside.len(), 1);
    let kept = dir.path().join("apps/set-aside/id-shop.json.1");
    assert_eq!(fs::read(&kept).unwrap(), newer, "untouched");
    drop(service);
    // The version that wrote it reads it; to this one it is as if its schema were ours.
    fs::write(&kept, &ours).unwrap();
    let (_, routes, info) = open(dir.path()).await;
    assert_eq!(routes.target("shop"), Some(2));
    assert!(info.set_aside.is_empty() && !kept.exists(), "{:?}", info.set_aside);
    assert_eq!(fs::read_dir(dir.path().join("apps/set-aside")).unwrap().count(), 0);
}

#[tokio::test]
async fn what_took_its_place_meanwhile_is_not_overwritten() {
    let dir = written().await;
    let aside = dir.path().join("apps/set-aside/id-shop.json.1");
    fs::copy(dir.path().join("apps/id-good.json"), &aside).unwrap();
    let mut older: Value = serde_json::from_slice(&fs::read(dir.path().join("apps/id-shop.json")).unwrap()).unwrap();
    older["next_release"] = json!(77);
    fs::write(&aside, serde_json::to_vec(&older).unwrap()).unwrap();
    let (service, routes, info) = open(dir.path()).await;
    assert_eq!((routes.target("shop"), info.set_aside.len()), (Some(2), 1));
    assert_eq!(service.record(&name("shop")).await.unwrap().unwrap().next_release, 3);
}

/// What a newer minor version writes beside what is known here survives being rewritten here.
#[tokio::test]
async fn unknown_fields_survive_a_rewrite() {
    let dir = written().await;
    let file = dir.path().join("apps/id-shop.json");
    let mut value: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    value["from_the_future"] = json!({"a": [1, 2]});
    value["releases"][1]["settings"]["wish"] = json!("later");
    fs::write(&file, serde_json::to_vec(&value).unwrap()).unwrap();
    let (service, _, info) = open(dir.path()).await;
    assert_eq!(info.set_aside, []);
    assert_eq!(deploy(&service, "shop", "a3").await, 3);
    let now: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(now["from_the_future"], json!({"a": [1, 2]}));
    let release = now["releases"].as_array().unwrap().iter().find(|r| r["number"] == 2).unwrap();
    assert_eq!(release["settings"]["wish"], "later");
    assert_eq!(now["serving"], 3);
}

/// A ledger as the first published format writes it, kept as a file: it must be readable for ever.
#[tokio::test]
async fn the_present_format_is_read_for_ever() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/control/ledger/schema-1.json");
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).await);
    let file = dir.path().join("apps/id-shop.json");
    fs::copy(&kept, &file).unwrap_or_else(|_| panic!("{} is there", kept.display()));
    let (service, routes, info) = open(dir.path()).await;
    assert_eq!((info.set_aside, routes.target("shop")), (vec![], Some(2)));
    let record = service.record(&name("shop")).await.unwrap().unwrap();
    let again = serde_json::to_value(&record).unwrap();
    let was: Value = serde_json::from_slice(&fs::read(&kept).unwrap()).unwrap();
    assert_eq!(again, was, "nothing of it is lost or changed by being read");
    assert_eq!(deploy(&service, "shop", "a9").await, 3);
}
