//! Stands before pebble and says what pebble never does: "too many", "later", "out of order".

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use crate::support::pebble::{Pebble, loopback_pair};

/// What is said in pebble's place to requests whose path ends like this; `None`: pebble answers.
type Say = Arc<dyn Fn(&str) -> Option<Response<Full<Bytes>>> + Send + Sync>;

/// Changes what pebble said, by path.
type Change = Arc<dyn Fn(&str, Bytes) -> Bytes + Send + Sync>;

pub struct Gate {
    port: u16,
    pub root: String,
    say: Arc<Mutex<Option<Say>>>,
    change: Arc<Mutex<Option<Change>>>,
    pub asked: Arc<Mutex<Vec<String>>>,
    _task: AbortOnDropHandle<()>,
}

impl Gate {
    pub async fn before(pebble: &Pebble) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (root, certificate, key) = loopback_pair();
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(vec![certificate], key).unwrap()));
        let (say, change, asked) =
            <(Arc<Mutex<Option<Say>>>, Arc<Mutex<Option<Change>>>, Arc<Mutex<Vec<String>>>)>::default();
        let state = (client(&pebble.root), pebble.port, Arc::clone(&say), Arc::clone(&change), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, state) = (acceptor.clone(), state.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request| {
                        let (client, port, say, change, asked) = state.clone();
                        async move {
                            Ok::<_, std::convert::Infallible>(pass(request, &client, port, &say, &change, &asked).await)
                        }
                    });
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { port, root, say, change, asked, _task: AbortOnDropHandle::new(task) }
    }

    pub fn directory(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.port)
    }

    pub fn say(&self, say: impl Fn(&str) -> Option<Response<Full<Bytes>>> + Send + Sync + 'static) {
        *self.say.lock().unwrap() = Some(Arc::new(say));
    }

    pub fn change(&self, change: impl Fn(&str, Bytes) -> Bytes + Send + Sync + 'static) {
        *self.change.lock().unwrap() = Some(Arc::new(change));
    }

    pub fn say_nothing(&self) {
        *self.say.lock().unwrap() = None;
    }

    /// How often a path was asked for with success.
    pub fn count(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| asked.contains(path)).count()
    }
}

/// A problem document.
pub fn problem(status: u16, kind: &str, detail: &str, retry_after: Option<&str>) -> Response<Full<Bytes>> {
    let body = serde_json::json!({ "type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail });
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    if let Some(after) = retry_after {
        response.headers_mut().insert("retry-after", HeaderValue::from_str(after).unwrap());
    }
    response
}

type Https = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

fn client(root: &str) -> Https {
    Client::builder(TokioExecutor::new()).build(connector(root))
}

fn connector(root: &str) -> HttpsConnector<HttpConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1().build()
}

/// The library's transport for those who act in the account's name from outside.
pub struct Plain(Client<HttpsConnector<HttpConnector>, instant_acme::BodyWrapper<Bytes>>);

impl Plain {
    pub fn new(root: &str) -> Self {
        Self(Client::builder(TokioExecutor::new()).build(connector(root)))
    }
}

impl instant_acme::HttpClient for Plain {
    fn request(
        &self,
        request: Request<instant_acme::BodyWrapper<Bytes>>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<instant_acme::BytesResponse, instant_acme::Error>> + Send>> {
        let asked = self.0.request(request);
        Box::pin(async move { Ok(asked.await.map_err(|e| instant_acme::Error::Other(e.into()))?.into()) })
    }
}

/// The `Host` stays the gate's, so that the URLs pebble gives out lead here.
async fn pass(
    request: Request<Incoming>,
    client: &Https,
    port: u16,
    say: &Mutex<Option<Say>>,
    change: &Mutex<Option<Change>>,
    asked: &Mutex<Vec<String>>,
) -> Response<Full<Bytes>> {
    let (mut head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let say = say.lock().unwrap().clone();
    if let Some(answer) = say.and_then(|say| say(&path)) {
        return answer;
    }
    let body = body.collect().await.unwrap().to_bytes();
    head.uri = format!("https://127.0.0.1:{port}{path}").parse::<Uri>().unwrap();
    let Ok(answer) = client.request(Request::from_parts(head, Full::new(body))).await else {
        return problem(502, "serverInternal", "pebble is gone", None);
    };
    // What pebble turns down it does not count: one nonce in twenty, for exercise.
    if answer.status().is_success() {
        asked.lock().unwrap().push(path.clone());
    }
    let (mut head, body) = answer.into_parts();
    let mut body = body.collect().await.unwrap().to_bytes();
    let change = change.lock().unwrap().clone();
    if let Some(change) = change {
        body = change(&path, body);
        head.headers.remove("content-length");
    }
    Response::from_parts(head, Full::new(body))
}
