//! The app: `/ws` says back what it hears, `/event` and `/download` send a text, `/upload` compares one.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, stream};
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::cases::{differ, takes, text};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Its pieces, bytes.
const PIECE: usize = 64 * 1024;

pub struct App {
    pub http1: SocketAddr,
    pub h2c: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for App {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl App {
    pub async fn start() -> Self {
        let (plain, multiplexed) = (listen().await, listen().await);
        let (http1, h2c) = (plain.local_addr().unwrap(), multiplexed.local_addr().unwrap());
        Self { http1, h2c, tasks: [tokio::spawn(serve(plain, false)), tokio::spawn(serve(multiplexed, true))] }
    }
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

async fn serve(listener: TcpListener, h2c: bool) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::spawn(async move {
            let service = service_fn(|request| async { Ok::<_, Infallible>(answer(request).await) });
            let _ = if h2c {
                http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await
            } else {
                http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await
            };
        });
    }
}

/// Messages as large as ours come whole, or in frames.
pub fn large() -> Option<WebSocketConfig> {
    Some(WebSocketConfig::default().max_frame_size(None).max_message_size(None))
}

async fn answer(mut request: Request<Incoming>) -> Response<Body> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let number = |name: &str| {
        let pair = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        pair.and_then(|value| value.parse::<u64>().ok()).unwrap_or_default()
    };
    let size = usize::try_from(number("size")).unwrap();
    let seed = number("seed");
    match request.uri().path() {
        "/ws" => socket(&mut request),
        "/event" => {
            let pieces = stream::iter(pieces(text(size, seed))).chain(stream::pending());
            let mut response = Response::new(StreamBody::new(pieces).boxed_unsync());
            response.headers_mut().insert(CONTENT_TYPE, "text/event-stream".parse().unwrap());
            response
        }
        "/download" => {
            let mut response = Response::new(StreamBody::new(stream::iter(pieces(text(size, seed)))).boxed_unsync());
            // With its length, and without.
            if seed / 2 % 2 == 0 {
                response.headers_mut().insert(CONTENT_LENGTH, size.into());
            }
            response
        }
        "/upload" => {
            let rate = usize::try_from(number("rate")).unwrap();
            let seen = read(request.into_body(), rate).await;
            let words = differ(&seen, &text(size, seed)).err().unwrap_or_else(|| "the same".to_owned());
            Response::new(Full::from(words).boxed_unsync())
        }
        _ => Response::new(Full::default().boxed_unsync()),
    }
}

fn pieces(text: Vec<u8>) -> Vec<Result<Frame<Bytes>, Infallible>> {
    let text = Bytes::from(text);
    let starts = (0..text.len()).step_by(PIECE);
    starts.map(|at| Ok(Frame::data(text.slice(at..text.len().min(at + PIECE))))).collect()
}

/// All of a body, at so many bytes a second; 0: as it comes.
async fn read(mut body: Incoming, rate: usize) -> Vec<u8> {
    let mut seen = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        seen.extend_from_slice(&data);
        if rate > 0 {
            tokio::time::sleep(takes(data.len(), rate)).await;
        }
    }
    seen
}

fn socket(request: &mut Request<Incoming>) -> Response<Body> {
    let key = request.headers().get(SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let upgraded = hyper::upgrade::on(request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgraded.await else { return };
        let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, large()).await;
        while let Some(Ok(message)) = socket.next().await {
            if message.is_binary() && socket.send(message).await.is_err() {
                break;
            }
        }
    });
    let head = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS).header(CONNECTION, "upgrade");
    let head = head.header(UPGRADE, "websocket").header(SEC_WEBSOCKET_ACCEPT, key.unwrap_or_default());
    head.body(Full::default().boxed_unsync()).unwrap()
}
