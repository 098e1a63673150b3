//! The web hook: a real listener hears what is done, signed; one that is not there fails nothing.

use hmac::{Hmac, KeyInit, Mac};
use once_app::proxy::{Activity, Proxy};
use once_app::{ProxyDraft, ProxyField};
use once_proxy::service::Service;
use serde_json::Value;
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::*;

const KEY: &str = "a-key-of-many-characters";

fn done(text: &str) -> Activity {
    let at = "2026-01-31T12:00:00Z".parse().unwrap();
    Activity {
        at,
        by: by("ann"),
        app: Some(name("shop")),
        op: Some(op("a1")),
        outcome: "updated".into(),
        text: text.into(),
    }
}

async fn hook_at(proxy: &dyn Proxy, port: u16) {
    let mut draft = ProxyDraft::default();
    draft.set(ProxyField::Webhook, &format!("http://127.0.0.1:{port}/hook/secret-path")).unwrap();
    draft.set(ProxyField::WebhookKey, KEY).unwrap();
    let shown = format!("{:?}", proxy.configure(draft).await.unwrap().texts());
    assert!(!shown.contains("secret-path") && !shown.contains(KEY), "{shown}");
}

/// Head and body of one request, answered with this status.
async fn hear(listener: &TcpListener, status: u16) -> (String, String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let text = read(&mut stream).await;
    let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

async fn read(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut piece = [0; 4096];
    loop {
        let n = stream.read(&mut piece).await.unwrap();
        text.push_str(std::str::from_utf8(&piece[..n]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() >= length.parse::<usize>().unwrap() {
            return text;
        }
    }
}

#[tokio::test]
async fn what_is_done_is_posted_signed_and_tried_again() {
    bounded(async {
        let rig = Rig::over_socket();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        hook_at(&*rig.proxy, listener.local_addr().unwrap().port()).await;
        rig.proxy.record_activity(done("deploy release 2")).await.unwrap();
        let first = hear(&listener, 500).await;
        let (head, body) = hear(&listener, 204).await;
        assert_eq!(first.1, body, "the same once more");
        assert!(head.starts_with("post /hook/secret-path http/1.1"), "{head}");
        let told: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((told["schema"].as_u64(), told["activity"]["text"].as_str()), (Some(1), Some("deploy release 2")));
        assert_eq!(told["activity"]["by"]["user"], "ann");
        let signed = head.lines().find_map(|line| line.strip_prefix("once-signature: ")).unwrap();
        let (at, mac) = signed.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
        let mut expected = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
        expected.update(format!("{at}.{body}").as_bytes());
        let hex: String = expected.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(mac, hex);
        let log = rig.proxy.activity(None, 10).await.unwrap();
        assert_eq!(log.len(), 1, "delivered in the end, nothing to tell: {log:#?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_there_fails_nothing_and_is_told_of() {
    let rig = Rig::in_process();
    let port = crate::ports::free().unwrap();
    hook_at(&*rig.proxy, port).await;
    rig.proxy.record_activity(done("deploy release 2")).await.unwrap();
    loop {
        let log = rig.proxy.activity(Some(&name("shop")), 10).await.unwrap();
        if let [told, _] = &log[..] {
            assert_eq!((told.outcome.as_str(), told.by.command.as_str()), ("failed", "webhook"));
            assert!(told.text.contains("`deploy release 2`: it cannot be reached"), "{told:?}");
            assert!(!told.text.contains("secret-path"));
            break;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    // Whoever asks the proxy how it is hears of it too, unless there is nobody to be told any more.
    let untold = rig.proxy.info().await.unwrap().untold.unwrap();
    assert_eq!((untold.count, untold.why.as_str()), (1, "it cannot be reached"));
    let mut none = ProxyDraft::default();
    none.unset("webhook").unwrap();
    rig.proxy.configure(none).await.unwrap();
    assert_eq!(rig.proxy.info().await.unwrap().untold, None);
}

#[tokio::test]
async fn what_was_not_told_is_known_after_a_restart_until_it_is_told_again() {
    bounded(async {
        let rig = Rig::in_process();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        hook_at(&*rig.proxy, listener.local_addr().unwrap().port()).await;
        let Rig { proxy, other, routes, dir, .. } = rig;
        drop((proxy, other));
        // As the log is after five minutes of trying.
        let lost = "{\"at\":\"2026-01-31T12:00:00Z\",\"by\":{\"user\":\"\",\"host\":\"\",\"command\":\"webhook\"},\"app\":null,\
                    \"op\":null,\"outcome\":\"failed\",\"text\":\"the web hook was not told of `deploy release 1`: it answers 500\"}\n";
        std::fs::write(dir.path().join("activity.jsonl"), lost).unwrap();
        let proxy = Service::open(dir.path(), routes).unwrap();
        let untold = proxy.info().await.unwrap().untold.unwrap();
        assert_eq!((untold.count, untold.why.as_str()), (1, "it answers 500"));
        proxy.record_activity(done("deploy release 2")).await.unwrap();
        hear(&listener, 204).await;
        while proxy.info().await.unwrap().untold.is_some() {
            tokio::task::yield_now().await;
        }
        // Written down by whoever noticed, so that the next start knows it as well.
        loop {
            let log = proxy.activity(None, 10).await.unwrap();
            if log[0].by.command == "webhook" && log[0].outcome == "updated" {
                assert!(log[0].text.contains("told again; 1 entry"), "{log:#?}");
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_proxy_that_ends_lets_what_is_under_way_arrive() {
    bounded(async {
        let (dir, routes) = (tempfile::tempdir().unwrap(), std::sync::Arc::new(FakeRoutes::default()));
        let proxy = Service::open(dir.path(), routes).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        hook_at(&proxy, listener.local_addr().unwrap().port()).await;
        proxy.record_activity(done("teardown")).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut end = std::pin::pin!(proxy.finish());
        let early = tokio::time::timeout(std::time::Duration::from_millis(50), end.as_mut()).await;
        assert!(early.is_err(), "it is not told yet");
        read(&mut stream).await;
        stream.write_all(b"HTTP/1.1 204 X\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        end.await;
        assert_eq!(proxy.info().await.unwrap().untold, None);
    })
    .await;
}
