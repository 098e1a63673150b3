//! Who asks: accounts that are bound, forgotten or closed.

use once_app::{Acme, Certified};

use super::house::{HERE, House, bounded, secret};
use crate::support::pebble::Wish;

const KID: &str = "kid-1";
const KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

fn bound(house: &House, key: &str) -> Acme {
    Acme { eab_kid: Some(KID.into()), eab_key: secret(key), ..house.config() }
}

#[tokio::test]
async fn an_authority_that_wants_an_account_of_its_own_is_told_which() {
    bounded(async {
        let house = House::with(Wish { binding: Some((KID, KEY)), ..Wish::default() }).await;
        house.zone.point("shop.once.test", HERE);
        let (came, _) = house.certify("shop.once.test").await;
        let Certified::Failed { code, message } = came else { panic!("{came:?}") };
        assert_eq!(code, "account");
        assert!(message.contains("--acme-eab-kid"), "{message}");

        house.issuer.configure(bound(&house, "bm90LXRoZS1rZXktbm90LXRoZS1rZXk")).unwrap();
        let (came, _) = house.certify("shop.once.test").await;
        assert!(matches!(&came, Certified::Failed { code, .. } if code == "account"), "{came:?}");

        house.issuer.configure(bound(&house, KEY)).unwrap();
        house.obtained("shop.once.test").await;
        assert!(house.files().iter().all(|(_, text)| !text.contains(KEY)), "the binding's key is kept nowhere here");
    })
    .await;
}

#[tokio::test]
async fn an_account_the_authority_forgot_is_made_anew_and_said_so() {
    bounded(async {
        let mut house = House::new().await;
        house.zone.point("shop.once.test", HERE);
        house.zone.point("other.once.test", HERE);
        house.obtained("shop.once.test").await;
        house.pebble.restart().await;
        let (came, told) = house.certify("other.once.test").await;
        assert!(matches!(came, Certified::Obtained { .. }), "{came:?} {told:?}");
        assert!(told.iter().any(|t| t.contains("a new one is made")), "{told:?}");
    })
    .await;
}

#[tokio::test]
async fn an_account_that_was_closed_is_made_anew() {
    bounded(async {
        let house = House::new().await;
        house.zone.point("shop.once.test", HERE);
        house.zone.point("other.once.test", HERE);
        house.obtained("shop.once.test").await;
        let kept = house.files().into_iter().find(|(path, _)| path.ends_with("account.json")).unwrap().1;
        close(&kept, &house.pebble.root).await;
        let (came, told) = house.certify("other.once.test").await;
        assert!(matches!(came, Certified::Obtained { .. }), "{came:?} {told:?}");
        assert!(told.iter().any(|t| t.contains("a new one is made")), "{told:?}");
        let again = house.files().into_iter().find(|(path, _)| path.ends_with("account.json")).unwrap().1;
        assert_ne!(kept, again);
    })
    .await;
}

#[tokio::test]
async fn a_new_contact_is_told_to_the_authority_by_the_same_account() {
    bounded(async {
        let house = House::new().await;
        house.zone.point("shop.once.test", HERE);
        house.zone.point("other.once.test", HERE);
        house.obtained("shop.once.test").await;
        let id = |files: Vec<(std::path::PathBuf, String)>| {
            let kept = files.into_iter().find(|(path, _)| path.ends_with("account.json")).unwrap().1;
            let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
            (kept["credentials"]["id"].clone(), kept["contact"].clone())
        };
        let (before, _) = id(house.files());
        house.issuer.configure(Acme { contact: Some("ops@once.test".into()), ..house.config() }).unwrap();
        house.obtained("other.once.test").await;
        assert_eq!(id(house.files()), (before, "ops@once.test".into()));
    })
    .await;
}

/// Closes an account from outside, as its owner would after losing the key.
async fn close(kept: &str, root: &str) {
    let kept: serde_json::Value = serde_json::from_str(kept).unwrap();
    let credentials = serde_json::from_value(kept["credentials"].clone()).unwrap();
    let client = super::gate::Plain::new(root);
    let account =
        instant_acme::Account::builder_with_http(Box::new(client)).from_credentials(credentials).await.unwrap();
    account.deactivate().await.unwrap();
}

/// Another process sees to certificates now: it has read what is on disk, and nothing may be written over it.
#[tokio::test]
async fn who_has_let_go_orders_nothing_and_writes_nothing() {
    bounded(async {
        let house = House::new().await;
        house.zone.point("shop.once.test", HERE);
        house.zone.point("other.once.test", HERE);
        house.obtained("shop.once.test").await;
        house.issuer.let_go().await;
        let (before, orders) = (house.files(), house.pebble.orders());
        let (came, _) = house.certify("other.once.test").await;
        assert!(matches!(&came, Certified::Failed { code, .. } if code == "moved"), "{came:?}");
        assert_eq!((house.pebble.orders(), orders), (1, 1));
        assert_eq!(house.files(), before);
        // The other one did not come to it after all.
        house.issuer.take_back().await;
        house.obtained("other.once.test").await;
        assert_eq!(house.pebble.orders(), 2);
    })
    .await;
}
