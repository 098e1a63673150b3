//! The port for Prometheus. It is for the machine the proxy runs on and for nobody else: connections from other addresses
//! than this machine's are closed at once.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};

/// Gives the text.
pub type Exposition = Arc<dyn Fn() -> String + Send + Sync>;

/// Scrapers at the same time; more wait.
const AT_ONCE: usize = 8;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// A scraper comes every few seconds to minutes; a connection it keeps open is worth no more.
const LONGEST: Duration = Duration::from_secs(300);

/// Binds the port, also while a worker that is about to end has it.
///
/// # Errors
/// The port is taken by somebody else.
pub fn bind(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))?;
    socket.listen(64)
}

/// Has the port open whenever `wanted` says so, until dropped.
pub async fn follow(port: u16, mut wanted: watch::Receiver<bool>, text: Exposition) {
    loop {
        let is_wanted = *wanted.borrow_and_update();
        let serve = async {
            if is_wanted {
                match bind(port) {
                    Ok(listener) => serve(listener, is_this_machine, Arc::clone(&text)).await,
                    Err(error) => tracing::error!(%error, port, "the metrics port could not be opened"),
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { return },
            () = serve => {}
        }
    }
}

/// Answers until dropped. `is_ours` says whether a peer is this machine.
pub async fn serve(listener: TcpListener, is_ours: impl Fn(IpAddr) -> bool, text: Exposition) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) if is_ours(peer.ip()) => {
                let text = Arc::clone(&text);
                tokio::spawn(async move {
                    // Whatever ends a connection, the scraper sees it and tries again.
                    let _ = tokio::time::timeout(LONGEST, connection(stream, text)).await;
                    drop(place);
                });
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "a connection to the metrics port could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, text: Exposition) {
    let answers = service_fn(move |request: Request<Incoming>| {
        let text = Arc::clone(&text);
        async move { Ok::<_, Infallible>(answer(&request, &text)) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(8192);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), answers).await {
        tracing::debug!(%error, "a connection to the metrics port ended");
    }
}

/// Any path, as kamal-proxy does.
fn answer(request: &Request<Incoming>, text: &Exposition) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut no = Response::new(Full::default());
        *no.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        no.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return no;
    }
    let mut answer = Response::new(Full::from(text()));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

/// Whether an address is the machine this runs on: itself or, in a container, the gateway of its network, which is what
/// connections to a port published on the machine's loopback come from. Other containers have addresses of their own.
#[must_use]
pub fn is_this_machine(peer: IpAddr) -> bool {
    let routes = || std::fs::read_to_string("/proc/net/route").unwrap_or_default();
    peer.to_canonical().is_loopback() || gateway(&routes()) == Some(peer.to_canonical())
}

/// The default route's gateway in the kernel's table, whose addresses are in hexadecimal and back to front.
pub(super) fn gateway(routes: &str) -> Option<IpAddr> {
    let default = |line: &str| {
        let mut columns = line.split_whitespace().skip(1);
        let (to, gateway) = (columns.next()?, columns.next()?);
        let address = u32::from_str_radix(gateway, 16).ok()?.swap_bytes();
        (to == "00000000" && address != 0).then(|| Ipv4Addr::from_bits(address).into())
    };
    routes.lines().find_map(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n\
        eth1\t000014AC\t00000000\t0001\t0\t0\t0\t0000FFFF\n\
        eth0\t00000000\t010013AC\t0003\t0\t0\t0\t00000000\n";

    #[test]
    fn finds_the_gateway_of_the_default_route() {
        assert_eq!(gateway(ROUTES), Some(IpAddr::from([172, 19, 0, 1])));
        assert_eq!(gateway("Iface\tDestination\tGateway\n"), None);
        assert_eq!(gateway(""), None);
    }

    #[test]
    fn other_containers_are_not_this_machine() {
        assert!(is_this_machine(IpAddr::from([127, 0, 0, 1])));
        assert!(is_this_machine("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!is_this_machine(IpAddr::from([203, 0, 113, 9])));
    }

    async fn ask(address: SocketAddr, request: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A peer that is not wanted is closed before it can write.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn answers_any_path_and_only_questions() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, is_this_machine, Arc::new(|| "once_up 1\n".to_owned())));
        let answer = ask(address, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("once_up 1\n"), "{answer}");
        assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
        let answer = ask(address, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    }

    #[tokio::test]
    async fn others_get_no_byte() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, |_| false, Arc::new(|| "once_up 1\n".to_owned())));
        assert_eq!(ask(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await, "");
    }
}
