//! Images beyond the kept ones: they go where the registry can give them again, and come again by their digest.

use once_app::event::Outcome;
use once_app::proxy::Proxy as _;
use once_app::{Ask, Deploy, Draft, ReleaseNumber, Selector};

use crate::steps::{Bed, Change, name};

fn deploy(image: &str) -> Ask {
    let mut draft = Draft { image: Some(image.parse().unwrap()), ..Draft::default() };
    for (field, value) in [("keep-images", "1"), ("keep-containers", "0")] {
        draft.set(&field.parse().unwrap(), value).unwrap();
    }
    Ask::Deploy(Box::new(Deploy { name: Some(name()), draft, ..Deploy::default() }))
}

async fn done(bed: &Bed, ask: Ask) {
    let told = bed.ask(ask).await;
    let finished = told.finished.expect("it ends");
    assert!(finished.outcome.is_success() && finished.warnings.is_empty(), "{finished:#?}");
}

#[tokio::test(start_paused = true)]
async fn images_go_where_the_registry_has_them_and_come_again_by_digest() {
    let bed = Bed::new(Change::Overlap).await;
    let engine = &bed.installation.engine;
    for n in 1..=3 {
        bed.engine.publish(&format!("registry.example/shop:{n}"), &format!("content {n}"));
    }
    let here = async |n: u64| {
        let record = bed.service.record(&name()).await.unwrap().unwrap();
        let release = record.release(ReleaseNumber(n)).unwrap().clone();
        engine.image(&release.image.id).await.unwrap().is_some()
    };
    done(&bed, deploy("registry.example/shop:1")).await;
    assert!(here(1).await, "the bed's own image is in no registry, and nobody could give it again");
    done(&bed, deploy("registry.example/shop:2")).await;
    assert_eq!((here(1).await, here(2).await, here(3).await), (true, false, true));
    done(&bed, Ask::Rollback { app: Selector("shop".into()), to: Some(ReleaseNumber(2)) }).await;
    assert_eq!((here(2).await, here(3).await), (true, false));
    // A registry that has lost it: it stays, and the deploy says nothing of it.
    bed.engine.publish("registry.example/shop:1", "another content");
    done(&bed, deploy("registry.example/shop:3")).await;
    assert_eq!((here(2).await, here(5).await), (true, true));
    let told = bed.ask(deploy("registry.example/shop:3")).await;
    assert_eq!(told.finished.unwrap().outcome, Outcome::Unchanged);
}

/// What makes it quick: the container of the release is there, so nothing is asked of a registry, pulled or made.
#[tokio::test(start_paused = true)]
async fn a_rollback_to_a_kept_container_pulls_nothing_and_makes_nothing() {
    let bed = Bed::new(Change::Overlap).await;
    for image in ["shop:2", "shop:3"] {
        let mut draft = Draft { image: Some(image.parse().unwrap()), ..Draft::default() };
        draft.unset.insert("release-command".parse().unwrap());
        done(&bed, Ask::Deploy(Box::new(Deploy { name: Some(name()), draft, ..Deploy::default() }))).await;
    }
    let serving = async || bed.record().await.unwrap().serving_release().unwrap().container.clone();
    let kept = bed.record().await.unwrap().release(ReleaseNumber(2)).unwrap().container.clone();
    let id = bed.installation.engine.container(&kept).await.unwrap().unwrap().id;
    let before = bed.engine.calls().len();
    done(&bed, Ask::Rollback { app: Selector("shop".into()), to: None }).await;
    let calls = bed.engine.calls().split_off(before);
    for costly in ["pull", "registry_digest", "create", "load_own", "ensure_volume"] {
        assert!(!calls.contains(&costly), "{costly}: {calls:?}");
    }
    assert_eq!(
        bed.installation.engine.container(&serving().await).await.unwrap().unwrap().id,
        id,
        "the very container"
    );
    // The one it replaced is kept in its turn, so that the way forward is as short.
    let before = bed.engine.calls().len();
    done(&bed, Ask::Rollback { app: Selector("shop".into()), to: Some(ReleaseNumber(3)) }).await;
    assert!(!bed.engine.calls().split_off(before).contains(&"create"));
}
