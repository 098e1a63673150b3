//! RFC 9112 over bare sockets: requests that are refused, and never reach the app in any reading.

use crate::bed::{Bed, status};

/// Sends the request with another one behind it, which must not be seen by the app either.
async fn refused(request: &[u8], with: &[u16]) {
    let bed = Bed::new().await;
    let smuggled = b"GET /smuggled HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n";
    let answer = bed.exchange(&[request, smuggled].concat()).await;
    let fine = status(&answer).map_or(answer.is_empty(), |status| with.contains(&status));
    assert!(fine, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), usize::from(!answer.is_empty()), "{answer}");
    assert!(bed.asked().is_empty(), "{:?}", bed.asked());
    bed.neighbour_is_well().await;
}

macro_rules! refused {
    ($($name:ident: $request:expr => $($status:literal)|+;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let request = Vec::from($request);
            refused(&request, &[$($status),+]).await;
        }
    )*};
}

/// The body itself is wrong: the app may have seen the head, but never a whole request, nor one behind it.
async fn broken_off(body: &[u8]) {
    let bed = Bed::new().await;
    let head = b"POST /broken HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n";
    let smuggled = b"GET /smuggled HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n";
    let answer = bed.exchange(&[head, body, smuggled].concat()).await;
    assert!(matches!(status(&answer), Some(400) | None), "{answer}");
    for asked in bed.asked() {
        assert!(asked.line().starts_with("post /broken ") && asked.body.is_empty(), "{asked:?}");
    }
    bed.neighbour_is_well().await;
}

macro_rules! broken_off {
    ($($name:ident: $body:expr;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let body = Vec::from($body);
            broken_off(&body).await;
        }
    )*};
}

refused! {
    rfc9112_2_2_bare_cr_in_a_field: b"GET / HTTP/1.1\r\nHost: app.test\r\nX-A: b\rX-B: c\r\n\r\n" => 400;
    rfc9112_2_2_bare_cr_in_the_request_line: b"GET /\r HTTP/1.1\r\nHost: app.test\r\n\r\n" => 400;
    rfc9112_2_2_space_before_the_first_field: b"GET / HTTP/1.1\r\n Host: app.test\r\n\r\n" => 400;
    rfc9112_2_3_unknown_minor_version: b"GET / HTTP/1.9\r\nHost: app.test\r\n\r\n" => 400 | 505;
    rfc9112_2_3_unknown_major_version: b"GET / HTTP/3.0\r\nHost: app.test\r\n\r\n" => 400 | 505;
    rfc9112_2_3_lower_case_version: b"GET / http/1.1\r\nHost: app.test\r\n\r\n" => 400;
    rfc9112_3_no_version: b"GET /\r\nHost: app.test\r\n\r\n" => 400;
    rfc9112_3_space_in_the_target: b"GET /a b HTTP/1.1\r\nHost: app.test\r\n\r\n" => 400;
    rfc9112_3_1_method_with_a_control: b"GE\x01T / HTTP/1.1\r\nHost: app.test\r\n\r\n" => 400;
    rfc9112_3_1_no_method: b" / HTTP/1.1\r\nHost: app.test\r\n\r\n" => 400;
    rfc9112_3_2_no_host: b"GET / HTTP/1.1\r\n\r\n" => 400;
    rfc9112_3_2_two_hosts: b"GET / HTTP/1.1\r\nHost: app.test\r\nHost: other.test\r\n\r\n" => 400;
    rfc9112_3_2_the_same_host_twice: b"GET / HTTP/1.1\r\nHost: app.test\r\nHost: app.test\r\n\r\n" => 400;
    rfc9112_3_2_host_with_a_path: b"GET / HTTP/1.1\r\nHost: app.test/x\r\n\r\n" => 400;
    rfc9112_3_2_host_list: b"GET / HTTP/1.1\r\nHost: app.test, other.test\r\n\r\n" => 400;
    rfc9112_3_2_host_with_a_user: b"GET / HTTP/1.1\r\nHost: me@app.test\r\n\r\n" => 400;
    rfc9112_3_2_host_with_a_bad_port: b"GET / HTTP/1.1\r\nHost: app.test:80x\r\n\r\n" => 400;
    rfc9112_3_2_empty_host: b"GET / HTTP/1.1\r\nHost:\r\n\r\n" => 400;
    rfc9112_3_2_1_origin_form_begins_with_a_slash: b"GET index.html HTTP/1.1\r\nHost: app.test\r\n\r\n" => 400;
    rfc9112_3_2_3_authority_form_is_for_connect: b"GET app.test:80 HTTP/1.1\r\nHost: app.test\r\n\r\n" => 400;
    rfc9112_3_2_3_connect_is_not_for_gateways: b"CONNECT app.test:443 HTTP/1.1\r\nHost: app.test:443\r\n\r\n" => 405;
    rfc9112_3_2_4_asterisk_form_is_for_options: b"GET * HTTP/1.1\r\nHost: app.test\r\n\r\n" => 400;
    rfc9112_5_1_space_before_the_colon: b"GET / HTTP/1.1\r\nHost: app.test\r\nX-A : b\r\n\r\n" => 400;
    rfc9112_5_1_space_before_the_colon_of_a_length:
        b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length : 5\r\n\r\nhello" => 400;
    rfc9112_5_1_tab_before_the_colon:
        b"POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n" => 400;
    rfc9112_5_1_line_without_a_colon: b"GET / HTTP/1.1\r\nHost: app.test\r\nnonsense\r\n\r\n" => 400;
    rfc9112_5_1_empty_name: b"GET / HTTP/1.1\r\nHost: app.test\r\n: b\r\n\r\n" => 400;
    rfc9112_5_2_folded_line: b"GET / HTTP/1.1\r\nHost: app.test\r\nX-A: b\r\n c\r\n\r\n" => 400;
    rfc9112_5_2_folded_length:
        b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length:\r\n 5\r\n\r\nhello" => 400;
    rfc9112_5_2_folded_coding:
        b"POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n" => 400;
    rfc9110_5_5_nul_in_a_value: b"GET / HTTP/1.1\r\nHost: app.test\r\nX-A: b\0c\r\n\r\n" => 400;
    rfc9110_5_5_nul_in_a_name: b"GET / HTTP/1.1\r\nHost: app.test\r\nX\0A: b\r\n\r\n" => 400;
    rfc9110_5_1_name_with_a_bracket: b"GET / HTTP/1.1\r\nHost: app.test\r\nX(A: b\r\n\r\n" => 400;
    rfc9112_6_1_unknown_coding:
        b"POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" => 400 | 501;
    rfc9112_6_1_chunked_is_not_last:
        b"POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n" => 400;
    rfc9112_6_1_chunked_twice:
        b"POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" => 400 | 501;
    rfc9112_6_1_chunked_in_two_lines:
        b"POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            => 400 | 501;
    rfc9112_6_1_identity_beside_chunked:
        b"POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"
            => 400;
    rfc9112_6_1_a_coding_this_hop_would_lose:
        b"POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" => 501;
    rfc9112_6_1_quoted_chunked:
        b"POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" => 400 | 501;
    rfc9112_6_1_coding_in_http_1_0:
        b"POST / HTTP/1.0\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" => 400;
    rfc9112_6_2_two_lengths:
        b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello" => 400;
    rfc9112_6_2_two_lengths_in_one: b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5, 6\r\n\r\nhello" => 400;
    rfc9110_8_6_length_with_a_sign: b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: +5\r\n\r\nhello" => 400;
    rfc9110_8_6_negative_length: b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: -1\r\n\r\n" => 400;
    rfc9110_8_6_length_in_hex: b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0x5\r\n\r\nhello" => 400;
    rfc9110_8_6_length_with_a_space: b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5 0\r\n\r\nhello" => 400;
    rfc9110_8_6_empty_length: b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length:\r\n\r\n" => 400;
    rfc9110_8_6_length_beyond_64_bits:
        b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 99999999999999999999\r\n\r\n" => 400;
    rfc9112_9_http2_preface_that_goes_wrong: b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" => 400 | 505;
    tls_where_http_is_spoken: b"\x16\x03\x01\x02\0\x01\0\x01\x7c\x03\x03" => 400;
    rfc6585_5_too_many_fields:
        format!("GET / HTTP/1.1\r\nHost: app.test\r\n{}\r\n", "X-A: b\r\n".repeat(200)) => 431;
    rfc6585_5_a_field_too_large:
        format!("GET / HTTP/1.1\r\nHost: app.test\r\nX-A: {}\r\n\r\n", "a".repeat(80_000)) => 431;
    rfc9110_15_5_15_target_too_long:
        format!("GET /{} HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n", "a".repeat(20_000)) => 414;
    rfc9110_15_5_20_another_host: b"GET / HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n" => 421;
}

broken_off! {
    rfc9112_7_1_size_that_is_no_number: b"xyz\r\nhello\r\n0\r\n\r\n";
    rfc9112_7_1_size_with_a_sign: b"+5\r\nhello\r\n0\r\n\r\n";
    rfc9112_7_1_size_with_0x: b"0x5\r\nhello\r\n0\r\n\r\n";
    rfc9112_7_1_size_beyond_64_bits: b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n";
    rfc9112_7_1_no_size: b"\r\nhello\r\n0\r\n\r\n";
    rfc9112_7_1_size_smaller_than_the_chunk: b"3\r\nhello\r\n0\r\n\r\n";
    rfc9112_7_1_size_line_ended_by_a_bare_lf: b"5\nhello\r\n0\r\n\r\n";
    rfc9112_7_1_chunk_ended_by_a_bare_lf: b"5\r\nhello\n0\r\n\r\n";
    rfc9112_7_1_1_extension_with_a_bare_lf: b"5;a\nb\r\nhello\r\n0\r\n\r\n";
    rfc9112_7_1_1_flood_of_extensions: format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(100_000));
    rfc9112_7_1_1_flood_of_small_extensions: "1;aaaaaaaaaaaaaaaa\r\nx\r\n".repeat(4000) + "0\r\n\r\n";
    rfc9112_7_1_2_too_many_trailers: format!("5\r\nhello\r\n0\r\n{}\r\n", "X-A: b\r\n".repeat(2000));
    rfc9112_7_1_2_trailers_too_large: format!("5\r\nhello\r\n0\r\nX-A: {}\r\n\r\n", "a".repeat(200_000));
}
