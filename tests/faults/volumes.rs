//! Images that declare a `VOLUME`: what is written there is there after whatever is done to the app.

use std::collections::BTreeMap;

use once_app::event::{Event, Finished, Outcome, Step};
use once_app::ledger::AppRecord;
use once_app::proxy::Proxy as _;
use once_app::{Ask, Deploy, Draft, ReleaseNumber, Selector, Swap, is_anonymous};

use crate::steps::{Bed, Change, name};
use crate::support::fake_engine::{Fault, Health, Script, When, Which};
use crate::support::installation::Told;

const IMAGES: [&str; 3] = ["shop:1", "shop:2", "shop:3"];

fn app() -> Selector {
    Selector("shop".into())
}

/// A host whose images declare these paths, and no app on it.
async fn bed(paths: &[&str]) -> Bed {
    let bed = Bed::new(Change::First).await;
    for image in IMAGES {
        bed.engine.declare(image, paths);
    }
    bed
}

async fn ends(bed: &Bed, ask: Ask) -> (Finished, Told) {
    let told = bed.ask(ask).await;
    (told.finished.clone().expect("it ends"), told)
}

async fn done(bed: &Bed, ask: Ask) -> Told {
    let (finished, told) = ends(bed, ask).await;
    assert!(finished.outcome.is_success(), "{finished:#?}");
    told
}

fn with_swap(image: &str, swap: Swap) -> Ask {
    let draft = Draft { image: Some(image.parse().unwrap()), swap: Some(swap), ..Draft::default() };
    Ask::Deploy(Box::new(Deploy { name: Some(name()), draft, ..Deploy::default() }))
}

fn with_name(name: &str, image: &str, dry_run: bool) -> Ask {
    let mut draft = Draft { image: Some(image.parse().unwrap()), ..Draft::default() };
    draft.set(&"volume".parse().unwrap(), "pages:/pages").unwrap();
    Ask::Deploy(Box::new(Deploy { name: Some(name.parse().unwrap()), draft, dry_run, ..Deploy::default() }))
}

/// What is mounted in the container that serves.
async fn mounted(bed: &Bed) -> BTreeMap<String, String> {
    bed.engine.mounted(&bed.target().expect("something serves"))
}

fn anonymous(bed: &Bed) -> Vec<String> {
    bed.engine.volume_names().into_iter().filter(|name| is_anonymous(name)).collect()
}

fn remarks(told: &Told) -> Vec<String> {
    let planned = told.events.iter().find_map(|e| match &e.event {
        Event::Planned { plan, .. } => Some(plan.remarks.clone()),
        _ => None,
    });
    planned.unwrap_or_default()
}

fn took_turns(told: &Told) -> bool {
    told.events.iter().any(|e| matches!(e.event, Event::StepStarted { step: Step::Hold, .. }))
}

fn said_gone(told: &Told) -> bool {
    told.events.iter().any(|e| matches!(&e.event, Event::Warning { code, .. } if code == "volume-gone"))
}

async fn removed(bed: &Bed) -> Option<AppRecord> {
    bed.service.record(&name()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_written_at_a_declared_path_outlives_every_release() {
    let bed = bed(&["/data", "/storage/cache/", "/storage", "/var/lib/db"]).await;
    let told = done(&bed, bed.wish("shop:1", None)).await;
    let volumes = mounted(&bed).await;
    assert_eq!(volumes["/storage"], "steps-shop");
    for path in ["/data", "/storage/cache", "/var/lib/db"] {
        let volume = &volumes[path];
        let last = path.rsplit('/').next().unwrap();
        assert!(volume.starts_with(&format!("steps-shop_{last}-")) && volume.len() == 11 + last.len() + 7, "{volume}");
        assert!(remarks(&told).iter().any(|r| r.contains(path) && r.contains(volume)), "{:?}", remarks(&told));
        bed.engine.put_file(volume, "/x", path);
    }
    let intact = |bed: &Bed| {
        for path in ["/data", "/storage/cache", "/var/lib/db"] {
            assert_eq!(bed.engine.file(&volumes[path], "/x").as_deref(), Some(path));
        }
        assert_eq!(anonymous(bed), [] as [String; 0], "one-offs have them too");
    };
    intact(&bed);
    // Two must never run on them at once.
    let told = done(&bed, bed.wish("shop:2", None)).await;
    assert!(took_turns(&told) && remarks(&told).iter().any(|r| r.contains("hands over")), "{:?}", remarks(&told));
    assert_eq!(mounted(&bed).await, volumes);
    done(&bed, Ask::Restart { app: app() }).await;
    assert_eq!(mounted(&bed).await, volumes);
    done(&bed, Ask::Rollback { app: app(), to: Some(ReleaseNumber(1)) }).await;
    assert_eq!(mounted(&bed).await, volumes);
    intact(&bed);
    let refused = ends(&bed, bed.wish("shop:2", Some("10%"))).await.0.problem.unwrap();
    assert_eq!((refused.code.as_str(), refused.outcome), ("canary-handover", Outcome::Refused));
    // A release that fails is taken away, and what serves goes on.
    bed.engine.script("shop:3", Script { health: vec![Health::Refused], ..Script::default() });
    let failed = ends(&bed, bed.wish("shop:3", None)).await.0;
    assert_eq!(failed.outcome, Outcome::Failed, "{failed:#?}");
    assert_eq!(mounted(&bed).await, volumes);
    done(&bed, Ask::Rename { app: app(), to: "store".parse().unwrap(), dry_run: false }).await;
    done(&bed, Ask::Restart { app: Selector("store".into()) }).await;
    assert_eq!(mounted(&bed).await, volumes);
    let store = Selector("store".into());
    done(&bed, Ask::Remove { app: store.clone(), data: false }).await;
    intact(&bed);
    // Back as it was; a deploy of the name alone says what it leaves out.
    let told = done(&bed, with_name("store", "shop:1", true)).await;
    let said = remarks(&told).join("\n");
    assert!(said.contains("env.TOKEN") && said.contains("once rollback store"), "{said}");
    let told = done(&bed, Ask::Rollback { app: store.clone(), to: None }).await;
    assert_eq!(told.finished.unwrap().outcome, Outcome::Created);
    assert_eq!(mounted(&bed).await, volumes);
    intact(&bed);
    done(&bed, Ask::Remove { app: store.clone(), data: false }).await;
    done(&bed, Ask::Remove { app: store, data: true }).await;
    assert!(bed.engine.volume_names().iter().all(|name| !name.starts_with("steps-shop")));
}

#[tokio::test(start_paused = true)]
async fn overlap_in_words_lets_two_share() {
    let bed = bed(&["/data"]).await;
    done(&bed, with_swap("shop:1", Swap::Overlap)).await;
    let told = done(&bed, bed.wish("shop:2", None)).await;
    assert!(!took_turns(&told), "it was chosen");
    assert!(remarks(&told).iter().any(|r| r.contains("same volumes")), "{:?}", remarks(&told));
    done(&bed, bed.wish("shop:3", Some("10%"))).await;
    done(&bed, Ask::Promote { app: app() }).await;
    done(&bed, Ask::Rollback { app: app(), to: None }).await;
    assert_eq!(bed.record().await.unwrap().settings().unwrap().swap, Swap::Overlap);
}

/// An image that is only pulled by the deploy itself: what it declares is known late, and holds all the same.
#[tokio::test(start_paused = true)]
async fn an_image_that_turns_out_to_declare_one_takes_turns_too() {
    let bed = bed(&[]).await;
    done(&bed, bed.wish("shop:1", None)).await;
    bed.engine.publish("registry.example/shop:2", "content");
    bed.engine.declare_when_pulled("registry.example/shop:2", &["/data"]);
    let change = |canary: Option<&str>| match bed.wish("registry.example/shop:2", canary) {
        Ask::Deploy(deploy) => Ask::Deploy(Box::new(Deploy { change_image: true, ..*deploy })),
        other => other,
    };
    let refused = ends(&bed, change(Some("10%"))).await.0.problem.unwrap();
    assert_eq!(refused.code, "canary-handover");
    bed.engine.forget_image("registry.example/shop:2");
    let told = done(&bed, change(None)).await;
    assert!(took_turns(&told), "{:#?}", told.events);
    assert_eq!(bed.containers().0.len(), 1);
    assert_eq!(anonymous(&bed), [] as [String; 0]);
}

/// As a version before 0.1.1 made them: each container has an anonymous volume of its own at the declared path.
async fn of_before() -> (Bed, [String; 2]) {
    let bed = bed(&[]).await;
    let mut own = Vec::new();
    for image in ["shop:1", "shop:2"] {
        done(&bed, bed.wish(image, None)).await;
        let volume = bed.engine.mount_anonymous(&bed.target().unwrap(), "/data");
        bed.engine.put_file(&volume, "/rows", image);
        own.push(volume);
    }
    for image in IMAGES {
        bed.engine.declare(image, &["/data"]);
    }
    (bed, own.try_into().unwrap())
}

#[tokio::test(start_paused = true)]
async fn an_app_of_a_version_before_goes_on_with_the_very_volume_it_has() {
    let (bed, [first, second]) = of_before().await;
    let refused = ends(&bed, bed.wish("shop:3", Some("10%"))).await.0.problem.unwrap();
    assert_eq!(refused.code, "canary-handover");
    let told = done(&bed, bed.wish("shop:2", None)).await;
    assert_eq!(told.finished.as_ref().unwrap().outcome, Outcome::Unchanged, "nothing is changed for its own sake");
    let told = done(&bed, bed.wish("shop:3", None)).await;
    assert!(took_turns(&told) && remarks(&told).iter().any(|r| r.contains(&second)), "{:?}", remarks(&told));
    assert_eq!(mounted(&bed).await["/data"], second);
    // The kept container of release 1 has what it had then: going back is about image and settings, not about data.
    let told = done(&bed, Ask::Rollback { app: app(), to: Some(ReleaseNumber(1)) }).await;
    assert_eq!(mounted(&bed).await["/data"], second);
    assert_eq!(bed.engine.file(&second, "/rows").as_deref(), Some("shop:2"));
    // Containers of before go one by one; what they alone had stays, and is said.
    let mut said = told.finished.unwrap().warnings;
    for image in ["shop:2", "shop:3"] {
        said.extend(done(&bed, bed.wish(image, None)).await.finished.unwrap().warnings);
    }
    let kept: Vec<_> = said.iter().filter(|text| text.contains("without a name")).collect();
    assert!(kept.len() == 1 && kept[0].contains(&first), "{said:#?}");
    assert_eq!(bed.engine.file(&first, "/rows").as_deref(), Some("shop:1"));
    let owned = bed.record().await.unwrap().owned_volumes;
    assert_eq!(owned.iter().map(|v| v.release.0).min(), Some(1), "{owned:#?}");
    // Removed and deployed again: the rows are there.
    done(&bed, Ask::Remove { app: app(), data: false }).await;
    assert!(bed.engine.running().keys().all(|name| !name.contains("shop")));
    done(&bed, bed.wish("shop:2", None)).await;
    assert_eq!(mounted(&bed).await["/data"], second);
    assert_eq!(bed.engine.file(&second, "/rows").as_deref(), Some("shop:2"));
    done(&bed, Ask::Remove { app: app(), data: true }).await;
    assert_eq!(anonymous(&bed), [] as [String; 0], "they were its own");
    assert_eq!(removed(&bed).await, None);
}

#[tokio::test(start_paused = true)]
async fn removing_an_app_of_a_version_before_keeps_what_its_containers_had() {
    let (bed, [first, second]) = of_before().await;
    done(&bed, Ask::Remove { app: app(), data: false }).await;
    for (volume, rows) in [(&first, "shop:1"), (&second, "shop:2")] {
        assert_eq!(bed.engine.file(volume, "/rows").as_deref(), Some(rows));
    }
    done(&bed, bed.wish("shop:3", None)).await;
    assert_eq!(mounted(&bed).await["/data"], second, "what served last");
}

fn first(bed: &Bed, command: &str) -> Ask {
    match bed.wish("shop:1", None) {
        Ask::Deploy(mut deploy) => {
            deploy.draft.release_command = Some(command.to_owned());
            Ask::Deploy(deploy)
        }
        other => other,
    }
}

fn own_volumes(bed: &Bed) -> Vec<String> {
    bed.engine.volume_names().into_iter().filter(|name| name.starts_with("steps-shop")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_failed_first_deploy_leaves_what_was_written_and_nothing_else() {
    let bed = bed(&["/data", "/other"]).await;
    bed.engine.image_file("shop:1", "/data/seed", "of the image");
    bed.engine.script("shop:1", Script { health: vec![Health::Refused], ..Script::default() });
    assert_eq!(ends(&bed, first(&bed, "exit 0")).await.0.outcome, Outcome::Failed);
    assert_eq!((own_volumes(&bed), removed(&bed).await), (vec![], None), "nothing but what the image put there");

    let failed = ends(&bed, first(&bed, "write /data/rows imported")).await.0;
    assert_eq!(failed.outcome, Outcome::Failed);
    let [kept] = own_volumes(&bed).try_into().unwrap();
    assert!(failed.warnings.iter().any(|text| text.contains(&kept)), "{failed:#?}");
    assert_eq!(bed.engine.file(&kept, "/rows").as_deref(), Some("imported"));
    assert!(removed(&bed).await.is_some_and(|record| !record.is_live() && record.intent.is_none()));
    // It is tried again, fails again, and then does not.
    assert_eq!(ends(&bed, first(&bed, "exit 0")).await.0.outcome, Outcome::Failed);
    assert!(own_volumes(&bed).contains(&kept));
    bed.engine.script("shop:1", Script::default());
    done(&bed, first(&bed, "exit 0")).await;
    assert_eq!(mounted(&bed).await["/data"], kept);
    assert_eq!(bed.engine.file(&kept, "/rows").as_deref(), Some("imported"));
}

/// Killed as it was about to serve: what it wrote by then is data, whatever removes the app.
#[tokio::test(start_paused = true)]
async fn removing_an_app_that_never_served_keeps_what_it_wrote() {
    for written in [false, true] {
        let bed = bed(&["/data"]).await;
        bed.engine.fault(Which::Call("start"), When::Nth(3), Fault::DoesButHangs);
        let command = if written { "write /data/rows imported" } else { "exit 0" };
        assert!(bed.ask(first(&bed, command)).await.finished.is_none(), "it was killed");
        bed.engine.no_more_faults();
        assert!(removed(&bed).await.is_some_and(|record| record.is_live() && record.serving.is_none()));
        done(&bed, Ask::Remove { app: app(), data: false }).await;
        assert!(bed.engine.running().keys().all(|name| !name.contains("shop")));
        match written {
            false => assert_eq!((own_volumes(&bed), removed(&bed).await), (vec![], None)),
            true => {
                let volumes = own_volumes(&bed);
                let rows = volumes.iter().find_map(|name| bed.engine.file(name, "/rows"));
                assert_eq!(rows.as_deref(), Some("imported"), "{volumes:?}");
                done(&bed, Ask::Remove { app: app(), data: true }).await;
                assert_eq!(own_volumes(&bed), [] as [String; 0]);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_volume_of_the_engine_that_has_the_name_is_told() {
    let bed = bed(&[]).await;
    let engine = &bed.installation.engine;
    engine.ensure_volume("pages", &BTreeMap::new()).await.unwrap();
    let said = remarks(&done(&bed, with_name("shop", "shop:1", true)).await).join("\n");
    assert!(said.contains("`--volume docker:pages:/pages`"), "{said}");
    done(&bed, with_name("shop", "shop:1", false)).await;
    let said = remarks(&done(&bed, with_name("shop", "shop:2", true)).await).join("\n");
    assert!(!said.contains("docker:pages"), "said once: {said}");
}

#[tokio::test(start_paused = true)]
async fn a_plan_refuses_a_volume_of_another_app_as_the_deploy_does() {
    for volume in ["steps-shop", "steps-shop-pages", "steps-shop_data-bd4741"] {
        let bed = bed(&["/data"]).await;
        let labels =
            [("schema", "1"), ("namespace", "steps"), ("role", "data"), ("app", "blog"), ("id", "of-the-blog")];
        let labels = labels.map(|(key, value)| (format!("once.{key}"), value.to_owned())).into();
        bed.installation.engine.ensure_volume(volume, &labels).await.unwrap();
        bed.engine.put_file(volume, "/rows", "of the blog");
        for dry_run in [true, false] {
            let refused = ends(&bed, with_name("shop", "shop:1", dry_run)).await.0.problem.unwrap();
            assert_eq!((refused.code.as_str(), refused.outcome), ("volume-of-another-app", Outcome::Refused));
            assert!(refused.message.contains(volume), "{volume}: {refused:?}");
            assert_eq!(removed(&bed).await, None, "{volume}: it is refused before anything is begun");
        }
        assert_eq!(bed.engine.file(volume, "/rows").as_deref(), Some("of the blog"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_is_gone_is_said_before_an_empty_one_takes_its_place() {
    let bed = bed(&["/data"]).await;
    let told = done(&bed, bed.wish("shop:1", None)).await;
    assert!(!said_gone(&told), "a first deploy makes it");
    let volume = mounted(&bed).await["/data"].clone();
    let told = done(&bed, bed.wish("shop:2", None)).await;
    assert!(!said_gone(&told), "it is there");
    let engine = &bed.installation.engine;
    for name in bed.engine.running().into_keys().filter(|name| name.starts_with("steps-shop-")) {
        engine.remove(&name).await.unwrap();
    }
    engine.remove_volume(&volume).await.unwrap();
    let told = done(&bed, bed.wish("shop:3", None)).await;
    let said = remarks(&told).join("\n");
    assert!(said.contains(&format!("the volume {volume} is not on the engine")), "{said}");
    assert!(!said.contains(&format!("/data is kept in the volume {volume}")), "{said}");
    assert!(said_gone(&told), "{told:?}");
    assert_eq!(mounted(&bed).await["/data"], volume);
}
