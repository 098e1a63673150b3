//! What a proxy promises, asked of the service in process and of a client on a socket.

use std::fs;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, TryStreamExt};
use jiff::Timestamp;
use once_app::event::{Envelope, Event, Finished, Outcome};
use once_app::ledger::{AppRecord, ManualLock, Refusal, RunState, Transaction};
use once_app::proxy::{Activity, DrainLimits, LeaseEnd, ProbeAnswer, ProbeRequest, ProxyError};
use once_app::{MASK, ReleaseNumber, UrlPath};

use crate::support::*;

macro_rules! contract {
    ($($test:ident),* $(,)?) => {
        mod in_process {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                crate::support::bounded(super::$test(crate::support::Rig::in_process())).await;
            })*
        }
        mod over_socket {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                crate::support::bounded(super::$test(crate::support::Rig::over_socket())).await;
            })*
        }
    };
}

contract![
    remembers_a_deploy,
    shows_no_secrets,
    switches_once,
    refuses_by_type,
    checks_the_fence,
    one_holder_at_a_time,
    serves_all_who_wait,
    a_manual_lock_blocks_everybody,
    a_cancelled_change_hears_of_it,
    tells_events_to_followers,
    keeps_an_audit_log,
    drives_the_data_plane,
    watches,
    a_change_goes_on_without_its_caller,
    a_full_disk_changes_nothing,
    a_lost_directory_changes_nothing,
    removes_and_revives,
    forgets,
];

async fn remembers_a_deploy(rig: Rig) {
    assert_eq!(rig.proxy.record(&name("shop")).await.unwrap(), None);
    assert_eq!(deploy(&*rig.proxy, "shop", "a1").await, 1);
    assert_eq!(deploy(&*rig.proxy, "shop", "a2").await, 2);
    let record = rig.other.record(&name("shop")).await.unwrap().unwrap();
    assert_eq!(record.serving, Some(ReleaseNumber(2)));
    assert_eq!(record.intent, None);
    assert_eq!(record.release(ReleaseNumber(2)).unwrap().took_ms, 7);
    assert_eq!(record.generated.secret_key_base.expose(), SECRETS[0]);
    assert_eq!(rig.routes.target("shop"), Some(2));
    let info = rig.other.info().await.unwrap();
    assert_eq!((info.protocol, info.instance.len()), (once_proxy::control::PROTOCOL, 32));
    assert!(info.memory > 0);
}

async fn shows_no_secrets(rig: Rig) {
    deploy(&*rig.proxy, "shop", "a1").await;
    let snapshot = rig.other.snapshot().await.unwrap();
    let text = serde_json::to_string(&snapshot).unwrap();
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret}");
    }
    let settings = snapshot.apps[0].settings().unwrap();
    assert_eq!(settings.env[&"TOKEN".parse().unwrap()].value.expose(), MASK);
    assert_eq!(settings.env[&"COLOR".parse().unwrap()].value.expose(), "blue");
    let whole = rig.other.record(&name("shop")).await.unwrap().unwrap();
    assert!(serde_json::to_string(&whole).unwrap().contains(SECRETS[2]));
}

async fn switches_once(rig: Rig) {
    deploy(&*rig.proxy, "shop", "a1").await;
    let lease = lock(&*rig.proxy, "shop", "a2").await;
    let number = rig.proxy.apply(lease.fence(), begin("shop", "a2")).await.unwrap().release.unwrap().0;
    let again = rig.proxy.apply(lease.fence(), begin("shop", "a2")).await.unwrap();
    assert_eq!((again.release.unwrap().0, again.replayed), (number, true), "a lost answer burns no number");
    let first = rig.proxy.apply(lease.fence(), switch("shop", number, "a2")).await.unwrap();
    let second = rig.proxy.apply(lease.fence(), switch("shop", number, "a2")).await.unwrap();
    assert_eq!((first.replayed, second.replayed), (false, true));
    assert_eq!(first.record, second.record);
}

async fn refuses_by_type(rig: Rig) {
    deploy(&*rig.proxy, "shop", "a1").await;
    let shop = lock(&*rig.proxy, "shop", "a2").await;
    let blog = lock(&*rig.proxy, "blog", "b1").await;
    let apply = async |fence, transaction| match rig.proxy.apply(fence, transaction).await {
        Err(ProxyError::Refused(why)) => why,
        other => panic!("{other:?}"),
    };
    let (shop, blog) = (shop.fence(), blog.fence());
    assert_eq!(apply(blog, begin("blog", "b1")).await, Refusal::Absent { app: id("blog") });
    let mut twin = record("shop");
    twin.id = id("twin");
    let twin = Transaction::Create { record: Box::new(twin) };
    assert_eq!(apply(shop, twin).await, Refusal::NameTaken { name: name("shop") });
    rig.proxy.apply(blog, create("blog")).await.unwrap();
    let Transaction::Begin { claim, .. } = begin("shop", "x") else { unreachable!() };
    let Transaction::Begin { app, op: change, by, at, swap, .. } = begin("blog", "b1") else { unreachable!() };
    let greedy = Transaction::Begin { app, op: change, by, at, swap, claim };
    let taken = Refusal::HostTaken { host: "shop.example.com".parse().unwrap(), owner: name("shop") };
    assert_eq!(apply(blog, greedy).await, taken);
    let stop = Transaction::SetState { app: id("blog"), state: RunState::Stopped };
    assert_eq!(apply(blog, stop).await, Refusal::NothingServes { name: name("blog") });
    rig.proxy.apply(shop, begin("shop", "a2")).await.unwrap();
    assert_eq!(apply(shop, begin("shop", "a3")).await, Refusal::NotYours { name: name("shop") });
    let outdated = Refusal::Outdated { name: name("shop"), given: ReleaseNumber(5), newest: ReleaseNumber(2) };
    assert_eq!(apply(shop, switch("shop", 5, "a2")).await, outdated);
    let mut hostless = release("shop", 2, "a2");
    hostless.settings.hosts.clear();
    let hostless = Transaction::Switch {
        app: id("shop"),
        release: Box::new(hostless),
        state: RunState::Running,
        keep_canary: false,
    };
    assert!(matches!(apply(shop, hostless).await, Refusal::Unsound { .. }));
    assert_eq!(rig.routes.target("shop"), Some(1), "nothing changed");
}

async fn checks_the_fence(rig: Rig) {
    deploy(&*rig.proxy, "shop", "a1").await;
    let lost = async |fence, transaction| {
        let answer = rig.proxy.apply(fence, transaction).await;
        assert!(matches!(answer, Err(ProxyError::LockLost)), "{answer:?}");
    };
    lost(0, begin("shop", "a2")).await;
    lost(0, create("blog")).await;
    lost(0, Transaction::Forget { app: id("nothing") }).await;
    let blog = lock(&*rig.proxy, "blog", "b1").await;
    lost(blog.fence(), begin("shop", "a2")).await;
    let first = lock(&*rig.proxy, "shop", "a2").await;
    let old = first.fence();
    first.release().await.unwrap();
    lost(old, begin("shop", "a2")).await;
    let second = lock(&*rig.proxy, "shop", "a3").await;
    assert!(second.fence() > old);
    lost(old, begin("shop", "a2")).await;
    rig.proxy.apply(second.fence(), begin("shop", "a3")).await.unwrap();
}

async fn one_holder_at_a_time(rig: Rig) {
    let lease = lock(&*rig.proxy, "shop", "a1").await;
    match rig.other.lock(wants("shop", "a2", "bob", 0)).await.map(|_| ()) {
        Err(ProxyError::Locked { holder }) => {
            assert_eq!((holder.by, holder.op, holder.app), (by("ann"), Some(op("a1")), name("shop")));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(rig.other.holder(&name("shop")).await.unwrap().unwrap().op, Some(op("a1")));
    assert_eq!(rig.other.snapshot().await.unwrap().locks.len(), 1);
    lock(&*rig.other, "blog", "b1").await.release().await.unwrap();
    drop(lease);
    // Dropping sends word; the one who waits gets it.
    rig.other.lock(wants("shop", "a2", "bob", 20_000)).await.unwrap().release().await.unwrap();
    assert_eq!(rig.other.holder(&name("shop")).await.unwrap(), None);
}

async fn serves_all_who_wait(rig: Rig) {
    let holder = lock(&*rig.proxy, "shop", "a0").await;
    let mut waiting = tokio::task::JoinSet::new();
    for n in 1..=5 {
        let other = rig.other.clone();
        waiting.spawn(async move {
            let lease = other.lock(wants("shop", &format!("a{n}"), "bob", 30_000)).await?;
            let fence = lease.fence();
            lease.release().await.map(|()| fence)
        });
    }
    // One of them gives up before its turn.
    while !rig.proxy.cancel(&op("a3")).await.unwrap() {
        tokio::task::yield_now().await;
    }
    let gave_up = waiting.join_next().await.unwrap().unwrap();
    assert!(matches!(gave_up, Err(ProxyError::Locked { .. })), "{gave_up:?}");
    let first = holder.fence();
    holder.release().await.unwrap();
    let mut fences: Vec<u64> = waiting.join_all().await.into_iter().map(Result::unwrap).collect();
    fences.sort_unstable();
    fences.dedup();
    assert!(fences.len() == 4 && fences[0] > first, "{first} {fences:?}");
}

async fn a_manual_lock_blocks_everybody(rig: Rig) {
    deploy(&*rig.proxy, "shop", "a1").await;
    let held = ManualLock { by: by("ann"), since: Timestamp::UNIX_EPOCH, message: Some("holidays".to_owned()) };
    let set = |lock| Transaction::ManualLock { app: id("shop"), lock };
    rig.proxy.apply(0, set(Some(held))).await.unwrap();
    match rig.proxy.lock(wants("shop", "a2", "ann", 0)).await.map(|_| ()) {
        Err(ProxyError::Locked { holder }) => {
            assert_eq!((holder.message.as_deref(), holder.op), (Some("holidays"), None));
        }
        other => panic!("{other:?}"),
    }
    let waiter = rig.other.clone();
    let waiter = tokio::spawn(async move { waiter.lock(wants("shop", "a3", "bob", 30_000)).await.is_ok() });
    assert_eq!(rig.proxy.snapshot().await.unwrap().locks.len(), 1);
    rig.proxy.apply(0, set(None)).await.unwrap();
    assert!(waiter.await.unwrap());
}

async fn a_cancelled_change_hears_of_it(rig: Rig) {
    assert!(!rig.other.cancel(&op("a1")).await.unwrap(), "there is no such change");
    let lease = lock(&*rig.proxy, "shop", "a1").await;
    assert!(lease.ended().now_or_never().is_none());
    assert!(rig.other.cancel(&op("a1")).await.unwrap());
    assert_eq!(lease.ended().await, LeaseEnd::CancelRequested);
    // It still holds the lock: undoing is a change too.
    rig.proxy.apply(lease.fence(), create("shop")).await.unwrap();
    lease.release().await.unwrap();
}

fn envelope(change: &str, seq: u64, event: Event) -> Envelope {
    Envelope { event, op: op(change), app: Some(name("shop")), seq, at: Timestamp::UNIX_EPOCH }
}

fn finished() -> Event {
    Event::Finished(Finished {
        canary: None,
        visitors: None,
        outcome: Outcome::Updated,
        release: None,
        serving: None,
        url: None,
        warnings: Vec::new(),
        retryable: false,
        release_command_ran: None,
        problem: None,
    })
}

async fn tells_events_to_followers(rig: Rig) {
    let log = |seq, line: &str| envelope("a1", seq, Event::Log { line: line.to_owned() });
    let early = tokio::spawn(rig.other.follow(&op("a1"), 0).try_collect::<Vec<_>>());
    rig.proxy.publish(vec![log(0, "zero"), log(1, "one")]).await.unwrap();
    rig.proxy.publish(vec![log(1, "one"), log(2, "two")]).await.unwrap();
    let mut late = rig.other.follow(&op("a1"), 1);
    assert_eq!(late.next().await.unwrap().unwrap(), log(1, "one"));
    assert_eq!(late.next().await.unwrap().unwrap(), log(2, "two"));
    let view = rig.other.snapshot().await.unwrap().ops;
    assert_eq!((view.len(), view[0].finished), (1, false));
    rig.proxy.publish(vec![envelope("a1", 3, finished())]).await.unwrap();
    assert_eq!(late.next().await.unwrap().unwrap().seq, 3);
    assert!(late.next().await.is_none(), "it is over");
    let seqs: Vec<u64> = early.await.unwrap().unwrap().iter().map(|e| e.seq).collect();
    assert_eq!(seqs, [0, 1, 2, 3]);
    assert!(rig.other.snapshot().await.unwrap().ops[0].finished);
    let sly = rig.proxy.publish(vec![envelope("../a1", 0, finished())]).await;
    assert!(matches!(sly, Err(ProxyError::Failed { .. })), "{sly:?}");
}

async fn keeps_an_audit_log(rig: Rig) {
    let entry = |app: &str, n: u32| Activity {
        at: Timestamp::UNIX_EPOCH,
        by: by("ann"),
        app: Some(name(app)),
        op: None,
        outcome: "updated".to_owned(),
        text: format!("number {n}"),
    };
    for n in 0..6 {
        rig.proxy.record_activity(entry(if n % 2 == 0 { "shop" } else { "blog" }, n)).await.unwrap();
    }
    let texts = |found: Vec<Activity>| found.into_iter().map(|a| a.text).collect::<Vec<_>>();
    assert_eq!(texts(rig.other.activity(None, 3).await.unwrap()), ["number 5", "number 4", "number 3"]);
    assert_eq!(texts(rig.other.activity(Some(&name("shop")), 2).await.unwrap()), ["number 4", "number 2"]);
    assert!(rig.other.activity(None, 0).await.unwrap().is_empty());
}

async fn drives_the_data_plane(rig: Rig) {
    let unknown = rig.proxy.hold(&id("shop"), Duration::from_secs(1)).await;
    assert!(matches!(unknown, Err(ProxyError::Refused(Refusal::Absent { .. }))), "{unknown:?}");
    deploy(&*rig.proxy, "shop", "a1").await;
    rig.proxy.hold(&id("shop"), Duration::from_secs(1)).await.unwrap();
    assert!(rig.routes.is_held("shop"));
    rig.proxy.resume(&id("shop")).await.unwrap();
    assert!(!rig.routes.is_held("shop"));
    rig.proxy.hold(&id("shop"), Duration::from_secs(1)).await.unwrap();
    deploy(&*rig.proxy, "shop", "a2").await;
    assert!(!rig.routes.is_held("shop"), "a switch lets them go on");
    let request = ProbeRequest {
        address: "once-shop-1:80".to_owned(),
        path: UrlPath::up(),
        host: "shop.example.com".parse().unwrap(),
        timeout_ms: 100,
        other_ports: vec![3000],
        upstream: once_app::Upstream::default(),
    };
    let answers: Vec<_> = rig.proxy.probe(request).try_collect().await.unwrap();
    assert_eq!(answers[1], ProbeAnswer::Refused { open_ports: vec![3000] });
    assert_eq!(answers[2], ProbeAnswer::Healthy { status: 204, took_ms: 3 });
    let limits = DrainLimits { requests_ms: 11, upgraded_ms: 12 };
    let steps: Vec<_> = rig.proxy.drain(&id("shop"), ReleaseNumber(1), limits).try_collect().await.unwrap();
    assert_eq!((steps[0].requests, steps[1].cut), (2, Some(11)));
    assert_eq!(rig.proxy.traffic(&id("shop")).await.unwrap().p50_ms, Some(1.5));
    rig.proxy.mark(&id("shop")).await.unwrap();
    assert_eq!(rig.routes.marked(), [id("shop")]);
    assert_eq!(rig.proxy.snapshot().await.unwrap().traffic.len(), 1);
    let lease = lock(&*rig.proxy, "shop", "a3").await;
    let stop = Transaction::SetState { app: id("shop"), state: RunState::Stopped };
    assert_eq!(rig.proxy.apply(lease.fence(), stop).await.unwrap().record.unwrap().state, RunState::Stopped);
}

async fn watches(rig: Rig) {
    let mut snapshots = rig.other.watch(Duration::from_millis(60));
    assert!(snapshots.next().await.unwrap().unwrap().apps.is_empty());
    deploy(&*rig.proxy, "shop", "a1").await;
    loop {
        let snapshot = snapshots.next().await.unwrap().unwrap();
        if snapshot.apps.first().is_some_and(|app| app.serving.is_some()) {
            break;
        }
    }
}

async fn a_change_goes_on_without_its_caller(rig: Rig) {
    let lease = lock(&*rig.proxy, "shop", "a1").await;
    rig.proxy.apply(lease.fence(), create("shop")).await.unwrap();
    let file = rig.dir.path().join("apps/id-shop.json");
    // The future is begun and dropped somewhere on its way: whatever it came to, disk and memory agree in the end.
    for n in 1..=20 {
        let sequence = Transaction::Sequence { app: id("shop"), number: n };
        let change = rig.proxy.apply(lease.fence(), sequence);
        let _ = tokio::time::timeout(Duration::from_micros(n * 100), change).await;
        let agree = async {
            loop {
                // Waits behind a change that is being written.
                lock(&*rig.other, "blog", "b1").await.release().await.unwrap();
                let on_disk: AppRecord = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
                if rig.other.record(&name("shop")).await.unwrap() == Some(on_disk) {
                    break;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), agree).await.expect("disk and memory agree");
    }
    let last = Transaction::Sequence { app: id("shop"), number: 1000 };
    assert_eq!(rig.proxy.apply(lease.fence(), last).await.unwrap().record.unwrap().last_sequence, Some(1000));
}

async fn a_full_disk_changes_nothing(rig: Rig) {
    deploy(&*rig.proxy, "shop", "a1").await;
    let file = rig.dir.path().join("apps/id-shop.json");
    let (before, content) = (rig.proxy.record(&name("shop")).await.unwrap(), fs::read(&file).unwrap());
    let lease = lock(&*rig.proxy, "shop", "a2").await;
    // Where the unfinished file goes, the kernel has no space left.
    std::os::unix::fs::symlink("/dev/full", file.with_extension("tmp")).unwrap();
    match rig.proxy.apply(lease.fence(), begin("shop", "a2")).await {
        Err(ProxyError::Storage { message }) => assert!(message.contains("os error 28"), "{message}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(rig.proxy.record(&name("shop")).await.unwrap(), before);
    assert_eq!(fs::read(&file).unwrap(), content);
    assert_eq!(rig.proxy.apply(lease.fence(), begin("shop", "a2")).await.unwrap().release, Some(ReleaseNumber(2)));
}

async fn a_lost_directory_changes_nothing(rig: Rig) {
    deploy(&*rig.proxy, "shop", "a1").await;
    let (apps, away) = (rig.dir.path().join("apps"), rig.dir.path().join("away"));
    fs::rename(&apps, &away).unwrap();
    let lease = lock(&*rig.proxy, "shop", "a2").await;
    let before = rig.proxy.record(&name("shop")).await.unwrap();
    let failed = rig.proxy.apply(lease.fence(), begin("shop", "a2")).await;
    assert!(matches!(failed, Err(ProxyError::Storage { .. })), "{failed:?}");
    assert_eq!(rig.proxy.record(&name("shop")).await.unwrap(), before);
    fs::rename(&away, &apps).unwrap();
    let number = rig.proxy.apply(lease.fence(), begin("shop", "a2")).await.unwrap().release.unwrap();
    fs::rename(&apps, &away).unwrap();
    let failed = rig.proxy.apply(lease.fence(), switch("shop", number.0, "a2")).await;
    assert!(matches!(failed, Err(ProxyError::Storage { .. })), "{failed:?}");
    assert_eq!(rig.routes.target("shop"), Some(1), "no route before the disk has it");
    fs::rename(&away, &apps).unwrap();
    rig.proxy.apply(lease.fence(), switch("shop", number.0, "a2")).await.unwrap();
    assert_eq!(rig.routes.target("shop"), Some(2));
}

async fn removes_and_revives(rig: Rig) {
    deploy(&*rig.proxy, "shop", "a1").await;
    let lease = lock(&*rig.proxy, "shop", "a2").await;
    let remove = Transaction::Remove { app: id("shop"), at: Timestamp::UNIX_EPOCH };
    rig.proxy.apply(lease.fence(), remove).await.unwrap();
    lease.release().await.unwrap();
    assert_eq!(rig.routes.target("shop"), None);
    assert!(!rig.other.record(&name("shop")).await.unwrap().unwrap().is_live());
    let mut again = record("shop");
    again.id = id("new");
    let lease = lock(&*rig.proxy, "shop", "a3").await;
    let revived = rig.proxy.apply(lease.fence(), Transaction::Create { record: Box::new(again) }).await.unwrap();
    assert_eq!(revived.record.unwrap().id, id("shop"), "with its old id");
    lease.release().await.unwrap();
    assert_eq!(deploy(&*rig.proxy, "shop", "a4").await, 2, "its numbers go on");
}

async fn forgets(rig: Rig) {
    deploy(&*rig.proxy, "shop", "a1").await;
    let file = rig.dir.path().join("apps/id-shop.json");
    assert!(file.exists());
    let lease = lock(&*rig.proxy, "shop", "a2").await;
    let forget = || Transaction::Forget { app: id("shop") };
    assert_eq!(rig.proxy.apply(lease.fence(), forget()).await.unwrap().record, None);
    assert!(rig.proxy.apply(lease.fence(), forget()).await.unwrap().replayed);
    assert!(!file.exists());
    assert_eq!((rig.routes.target("shop"), rig.other.record(&name("shop")).await.unwrap()), (None, None));
}
