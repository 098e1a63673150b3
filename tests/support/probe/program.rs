//! What test containers run: one word of the command line says what to do. Only std, as the compiler alone builds it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, ToSocketAddrs};
use std::process::exit;
use std::time::Duration;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rest: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    match arguments.first().map_or("wait", String::as_str) {
        "wait" => wait(),
        "exit" => exit(rest[0].parse().unwrap()),
        "say" => say(&rest),
        "say-and-wait" => {
            say(&rest);
            wait();
        }
        "fail" => {
            eprintln!("{}", rest[0]);
            exit(rest[1].parse().unwrap());
        }
        "long" => println!("{}", "x".repeat(rest[0].parse().unwrap())),
        "tick" => tick(),
        "echo" => {
            io::copy(&mut io::stdin(), &mut io::stdout()).unwrap();
            eprintln!("bye");
        }
        "pour" => pour(rest[0].parse().unwrap(), rest.get(1).copied() == Some("both")),
        "endless" => endless(),
        "count" => count(),
        "leave" => leave(rest[0].parse().unwrap()),
        "env" => println!("{}", std::env::var(rest[0]).unwrap_or_default()),
        "write" => std::fs::write(rest[0], rest[1]).unwrap(),
        "read" => print!("{}", std::fs::read_to_string(rest[0]).unwrap()),
        "pid" => println!("{}", std::process::id()),
        "terminal" => println!("{}", io::IsTerminal::is_terminal(&io::stdout())),
        "burn" => burn(),
        "eat" => eat(rest[0].parse().unwrap()),
        "resolve" => resolve(rest[0]),
        "listen" => listen(rest[0].parse().unwrap()),
        "http" => http(rest[0].parse().unwrap()),
        "ask" => ask(rest[0]),
        "relay" => relay(&rest),
        other => {
            eprintln!("unknown: {other}");
            exit(64);
        }
    }
}

fn wait() {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// A word after `2:` goes to standard error.
fn say(words: &[&str]) {
    for word in words {
        match word.strip_prefix("2:") {
            Some(word) => eprintln!("{word}"),
            None => println!("{word}"),
        }
    }
}

/// Bytes without a pattern: each of the 256 values first, then sequences that a terminal obeys.
fn sample(length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.extend(b"\x1b[31mred\x1b[0m\x1b]0;title\x07\x04\x04");
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A sample on standard output; with `both` the same on standard error, by turns in pieces of odd sizes.
fn pour(length: usize, both: bool) {
    let bytes = sample(length);
    let mut rest = bytes.as_slice();
    for size in [1, 7, 8, 9, 4095, 4097, 32_768, 32_769, 100_003].into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(size.min(rest.len()));
        let mut stdout = io::stdout().lock();
        stdout.write_all(piece).unwrap();
        stdout.flush().unwrap();
        if both {
            io::stderr().write_all(piece).unwrap();
        }
        rest = after;
    }
}

fn endless() {
    let bytes = sample(64 * 1024);
    while io::stdout().write_all(&bytes).is_ok() {}
}

/// How many bytes standard input has, and whether they are a sample.
fn count() {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes).unwrap();
    println!("{} {}", bytes.len(), bytes == sample(bytes.len()));
}

/// Ends at once without a look at standard input.
fn leave(code: i32) {
    println!("left");
    exit(code);
}

fn tick() {
    for number in 0.. {
        println!("tick {number}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn burn() {
    let mut number = 0_u64;
    loop {
        number = std::hint::black_box(number.wrapping_add(1));
    }
}

fn eat(mebibytes: usize) {
    let eaten: Vec<Vec<u8>> = (0..mebibytes).map(|number| vec![number as u8 | 1; 1024 * 1024]).collect();
    println!("ate {}", std::hint::black_box(eaten).len());
    wait();
}

fn resolve(host: &str) {
    match (host, 80).to_socket_addrs() {
        Ok(mut addresses) => println!("{}", addresses.next().unwrap().ip()),
        Err(error) => {
            eprintln!("{error}");
            exit(1);
        }
    }
}

fn listen(port: u16) {
    let listener = TcpListener::bind(("0.0.0.0", port)).unwrap();
    println!("listening");
    for stream in listener.incoming() {
        stream.unwrap().write_all(b"here").unwrap();
    }
}

/// Answers everything with 200.
fn http(port: u16) {
    let listener = TcpListener::bind(("0.0.0.0", port)).unwrap();
    for mut stream in listener.incoming().flatten() {
        std::thread::spawn(move || {
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                head.push(byte[0]);
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        });
    }
}

fn ask(address: &str) {
    let mut answer = String::new();
    TcpStream::connect(address).unwrap().read_to_string(&mut answer).unwrap();
    println!("{answer}");
}

/// `80=proxy:8080`: what comes to a port goes on to another one, as a router in front of a host does it.
fn relay(ways: &[&str]) {
    for way in ways {
        let (port, to) = way.split_once('=').unwrap();
        let (listener, to) = (TcpListener::bind(("0.0.0.0", port.parse().unwrap())).unwrap(), to.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&to) else { continue };
                let (from, back) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || carry(from, server));
                std::thread::spawn(move || carry(back, client));
            }
        });
    }
    println!("relaying");
    wait();
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
