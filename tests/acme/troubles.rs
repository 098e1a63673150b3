//! What authorities, clocks and disks do to one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use once_app::{Certified, IssuingState};

use super::gate::problem;
use super::house::{HERE, House, bounded, until};
use crate::support::pebble::Wish;

fn failed(came: &Certified) -> (&str, &str) {
    match came {
        Certified::Failed { code, message } => (code, message),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_authority_that_is_down_is_named_and_asked_again_until_it_is_back() {
    bounded(async {
        let mut house = House::new().await;
        house.zone.point("shop.once.test", HERE);
        house.pebble.stop();
        let (came, _) = house.certify("shop.once.test").await;
        let (code, message) = failed(&came);
        assert_eq!(code, "authority-unreachable");
        assert!(message.contains("does not answer") && message.contains("refused"), "{message}");
        house.run(&["shop.once.test"]);
        assert_eq!(house.standing("shop.once.test").0.code.as_deref(), Some("authority-unreachable"));
        house.pebble.restart().await;
        until("the certificate", || {
            house.forward(5);
            house.served("shop.once.test")
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_load_balancers_page_is_taken_for_an_authority_that_is_down() {
    bounded(async {
        let house = House::new().await;
        let gate = house.gate().await;
        house.zone.point("shop.once.test", HERE);
        gate.say(|path| {
            let mut page = http::Response::new(http_body_util::Full::new("<html>try later</html>".into()));
            *page.status_mut() = http::StatusCode::BAD_GATEWAY;
            path.contains("order-plz").then_some(page)
        });
        let (came, _) = house.certify("shop.once.test").await;
        let (code, message) = failed(&came);
        assert_eq!(code, "authority-unreachable");
        assert!(message.contains("502"), "{message}");
    })
    .await;
}

#[tokio::test]
async fn too_many_is_obeyed_over_a_restart_and_by_those_who_ask_in_person() {
    bounded(async {
        let mut house = House::new().await;
        let gate = house.gate().await;
        let config = once_app::Acme {
            directory: Some(gate.directory()),
            root: Some(gate.root.clone()),
            ..once_app::Acme::default()
        };
        house.zone.point("shop.once.test", HERE);
        gate.say(|path| {
            let detail = "too many certificates already issued";
            path.contains("order-plz").then(|| problem(429, "rateLimited", detail, Some("7200")))
        });
        let (came, _) = house.certify("shop.once.test").await;
        let (code, message) = failed(&came);
        assert_eq!(code, "rate-limited");
        assert!(message.contains("too many certificates already issued"), "{message}");
        gate.say_nothing();
        house.restart(config).await;
        let asked = gate.count("order-plz");
        for _ in 0..3 {
            let (came, _) = house.certify("shop.once.test").await;
            let (code, message) = failed(&came);
            assert_eq!(code, "budget");
            assert!(message.contains("wants no orders before"), "{message}");
        }
        house.run(&["shop.once.test"]);
        let next = house.standing("shop.once.test").0.next.unwrap();
        assert!(next > jiff::Timestamp::now() + jiff::SignedDuration::from_mins(115), "{next}");
        assert_eq!(gate.count("order-plz"), asked, "the authority was not asked again");
    })
    .await;
}

#[tokio::test]
async fn a_name_that_fails_again_and_again_stays_below_the_authoritys_limit() {
    bounded(async {
        let house = House::new().await;
        let gate = house.gate().await;
        house.zone.point("shop.once.test", HERE);
        // Nothing we answer is right.
        gate.change(|path, body| {
            let text = String::from_utf8_lossy(&body).into_owned();
            if path.contains("authZ") { text.replace("\"token\": \"", "\"token\": \"x").into() } else { body }
        });
        let (came, _) = house.certify("shop.once.test").await;
        let (code, message) = failed(&came);
        assert_eq!(code, "not-validated");
        assert!(message.contains("by TLS-ALPN-01"), "{message}");
        for _ in 0..4 {
            house.certify("shop.once.test").await;
        }
        let (came, _) = house.certify("shop.once.test").await;
        let (code, message) = failed(&came);
        assert_eq!(code, "budget");
        assert!(message.contains("failed lately"), "{message}");
        assert!(gate.count("order-plz") <= 4, "{}", gate.count("order-plz"));
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told_before_an_order_is_spent_and_the_old_certificate_stays() {
    bounded(async {
        let house = House::new().await;
        let gate = house.gate().await;
        house.zone.point("shop.once.test", HERE);
        house.obtained("shop.once.test").await;
        let (before, asked) = (house.served("shop.once.test"), gate.count("order-plz"));
        house.forward(400 * 24 * 3600 * 5);
        let (came, _) = house.certify("shop.once.test").await;
        let (code, message) = failed(&came);
        assert_eq!(code, "clock-skew");
        assert!(message.contains("set the clock"), "{message}");
        assert_eq!((house.served("shop.once.test"), gate.count("order-plz")), (before, asked));
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_is_over_by_our_clock_is_not_taken() {
    bounded(async {
        let house = House::with(Wish { validity: 60, ..Wish::default() }).await;
        house.zone.point("shop.once.test", HERE);
        // Near enough for the authority's date to pass.
        house.forward(400);
        let (came, _) = house.certify("shop.once.test").await;
        let (code, message) = failed(&came);
        assert_eq!(code, "clock-skew");
        assert!(message.contains("ended at"), "{message}");
        assert!(house.served("shop.once.test").is_none());
        house.issuer.want([super::house::host("shop.once.test")].into());
        assert_eq!(house.standing("shop.once.test").0.state, IssuingState::Failing);
    })
    .await;
}

#[tokio::test]
async fn the_authoritys_wish_to_renew_now_is_granted() {
    bounded(async {
        let mut house = House::new().await;
        let gate = house.gate().await;
        house.zone.point("shop.once.test", HERE);
        house.obtained("shop.once.test").await;
        let first = house.served("shop.once.test").unwrap();
        let now = jiff::Timestamp::now();
        let hour = jiff::SignedDuration::from_hours(1);
        let window = serde_json::json!({ "suggestedWindow": {
            "start": (now - hour * 2).to_string(),
            "end": (now - hour).to_string(),
        } });
        let renewals = gate.directory().replace("/dir", "/renewals");
        gate.change(move |path, body| {
            if path != "/dir" {
                return body;
            }
            let mut directory: serde_json::Value = serde_json::from_slice(&body).unwrap();
            directory["renewalInfo"] = renewals.clone().into();
            directory.to_string().into()
        });
        let told = Arc::new(AtomicBool::new(false));
        let tell = Arc::clone(&told);
        gate.say(move |path| {
            // Once: the new certificate is as good as any.
            let first = path.starts_with("/renewals/") && !tell.swap(true, Ordering::SeqCst);
            let mut answer = http::Response::new(http_body_util::Full::new(window.to_string().into()));
            answer.headers_mut().insert("retry-after", http::HeaderValue::from_static("21600"));
            first.then_some(answer)
        });
        house.run(&["shop.once.test"]);
        until("the renewal", || house.served("shop.once.test").filter(|f| *f != first)).await;
        assert!(told.load(Ordering::SeqCst));
    })
    .await;
}

#[tokio::test]
async fn nothing_secret_is_said() {
    bounded(async {
        let mut house = House::new().await;
        house.zone.point("shop.once.test", HERE);
        let (_, told) = house.certify("shop.once.test").await;
        house.pebble.stop();
        house.zone.point("other.once.test", HERE);
        let (came, more) = house.certify("other.once.test").await;
        let said = format!("{told:?} {more:?} {came:?} {:?}", house.issuer.standing());
        let kept = house.files().into_iter().find(|(path, _)| path.ends_with("account.json")).unwrap().1;
        let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
        let key = kept["credentials"]["key_pkcs8"].as_str().unwrap();
        assert!(!said.contains(key) && !said.contains("PRIVATE KEY"), "{said}");
        assert!(!said.contains("/.well-known/"), "no token is said: {said}");
    })
    .await;
}
