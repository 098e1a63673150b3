//! Certificates replaced while everybody comes and goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{TlsHouse, ask, certificate, connect};

/// New connections all the time, a kept one as well, and 40 certificates one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_replaced_under_load_without_a_failed_request() {
    let house = Arc::new(TlsHouse::new());
    let _app = house.app("shop", &["shop.test", "*.shop.test"]).await;
    let over = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..6)
        .map(|client| {
            let (house, over, asked) = (Arc::clone(&house), Arc::clone(&over), Arc::clone(&asked));
            let name = if client % 2 == 0 { "shop.test" } else { "x.shop.test" };
            tokio::spawn(async move {
                let config = Arc::new(house.authority.client(&["http/1.1"]));
                while !over.load(Ordering::SeqCst) {
                    let stream = connect(house.address, Arc::clone(&config), name).await.unwrap();
                    assert_eq!(ask(stream, name, "/version").await.text(), "shop");
                    asked.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    let mut kept = house.open("shop.test").await;
    let before = certificate(&kept);
    for _ in 0..40 {
        let seen = asked.load(Ordering::SeqCst);
        let installing = Arc::clone(&house);
        tokio::task::spawn_blocking(move || installing.install(&["shop.test", "*.shop.test"])).await.unwrap();
        crate::support::until("somebody asks", || {
            clients.iter().any(tokio::task::JoinHandle::is_finished) || asked.load(Ordering::SeqCst) > seen
        })
        .await;
    }
    over.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    // The connection of before still goes on; the next one gets the new certificate.
    kept.write_all(b"GET /version HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    kept.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("shop"), "{answer}");
    let now = house.house.plane.certificates().find("shop.test").unwrap();
    let after = certificate(&house.open("shop.test").await);
    assert_eq!(after, now.key.cert[0].to_vec());
    assert_ne!(after, before);
}
