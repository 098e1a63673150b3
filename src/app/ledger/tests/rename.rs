//! Names, and which containers are needed.

use super::*;

fn rename(app: &str, to: &str, aliases: &[&str]) -> Transaction {
    Transaction::Rename { app: id(app), name: name(to), aliases: aliases.iter().map(|a| name(a)).collect() }
}

#[test]
fn a_name_is_of_one_app_and_the_volumes_keep_theirs() {
    let mut ledger = ledger(&[("shop", "a1"), ("blog", "b1")]);
    for (to, aliases) in [("blog", &["shop"][..]), ("store", &["blog"])] {
        let refused = ledger.apply(rename("shop", to, aliases)).unwrap_err();
        assert_eq!(refused, Refusal::NameTaken { name: name("blog") });
    }
    let renamed = ledger.apply(rename("shop", "store", &["shop"])).unwrap();
    assert!(!renamed.replayed && ledger.apply(rename("shop", "store", &["shop"])).unwrap().replayed);
    let record = renamed.record.unwrap();
    assert_eq!((record.volumes_of().as_str(), record.releases.len()), ("shop", 1));
    assert_eq!(ledger.find(&name("shop")).unwrap().id, id("shop"), "by its alias");
    // An alias keeps others from the name; once dropped it is free.
    assert!(ledger.apply(rename("blog", "shop", &[])).is_err());
    ledger.apply(rename("shop", "store", &[])).unwrap();
    ledger.apply(rename("blog", "shop", &[])).unwrap();
    assert_eq!(ledger.find(&name("shop")).unwrap().volumes_of().as_str(), "blog");
    // Back to the first name: nothing is left of it.
    ledger.apply(rename("blog", "blog", &[])).unwrap();
    assert_eq!(ledger.find(&name("blog")).unwrap().volume_name, None);
}

#[test]
fn what_serves_is_kept_or_is_tried_out_is_needed() {
    let mut ledger = ledger(&[("shop", "a1")]);
    ledger.apply(begin("shop", "c")).unwrap();
    let rule = "10%".parse().unwrap();
    let release = Box::new(release("shop", 2, "c"));
    ledger.apply(Transaction::Canary { app: id("shop"), release, rule, at: EPOCH }).unwrap();
    let mut record = ledger.get(&id("shop")).unwrap().clone();
    let needs = |record: &AppRecord| [1, 2, 3].map(|n| record.needs(&format!("once-shop-{n}")));
    assert_eq!(needs(&record), [true, true, false]);
    record.forget_containers(&[ReleaseNumber(1)]);
    assert!(needs(&record)[0], "what serves is needed whatever is noted of it");
    record.canary = None;
    record.serving = None;
    assert_eq!(needs(&record), [false, false, false]);
}

#[test]
fn hostnames_that_were_given_up_are_remembered_within_bounds() {
    let mut ledger = ledger(&[("shop", "a1")]);
    let hosts = |ledger: &Ledger| -> Vec<String> {
        ledger.get(&id("shop")).unwrap().former_hosts.iter().map(ToString::to_string).collect()
    };
    let amend = |ledger: &mut Ledger, host: &str| {
        ledger
            .apply(Transaction::Amend { app: id("shop"), settings: Box::new(settings(host)), revision: None })
            .unwrap();
    };
    amend(&mut ledger, "b.test");
    assert_eq!(hosts(&ledger), [host("shop")]);
    amend(&mut ledger, &host("shop"));
    assert_eq!(hosts(&ledger), ["b.test"], "what it has again is not given up");
    for n in 0..40 {
        amend(&mut ledger, &format!("n{n}.test"));
    }
    assert_eq!((hosts(&ledger).len(), hosts(&ledger).pop()), (16, Some("n38.test".to_owned())));
}
