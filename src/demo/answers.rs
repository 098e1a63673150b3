//! What the demo app says.

use std::convert::Infallible;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use sha2::{Digest, Sha256};

use super::app::{DemoConfig, DemoMode};
use super::{grpc, socket};

pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

const PAGE: &str = include_str!("../../assets/pages/demo.html");
/// `/bytes` sends pieces of this size.
const PIECE: usize = 64 * 1024;

pub(super) struct Answers {
    config: DemoConfig,
    started: Instant,
    /// Keeps two visits from counting as one.
    visits: Mutex<()>,
}

impl Answers {
    pub(super) fn new(config: DemoConfig) -> Self {
        Self { config, started: Instant::now(), visits: Mutex::new(()) }
    }

    /// An error breaks the connection off, which `/crash` asks for.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, BrokenOff> {
        let mut response = match self.config.mode {
            DemoMode::Hang => std::future::pending().await,
            DemoMode::Redirect => {
                let mut response = text(StatusCode::MOVED_PERMANENTLY, "moved");
                response.headers_mut().insert(LOCATION, HeaderValue::from_static("https://www.example.com/"));
                response
            }
            DemoMode::Error => text(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong"),
            DemoMode::Sour(after) if request.uri().path() != "/up" && self.started.elapsed() >= after => {
                text(StatusCode::INTERNAL_SERVER_ERROR, "it has gone sour")
            }
            DemoMode::Sicken(after) if request.uri().path() == "/up" && self.started.elapsed() >= after => {
                text(StatusCode::SERVICE_UNAVAILABLE, "it has fallen ill")
            }
            _ => self.by_path(request).await?,
        };
        if let Ok(version) = HeaderValue::from_str(&self.config.version) {
            response.headers_mut().insert("x-version", version);
        }
        Ok(response)
    }

    async fn by_path(&self, request: Request<Incoming>) -> Result<Response<Body>, BrokenOff> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let number = |key: &str, default: u64| value(&query, key).and_then(|v| v.parse().ok()).unwrap_or(default);
        Ok(match request.uri().path() {
            "/" => self.page(),
            "/up" if self.config.mode == DemoMode::NeverHealthy => text(StatusCode::SERVICE_UNAVAILABLE, "not yet"),
            "/up" => text(StatusCode::OK, "up"),
            "/version" => text(StatusCode::OK, self.config.version.clone()),
            "/slow" => {
                tokio::time::sleep(Duration::from_millis(number("ms", 1000))).await;
                text(StatusCode::OK, "that took a while")
            }
            "/stream" => stream_of(number("chunks", 10), Duration::from_millis(number("ms", 100))),
            "/events" => events(number("n", 10), Duration::from_millis(number("ms", 100))),
            "/upload" => upload(request).await?,
            "/bytes" => bytes(number("n", 1024)),
            "/env" => match value(&query, "key").and_then(|key| std::env::var(key).ok()) {
                Some(value) => text(StatusCode::OK, value),
                None => text(StatusCode::NOT_FOUND, "not set"),
            },
            "/headers" => headers(&request),
            "/echo" => grpc::echo(request),
            grpc::HEALTH => grpc::healthy(),
            "/ws" => socket::answer(request).map(|()| Body::default()),
            "/crash" => return Err(BrokenOff),
            _ => text(StatusCode::NOT_FOUND, "there is no such page"),
        })
    }

    fn page(&self) -> Response<Body> {
        let version = escape(&self.config.version);
        let hue = self.config.version.bytes().fold(200_u32, |hue, b| (hue * 31 + u32::from(b) * 47) % 360);
        let host = std::fs::read_to_string("/etc/hostname").unwrap_or_else(|_| "a container".to_owned());
        let visits = self.visit().map_or_else(|| "uncounted".to_owned(), |visits| visits.to_string());
        let page = PAGE
            .replace("{version}", &version)
            .replace("{hue}", &hue.to_string())
            .replace("{hue2}", &((hue + 40) % 360).to_string())
            .replace("{host}", &escape(host.trim()))
            .replace("{visits}", &visits);
        let mut response = text(StatusCode::OK, page);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        response
    }

    /// `None`: there is nowhere to count.
    fn visit(&self) -> Option<u64> {
        let path = self.config.visits.as_ref()?;
        let _alone = self.visits.lock().ok()?;
        let before = std::fs::read_to_string(path).ok().and_then(|n| n.trim().parse::<u64>().ok()).unwrap_or(0);
        std::fs::write(path, format!("{}\n", before + 1)).ok()?;
        Some(before + 1)
    }
}

/// The answer ends in the middle.
#[derive(Debug, thiserror::Error)]
#[error("broken off")]
pub(super) struct BrokenOff;

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn stream_of(chunks: u64, pause: Duration) -> Response<Body> {
    let chunks = stream::iter(0..chunks).then(move |i| async move {
        tokio::time::sleep(pause).await;
        Ok(Frame::data(Bytes::from(format!("chunk {i}\n"))))
    });
    Response::new(StreamBody::new(chunks).boxed_unsync())
}

fn events(count: u64, pause: Duration) -> Response<Body> {
    let events = stream::iter(0..count).then(move |i| async move {
        tokio::time::sleep(pause).await;
        Ok(Frame::data(Bytes::from(format!("data: {i}\n\n"))))
    });
    let mut response = Response::new(StreamBody::new(events).boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

fn bytes(count: u64) -> Response<Body> {
    static ZEROS: [u8; PIECE] = [b'0'; PIECE];
    let piece = PIECE as u64;
    let lengths = (0..count.div_ceil(piece)).map(move |i| usize::try_from((count - i * piece).min(piece)).unwrap_or(0));
    let chunks = stream::iter(lengths.map(|length| Ok(Frame::data(Bytes::from_static(&ZEROS[..length])))));
    let mut response = Response::new(StreamBody::new(chunks).boxed_unsync());
    response.headers_mut().insert(http::header::CONTENT_LENGTH, HeaderValue::from(count));
    response
}

/// `<bytes> <sha256>`.
async fn upload(request: Request<Incoming>) -> Result<Response<Body>, BrokenOff> {
    let mut body = request.into_body();
    let (mut count, mut hash) = (0, Sha256::new());
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| BrokenOff)?.into_data() {
            count += data.len();
            hash.update(&data);
        }
    }
    Ok(text(StatusCode::OK, format!("{count} {}", hex(&hash.finalize()))))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The request's head, as JSON: method, target, and headers as pairs in the order they came in.
fn headers(request: &Request<Incoming>) -> Response<Body> {
    let pairs: Vec<[String; 2]> = request
        .headers()
        .iter()
        .map(|(name, value)| [name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()])
        .collect();
    let head = serde_json::json!({
        "method": request.method().as_str(),
        "target": request.uri().to_string(),
        "headers": pairs,
    });
    let mut response = text(StatusCode::OK, head.to_string());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn value<'a>(query: &'a str, key: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.split_once('=').filter(|(name, _)| *name == key)).map(|(_, value)| value)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
