//! RFC 9112 over bare sockets: what reaches the app, in one reading only.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::bed::{Asked, Bed, PATIENCE, status};

/// What the app was asked, given that all was answered with 200.
async fn passed(request: &[u8]) -> Vec<Asked> {
    let bed = Bed::new().await;
    let answer = bed.exchange(request).await;
    assert_eq!(status(&answer), Some(200), "{answer}");
    let asked = bed.asked();
    assert_eq!(answer.matches(" 200 OK\r\n").count(), asked.len(), "{answer}");
    asked
}

macro_rules! passes {
    ($($name:ident: $request:expr => |$asked:ident| $check:block)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let $asked = passed($request).await;
            $check
        }
    )*};
}

passes! {
    rfc9112_2_2_an_empty_line_before_a_request:
        b"\r\nGET /a HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n" => |asked| {
            assert_eq!(asked[0].line(), "get /a http/1.1");
        }
    rfc9112_2_2_lines_ended_by_a_bare_lf_are_written_anew:
        b"GET /a HTTP/1.1\nHost: app.test\nX-A: b\nConnection: close\n\n" => |asked| {
            assert_eq!(asked[0].all("x-a"), ["b"]);
            assert_eq!(asked[0].head.matches('\n').count(), asked[0].head.matches("\r\n").count());
        }
    rfc9112_2_3_http_1_0_is_sent_on_as_1_1:
        b"GET /a HTTP/1.0\r\nHost: app.test\r\n\r\n" => |asked| { assert_eq!(asked[0].line(), "get /a http/1.1"); }
    rfc9112_3_2_2_absolute_form_wins_over_host:
        b"GET http://app.test/a?b HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n" => |asked| {
            assert_eq!((asked[0].line(), asked[0].all("host")), ("get /a?b http/1.1", vec!["app.test"]));
        }
    rfc9112_3_2_4_options_of_the_whole_server:
        b"OPTIONS * HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n" => |asked| {
            assert_eq!(asked[0].line(), "options * http/1.1");
        }
    rfc9110_4_2_3_percent_encoding_is_not_touched:
        b"GET /a%2Fb%20c/%7e?x=%2f HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n" => |asked| {
            assert_eq!(asked[0].line(), "get /a%2fb%20c/%7e?x=%2f http/1.1");
        }
    rfc9110_4_2_3_host_in_any_case_with_port_and_dot:
        b"GET / HTTP/1.1\r\nHost: APP.test.:8080\r\nConnection: close\r\n\r\n" => |asked| { assert_eq!(asked.len(), 1); }
    rfc9112_5_1_spaces_around_a_value_are_no_part_of_it:
        b"GET / HTTP/1.1\r\nHost:\t app.test \t\r\nX-A:   b c  \r\nConnection: close\r\n\r\n" => |asked| {
            assert_eq!((asked[0].all("host"), asked[0].all("x-a")), (vec!["app.test"], vec!["b c"]));
        }
    rfc9110_5_3_lines_of_one_name_keep_their_order:
        b"GET / HTTP/1.1\r\nHost: app.test\r\nX-A: 1\r\nX-A: 2\r\nX-A: 3\r\nConnection: close\r\n\r\n" => |asked| {
            assert_eq!(asked[0].all("x-a"), ["1", "2", "3"]);
        }
    rfc9110_5_5_bytes_beyond_ascii_stay:
        b"GET / HTTP/1.1\r\nHost: app.test\r\nX-A: \xc3\xbc\r\nConnection: close\r\n\r\n" => |asked| {
            assert_eq!(asked[0].all("x-a"), ["\u{fc}"]);
        }
    rfc9112_6_1_a_length_beside_chunks_is_taken_away_and_the_connection_ends:
        b"POST /a HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n\
          GET /b HTTP/1.1\r\nHost: app.test\r\n\r\n" => |asked| {
            assert_eq!(asked.len(), 1, "{asked:?}");
            assert_eq!((asked[0].body.as_slice(), asked[0].all("content-length").len()), (b"hello".as_slice(), 0));
        }
    rfc9112_6_1_chunks_before_a_length_too:
        b"POST /a HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n\
          GET /b HTTP/1.1\r\nHost: app.test\r\n\r\n" => |asked| {
            assert_eq!(asked.len(), 1, "{asked:?}");
            assert_eq!((asked[0].body.as_slice(), asked[0].all("content-length").len()), (b"hello".as_slice(), 0));
        }
    rfc9112_6_1_the_coding_in_any_case:
        b"POST /a HTTP/1.1\r\nHost: app.test\r\ntransfer-encoding: CHUNKED\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
            => |asked| { assert_eq!(asked[0].body, b"hello"); }
    rfc9112_6_2_the_same_length_twice_is_sent_on_once:
        b"POST /a HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
            => |asked| { assert_eq!((asked[0].body.as_slice(), asked[0].all("content-length")), (b"hello".as_slice(), vec!["5"])); }
    rfc9112_6_3_a_body_ends_where_its_length_says:
        b"POST /a HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n"
            => |asked| {
            assert_eq!(asked[0].body, b"hello");
            assert_eq!(asked[1].line(), "get /b http/1.1");
        }
    rfc9112_6_3_a_body_of_a_get:
        b"GET /a HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello" => |asked| {
            assert_eq!(asked[0].body, b"hello");
        }
    rfc9112_7_1_many_chunks_with_extensions_and_leading_zeros:
        b"POST /a HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
          0002;a=b\r\nhe\r\n3 \r\nllo\r\n00\r\n\r\n" => |asked| { assert_eq!(asked[0].body, b"hello"); }
    rfc9112_7_1_2_trailers_do_not_become_fields:
        b"POST /a HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-Forwarded-For\r\nConnection: close\r\n\r\n\
          5\r\nhello\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\nContent-Length: 1\r\n\r\n" => |asked| {
            assert_eq!((asked.len(), asked[0].all("x-forwarded-for")), (1, vec!["127.0.0.1"]));
        }
    rfc9110_7_6_1_what_connection_names_stays_behind:
        b"GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
          Proxy-Connection: keep-alive\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n" => |asked| {
            for name in ["x-hop", "keep-alive", "proxy-connection", "upgrade", "http2-settings"] {
                assert!(asked[0].all(name).is_empty(), "{name}: {}", asked[0].head);
            }
        }
    rfc9110_7_6_1_connection_cannot_take_away_host_or_length:
        b"POST / HTTP/1.1\r\nHost: app.test\r\nConnection: close, Host, Content-Length\r\nContent-Length: 5\r\n\r\nhello"
            => |asked| { assert_eq!((asked[0].all("host"), asked[0].body.as_slice()), (vec!["app.test"], b"hello".as_slice())); }
    rfc9110_7_8_no_change_to_http2_in_the_middle:
        b"GET / HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n"
            => |asked| { assert!(asked[0].all("upgrade").is_empty()); }
    rfc9110_10_1_4_only_trailers_of_te_is_sent_on:
        b"GET / HTTP/1.1\r\nHost: app.test\r\nTE: gzip;q=1, trailers\r\nConnection: close, TE\r\n\r\n" => |asked| {
            assert_eq!(asked[0].all("te"), ["trailers"]);
        }
    rfc9112_9_3_requests_behind_each_other_keep_their_order:
        b"GET /1 HTTP/1.1\r\nHost: app.test\r\n\r\nGET /2 HTTP/1.1\r\nHost: app.test\r\n\r\n\
          GET /3 HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n" => |asked| {
            let lines: Vec<_> = asked.iter().map(|asked| asked.line().to_owned()).collect();
            assert_eq!(lines, ["get /1 http/1.1", "get /2 http/1.1", "get /3 http/1.1"]);
        }
    rfc9112_9_6_nothing_is_read_behind_a_close:
        b"GET /1 HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: app.test\r\n\r\n" => |asked| {
            assert_eq!(asked.len(), 1);
        }
    rfc9112_9_6_close_in_the_second_line_of_connection:
        b"GET /1 HTTP/1.1\r\nHost: app.test\r\nConnection: keep-alive\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: app.test\r\n\r\n"
            => |asked| { assert_eq!(asked.len(), 1); }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9112_8_a_body_that_ends_early_is_no_whole_request() {
    let bed = Bed::new().await;
    let mut stream = bed.connect().await;
    stream.write_all(b"POST /a HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10\r\n\r\nhello").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap();
    assert_ne!(status(&answer), Some(200), "{answer}");
    assert!(bed.asked().iter().all(|asked| asked.body.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9110_10_1_1_the_go_ahead_comes_before_the_body() {
    let bed = Bed::new().await;
    let mut stream = bed.connect().await;
    let head =
        b"POST /a HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let mut go = [0; 25];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut go)).await.unwrap().unwrap();
    assert_eq!(&go, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!((status(&answer), bed.asked()[0].body.as_slice()), (Some(200), b"hello".as_slice()), "{answer}");
}
