//! Requests for another name than the handshake was.

use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::{TlsHouse, ask, said};

#[tokio::test(flavor = "multi_thread")]
async fn another_apps_host_is_misdirected() {
    let house = TlsHouse::new();
    let (_a, _b) = (house.app("a", &["a.test"]).await, house.app("b", &["b.test"]).await);
    let _plain = house.app_without("plain", &["plain.test"]).await;
    for other in ["b.test", "plain.test", "B.test:443", "nobody.test"] {
        let reply = ask(house.open("a.test").await, other, "/version").await;
        assert_eq!(reply.status, 421, "{other}");
        assert!(!reply.text().contains("test"), "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_full_address_of_the_request_line_counts() {
    let house = TlsHouse::new();
    let (_a, _b) = (house.app("a", &["a.test"]).await, house.app("b", &["b.test"]).await);
    let request = "GET https://b.test/version HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
    assert_eq!(said(house.open("a.test").await, request).await.status, 421);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apps_names_of_one_certificate_share_a_connection() {
    let house = TlsHouse::new();
    let _app = house.app("a", &["a.test", "www.a.test"]).await;
    assert_eq!(ask(house.open("a.test").await, "www.a.test", "/version").await.text(), "a");
    // With a certificate each, no browser would think so.
    house.install(&["www.a.test"]);
    assert_eq!(ask(house.open("a.test").await, "www.a.test", "/version").await.status, 421);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_apps_of_one_certificate_do_not() {
    let house = TlsHouse::new();
    let (_a, _b) = (house.app_without("a", &["a.test"]).await, house.app_without("b", &["b.test"]).await);
    house.install(&["a.test", "b.test"]);
    assert_eq!(ask(house.open("a.test").await, "b.test", "/version").await.status, 421);
    assert_eq!(ask(house.open("b.test").await, "b.test", "/version").await.text(), "b");
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_told_the_same_and_goes_on() {
    let house = TlsHouse::new();
    let (_a, _b) = (house.app("a", &["a.test"]).await, house.app("b", &["b.test"]).await);
    let stream = house.connect(house.authority.client(&["h2"]), "a.test").await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut statuses = Vec::new();
    for host in ["a.test", "b.test", "a.test"] {
        let request = http::Request::get(format!("https://{host}/version")).body(Empty::<bytes::Bytes>::new());
        statuses.push(sender.send_request(request.unwrap()).await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [200, 421, 200]);
}
