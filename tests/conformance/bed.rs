//! A plane with an app behind it that keeps every byte it is sent.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use once_app::{AppId, ReleaseNumber, Route, RouteState, Target, UrlPath};
use once_proxy::plane::{Plane, PlaneOptions, Serving};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Nothing here takes longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A request as the app received it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// As sent, in lower case: names are, by the proxy, and values are written so in these tests.
    pub head: String,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        let pairs = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        pairs.filter(|(n, _)| *n == name).map(|(_, value)| value.trim()).collect()
    }
}

pub struct Bed {
    pub plane: Plane,
    pub address: SocketAddr,
    pub asked: Arc<Mutex<Vec<Asked>>>,
    _serving: Serving,
    stop: CancellationToken,
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Bed {
    pub async fn new() -> Self {
        Self::answering(OK).await
    }

    pub async fn answering(answer: &'static [u8]) -> Self {
        Self::with(answer, PlaneOptions::default()).await
    }

    pub async fn with(answer: &'static [u8], options: PlaneOptions) -> Self {
        let (app, asked) = recorder(answer).await;
        let plane = Plane::new(PlaneOptions { threads: 2, ..options });
        plane.publish(vec![route(app)]);
        let stop = CancellationToken::new();
        let serving = plane.serve(StdListener::bind("127.0.0.1:0").unwrap(), stop.clone()).unwrap();
        Self { address: serving.local_addr(), plane, asked, _serving: serving, stop }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes, and gives all that comes back until the connection's end.
    pub async fn exchange(&self, bytes: &[u8]) -> String {
        let (mut read, mut write) = self.connect().await.into_split();
        let bytes = bytes.to_vec();
        // A server that has heard enough may close before it has heard all.
        let writing = tokio::spawn(async move {
            let _ = write.write_all(&bytes).await;
            write
        });
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, read.read_to_end(&mut answer)).await.expect("the connection ends");
        writing.abort();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// An ordinary request of somebody else is answered as if nothing were.
    pub async fn neighbour_is_well(&self) {
        let before = self.asked().len();
        let answer = self.exchange(b"GET /neighbour HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n").await;
        assert_eq!(status(&answer), Some(200), "{answer}");
        assert!(self.asked()[before..].iter().any(|asked| asked.line().starts_with("get /neighbour ")));
    }
}

pub fn status(answer: &str) -> Option<u16> {
    answer.strip_prefix("HTTP/1.1 ").or_else(|| answer.strip_prefix("HTTP/1.0 "))?.get(..3)?.parse().ok()
}

fn route(app: SocketAddr) -> Route {
    Route {
        app: AppId("app0".into()),
        name: "app0".parse().unwrap(),
        hosts: vec!["app.test".parse().unwrap()],
        path_prefix: None,
        tls: Default::default(),
        web: Default::default(),
        target: Target { release: ReleaseNumber(1), address: app.to_string() },
        canary: None,
        state: RouteState::Serving,
        health_path: UrlPath::up(),
    }
}

type Book = Arc<Mutex<Vec<Asked>>>;

async fn recorder(answer: &'static [u8]) -> (SocketAddr, Book) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let book = Book::default();
    let asked = Arc::clone(&book);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answer, Arc::clone(&asked)));
        }
    });
    (address, book)
}

async fn serve(mut stream: TcpStream, answer: &'static [u8], book: Book) {
    let mut unread = Vec::new();
    while let Some(head) = until(&mut stream, &mut unread, b"\r\n\r\n").await {
        let head = String::from_utf8_lossy(&head).to_lowercase();
        let mut asked = Asked { head, body: Vec::new() };
        // Noted before the body, which may never come.
        let place = {
            let mut book = book.lock().unwrap();
            book.push(asked.clone());
            book.len() - 1
        };
        if asked.all("transfer-encoding") == ["chunked"] {
            loop {
                let Some(line) = until(&mut stream, &mut unread, b"\r\n").await else { return };
                let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
                if size == 0 {
                    while until(&mut stream, &mut unread, b"\r\n").await.is_some_and(|line| line != b"\r\n") {}
                    break;
                }
                let Some(data) = exactly(&mut stream, &mut unread, size + 2).await else { return };
                asked.body.extend_from_slice(&data[..size]);
            }
        } else if let Some(length) = asked.all("content-length").first() {
            let Some(body) = exactly(&mut stream, &mut unread, length.parse().unwrap()).await else { return };
            asked.body = body;
        }
        book.lock().unwrap()[place] = asked;
        if stream.write_all(answer).await.is_err() || !answer.starts_with(OK) {
            return;
        }
    }
}

async fn until(stream: &mut TcpStream, unread: &mut Vec<u8>, end: &[u8]) -> Option<Vec<u8>> {
    loop {
        if let Some(at) = unread.windows(end.len()).position(|window| window == end) {
            return Some(unread.drain(..at + end.len()).collect());
        }
        more(stream, unread).await?;
    }
}

async fn exactly(stream: &mut TcpStream, unread: &mut Vec<u8>, bytes: usize) -> Option<Vec<u8>> {
    while unread.len() < bytes {
        more(stream, unread).await?;
    }
    Some(unread.drain(..bytes).collect())
}

async fn more(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 8192];
    let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
    unread.extend_from_slice(&buffer[..read]);
    Some(())
}
