use once_demo::DemoMode;

use crate::support::{Demo, House, raw, request, route};

#[tokio::test(flavor = "multi_thread")]
async fn each_request_is_one_line() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(7, demo.address));
    let ask = "POST /upload?page=2&token=hunter2 HTTP/1.1\r\nHost: app.test:81\r\nUser-Agent: me/1.0\r\nX-Request-ID: id-1\r\n\
               X-Forwarded-For: 6.6.6.6\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    let reply = request(house.address, ask).await;
    house.get("other.test", "/").await;
    let lines = house.lines(2).await;
    let line = lines.iter().find(|line| line["status"] == 200).unwrap();
    let expected: [(&str, serde_json::Value); 20] = [
        ("level", "INFO".into()),
        ("msg", "Request".into()),
        ("host", "app.test:81".into()),
        ("port", house.address.port().into()),
        ("path", "/upload".into()),
        ("request_id", "id-1".into()),
        ("service", "app0".into()),
        ("target", demo.address.to_string().into()),
        ("release", 7.into()),
        ("method", "POST".into()),
        ("req_content_length", 5.into()),
        ("req_content_type", "text/plain".into()),
        ("resp_content_length", reply.body.len().into()),
        ("resp_content_type", "text/plain; charset=utf-8".into()),
        ("client_addr", "127.0.0.1".into()),
        ("remote_addr", "127.0.0.1".into()),
        ("user_agent", "me/1.0".into()),
        ("proto", "HTTP/1.1".into()),
        ("scheme", "http".into()),
        ("query", "page=2&token=[redacted]".into()),
    ];
    for (field, expected) in expected {
        assert_eq!(line[field], expected, "{field}");
    }
    assert!(line["client_port"].as_str().unwrap().parse::<u16>().unwrap() > 0, "a text, as kamal-proxy has it");
    assert!((1..30_000_000_000).contains(&line["duration"].as_u64().unwrap()));
    assert!(line["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    let unknown = lines.iter().find(|line| line["status"] == 421).unwrap();
    assert_eq!((unknown["service"].as_str(), unknown["target"].as_str()), (Some(""), Some("")));
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_values_stay_values() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    let ask = b"GET /a\"b\\c HTTP/1.1\r\nHost: app.test\r\nUser-Agent: \"}\t\xff\xc2\x9b31m\",\"status\":1\r\n\
                X-Request-ID: \"evil\"\r\nConnection: close\r\n\r\n";
    raw(house.address, ask).await;
    let text = house.lines(1).await;
    assert_eq!(text.len(), 1);
    assert_eq!(text[0]["status"], 404);
    assert_eq!(text[0]["user_agent"], "\"}\t\u{fffd}\u{9b}31m\",\"status\":1");
    assert_eq!(text[0]["request_id"].as_str().unwrap().len(), 36);
    let raw = house.log.lock().unwrap().clone();
    assert!(!String::from_utf8(raw).unwrap().trim_end().chars().any(char::is_control));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_leave_are_logged_as_499() {
    use tokio::io::AsyncWriteExt;
    let demo = Demo::with("1", DemoMode::Hang).await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    let mut stream = tokio::net::TcpStream::connect(house.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await.unwrap();
    crate::support::until("under way", || !house.plane.traffic(&crate::support::app()).in_flight.is_empty()).await;
    drop(stream);
    let line = &house.lines(1).await[0];
    assert_eq!((&line["status"], &line["target"]), (&499.into(), &demo.address.to_string().into()));
    assert_eq!(house.plane.traffic(&crate::support::app()).failed, 0);
}
