//! RFC 9113, frame by frame.

use crate::bed::Bed;
use crate::frames::*;

const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE_ERROR: u32 = 6;
const COMPRESSION_ERROR: u32 = 9;

/// The frames are answered on stream 1 with 200.
async fn fine(frames: &[u8]) -> Bed {
    let bed = Bed::new().await;
    let mut client = Client::new(&bed).await;
    client.send(frames).await;
    assert_eq!(client.ended(1).await, Ended::Status(200));
    bed
}

macro_rules! fine {
    ($($name:ident: $frames:expr;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() { fine(&$frames).await; }
    )*};
}

/// The frames end the connection, by this code if it says one, or by the general one: the h2 crate says PROTOCOL_ERROR also
/// where the RFC has a name of its own for what is wrong.
async fn fatal(frames: &[u8], codes: &[u32]) {
    let bed = Bed::new().await;
    let mut client = Client::new(&bed).await;
    client.send(frames).await;
    let goaway = client.until(|frame| frame.kind == GOAWAY && frame.code() != 0).await;
    if let Some(goaway) = goaway {
        assert!(goaway.code() == PROTOCOL_ERROR || codes.contains(&goaway.code()), "{goaway:?}");
        while client.next().await.is_some() {}
    }
    bed.neighbour_is_well().await;
}

macro_rules! fatal {
    ($($name:ident: $frames:expr => $($code:ident)|+;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() { fatal(&$frames, &[$($code),+]).await; }
    )*};
}

/// The request is turned down, by a reset, by the connection's end or by a 4xx, and never reaches the app; behind a reset the
/// connection goes on.
async fn malformed(frames: &[u8]) {
    let bed = Bed::new().await;
    let mut client = Client::new(&bed).await;
    client.send(frames).await;
    let ended = client.ended(1).await;
    assert!(!matches!(ended, Ended::Status(200..=399 | 500..)), "{ended:?}");
    assert!(bed.asked().is_empty(), "{:?}", bed.asked());
    if !matches!(ended, Ended::Connection(_)) {
        client.send(&get(3)).await;
        assert_eq!(client.ended(3).await, Ended::Status(200));
    }
    bed.neighbour_is_well().await;
}

macro_rules! malformed {
    ($($name:ident: $fields:expr;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let fields: Vec<(&str, &str)> = $fields;
            malformed(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(&fields))).await;
        }
    )*};
}

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [ask("GET", "/a"), more.to_vec()].concat()
}

fn without<'a>(name: &str) -> Vec<(&'a str, &'a str)> {
    ask("GET", "/a").into_iter().filter(|(field, _)| *field != name).collect()
}

fn setting(id: u16, value: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
}

/// A request that is not over yet.
fn post(stream: u32, more: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &block(&[ask("POST", "/a"), more.to_vec()].concat()))
}

fine! {
    rfc9113_4_1_unknown_frames_are_ignored: [frame(0x42, 0xff, 0, b"what?"), get(1)].concat();
    rfc9113_4_1_unknown_flags_are_ignored: frame(HEADERS, END_STREAM | END_HEADERS | 0x42, 1, &block(&ask("GET", "/a")));
    rfc9113_4_1_the_reserved_bit_is_ignored:
        frame(HEADERS, END_STREAM | END_HEADERS, 0x8000_0001, &block(&ask("GET", "/a")));
    rfc9113_5_5_unknown_settings_are_ignored: [setting(0x4242, 7), get(1)].concat();
    rfc9113_6_1_padding_is_no_part_of_a_body:
        [post(1, &[]), frame(DATA, END_STREAM | PADDED, 1, b"\x03hi\0\0\0")].concat();
    rfc9113_6_2_padding_is_no_part_of_a_head:
        frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, &[&[2][..], &block(&ask("GET", "/a")), &[0, 0]].concat());
    rfc9113_6_3_priorities_are_ignored: [frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 16]), get(1)].concat();
    rfc9113_6_10_a_head_in_three_frames: {
        let block = block(&ask("GET", "/a"));
        [frame(HEADERS, END_STREAM, 1, &block[..5]), frame(CONTINUATION, 0, 1, &block[5..20]),
         frame(CONTINUATION, END_HEADERS, 1, &block[20..])].concat()
    };
    rfc9113_8_1_trailers_of_a_request:
        [post(1, &[("te", "trailers")]), frame(DATA, 0, 1, b"hi"),
         frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(&[("x-sum", "7")]))].concat();
    rfc9113_8_2_2_te_trailers: frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(&with(&[("te", "trailers")])));
    rfc9113_8_3_1_host_for_an_authority: frame(HEADERS, END_STREAM | END_HEADERS, 1,
        &block(&[without(":authority"), vec![("host", "app.test")]].concat()));
    rfc9113_8_3_1_the_same_host_beside_the_authority:
        frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(&with(&[("host", "app.test")])));
    rfc9113_8_1_1_a_length_that_is_true:
        [post(1, &[("content-length", "5")]), frame(DATA, END_STREAM, 1, b"hello")].concat();
}

fatal! {
    rfc9113_3_4_settings_come_first: [get(1), frame(SETTINGS, 0, 1, &[])].concat() => PROTOCOL_ERROR;
    rfc9113_4_2_a_frame_larger_than_allowed: [post(1, &[]), frame(DATA, 0, 1, &[0; 16_385])].concat() => FRAME_SIZE_ERROR;
    rfc9113_4_3_a_block_that_cannot_be_read:
        frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff]) => COMPRESSION_ERROR;
    rfc7541_6_1_index_zero: frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0x80]) => COMPRESSION_ERROR;
    rfc7541_6_3_a_table_larger_than_allowed:
        frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0x3f, 0xff, 0xff, 0xff, 0x0f, 0x82]) => COMPRESSION_ERROR;
    rfc9113_5_1_data_on_an_idle_stream: frame(DATA, END_STREAM, 1, b"hi") => PROTOCOL_ERROR | STREAM_CLOSED;
    rfc9113_5_1_a_window_for_an_idle_stream: frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]) => PROTOCOL_ERROR;
    rfc9113_5_1_a_reset_of_an_idle_stream: frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]) => PROTOCOL_ERROR;
    rfc9113_5_1_1_even_streams_are_the_servers: get(2) => PROTOCOL_ERROR;
    rfc9113_5_1_1_streams_go_up: [get(5), get(3)].concat() => PROTOCOL_ERROR | STREAM_CLOSED;
    rfc9113_6_1_data_on_stream_0: frame(DATA, 0, 0, b"hi") => PROTOCOL_ERROR;
    rfc9113_6_1_more_padding_than_frame: [post(1, &[]), frame(DATA, PADDED, 1, b"\x09hi")].concat() => PROTOCOL_ERROR;
    rfc9113_6_2_a_head_on_stream_0: get(0) => PROTOCOL_ERROR;
    rfc9113_6_2_more_padding_than_head: frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, &[200, 0x82]) => PROTOCOL_ERROR;
    rfc9113_6_3_a_priority_of_stream_0: frame(PRIORITY, 0, 0, &[0; 5]) => PROTOCOL_ERROR;
    rfc9113_6_4_a_reset_of_stream_0: frame(RST_STREAM, 0, 0, &[0, 0, 0, 8]) => PROTOCOL_ERROR;
    rfc9113_6_4_a_reset_of_the_wrong_size: [post(1, &[]), frame(RST_STREAM, 0, 1, &[0; 3])].concat() => FRAME_SIZE_ERROR;
    rfc9113_6_5_settings_of_a_stream: frame(SETTINGS, 0, 1, &[]) => PROTOCOL_ERROR;
    rfc9113_6_5_settings_of_the_wrong_size: frame(SETTINGS, 0, 0, &[0; 5]) => FRAME_SIZE_ERROR;
    rfc9113_6_5_an_acknowledgement_with_settings: frame(SETTINGS, ACK, 0, &[0; 6]) => FRAME_SIZE_ERROR;
    rfc9113_6_5_2_push_is_on_or_off: setting(2, 2) => PROTOCOL_ERROR;
    rfc9113_6_5_2_window_beyond_31_bits: setting(4, 0x8000_0000) => FLOW_CONTROL_ERROR;
    rfc9113_6_5_2_frames_smaller_than_allowed: setting(5, 16_383) => PROTOCOL_ERROR;
    rfc9113_6_5_2_frames_larger_than_allowed: setting(5, 0x0100_0000) => PROTOCOL_ERROR;
    rfc9113_6_6_clients_do_not_push: frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2, 0x82]) => PROTOCOL_ERROR;
    rfc9113_6_7_a_ping_of_a_stream: frame(PING, 0, 1, &[0; 8]) => PROTOCOL_ERROR;
    rfc9113_6_7_a_ping_of_the_wrong_size: frame(PING, 0, 0, &[0; 6]) => FRAME_SIZE_ERROR;
    rfc9113_6_8_a_goaway_of_a_stream: frame(GOAWAY, 0, 1, &[0; 8]) => PROTOCOL_ERROR;
    rfc9113_6_9_an_empty_window_for_the_connection: frame(WINDOW_UPDATE, 0, 0, &[0; 4]) => PROTOCOL_ERROR;
    rfc9113_6_9_a_window_of_the_wrong_size: frame(WINDOW_UPDATE, 0, 0, &[0, 0, 1]) => FRAME_SIZE_ERROR;
    rfc9113_6_9_1_a_window_beyond_31_bits: frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]) => FLOW_CONTROL_ERROR;
    rfc9113_6_10_a_continuation_of_nothing: frame(CONTINUATION, END_HEADERS, 1, &[0x82]) => PROTOCOL_ERROR;
    rfc9113_6_10_a_frame_inside_a_head: [frame(HEADERS, END_STREAM, 1, &[0x82]), frame(PING, 0, 0, &[0; 8])].concat()
        => PROTOCOL_ERROR;
    rfc9113_6_10_a_continuation_of_another_stream:
        [frame(HEADERS, END_STREAM, 1, &[0x82]), frame(CONTINUATION, END_HEADERS, 3, &[0x84])].concat() => PROTOCOL_ERROR;
}

malformed! {
    rfc9113_8_2_upper_case_name: with(&[("X-A", "b")]);
    rfc9113_8_2_1_colon_in_a_name: with(&[("x:a", "b")]);
    rfc9113_8_2_1_space_in_a_name: with(&[("x a", "b")]);
    rfc9113_8_2_1_empty_name: with(&[("", "b")]);
    rfc9113_8_2_1_nul_in_a_value: with(&[("x-a", "b\0c")]);
    rfc9113_8_2_1_line_end_in_a_value: with(&[("x-a", "b\r\nx-b: c")]);
    rfc9113_8_2_1_line_feed_in_a_value: with(&[("x-a", "b\nc")]);
    rfc9113_8_2_2_connection: with(&[("connection", "close")]);
    rfc9113_8_2_2_keep_alive: with(&[("keep-alive", "timeout=5")]);
    rfc9113_8_2_2_proxy_connection: with(&[("proxy-connection", "keep-alive")]);
    rfc9113_8_2_2_transfer_encoding: with(&[("transfer-encoding", "chunked")]);
    rfc9113_8_2_2_upgrade: with(&[("upgrade", "websocket")]);
    rfc9113_8_2_2_te_other_than_trailers: with(&[("te", "gzip")]);
    rfc9113_8_3_unknown_pseudo_field: with(&[(":nonsense", "1")]);
    rfc9113_8_3_pseudo_field_of_answers: with(&[(":status", "200")]);
    rfc9113_8_3_pseudo_field_behind_a_field: [vec![("x-a", "b")], ask("GET", "/a")].concat();
    rfc9113_8_3_pseudo_field_twice: with(&[(":path", "/b")]);
    rfc9113_8_3_1_no_method: without(":method");
    rfc9113_8_3_1_no_scheme: without(":scheme");
    rfc9113_8_3_1_no_path: without(":path");
    rfc9113_8_3_1_empty_path: [without(":path"), vec![(":path", "")]].concat();
    rfc9113_8_3_1_path_without_a_slash: [without(":path"), vec![(":path", "a")]].concat();
    rfc9113_8_3_1_asterisk_is_for_options: [without(":path"), vec![(":path", "*")]].concat();
    rfc9113_8_3_1_no_authority_at_all: without(":authority");
    rfc9113_8_3_1_user_in_the_authority: [without(":authority"), vec![(":authority", "me@app.test")]].concat();
    rfc9113_8_3_1_another_host_beside_the_authority: with(&[("host", "other.test")]);
    rfc9113_8_3_1_two_hosts: [without(":authority"), vec![("host", "app.test"), ("host", "app.test")]].concat();
    rfc9113_8_3_1_another_authority: [without(":authority"), vec![(":authority", "other.test")]].concat();
    rfc9113_8_3_1_line_end_in_a_path: [without(":path"), vec![(":path", "/a HTTP/1.1\r\nX-A: b")]].concat();
    rfc9113_8_3_1_line_end_in_a_method: [without(":method"), vec![(":method", "GET / HTTP/1.1\r\nX: ")]].concat();
    rfc9113_8_5_connect_is_not_for_gateways: vec![(":method", "CONNECT"), (":authority", "app.test:443")];
    rfc9113_8_1_1_a_length_without_a_body: with(&[("content-length", "5")]);
    rfc9110_8_6_two_lengths: with(&[("content-length", "0"), ("content-length", "1")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9113_3_4_the_servers_settings_come_first_and_ours_are_acknowledged() {
    let bed = Bed::new().await;
    let mut client = Client::new(&bed).await;
    let first = client.next().await.unwrap();
    assert_eq!((first.kind, first.flags & ACK, first.stream), (SETTINGS, 0, 0));
    assert!(client.until(|frame| frame.kind == SETTINGS && frame.flags & ACK != 0).await.is_some());
    // RFC 8441, 3: WebSockets may come over this connection.
    assert!(first.payload.chunks(6).any(|setting| setting == [0, 8, 0, 0, 0, 1]), "{first:?}");
    // 5.1.2: there is a limit, and it is told.
    assert!(first.payload.chunks(6).any(|setting| setting[..2] == [0, 3]), "{first:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9113_5_1_a_head_behind_the_end_of_its_stream() {
    let bed = Bed::new().await;
    let mut client = Client::new(&bed).await;
    client.send(&[get(1), get(1)].concat()).await;
    loop {
        match client.ended(1).await {
            Ended::Status(200) => {}
            Ended::Reset(code) | Ended::Connection(Some(code)) => {
                assert!([STREAM_CLOSED, PROTOCOL_ERROR].contains(&code), "{code}");
                break;
            }
            Ended::Connection(None) => break,
            other => panic!("{other:?}"),
        }
    }
    bed.neighbour_is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9113_6_7_a_ping_comes_back() {
    let bed = Bed::new().await;
    let mut client = Client::new(&bed).await;
    client.send(&frame(PING, 0, 0, b"12345678")).await;
    let pong = client.until(|frame| frame.kind == PING && frame.flags & ACK != 0).await.unwrap();
    assert_eq!(pong.payload, b"12345678");
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9113_6_9_an_empty_window_for_a_stream_ends_it() {
    let bed = Bed::new().await;
    let mut client = Client::new(&bed).await;
    client.send(&[post(1, &[]), frame(WINDOW_UPDATE, 0, 1, &[0; 4])].concat()).await;
    let ended = client.ended(1).await;
    assert!(matches!(ended, Ended::Reset(PROTOCOL_ERROR) | Ended::Connection(_)), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9113_6_9_1_an_answer_waits_for_the_window() {
    let bed = Bed::new().await;
    let mut client = Client::with(&bed, &setting(4, 1)).await;
    client.send(&get(1)).await;
    let first = client.until(|frame| frame.kind == DATA && !frame.payload.is_empty()).await.unwrap();
    assert_eq!(first.payload, b"o");
    assert!(client.soon().await.is_none_or(|frame| frame.kind != DATA));
    client.send(&frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])).await;
    let second = client.until(|frame| frame.kind == DATA && !frame.payload.is_empty()).await.unwrap();
    assert_eq!(second.payload, b"k");
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9113_8_1_1_a_body_longer_than_its_length() {
    let bed = Bed::new().await;
    let mut client = Client::new(&bed).await;
    client.send(&[post(1, &[("content-length", "2")]), frame(DATA, END_STREAM, 1, b"hello")].concat()).await;
    assert!(!matches!(client.ended(1).await, Ended::Status(200)));
    assert!(bed.asked().iter().all(|asked| asked.body.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9113_8_1_1_a_body_shorter_than_its_length() {
    let bed = Bed::new().await;
    let mut client = Client::new(&bed).await;
    client.send(&[post(1, &[("content-length", "9")]), frame(DATA, END_STREAM, 1, b"hello")].concat()).await;
    assert!(!matches!(client.ended(1).await, Ended::Status(200)));
    assert!(bed.asked().iter().all(|asked| asked.body.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9113_8_1_trailers_that_do_not_end_the_stream() {
    let bed = Bed::new().await;
    let mut client = Client::new(&bed).await;
    client.send(&[post(1, &[]), frame(HEADERS, END_HEADERS, 1, &block(&[("x-sum", "7")]))].concat()).await;
    assert!(!matches!(client.ended(1).await, Ended::Status(200)));
}

/// The h2 crate drops them instead of refusing the request: there is one reading of it, that of the head.
#[tokio::test(flavor = "multi_thread")]
async fn rfc9113_8_1_pseudo_fields_in_trailers_change_nothing() {
    let trailers =
        frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(&[(":path", "/b"), (":authority", "other.test")]));
    let bed = Bed::new().await;
    let mut client = Client::new(&bed).await;
    client.send(&[post(1, &[("te", "trailers")]), trailers].concat()).await;
    client.ended(1).await;
    for asked in bed.asked() {
        assert_eq!((asked.line(), asked.all("host")), ("post /a http/1.1", vec!["app.test"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9113_8_2_3_cookies_are_joined() {
    let fields = with(&[("cookie", "a=1"), ("x-a", "b"), ("cookie", "c=2")]);
    let bed = fine(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(&fields))).await;
    assert_eq!(bed.asked()[0].all("cookie"), ["a=1; c=2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9113_8_3_1_the_authority_becomes_host_and_a_body_without_length_is_chunked() {
    let bed = fine(&[post(1, &[]), frame(DATA, END_STREAM, 1, b"hello")].concat()).await;
    let asked = bed.asked();
    assert_eq!((asked[0].line(), asked[0].all("host")), ("post /a http/1.1", vec!["app.test"]));
    assert_eq!((asked[0].all("transfer-encoding"), asked[0].body.as_slice()), (vec!["chunked"], b"hello".as_slice()));
    assert_eq!(asked[0].all("x-forwarded-for"), ["127.0.0.1"]);
}
