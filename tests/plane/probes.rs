use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use once_app::proxy::{ProbeAnswer, ProbeRequest};
use once_app::{Upstream, UrlPath};
use once_demo::DemoMode;
use once_proxy::plane::{Plane, PlaneOptions};
use tokio::net::TcpListener;

use crate::heads::canned;
use crate::support::Demo;

async fn probe(address: &str, timeout_ms: u64, other_ports: Vec<u16>) -> Vec<ProbeAnswer> {
    let request = ProbeRequest {
        address: address.to_owned(),
        path: UrlPath::up(),
        host: "app.test".parse().unwrap(),
        timeout_ms,
        other_ports,
        upstream: Upstream::default(),
    };
    Plane::new(PlaneOptions::default()).probe(request).collect().await
}

async fn last(address: SocketAddr) -> ProbeAnswer {
    probe(&address.to_string(), 300, vec![]).await.pop().unwrap()
}

fn free() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], crate::ports::free().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn says_what_came_of_it() {
    let healthy = Demo::start("1").await;
    assert!(matches!(
        probe(&healthy.address.to_string(), 5000, vec![]).await[..],
        [ProbeAnswer::Healthy { status: 200, .. }]
    ));
    let never = Demo::with("1", DemoMode::NeverHealthy).await;
    assert_eq!(last(never.address).await, ProbeAnswer::Status { status: 503, location: None });
    let moved = Demo::with("1", DemoMode::Redirect).await;
    let location = Some("https://www.example.com/".to_owned());
    assert_eq!(last(moved.address).await, ProbeAnswer::Status { status: 301, location });
    let hanging = Demo::with("1", DemoMode::Hang).await;
    assert_eq!(last(hanging.address).await, ProbeAnswer::TimedOut);
    for broken in [b"SSH-2.0-x\r\n\r\n".as_slice(), b""] {
        let (address, mut asked) = canned(broken).await;
        assert!(matches!(last(address).await, ProbeAnswer::Broken { message } if !message.is_empty()));
        let head = asked.recv().await.unwrap();
        assert!(head.starts_with("GET /up HTTP/1.1\r\n") && head.contains("host: app.test\r\n"), "{head}");
    }
    assert_eq!(probe("no-such-name.invalid:80", 100, vec![]).await.pop(), Some(ProbeAnswer::NoAddress));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_the_ports_that_do_answer() {
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = other.local_addr().unwrap().port();
    let closed = free();
    let answers = probe(&closed.to_string(), 1300, vec![port, closed.port()]).await;
    assert_eq!(answers[0], ProbeAnswer::Refused { open_ports: vec![] }, "not while it may be starting");
    let Some(ProbeAnswer::Refused { open_ports }) = answers.last() else { panic!("{answers:?}") };
    assert!(open_ports.contains(&port) && !open_ports.contains(&closed.port()), "{open_ports:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_at_once_and_then_less_and_less_often() {
    let address = free();
    let started = Instant::now();
    let start_later = async {
        tokio::time::sleep(Duration::from_millis(600)).await;
        let listener = TcpListener::bind(address).await.unwrap();
        let config = once_demo::DemoConfig { version: "1".into(), ..once_demo::DemoConfig::default() };
        tokio::time::timeout(Duration::from_secs(5), once_demo::app::serve(listener, config, std::future::pending()))
            .await
    };
    let text = address.to_string();
    tokio::select! {
        _ = start_later => panic!("never healthy"),
        answers = probe(&text, 10_000, vec![]) => {
            assert!(matches!(answers.last(), Some(ProbeAnswer::Healthy { .. })), "{answers:?}");
            // 0, 25, 75, 175, 375, 775 ms
            assert!((4..=7).contains(&answers.len()), "{}", answers.len());
        }
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}
