//! RFC 9112 on the other side: answers of an app, as the client gets them.

use crate::bed::{Bed, status};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: app.test\r\nTE: trailers\r\nConnection: close\r\n\r\n";

async fn seen(request: &[u8], answer: &'static [u8]) -> String {
    Bed::answering(answer).await.exchange(request).await.to_lowercase()
}

macro_rules! seen {
    ($($name:ident: $answer:expr => |$seen:ident| $check:block)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let $seen = seen(GET, $answer).await;
            $check
        }
    )*};
}

fn is_bad_gateway(seen: &str) -> bool {
    status(&seen.replace("http/", "HTTP/")) == Some(502)
}

seen! {
    rfc9112_4_a_status_nobody_knows: b"HTTP/1.1 299 Odd\r\nContent-Length: 0\r\n\r\n" => |seen| {
        assert!(seen.starts_with("http/1.1 299 odd\r\n"), "{seen}");
    }
    rfc9112_4_no_http_at_all: b"SSH-2.0-OpenSSH\r\n\r\n" => |seen| { assert!(is_bad_gateway(&seen), "{seen}"); }
    rfc9112_5_2_folded_line: b"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n" => |seen| {
        assert!(is_bad_gateway(&seen), "{seen}");
    }
    rfc9112_6_1_chunks_beside_a_length:
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" => |seen| {
            assert!(!seen.contains("content-length") && seen.contains("5\r\nhello\r\n0\r\n\r\n"), "{seen}");
        }
    rfc9112_6_1_a_coding_this_hop_would_lose:
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" => |seen| {
            assert!(is_bad_gateway(&seen), "{seen}");
        }
    rfc9112_6_2_two_lengths: b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab" => |seen| {
        assert!(is_bad_gateway(&seen), "{seen}");
    }
    rfc9112_6_3_no_body_behind_204: b"HTTP/1.1 204 No Content\r\n\r\n" => |seen| {
        assert!(seen.ends_with("\r\n\r\n") && !seen.contains("transfer-encoding"), "{seen}");
    }
    rfc9112_6_3_no_body_behind_304: b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n" => |seen| {
        assert!(seen.ends_with("\r\n\r\n") && seen.contains("etag: \"a\""), "{seen}");
    }
    rfc9112_6_3_a_body_that_ends_with_the_connection: b"HTTP/1.1 200 OK\r\n\r\nhello" => |seen| {
        assert!(seen.contains("5\r\nhello\r\n0\r\n\r\n"), "{seen}");
    }
    rfc9112_6_3_http_1_0_app: b"HTTP/1.0 200 OK\r\n\r\nhello" => |seen| {
        assert!(seen.starts_with("http/1.1 200 ok\r\n") && seen.contains("hello"), "{seen}");
    }
    rfc9112_7_1_chunks_are_passed_on: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n" => |seen| {
        let body = seen.split_once("\r\n\r\n").unwrap().1.replace("2\r\nhe\r\n3\r\nllo\r\n", "5\r\nhello\r\n");
        assert_eq!(body, "5\r\nhello\r\n0\r\n\r\n");
    }
    rfc9112_7_1_2_announced_trailers_are_passed_on:
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n" => |seen| {
            assert!(seen.ends_with("2\r\nhi\r\n0\r\nx-sum: 7\r\n\r\n"), "{seen}");
        }
    rfc9112_8_an_answer_that_breaks_off_does_not_look_whole:
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" => |seen| {
            assert!(!seen.contains("\r\n0\r\n\r\n"), "{seen}");
        }
    rfc9110_7_6_1_what_connection_names_stays_behind:
        b"HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n" => |seen| {
            assert!(!seen.contains("x-hop") && !seen.contains("keep-alive"), "{seen}");
        }
    rfc9110_15_2_continue_is_not_the_answer: b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" => |seen| {
        assert!(seen.contains("http/1.1 200 ok\r\n") && !seen.ends_with("100 continue\r\n\r\n"), "{seen}");
    }
    rfc8297_2_early_hints_are_not_the_answer:
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" => |seen| {
            assert!(seen.contains("http/1.1 200 ok\r\n") && seen.ends_with("\r\n\r\nok"), "{seen}");
        }
    rfc9110_15_2_2_a_change_nobody_asked_for:
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" => |seen| {
            assert!(is_bad_gateway(&seen), "{seen}");
        }
    rfc6265_3_each_cookie_keeps_its_line: b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n" => |seen| {
        assert!(seen.contains("set-cookie: a=1\r\nset-cookie: b=2\r\n"), "{seen}");
    }
    rfc9110_14_a_range_is_the_apps_affair:
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/5\r\nContent-Length: 2\r\n\r\nhe" => |seen| {
            assert!(seen.starts_with("http/1.1 206 ") && seen.contains("content-range: bytes 0-1/5") && seen.ends_with("he"), "{seen}");
        }
}
