use proptest::prelude::*;

mod canary;
mod rename;

use super::record::RECENT;
use super::*;
use crate::model::image::ResolvedImage;
use crate::model::units::Port;
use crate::model::volumes::OwnedVolume;
use crate::settings::Secret;

const EPOCH: Timestamp = Timestamp::UNIX_EPOCH;

fn id(app: &str) -> AppId {
    AppId(format!("id-{app}"))
}

fn name(app: &str) -> AppName {
    app.parse().unwrap()
}

fn op(text: &str) -> OpId {
    OpId(text.to_owned())
}

fn record(app: &str) -> AppRecord {
    let secret = || Secret::new("s".to_owned());
    let generated =
        Generated { secret_key_base: secret(), vapid_public_key: String::new(), vapid_private_key: secret() };
    AppRecord::new(id(app), name(app), generated, EPOCH)
}

fn settings(host: &str) -> Settings {
    Settings::new("acme/shop:1".parse().unwrap(), host.parse().unwrap())
}

fn host(app: &str) -> String {
    format!("{app}.example.com")
}

fn release(app: &str, number: u64, change: &str) -> Release {
    Release {
        number: ReleaseNumber(number),
        op: op(change),
        image: ResolvedImage { digest: None, id: "sha256:1".to_owned() },
        settings: settings(&host(app)),
        container: format!("once-{app}-{number}"),
        port: Port::HTTP,
        created_at: EPOCH,
        by: Caller::default(),
        revision: None,
        rollback_to: None,
        status: ReleaseStatus::Serving,
        took_ms: 0,
        container_kept: true,
        adopted: false,
        declared_volumes: std::collections::BTreeMap::new(),
    }
}

fn create(app: &str) -> Transaction {
    Transaction::Create { record: Box::new(record(app)) }
}

fn begin(app: &str, change: &str) -> Transaction {
    let claim = Claim::of(&settings(&host(app)));
    let (op, by) = (op(change), Caller::default());
    Transaction::Begin { app: id(app), op, by, at: EPOCH, swap: Swap::Overlap, claim }
}

fn switch(app: &str, number: u64, change: &str) -> Transaction {
    switch_to(app, release(app, number, change))
}

fn switch_to(app: &str, release: Release) -> Transaction {
    let (app, release, state) = (id(app), Box::new(release), RunState::Running);
    Transaction::Switch { app, release, state, keep_canary: false }
}

fn retire(app: &str, change: &str) -> Transaction {
    Transaction::Retire { app: id(app), op: op(change), took_ms: 5, gone: Vec::new() }
}

fn abandon(app: &str, change: &str, release: Option<Release>) -> Transaction {
    Transaction::Abandon { app: id(app), op: op(change), release: release.map(Box::new) }
}

fn remove(app: &str) -> Transaction {
    Transaction::Remove { app: id(app), at: EPOCH }
}

fn failed(app: &str, number: u64, change: &str) -> Release {
    Release { status: ReleaseStatus::Failed { why: "no answer".to_owned() }, ..release(app, number, change) }
}

/// A ledger in which these have served, in this order: `(app, change)`.
fn ledger(deploys: &[(&str, &str)]) -> Ledger {
    let mut ledger = Ledger::default();
    for (app, change) in deploys {
        if ledger.get(&id(app)).is_none() {
            ledger.apply(create(app)).unwrap();
        }
        let number = ledger.apply(begin(app, change)).unwrap().release.unwrap();
        ledger.apply(switch(app, number.0, change)).unwrap();
        ledger.apply(retire(app, change)).unwrap();
    }
    ledger
}

/// A refusal changes nothing.
#[track_caller]
fn refused(ledger: &mut Ledger, transaction: Transaction) -> Refusal {
    let before = ledger.clone();
    let refusal = ledger.apply(transaction).unwrap_err();
    assert_eq!(*ledger, before);
    refusal
}

#[test]
fn a_deploy_from_begin_to_retire() {
    let ledger = ledger(&[("shop", "a1"), ("shop", "a2")]);
    let shop = ledger.get(&id("shop")).unwrap();
    assert_eq!(shop.serving, Some(ReleaseNumber(2)));
    assert_eq!(shop.intent, None);
    assert_eq!(shop.release(ReleaseNumber(1)).unwrap().status, ReleaseStatus::Replaced { at: EPOCH });
    assert_eq!(shop.kept().map(|r| r.number.0).collect::<Vec<_>>(), [1]);
    assert_eq!(shop.route().unwrap().target.address, "once-shop-2:80");
}

#[test]
fn what_is_not_there_is_absent() {
    let mut ledger = ledger(&[("kept", "k1")]);
    ledger.apply(remove("kept")).unwrap();
    for app in ["nothing", "kept"] {
        let settings = Box::new(settings("x.example.com"));
        let tried = [
            begin(app, "a1"),
            switch(app, 2, "a1"),
            Transaction::Amend { app: id(app), settings, revision: None },
            Transaction::SetState { app: id(app), state: RunState::Stopped },
            Transaction::Sequence { app: id(app), number: 1 },
            Transaction::ManualLock { app: id(app), lock: None },
        ];
        for transaction in tried {
            assert_eq!(refused(&mut ledger, transaction), Refusal::Absent { app: id(app) });
        }
    }
}

#[test]
fn a_name_belongs_to_one_app() {
    let mut ledger = ledger(&[("shop", "a1")]);
    let twin = AppRecord { id: id("twin"), ..record("shop") };
    let taken = Refusal::NameTaken { name: name("shop") };
    assert_eq!(refused(&mut ledger, Transaction::Create { record: Box::new(twin) }), taken);
    let thief = AppRecord { id: id("shop"), ..record("thief") };
    assert_eq!(refused(&mut ledger, Transaction::Create { record: Box::new(thief) }), taken);
    assert!(ledger.apply(create("shop")).unwrap().replayed, "asked again, it is the same app");
}

#[test]
fn an_alias_is_a_name_too() {
    let renamed = AppRecord { aliases: vec![name("old")], ..record("shop") };
    let mut ledger = Ledger::from_records([renamed]);
    assert_eq!(ledger.find(&name("old")).unwrap().id, id("shop"));
    assert_eq!(refused(&mut ledger, create("old")), Refusal::NameTaken { name: name("old") });
    assert!(ledger.find(&name("other")).is_none());
}

#[test]
fn a_host_and_path_belong_to_one_app() {
    let mut ledger = ledger(&[("shop", "a1"), ("blog", "b1")]);
    let with = |app: &str, path: Option<&str>| {
        let mut wish = settings(&host("shop"));
        wish.path_prefix = path.map(|p| p.parse().unwrap());
        Transaction::Amend { app: id(app), settings: Box::new(wish), revision: None }
    };
    let taken = Refusal::HostTaken { host: host("shop").parse().unwrap(), owner: name("shop") };
    assert_eq!(refused(&mut ledger, with("blog", None)), taken);
    assert_eq!(refused(&mut ledger, with("blog", Some("/"))), taken, "the root is no path of its own");
    ledger.apply(with("blog", Some("/blog"))).unwrap();
    assert_eq!(
        refused(&mut ledger, with("shop", Some("/blog/"))).to_string(),
        "shop.example.com is served by the app blog"
    );
    assert!(matches!(refused(&mut ledger, with("shop", Some("/%62l%6Fg"))), Refusal::HostTaken { .. }));
    ledger.apply(remove("shop")).unwrap();
    ledger.apply(with("blog", None)).unwrap();
}

#[test]
fn there_is_one_default_app() {
    let mut ledger = ledger(&[("shop", "a1"), ("blog", "b1")]);
    let with = |app: &str, on: bool| {
        let mut wish = settings(&host(app));
        wish.web.default_app = on;
        Transaction::Amend { app: id(app), settings: Box::new(wish), revision: None }
    };
    ledger.apply(with("shop", true)).unwrap();
    ledger.apply(with("shop", true)).unwrap();
    assert_eq!(refused(&mut ledger, with("blog", true)), Refusal::DefaultTaken { owner: name("shop") });
    ledger.apply(with("shop", false)).unwrap();
    ledger.apply(with("blog", true)).unwrap();
}

#[test]
fn what_visitors_get_is_part_of_the_route_and_survives_a_switch_that_keeps_it() {
    let mut ledger = ledger(&[("shop", "a1")]);
    let notice = crate::model::route::Notice { message: Some("back soon".into()), page: None };
    for (state, expected) in [
        (RunState::Maintenance(notice.clone()), crate::model::route::RouteState::Maintenance(notice)),
        (
            RunState::Paused { max_wait: crate::model::units::Span::seconds(5) },
            crate::model::route::RouteState::Paused { max_wait: crate::model::units::Span::seconds(5) },
        ),
    ] {
        ledger.apply(Transaction::SetState { app: id("shop"), state: state.clone() }).unwrap();
        let record = ledger.get(&id("shop")).unwrap();
        assert_eq!(record.route().unwrap().state, expected);
        let text = serde_json::to_string(record).unwrap();
        assert_eq!(&serde_json::from_str::<AppRecord>(&text).unwrap(), record, "as it lies on the disk");
        assert!(state.runs());
    }
}

#[test]
fn hosts_are_checked_again_at_the_switch() {
    let mut ledger = ledger(&[]);
    for app in ["shop", "blog"] {
        ledger.apply(create(app)).unwrap();
        let Transaction::Begin { op, by, at, swap, .. } = begin(app, app) else { unreachable!() };
        let claim = Claim::of(&settings("same.example.com"));
        ledger.apply(Transaction::Begin { app: id(app), op, by, at, swap, claim }).unwrap();
    }
    let same = |app: &str| {
        let mut release = release(app, 1, app);
        release.settings = settings("same.example.com");
        switch_to(app, release)
    };
    ledger.apply(same("shop")).unwrap();
    assert!(matches!(refused(&mut ledger, same("blog")), Refusal::HostTaken { .. }));
}

#[test]
fn one_change_at_a_time() {
    let mut ledger = ledger(&[("shop", "a1")]);
    ledger.apply(begin("shop", "a2")).unwrap();
    let not_yours = Refusal::NotYours { name: name("shop") };
    assert_eq!(refused(&mut ledger, begin("shop", "a3")), not_yours);
    assert_eq!(refused(&mut ledger, switch("shop", 2, "a3")), not_yours);
    let advance = Transaction::Advance { app: id("shop"), op: op("a3"), phase: Phase::HandingOver };
    assert_eq!(refused(&mut ledger, advance), not_yours);
    ledger.apply(abandon("shop", "a3", None)).unwrap();
    assert!(ledger.get(&id("shop")).unwrap().intent.is_some(), "another change's end is not this one's");
    ledger.apply(abandon("shop", "a2", None)).unwrap();
    ledger.apply(begin("shop", "a3")).unwrap();
}

#[test]
fn only_the_newest_release_may_serve() {
    let mut ledger = ledger(&[("shop", "a1")]);
    ledger.apply(begin("shop", "a2")).unwrap();
    let newest = ReleaseNumber(2);
    let outdated = |given| Refusal::Outdated { name: name("shop"), given: ReleaseNumber(given), newest };
    assert_eq!(refused(&mut ledger, switch("shop", 1, "a2")), outdated(1));
    assert_eq!(refused(&mut ledger, switch("shop", 3, "a2")), outdated(3));
}

#[test]
fn a_lost_answer_costs_nothing() {
    let mut ledger = ledger(&[("shop", "a1")]);
    let first = ledger.apply(begin("shop", "a2")).unwrap();
    let again = ledger.apply(begin("shop", "a2")).unwrap();
    assert_eq!((first.release, again.replayed), (again.release, true));
    assert!(!ledger.apply(switch("shop", 2, "a2")).unwrap().replayed);
    let before = ledger.clone();
    assert!(ledger.apply(switch("shop", 2, "a2")).unwrap().replayed);
    assert_eq!(ledger, before);
    ledger.apply(retire("shop", "a2")).unwrap();
    assert!(ledger.apply(switch("shop", 2, "a2")).unwrap().replayed, "also once retired");
    let back = ledger.apply(begin("shop", "a2")).unwrap();
    assert_eq!(back.release, Some(ReleaseNumber(3)), "going back after a switch is a release of its own");
}

#[test]
fn a_failed_release_never_serves() {
    let mut ledger = ledger(&[("shop", "a1")]);
    ledger.apply(begin("shop", "a2")).unwrap();
    ledger.apply(abandon("shop", "a2", Some(failed("shop", 2, "a2")))).unwrap();
    assert_eq!(refused(&mut ledger, switch("shop", 2, "a2")), Refusal::NotYours { name: name("shop") });
    let shop = ledger.get(&id("shop")).unwrap();
    assert_eq!((shop.serving, shop.next_release), (Some(ReleaseNumber(1)), 3), "its number is burnt");
}

#[test]
fn nothing_serves_before_the_first_switch() {
    let mut ledger = ledger(&[]);
    ledger.apply(create("shop")).unwrap();
    let nothing = Refusal::NothingServes { name: name("shop") };
    let amend = Transaction::Amend { app: id("shop"), settings: Box::new(settings("x.example.com")), revision: None };
    assert_eq!(refused(&mut ledger, amend), nothing);
    let stop = Transaction::SetState { app: id("shop"), state: RunState::Stopped };
    assert_eq!(refused(&mut ledger, stop), nothing);
    assert_eq!(ledger.get(&id("shop")).unwrap().route(), None);
}

#[test]
fn what_could_not_be_kept_is_refused() {
    let mut ledger = ledger(&[("shop", "a1")]);
    ledger.apply(begin("shop", "a2")).unwrap();
    let mut hostless = release("shop", 2, "a2");
    hostless.settings.hosts.clear();
    let unsound = |why: &str| Refusal::Unsound { name: name("shop"), why: why.to_owned() };
    assert_eq!(refused(&mut ledger, switch_to("shop", hostless)), unsound("release 2 has no hostname"));
    let sly = AppRecord { id: AppId("../sly".to_owned()), ..record("sly") };
    let sly = refused(&mut ledger, Transaction::Create { record: Box::new(sly) });
    assert!(matches!(sly, Refusal::Unsound { .. }), "{sly}");
    let worn = AppRecord { next_release: u64::MAX, ..record("worn") };
    let worn = refused(&mut ledger, Transaction::Create { record: Box::new(worn) });
    assert!(matches!(worn, Refusal::Unsound { .. }), "{worn}");
}

#[test]
fn a_removed_app_comes_back_as_itself() {
    let mut ledger = ledger(&[("shop", "a1"), ("shop", "a2")]);
    let lock = ManualLock { by: Caller::default(), since: EPOCH, message: None };
    ledger.apply(Transaction::ManualLock { app: id("shop"), lock: Some(lock) }).unwrap();
    ledger.apply(begin("shop", "a3")).unwrap();
    ledger.apply(remove("shop")).unwrap();
    assert!(ledger.apply(remove("shop")).unwrap().replayed);
    let shop = ledger.get(&id("shop")).unwrap();
    assert_eq!((shop.route(), &shop.intent, &shop.manual_lock), (None, &None, &None));
    assert_eq!(shop.kept().count(), 0);
    assert!(shop.settings().is_some(), "what it was is remembered");
    let again = AppRecord { id: id("new"), ..record("shop") };
    let shop = ledger.apply(Transaction::Create { record: Box::new(again) }).unwrap().record.unwrap();
    assert_eq!((shop.id, shop.serving, shop.releases.len()), (id("shop"), None, 2));
    assert!(ledger.get(&id("new")).is_none());
    let number = ledger.apply(begin("shop", "a4")).unwrap().release.unwrap();
    assert_eq!(number, ReleaseNumber(4), "no number twice");
    ledger.apply(switch("shop", 4, "a4")).unwrap();
    assert_eq!(serving_count(ledger.get(&id("shop")).unwrap()), 1);
}

#[test]
fn a_rebuilt_record_is_checked_like_any_other() {
    let built = ledger(&[("shop", "a1")]).get(&id("shop")).unwrap().clone();
    let mut ledger = ledger(&[("blog", "b1")]);
    let rival = AppRecord { id: id("rival"), name: name("rival"), ..built.clone() };
    ledger.apply(Transaction::Create { record: Box::new(built) }).unwrap();
    let taken = refused(&mut ledger, Transaction::Create { record: Box::new(rival) });
    assert!(matches!(taken, Refusal::HostTaken { .. }), "{taken}");
}

#[test]
fn history_is_bounded_and_keeps_what_serves() {
    let mut ledger = ledger(&[("shop", "a0")]);
    for n in 2..=RECENT as u64 + 50 {
        let change = format!("a{n}");
        ledger.apply(begin("shop", &change)).unwrap();
        ledger.apply(abandon("shop", &change, Some(failed("shop", n, &change)))).unwrap();
    }
    let shop = ledger.get(&id("shop")).unwrap();
    assert_eq!(shop.releases.len(), RECENT);
    assert_eq!(shop.serving_release().unwrap().number, ReleaseNumber(1));
    assert_eq!(shop.releases.last().unwrap().number, ReleaseNumber(RECENT as u64 + 50));
    // What leaves the record with a change is known by comparing it with the one before.
    let before = shop.clone();
    ledger.apply(begin("shop", "next")).unwrap();
    ledger.apply(abandon("shop", "next", Some(failed("shop", RECENT as u64 + 51, "next")))).unwrap();
    let left = before.let_go(ledger.get(&id("shop")).unwrap());
    assert_eq!(left.iter().map(|r| r.number.0).collect::<Vec<_>>(), [52]);
}

#[test]
fn sequences_only_grow_and_retiring_says_what_is_gone() {
    let mut ledger = ledger(&[("shop", "a1"), ("shop", "a2")]);
    for number in [3, 9, 4] {
        ledger.apply(Transaction::Sequence { app: id("shop"), number }).unwrap();
    }
    let gone = vec![ReleaseNumber(1)];
    ledger.apply(Transaction::Retire { app: id("shop"), op: op("a2"), took_ms: 99, gone }).unwrap();
    let shop = ledger.get(&id("shop")).unwrap();
    assert_eq!(shop.last_sequence, Some(9));
    assert_eq!((shop.kept().count(), shop.release(ReleaseNumber(2)).unwrap().took_ms), (0, 5));
}

fn serving_count(record: &AppRecord) -> usize {
    record.releases.iter().filter(|r| r.status == ReleaseStatus::Serving).count()
}

fn any_transaction() -> impl Strategy<Value = Transaction> {
    let app = prop::sample::select(vec!["a", "b"]);
    let change = prop::sample::select(vec!["x", "y", "z"]);
    let shared = any::<bool>();
    (0..11u8, app, change, 1..12u64, shared).prop_map(|(kind, app, change, number, shared)| {
        let host = if shared { "same.example.com".to_owned() } else { host(app) };
        let mut wish = release(app, number, change);
        wish.settings = settings(&host);
        match kind {
            0 => create(app),
            1 | 2 => begin(app, change),
            3..=5 => switch_to(app, wish),
            6 => abandon(app, change, Some(failed(app, number, change))),
            7 => retire(app, change),
            8 => Transaction::Amend { app: id(app), settings: Box::new(wish.settings), revision: None },
            9 => remove(app),
            _ => Transaction::SetState { app: id(app), state: RunState::Stopped },
        }
    })
}

proptest! {
    #[test]
    fn whatever_is_asked(transactions in prop::collection::vec(any_transaction(), 1..80)) {
        let mut ledger = Ledger::default();
        let mut given: Vec<(AppId, ReleaseNumber)> = Vec::new();
        for transaction in transactions {
            let before = ledger.clone();
            let app = transaction.app().clone();
            let switched = match &transaction {
                Transaction::Switch { release, .. } => Some(release.number),
                _ => None,
            };
            match ledger.apply(transaction) {
                Err(_) => prop_assert_eq!(&ledger, &before),
                Ok(applied) => {
                    prop_assert_eq!(applied.replayed, ledger == before);
                    if let Some(number) = applied.release.filter(|_| !applied.replayed) {
                        prop_assert!(!given.contains(&(app.clone(), number)), "{} twice", number);
                        given.push((app.clone(), number));
                    }
                    if let Some(number) = switched.filter(|_| !applied.replayed) {
                        prop_assert!(given.contains(&(app, number)), "{} was never given out", number);
                    }
                }
            }
            for record in ledger.records() {
                prop_assert!(serving_count(record) <= 1);
                prop_assert_eq!(record.flaw(), None);
            }
            let routes: Vec<_> = ledger.records().filter_map(AppRecord::route).collect();
            let mut hosts: Vec<_> = routes.iter().flat_map(|r| &r.hosts).collect();
            let all = hosts.len();
            hosts.sort();
            hosts.dedup();
            prop_assert_eq!(hosts.len(), all, "a host routed twice");
        }
    }
}

#[test]
fn an_attempt_that_failed_is_no_change_of_the_app() {
    let mut ledger = Ledger::default();
    for transaction in [create("shop"), begin("shop", "a"), switch("shop", 1, "a")] {
        ledger.apply(transaction).unwrap();
    }
    let of = |ledger: &Ledger| {
        let record = ledger.get(&id("shop")).unwrap();
        (record.revision, record.last_change())
    };
    let opened_on = of(&ledger).0;
    // What is left to do after a switch, a lock, and an attempt that fails before its switch.
    let failed = Release { status: ReleaseStatus::Failed { why: "exit 1".into() }, ..release("shop", 2, "b") };
    for transaction in [
        Transaction::Retire { app: id("shop"), op: op("a"), took_ms: 1, gone: Vec::new() },
        Transaction::ManualLock { app: id("shop"), lock: None },
        Transaction::Sequence { app: id("shop"), number: 7 },
        begin("shop", "b"),
        Transaction::Advance { app: id("shop"), op: op("b"), phase: Phase::HandingOver },
        Transaction::Abandon { app: id("shop"), op: op("b"), release: Some(Box::new(failed)) },
    ] {
        ledger.apply(transaction).unwrap();
        assert!(of(&ledger).1 <= opened_on, "{:?}", of(&ledger));
    }
    assert!(of(&ledger).0 > opened_on);
    // One that is taken back after its switch.
    ledger.apply(begin("shop", "c")).unwrap();
    ledger.apply(switch("shop", 3, "c")).unwrap();
    assert!(of(&ledger).1 > opened_on, "it serves for a while");
    let back = Transaction::Return { app: id("shop"), op: op("c"), to: ReleaseNumber(1), why: "errors".into() };
    ledger.apply(back).unwrap();
    assert!(of(&ledger).1 <= opened_on);
    ledger.apply(Transaction::Retire { app: id("shop"), op: op("c"), took_ms: 1, gone: Vec::new() }).unwrap();
    // And one that is accepted.
    ledger
        .apply(Transaction::Amend { app: id("shop"), settings: Box::new(settings("b.example.com")), revision: None })
        .unwrap();
    assert_eq!(of(&ledger).0, of(&ledger).1);
}

#[test]
fn a_record_of_the_version_before_counts_every_change() {
    let mut ledger = Ledger::default();
    for transaction in [create("shop"), begin("shop", "a"), switch("shop", 1, "a")] {
        ledger.apply(transaction).unwrap();
    }
    let mut old = ledger.get(&id("shop")).unwrap().clone();
    old.changed_revision = None;
    assert!(!serde_json::to_string(&old).unwrap().contains("changed_revision"));
    assert_eq!(old.last_change(), old.revision);
    let mut ledger = Ledger::from_records([old.clone()]);
    ledger.apply(Transaction::ManualLock { app: id("shop"), lock: None }).unwrap();
    let record = ledger.get(&id("shop")).unwrap();
    assert_eq!((record.revision, record.last_change()), (old.revision + 1, old.revision));
}

#[test]
fn what_an_app_is_no_longer_the_owner_of_is_taken_off_its_record_alone() {
    let mut ledger = Ledger::from_records(vec![record("shop")]);
    let owned = |name: &str| OwnedVolume { name: name.repeat(64), path: "/data".into(), release: ReleaseNumber(1) };
    let volumes = |ledger: &Ledger| ledger.get(&id("shop")).map(|record| record.owned_volumes.clone());
    ledger.apply(Transaction::Own { app: id("shop"), volumes: vec![owned("a"), owned("b")] }).unwrap();
    let disown = Transaction::Disown { app: id("shop"), volumes: vec!["a".repeat(64), "c".repeat(64)] };
    for _ in 0..2 {
        ledger.apply(disown.clone()).unwrap();
        assert_eq!(volumes(&ledger), Some(vec![owned("b")]));
    }
    // The container goes back to whoever had it once the app is put away.
    ledger.apply(Transaction::Remove { app: id("shop"), at: EPOCH }).unwrap();
    ledger.apply(Transaction::Disown { app: id("shop"), volumes: vec!["b".repeat(64)] }).unwrap();
    assert_eq!(volumes(&ledger), Some(vec![]));
    let stranger = Transaction::Disown { app: id("blog"), volumes: vec![] };
    assert!(matches!(ledger.apply(stranger), Err(Refusal::Absent { app }) if app == id("blog")));
}
