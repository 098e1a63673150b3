//! Clients that are out for harm: their connection ends or is held back, and their neighbours notice nothing.

use std::time::Duration;

use once_proxy::plane::{Limits, PlaneOptions, Timeouts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::bed::{Bed, OK, PATIENCE};
use crate::frames::*;

/// Says the same thing over and over until the server has had enough of it.
async fn ends(first: Vec<u8>, mut again: impl FnMut(u32) -> Vec<u8>) {
    let bed = Bed::new().await;
    let mut client = Client::new(&bed).await;
    client.send(&first).await;
    let mut ended = false;
    for round in 0..200_000_u32 {
        if !client.send(&again(round)).await {
            ended = true;
            break;
        }
        if round % 5000 == 0 {
            bed.neighbour_is_well().await;
        }
    }
    assert!(ended, "it was let go on");
    bed.neighbour_is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2023_44487_rapid_reset() {
    ends(Vec::new(), |round| {
        let stream = round * 2 + 1;
        [get(stream), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_27316_continuation_flood() {
    ends(frame(HEADERS, END_STREAM, 1, &block(&ask("GET", "/a"))), |_| {
        frame(CONTINUATION, 0, 1, &block(&[("x-a", &"b".repeat(1000))]))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_continuation_flood() {
    ends(frame(HEADERS, END_STREAM, 1, &block(&ask("GET", "/a"))), |_| frame(CONTINUATION, 0, 1, &[]).repeat(10)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2019_9512_ping_flood() {
    ends(Vec::new(), |_| frame(PING, 0, 0, b"12345678").repeat(10)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2019_9515_settings_flood() {
    ends(Vec::new(), |_| frame(SETTINGS, 0, 0, &[]).repeat(10)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2019_9513_priority_flood() {
    ends(Vec::new(), |_| frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 16]).repeat(10)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2019_9518_empty_data_flood() {
    ends(frame(HEADERS, END_HEADERS, 1, &block(&ask("POST", "/a"))), |_| frame(DATA, 0, 1, &[]).repeat(10)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_frames_flood() {
    ends(Vec::new(), |_| frame(0x42, 0, 0, &[0; 100])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_8671_resets_made_by_the_server() {
    // A window of nothing is the client's fault, and makes the server reset the stream.
    ends(Vec::new(), |round| {
        let stream = round * 2 + 1;
        [get(stream), frame(WINDOW_UPDATE, 0, stream, &[0; 4])].concat()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9113_5_1_2_more_streams_than_allowed_are_refused() {
    // An app that never answers.
    let options = PlaneOptions { limits: Limits { streams: 10, ..Limits::default() }, ..PlaneOptions::default() };
    let bed = Bed::with(b"", options).await;
    let mut client = Client::new(&bed).await;
    client.until(|frame| frame.kind == SETTINGS && frame.flags & ACK != 0).await.unwrap();
    for stream in (1..).step_by(2).take(10) {
        client.send(&frame(HEADERS, END_HEADERS, stream, &block(&ask("POST", "/a")))).await;
    }
    client.send(&get(21)).await;
    assert_eq!(client.ended(21).await, Ended::Reset(7), "REFUSED_STREAM");
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9113_10_5_1_a_head_too_large_is_a_431() {
    let bed = Bed::new().await;
    let mut client = Client::new(&bed).await;
    let large = "b".repeat(15_000);
    let fields = [ask("GET", "/a"), (0..6).map(|_| ("x-a", large.as_str())).collect()].concat();
    let block = block(&fields);
    let mut parts = block.chunks(16_000).peekable();
    client.send(&frame(HEADERS, END_STREAM, 1, parts.next().unwrap())).await;
    while let Some(part) = parts.next() {
        client.send(&frame(CONTINUATION, if parts.peek().is_none() { END_HEADERS } else { 0 }, 1, part)).await;
    }
    assert_eq!(client.ended(1).await, Ended::Status(431));
    assert!(bed.asked().is_empty());
    client.send(&get(3)).await;
    assert_eq!(client.ended(3).await, Ended::Status(200));
}

/// One large field, kept in the table, and asked for thousands of times by a byte each: 4 KiB that stand for 60 MiB.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2016_6581_a_small_block_that_stands_for_a_huge_head() {
    let bed = Bed::new().await;
    let mut client = Client::new(&bed).await;
    let large = "b".repeat(3900);
    let mut bomb = block(&ask("GET", "/a"));
    // A literal that is added to the table: its name, then 3900 as 127 and the rest in two bytes of seven bits.
    bomb.extend([0x40, 3, b'x', b'-', b'a', 127, 0xbd, 0x1d]);
    bomb.extend(large.as_bytes());
    // The newest entry of the table.
    bomb.extend([0xbe; 12_000]);
    client.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &bomb)).await;
    assert!(matches!(client.ended(1).await, Ended::Status(431) | Ended::Connection(_)));
    assert!(bed.asked().is_empty());
    bed.neighbour_is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9113_10_5_1_too_many_fields_are_a_431() {
    let bed = Bed::new().await;
    let mut client = Client::new(&bed).await;
    let fields = [ask("GET", "/a"), vec![("x-a", "b"); 101]].concat();
    client.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(&fields))).await;
    assert_eq!(client.ended(1).await, Ended::Status(431));
    assert!(bed.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2019_9517_an_answer_left_lying_ends_its_stream_only() {
    const LARGE: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5000000\r\n\r\n";
    let answer: &'static [u8] = Box::leak([LARGE.as_bytes(), &vec![b'x'; 5_000_000]].concat().into_boxed_slice());
    let timeouts = Timeouts { stall: Duration::from_millis(500), ..Timeouts::default() };
    let bed = Bed::with(answer, PlaneOptions { timeouts, ..PlaneOptions::default() }).await;
    let mut client = Client::new(&bed).await;
    client.send(&get(1)).await;
    assert_eq!(client.ended(1).await, Ended::Status(200));
    // No window is ever given: the 64 KiB of the beginning come, then the stream ends; the connection does not.
    assert!(matches!(client.ended(1).await, Ended::Reset(_)));
    client.send(&frame(PING, 0, 0, b"12345678")).await;
    assert!(client.until(|frame| frame.kind == PING && frame.flags & ACK != 0).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_left_lying_over_http_1_ends_the_connection() {
    const LARGE: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 50000000\r\n\r\n";
    let answer: &'static [u8] = Box::leak([LARGE.as_bytes(), &vec![b'x'; 50_000_000]].concat().into_boxed_slice());
    let timeouts =
        Timeouts { stall: Duration::from_millis(500), head: Duration::from_millis(500), ..Timeouts::default() };
    let bed = Bed::with(answer, PlaneOptions { timeouts, ..PlaneOptions::default() }).await;
    let mut stream = bed.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await.unwrap();
    let gone = async {
        while !bed.plane.traffic_all()[0].1.in_flight.is_empty() || bed.asked().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("cut");
    let mut got = Vec::new();
    let _ = stream.read_to_end(&mut got).await;
    assert!(got.len() < answer.len());
}

/// Fifty that say half a word, and one that says all of it.
#[tokio::test(flavor = "multi_thread")]
async fn slow_heads_do_not_keep_others_out() {
    let bed = Bed::with(OK, PlaneOptions::default()).await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = bed.connect().await;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: app").await.unwrap();
        slow.push(stream);
    }
    for _ in 0..20 {
        bed.neighbour_is_well().await;
    }
}
