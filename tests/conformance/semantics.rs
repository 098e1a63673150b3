//! RFC 9110: methods, and who may say what about where a request comes from.

use crate::bed::{Bed, status};

#[tokio::test(flavor = "multi_thread")]
async fn rfc9110_9_1_methods_nobody_knows_are_passed_on() {
    let bed = Bed::new().await;
    for method in ["PROPFIND", "M-SEARCH", "X", "delete"] {
        let request = format!("{method} /a HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n");
        assert_eq!(status(&bed.exchange(request.as_bytes()).await), Some(200));
        assert_eq!(bed.asked().last().unwrap().line(), format!("{} /a http/1.1", method.to_lowercase()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9110_9_3_2_a_head_has_a_length_and_no_body() {
    let bed = Bed::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await;
    let answer = bed.exchange(b"HEAD / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n").await;
    assert!(answer.contains("content-length: 1000\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9110_14_2_a_range_is_asked_for_as_it_was() {
    let bed = Bed::new().await;
    bed.exchange(
        b"GET / HTTP/1.1\r\nHost: app.test\r\nRange: bytes=0-1,5-\r\nIf-Range: \"a\"\r\nConnection: close\r\n\r\n",
    )
    .await;
    let asked = bed.asked();
    assert_eq!((asked[0].all("range"), asked[0].all("if-range")), (vec!["bytes=0-1,5-"], vec!["\"a\""]));
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc7239_8_1_what_a_stranger_says_of_its_origin_is_replaced() {
    let bed = Bed::new().await;
    let request = b"GET / HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\n\
        X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.test\r\nForwarded: for=6.6.6.6\r\nConnection: close\r\n\r\n";
    bed.exchange(request).await;
    let asked = bed.asked();
    assert_eq!(asked[0].all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(asked[0].all("x-forwarded-proto"), ["http"]);
    assert_eq!(asked[0].all("x-forwarded-host"), ["app.test"]);
    assert!(asked[0].all("forwarded").is_empty());
}
