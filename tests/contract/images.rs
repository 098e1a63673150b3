//! Images on the engine.

use crate::ground::Ground;
use crate::support::bed;

pub async fn an_image_of_ones_own_is_there(on: Ground<'_>) {
    let by_tag = on.engine.image(on.image).await.unwrap().unwrap();
    assert_eq!((by_tag.os.as_str(), &by_tag.arch), ("linux", &on.engine.info().await.unwrap().arch));
    assert_eq!(by_tag.exposed, [80, 8080], "ascending");
    assert_eq!(by_tag.labels["what"], "probe");
    assert_eq!(
        (by_tag.tags.as_slice(), by_tag.repo_digests.as_slice()),
        ([on.image.to_owned()].as_slice(), [].as_slice())
    );
    assert!(by_tag.id.starts_with("sha256:") && by_tag.size > 0, "{by_tag:?}");
    assert_eq!(on.engine.image(&by_tag.id).await.unwrap().unwrap(), by_tag);
}

pub async fn an_absent_image_is_none(on: Ground<'_>) {
    assert_eq!(on.engine.image(&on.name("nothing:1")).await.unwrap(), None);
}

pub async fn loading_twice_is_fine(on: Ground<'_>) {
    let first = on.engine.image(on.image).await.unwrap().unwrap();
    on.engine.load_own(&bed::own_image(on.namespace, "probe")).await.unwrap();
    assert_eq!(on.engine.image(on.image).await.unwrap().unwrap(), first);
}

pub async fn the_own_hash_is_stable(on: Ground<'_>) {
    let hash = on.engine.own_hash().await.unwrap();
    assert!(hash.len() == 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
    assert_eq!(on.engine.own_hash().await.unwrap(), hash);
    let digest = on.engine.own_digest().await.unwrap();
    assert!(digest.len() == 64 && digest.starts_with(&hash), "{digest} {hash}");
}

pub async fn a_removed_image_is_gone(on: Ground<'_>) {
    let image = bed::own_image(on.namespace, "second");
    on.engine.load_own(&image).await.unwrap();
    let id = on.engine.image(&image.tag).await.unwrap().unwrap().id;
    assert!(on.engine.remove_image(&id).await.unwrap());
    assert_eq!(on.engine.image(&image.tag).await.unwrap(), None);
    assert!(!on.engine.remove_image(&id).await.unwrap(), "absent");
}

pub async fn an_image_in_use_stays(on: Ground<'_>) {
    on.created("a", "wait").await;
    let id = on.engine.image(on.image).await.unwrap().unwrap().id;
    assert!(!on.engine.remove_image(&id).await.unwrap());
    assert!(on.engine.image(on.image).await.unwrap().is_some(), "with its tag");
}

pub async fn a_container_names_its_image(on: Ground<'_>) {
    let id = on.created("a", "wait").await;
    let image = on.engine.image(on.image).await.unwrap().unwrap();
    assert_eq!(on.engine.containers(on.namespace).await.unwrap()[0].image_id, image.id);
    assert_eq!(on.engine.container(&id).await.unwrap().unwrap().image_id, image.id);
}
