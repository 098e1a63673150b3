//! An examination of a host whose engine does not answer one of the questions: all else is found nevertheless.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use once_app::engine::EngineInfo;
use once_app::{Finding, Hostname, Kind, Looks, Lookup, Problem, Resolver, Seen, Severity, examine};

use crate::steps::{Bed, Change};
use crate::support::fake_engine::{Fault, When, Which};

/// Knows no name.
struct Nobody;

#[async_trait]
impl Resolver for Nobody {
    async fn look_up(&self, _: Vec<Hostname>, _: &EngineInfo) -> Vec<Lookup> {
        Vec::new()
    }
}

/// What is found and when, in seconds after the start; and how it ended.
async fn examined(bed: &Bed, looks: Looks) -> (Vec<(u64, Finding)>, Result<(), Problem>) {
    let begun = tokio::time::Instant::now();
    let found = Mutex::new(Vec::new());
    let report = |seen| {
        if let Seen::Found(finding) = seen {
            found.lock().unwrap().push((begun.elapsed().as_secs(), *finding));
        }
    };
    let looked = tokio::time::timeout(Duration::from_secs(60), examine(&bed.installation, looks, &Nobody, &report));
    let looked = looked.await.expect("each look has a limit");
    (found.into_inner().unwrap(), looked)
}

/// A host with an app whose container ends again and again.
async fn bed() -> Bed {
    let bed = Bed::new(Change::Overlap).await;
    bed.engine.end("steps-shop-1", 1, false);
    bed
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_named_and_all_else_is_found_at_once() {
    for (call, named) in [("stored", "the sizes of images and containers"), ("container", "the container of shop")] {
        let bed = bed().await;
        bed.engine.fault(Which::Call(call), When::From(1), Fault::Hangs);
        let (found, looked) = examined(&bed, Looks::default()).await;
        assert_eq!(looked, Ok(()), "{call}");
        let down =
            found.iter().find(|(_, f)| f.kind == Kind::RestartLoop).unwrap_or_else(|| panic!("{call}: {found:#?}"));
        assert_eq!(down.0, 0, "{call}: it did not wait for the slow one");
        let late = found.iter().find(|(_, f)| f.subject == named).unwrap_or_else(|| panic!("{call}: {found:#?}"));
        assert_eq!((late.0, late.1.kind), (10, Kind::Unseen), "{found:#?}");
        assert!(late.1.what.contains("no answer within 10 seconds"), "{found:#?}");
        assert!(!late.1.mend.is_empty(), "{found:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_does_not_come_is_a_problem_and_never_an_empty_one() {
    for (call, named) in [
        ("all_containers", "the engine's containers"),
        ("volumes", "the engine's volumes"),
        ("containers", "the proxy and its ledger"),
    ] {
        let bed = bed().await;
        bed.engine.fault(Which::Call(call), When::From(1), Fault::Hangs);
        let (found, looked) = examined(&bed, Looks::default()).await;
        assert_eq!(looked, Ok(()), "{call}");
        let late = found.iter().find(|(_, f)| f.subject == named).unwrap_or_else(|| panic!("{call}: {found:#?}"));
        assert_eq!((late.1.kind, late.1.severity), (Kind::Unseen, Severity::Problem), "{found:#?}");
        let invented = |f: &Finding| matches!(f.kind, Kind::Ghost | Kind::Orphan | Kind::LostVolume | Kind::LostState);
        assert!(!found.iter().any(|(_, f)| invented(f)), "{call}: {found:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_disk_the_engine_is_not_asked_to_count() {
    let bed = bed().await;
    let looks = Looks { disk: false, ..Looks::default() };
    let (found, looked) = examined(&bed, looks).await;
    assert_eq!(looked, Ok(()));
    assert!(found.iter().any(|(_, f)| f.kind == Kind::RestartLoop), "{found:#?}");
    assert!(!bed.engine.calls().contains(&"stored"), "{:?}", bed.engine.calls());
}

#[tokio::test(start_paused = true)]
async fn what_was_found_is_told_although_the_rest_failed() {
    let bed = bed().await;
    bed.engine.fault(Which::Call("container"), When::From(1), Fault::Fails);
    let (found, looked) = examined(&bed, Looks::default()).await;
    assert_eq!(looked.unwrap_err().code, "engine-failed");
    assert!(found.iter().any(|(_, f)| f.kind == Kind::RestartLoop), "{found:#?}");
}
