use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Demo, House, route};

/// Bytes of memory this process has in use: `VmRSS`, with a reset of its peak before.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn reset_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_megabytes_go_up_and_down_in_constant_memory() {
    const PIECES: usize = 800;
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    house.get("app.test", "/bytes?n=1000000").await;
    reset_peak();
    let before = peak_memory();

    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let head = "POST /upload HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut hash = Sha256::new();
    for i in 0..PIECES {
        let piece = vec![u8::try_from(i % 251).unwrap(); 65_536];
        hash.update(&piece);
        stream.write_all(b"10000\r\n").await.unwrap();
        stream.write_all(&piece).await.unwrap();
        stream.write_all(b"\r\n").await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let sum: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    assert!(answer.contains(&format!("{} {sum}", PIECES * 65_536)), "{answer}");

    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let head = format!("GET /bytes?n={} HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n", PIECES * 65_536);
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut buffer, mut seen) = (vec![0; 65_536], 0);
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            read => seen += read,
        }
    }
    assert!(seen > PIECES * 65_536);
    let grown = peak_memory().saturating_sub(before);
    assert!(grown < 8 << 20, "the peak grew by {} KB", grown >> 10);
    let traffic = house.plane.traffic(&crate::support::app());
    assert_eq!(traffic.bytes_in, (PIECES * 65_536) as u64);
    assert_eq!(
        traffic.bytes_out,
        1_000_000 + (PIECES * 65_536) as u64 + answer.split("\r\n\r\n").nth(1).unwrap().len() as u64
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_arrive_as_they_are_made() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(b"GET /stream?chunks=3&ms=300 HTTP/1.1\r\nHost: app.test\r\n\r\n").await.unwrap();
    let started = Instant::now();
    let mut seen = String::new();
    let mut buffer = [0; 1024];
    let mut came = Vec::new();
    while came.len() < 3 {
        let read = stream.read(&mut buffer).await.unwrap();
        seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
        while seen.contains(&format!("chunk {}", came.len())) {
            came.push(started.elapsed());
        }
    }
    assert!(came[0] < came[1] && came[1] < came[2] && came[0] < Duration::from_millis(800), "{came:?}");
    assert!(came[2] - came[0] > Duration::from_millis(400), "{came:?}");
}

/// A connection per download, all slow readers: what the proxy keeps of each is bounded by its buffers.
#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_cost_their_buffers_only() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    house.get("app.test", "/bytes?n=1000000").await;
    reset_peak();
    let before = peak_memory();
    let mut readers = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.write_all(b"GET /bytes?n=100000000 HTTP/1.1\r\nHost: app.test\r\n\r\n").await.unwrap();
        let mut some = vec![0; 1000];
        stream.read_exact(&mut some).await.unwrap();
        readers.push(stream);
    }
    let quiet = async {
        let mut last = house.plane.traffic(&crate::support::app()).bytes_out;
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = peak_memory();
            if now == last {
                return;
            }
            last = now;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, quiet).await.unwrap();
    let grown = peak_memory().saturating_sub(before);
    assert!(grown < 20 * (400 << 10), "20 readers cost {} KB", grown >> 10);
}
