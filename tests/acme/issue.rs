//! Getting certificates, and getting them anew.

use once_app::{Certified, IssuingState};

use super::front::{Front, stranger};
use super::house::{ELSEWHERE, HERE, House, bounded, mode, until};
use crate::support::pebble::Wish;

#[tokio::test]
async fn a_certificate_is_obtained_by_http_01_and_proven_through_the_public_name() {
    bounded(async {
        let house = House::new().await;
        house.zone.point("shop.once.test", HERE);
        let (came, told) = house.certify("shop.once.test").await;
        let Certified::Obtained { not_after } = came else { panic!("{came:?} {told:?}") };
        let certificate = house.certificates.find("shop.once.test").unwrap();
        assert_eq!(certificate.facts.names, ["shop.once.test"]);
        assert_eq!(certificate.facts.not_after, not_after);
        assert!(certificate.facts.issuer.contains("Pebble"), "{}", certificate.facts.issuer);
        assert!(certificate.key.cert.len() > 1, "the chain is served too");
        assert!(told.iter().any(|t| t.contains("HTTP-01")) && !told.iter().any(|t| t.contains("ALPN")), "{told:?}");
        assert_eq!(house.issuer.prove(&super::house::host("shop.once.test")).await, Certified::Proven);
        // Once is enough.
        assert_eq!(house.certify("shop.once.test").await.0, Certified::Kept { not_after });
    })
    .await;
}

#[tokio::test]
async fn where_port_80_convinces_nobody_tls_alpn_01_does() {
    bounded(async {
        let house = House::new().await;
        let gate = house.gate().await;
        // The authority's challenge comes to somebody who does not know it; ours does not.
        gate.change(|path, body| {
            let text = String::from_utf8_lossy(&body).into_owned();
            if path.contains("authZ") { text.replace("http-01", "other-01").into() } else { body }
        });
        house.zone.point("shop.once.test", HERE);
        let (came, told) = house.certify("shop.once.test").await;
        assert!(matches!(came, Certified::Obtained { .. }), "{came:?} {told:?}");
        assert!(told.iter().any(|t| t.contains("TLS-ALPN-01")), "{told:?}");
        assert!(house.certificates.alpn_challenge("shop.once.test").is_none(), "the challenge is over");
    })
    .await;
}

#[tokio::test]
async fn a_name_nobody_answers_for_from_here_is_tried_on_trust_after_a_while() {
    bounded(async {
        let mut house = House::behind(Wish::default(), Front::secure_only()).await;
        house.zone.point("shop.once.test", HERE);
        house.run(&["shop.once.test"]);
        let leads = until("a first look", || house.standing("shop.once.test").0.leads).await;
        assert!(leads.contains("127.0.0.1") && leads.contains("refused"), "{leads}");
        assert!(house.served("shop.once.test").is_none());
        house.forward(290);
        until("the certificate", || {
            house.forward(1);
            house.served("shop.once.test")
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_short_lived_certificate_is_renewed_again_and_again_without_being_asked_to() {
    bounded(async {
        let mut house = House::with(Wish { validity: 15, ..Wish::default() }).await;
        house.zone.point("shop.once.test", HERE);
        house.run(&["shop.once.test"]);
        let first = until("the first", || house.served("shop.once.test")).await;
        let second = until("the second", || house.served("shop.once.test").filter(|f| *f != first)).await;
        let third = until("the third", || house.served("shop.once.test").filter(|f| *f != second)).await;
        assert_ne!(first, third);
        assert_eq!(house.standing("shop.once.test").0.state, IssuingState::Valid);
    })
    .await;
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_waits_and_is_fetched_within_a_minute_of_being_right() {
    bounded(async {
        let mut house = House::new().await;
        let _stranger = stranger((ELSEWHERE, house.front.http).into());
        house.zone.point("shop.once.test", ELSEWHERE);
        let (came, _) = house.certify("shop.once.test").await;
        let Certified::Elsewhere { leads } = came else { panic!("{came:?}") };
        assert!(leads.contains("127.0.0.2") && leads.contains("something else answers (421)"), "{leads}");
        house.run(&["shop.once.test"]);
        until("a look", || house.standing("shop.once.test").0.next).await;
        assert_eq!(house.standing("shop.once.test").0.state, IssuingState::Waiting);
        assert!(house.served("shop.once.test").is_none());
        house.zone.point("shop.once.test", HERE);
        house.forward(60);
        until("the certificate", || house.served("shop.once.test")).await;
        assert_eq!(house.standing("shop.once.test").0.leads, None);
    })
    .await;
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_told_as_such() {
    bounded(async {
        let house = House::new().await;
        let (came, _) = house.certify("nowhere.once.test").await;
        assert!(matches!(&came, Certified::Elsewhere { leads } if leads.contains("no address")), "{came:?}");
    })
    .await;
}

#[tokio::test]
async fn of_two_names_one_broken_one_costs_only_itself() {
    bounded(async {
        let mut house = House::new().await;
        for name in ["good.once.test", "blocked.once.test"] {
            house.zone.point(name, HERE);
        }
        house.run(&["blocked.once.test", "good.once.test"]);
        until("the good one", || house.served("good.once.test")).await;
        let failure = until("the refusal", || house.standing("blocked.once.test").1).await;
        assert!(failure.message.contains("gives none for this name"), "{failure:?}");
        let (standing, _) = house.standing("blocked.once.test");
        assert_eq!((standing.state, standing.code.as_deref()), (IssuingState::Failing, Some("rejected")));
        assert!(standing.next.is_some() && house.served("blocked.once.test").is_none());
    })
    .await;
}

#[tokio::test]
async fn names_the_authority_is_not_asked_for_are_left_alone() {
    bounded(async {
        let mut house = House::new().await;
        house.run(&["shop.localhost", "127.0.0.1", "*.once.test"]);
        assert!(house.issuer.standing().is_empty());
        let (came, _) = house.certify("*.once.test").await;
        assert!(matches!(&came, Certified::NotWanted { why } if why.contains("wildcard")), "{came:?}");
    })
    .await;
}

#[tokio::test]
async fn keys_and_accounts_are_for_their_owner_only_and_survive_a_restart() {
    bounded(async {
        let mut house = House::new().await;
        house.zone.point("shop.once.test", HERE);
        house.obtained("shop.once.test").await;
        let secret: Vec<_> = house.files().into_iter().filter(|(_, text)| text.contains("key")).collect();
        assert!(secret.len() >= 2, "{secret:?}");
        for (path, _) in house.files() {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            assert_eq!(mode(path.parent().unwrap()), 0o700, "{}", path.display());
        }
        let before = house.files().len();
        house.restart(house.config()).await;
        house.zone.point("other.once.test", HERE);
        house.obtained("other.once.test").await;
        assert!(matches!(house.certify("shop.once.test").await.0, Certified::Kept { .. }));
        assert_eq!(house.files().len(), before + 1, "one more certificate, and the same account");
    })
    .await;
}
