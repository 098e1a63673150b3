use std::collections::BTreeMap;

use jiff::Timestamp;

use super::*;
use crate::doctor::finding::Severity;
use crate::host::inventory::AppView;
use crate::host::standing::Standing;
use crate::model::canary::Canary;
use crate::model::name::ReleaseNumber;
use crate::model::release::{Release, ReleaseStatus};
use crate::ports::engine::Identity;
use crate::ports::engine::sample::of_release;
use crate::ports::proxy::AppTraffic;
use crate::request::target;

pub(crate) fn view(name: &str, hosts: &[&str]) -> AppView {
    let record = target::tests::app(name, "acme/shop:1", hosts, false);
    let container = Some(container(name, 1, true));
    let certificates = Vec::new();
    AppView {
        record,
        container,
        canary: None,
        traffic: AppTraffic::default(),
        certificates,
        standing: Standing { state: AppState::Running, reason: None },
    }
}

fn standing(state: AppState) -> Standing {
    Standing { state, reason: None }
}

fn container(app: &str, release: u64, running: bool) -> Container {
    let state = if running { "running" } else { "exited" };
    Container { running, state: state.into(), ..of_release(app, release) }
}

fn volume(app: &str) -> Volume {
    let identity = Identity { role: Role::Data, release: None, ..container(app, 1, true).identity.unwrap() };
    Volume { name: format!("once-{app}"), identity: Some(identity), mountpoint: String::new(), labels: BTreeMap::new() }
}

/// What is found on a host with these apps, containers and volumes.
fn found(apps: &[AppView], containers: &[Container], volumes: &[Volume]) -> Vec<Finding> {
    let inventory =
        Inventory { apps: apps.to_vec(), snapshot: None, proxy: None, strays: Vec::new(), containers: Vec::new() };
    let namespace = Namespace::default();
    reconcile(Sight { namespace: &namespace, inventory: &inventory, containers, volumes })
}

fn kinds(findings: &[Finding]) -> Vec<(Kind, &str)> {
    findings.iter().map(|f| (f.kind, f.subject.as_str())).collect()
}

#[test]
fn a_host_as_it_should_be_has_no_findings() {
    let kept = container("shop", 1, true);
    assert_eq!(found(&[view("shop", &["a.example.com"])], &[kept], &[volume("shop")]), []);
    assert_eq!(found(&[], &[], &[]), []);
}

#[test]
fn each_misfit_has_its_own_word_and_remedy() {
    let shop = || view("shop", &["a.example.com"]);
    let gone = AppView { container: None, standing: standing(AppState::Down), ..shop() };
    let mut exited = shop();
    exited.standing = standing(AppState::Down);
    exited.container = Some(container("shop", 1, false));
    let mut looping = exited.clone();
    looping.container.as_mut().unwrap().state = "restarting".into();
    let abandoned = AppView { standing: standing(AppState::Abandoned), ..shop() };
    let app = "shop".parse::<AppName>().unwrap();
    let cases = [
        (gone, vec![], Kind::Ghost, Some(Fix::Restart { app: app.clone() })),
        (exited, vec![], Kind::Down, Some(Fix::Start { app: app.clone() })),
        (looping, vec![], Kind::RestartLoop, None),
        (abandoned, vec![], Kind::Abandoned, Some(Fix::Tidy { app: app.clone() })),
        (shop(), vec![container("shop", 2, true)], Kind::Stray, Some(Fix::Tidy { app })),
        (shop(), vec![container("gone", 4, false)], Kind::Stray, None),
        (shop(), vec![container("lost", 4, true)], Kind::Orphan, Some(Fix::Adopt { container: "once-lost-4".into() })),
    ];
    for (app, more, kind, fix) in cases {
        let mut containers = vec![container("shop", 1, true)];
        containers.extend(more);
        let findings = found(&[app], &containers, &[volume("shop")]);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!((findings[0].kind, &findings[0].fix), (kind, &fix));
        assert_eq!(findings[0].severity, Severity::Problem);
        assert!(!findings[0].mend.is_empty() && !findings[0].why.is_empty());
    }
}

#[test]
fn a_container_that_ended_is_told_of_in_plain_words_with_its_exit_code() {
    let said = |state: &str, status: &str| {
        let mut shop = view("shop", &["a.example.com"]);
        shop.standing = standing(AppState::Down);
        let ended = Container { state: state.into(), status: status.into(), ..container("shop", 1, false) };
        shop.container = Some(ended);
        found(&[shop], &[], &[volume("shop")])[0].what.clone()
    };
    let whole = |words: &str| format!("shop should run, and its container {words}");
    assert_eq!(said("exited", "Exited (137) 2 minutes ago"), whole("has ended, exit code 137"));
    assert_eq!(said("exited", "words of another engine"), whole("has ended"));
    assert_eq!(said("created", "Created"), whole("was never started"));
    assert_eq!(said("paused", "Up 2 minutes (Paused)"), whole("is paused"));
}

#[test]
fn a_rollback_is_advised_only_where_there_is_a_release_to_go_back_to() {
    let mut shop = view("shop", &["a.example.com"]);
    let reason = Some(Reason::Unhealthy);
    shop.standing = Standing { state: AppState::Failing, reason };
    let advice = |app: &AppView| found(std::slice::from_ref(app), &[], &[volume("shop")])[0].mend.clone();
    assert_eq!(advice(&shop), ["once logs shop"]);

    let first = &shop.record.releases[0];
    let second = Release { number: ReleaseNumber(2), container: "once-shop-2".into(), ..first.clone() };
    shop.record.releases[0].status = ReleaseStatus::Failed { why: "unhealthy".into() };
    shop.record.releases.push(second);
    shop.record.serving = Some(ReleaseNumber(2));
    assert_eq!(advice(&shop), ["once logs shop"], "what failed never served");
    shop.record.releases[0].status = ReleaseStatus::Replaced { at: Timestamp::UNIX_EPOCH };
    assert_eq!(advice(&shop), ["once logs shop", "once rollback shop"]);
}

#[test]
fn a_canary_is_needed_and_missed() {
    let mut shop = view("shop", &["a.example.com"]);
    let release =
        Release { number: ReleaseNumber(2), container: "once-shop-2".into(), ..shop.record.releases[0].clone() };
    let canary = Canary { release, rule: "10%".parse().unwrap(), since: Timestamp::UNIX_EPOCH };
    shop.record.canary = Some(Box::new(canary));
    shop.canary = Some(container("shop", 2, true));
    let both = [container("shop", 1, true), container("shop", 2, true)];
    assert_eq!(found(std::slice::from_ref(&shop), &both, &[volume("shop")]), []);
    shop.canary = Some(container("shop", 2, false));
    let both = [container("shop", 1, true), container("shop", 2, false)];
    let findings = found(&[shop], &both, &[volume("shop")]);
    assert_eq!(kinds(&findings), [(Kind::Down, "once-shop-2")]);
    assert_eq!(findings[0].fix, None, "whether it goes is for people to say");
}

#[test]
fn a_lost_volume_is_found_by_its_labels_not_its_name() {
    let shop = view("shop", &["a.example.com"]);
    let stranger = Volume { identity: None, ..volume("shop") };
    let findings = found(&[shop], &[container("shop", 1, true)], &[stranger]);
    assert_eq!(kinds(&findings), [(Kind::LostVolume, "once-shop")]);
    assert_eq!(findings[0].fix, None);
}

#[test]
fn a_volume_of_a_declared_path_that_is_gone_is_named_with_its_path() {
    let mut shop = view("shop", &["a.example.com"]);
    let (name, nameless) = ("once-shop_data-bd4741".to_owned(), "0a".repeat(32));
    assert_eq!(name, crate::plan::volumes::name(&Namespace::default(), &"shop".parse().unwrap(), "/data"));
    let declared =
        [("/data".to_owned(), name.clone()), ("/db".to_owned(), nameless), ("/x".to_owned(), "x".to_owned())];
    shop.record.releases[0].declared_volumes = declared.into();
    let there = Volume { name: name.clone(), ..volume("shop") };
    let running = [container("shop", 1, true)];
    assert_eq!(found(std::slice::from_ref(&shop), &running, &[volume("shop"), there]), []);
    let findings = found(&[shop], &running, &[volume("shop")]);
    assert_eq!(kinds(&findings), [(Kind::LostVolume, name.as_str())]);
    assert!(findings[0].what.contains("/data") && findings[0].what.contains("shop"), "{findings:#?}");
    assert_eq!(findings[0].fix, None, "an empty one in its place would hide that it is gone");
}

#[test]
fn many_orphans_at_once_are_called_lost_state_and_a_few_are_not() {
    let orphans: Vec<Container> = ["a", "b", "c"].iter().map(|app| container(app, 1, true)).collect();
    assert_eq!(found(&[], &orphans[..2], &[]).iter().filter(|f| f.kind == Kind::LostState).count(), 0);
    let findings = found(&[], &orphans, &[]);
    assert_eq!(findings[0].kind, Kind::LostState, "{findings:?}");
    assert_eq!(findings.iter().filter(|f| f.kind == Kind::Orphan).count(), 3);
}

#[test]
fn what_a_change_under_way_makes_is_no_stray() {
    let app = AppView { standing: standing(AppState::Changing), ..view("shop", &["a.example.com"]) };
    let containers = [container("shop", 1, true), container("shop", 2, true)];
    assert_eq!(found(&[app], &containers, &[volume("shop")]), []);
}

#[test]
fn other_namespaces_are_left_alone_and_other_tools_are_only_remarked() {
    let mut other = container("other", 1, true);
    other.identity.as_mut().unwrap().namespace = "staging".parse().unwrap();
    let mut kamal = Container { identity: None, name: "shop-web-1".into(), ..container("x", 1, true) };
    kamal.labels.insert("service".into(), "shop".into());
    let mut nginx = Container { identity: None, name: "nginx".into(), ..container("y", 1, true) };
    nginx.ports = vec![80];
    let quiet = Container { identity: None, name: "job".into(), ..container("z", 1, true) };
    let findings = found(&[], &[other, kamal, nginx, quiet], &[]);
    assert_eq!(kinds(&findings), [(Kind::Foreign, "nginx"), (Kind::Foreign, "shop-web-1")]);
    assert!(findings.iter().all(|f| f.severity == Severity::Remark && f.fix.is_none()));
}

#[test]
fn containers_whose_label_holds_values_are_named_without_them() {
    let shop = view("shop", &["a.example.com"]);
    let mut settings = shop.record.releases[0].settings.clone();
    settings.env.insert("LOCALE".parse().unwrap(), crate::settings::EnvValue::plain("planted"));
    let mut old = container("shop", 1, true);
    old.labels.insert("once.settings".into(), serde_json::to_string(&settings).unwrap());
    let mut new = old.clone();
    new.labels.extend(label::write(&settings));
    let findings = found(std::slice::from_ref(&shop), &[old], &[volume("shop")]);
    assert_eq!(kinds(&findings), [(Kind::LabelValues, "once-shop-1")]);
    assert!(findings[0].severity == Severity::Remark && findings[0].fix.is_none(), "no app restarts for it");
    assert!(!format!("{findings:?}").contains("planted"));
    assert_eq!(found(&[shop], &[new], &[volume("shop")]), []);
}

#[test]
fn the_order_of_the_lists_makes_no_difference() {
    let apps = [view("shop", &["a.example.com"]), view("blog", &["b.example.com"])];
    let mut containers = vec![container("shop", 1, true), container("x", 1, true), container("blog", 9, true)];
    let mut volumes = vec![volume("shop"), volume("blog")];
    let first = found(&apps, &containers, &volumes);
    containers.reverse();
    volumes.reverse();
    assert_eq!(found(&[apps[1].clone(), apps[0].clone()], &containers, &volumes), first);
    assert_eq!(first.len(), 2);
}
