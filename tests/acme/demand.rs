//! Certificates on demand: names that no app was given, an app that is asked about them, and those who make names up.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use once_app::proxy::Proxy;
use once_app::{Acme, AppId, Clock, ProxyDraft, ReleaseNumber, Route, RouteState, Target, Tls, UrlPath, Web};
use once_proxy::acme::{IssuerOptions, handshake};
use once_proxy::service::Service;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

use super::front::Front;
use super::house::{HERE, bounded, host};
use crate::support::dns::Zone;
use crate::support::pebble::{Pebble, Wish};

/// Says yes to all names but those that begin with `no-`, to which it says no, and `ill-`, to which it answers 503.
struct Asked {
    port: u16,
    questions: Arc<Mutex<Vec<String>>>,
    _task: AbortOnDropHandle<()>,
}

impl Asked {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let questions = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&questions);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let host = request.headers()["host"].to_str().unwrap().to_owned();
                    let question = request.uri().to_string();
                    let status = match question.split_once('=').map(|(_, name)| name) {
                        Some(name) if name.starts_with("no-") => StatusCode::NOT_FOUND,
                        Some(name) if name.starts_with("ill-") => StatusCode::SERVICE_UNAVAILABLE,
                        _ => StatusCode::OK,
                    };
                    kept.lock().unwrap().push(format!("{host} {question}"));
                    async move {
                        let mut answer = Response::new(Full::new(Bytes::new()));
                        *answer.status_mut() = status;
                        Ok::<_, Infallible>(answer)
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { port, questions, _task: AbortOnDropHandle::new(task) }
    }

    fn questions(&self) -> Vec<String> {
        self.questions.lock().unwrap().clone()
    }
}

/// Stands still, so that nothing remembered ends and nothing taken comes back; a little ahead, so that what is issued
/// later is valid.
struct Standing(Timestamp);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        self.0
    }
}

struct Bed {
    zone: Zone,
    front: Front,
    asked: Asked,
    _service: Service,
    _pebble: Pebble,
    _state: TempDir,
    _stop: DropGuard,
}

impl Bed {
    async fn new(wish: Wish, options: IssuerOptions) -> Self {
        let (zone, front, state) = (Zone::default(), Front::open(), TempDir::new().unwrap());
        let pebble = Pebble::start(&zone, front.http, front.https, wish).await;
        let service = Service::open(state.path(), Arc::new(front.plane.clone())).unwrap();
        let acme = Acme { directory: Some(pebble.directory()), root: Some(pebble.root.clone()), ..Acme::default() };
        service.configure(ProxyDraft { acme, ..ProxyDraft::default() }).await.unwrap();
        let (http_port, https_port) = (front.http, front.https);
        let options = IssuerOptions { names: Arc::new(zone.clone()), http_port, https_port, ..options };
        let stop = CancellationToken::new();
        tokio::spawn(service.issue(state.path(), options).unwrap().run(stop.clone()));
        let asked = Asked::start().await;
        Self { zone, front, asked, _service: service, _pebble: pebble, _state: state, _stop: stop.drop_guard() }
    }

    async fn standing() -> Self {
        let clock = Arc::new(Standing(Timestamp::now() + SignedDuration::from_mins(2)));
        Self::new(Wish::default(), IssuerOptions { clock, ..IssuerOptions::default() }).await
    }

    /// An app with these hostnames, which is itself asked below a path.
    fn route(&self, app: &str, hosts: &[&str], ask: Option<&str>) {
        let hosts = hosts.iter().map(|name| host(name)).collect();
        let web = Web { tls_on_demand: ask.map(|ask| ask.parse().unwrap()), ..Web::default() };
        self.front.plane.set_route(Route { hosts, web, ..route_of(self, app) });
    }

    /// The certificate that a client of a name is shown, or how the handshake ends.
    async fn shake(&self, name: &str) -> Result<Vec<u8>, String> {
        let stream = TcpStream::connect(("127.0.0.1", self.front.https)).await.unwrap();
        handshake(stream, &host(name)).await.map(|(_, shown)| shown.to_vec()).map_err(|error| error.to_string())
    }

    async fn refused(&self, name: &str) {
        let error = self.shake(name).await.expect_err(name);
        assert!(error.contains("UnrecognisedName"), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_name_nobody_gave_is_asked_about_once_however_many_come_and_all_get_its_certificate() {
    bounded(async {
        let bed = Bed::standing().await;
        bed.route("shop", &["*.once.test"], Some("/tls/ask"));
        bed.zone.point("ann.once.test", HERE);
        let shown = futures_util::future::join_all((0..8).map(|_| bed.shake("ann.once.test"))).await;
        let first = shown[0].clone().unwrap();
        assert!(shown.iter().all(|other| other.as_ref() == Ok(&first)), "{shown:?}");
        let facts = bed.front.certificates().find("ann.once.test").unwrap().facts.clone();
        assert_eq!(facts.names, ["ann.once.test"]);
        assert_eq!(bed.shake("ANN.once.test").await.unwrap(), first);
        assert_eq!(bed.asked.questions(), ["once.test /tls/ask?domain=ann.once.test"]);
    })
    .await;
}

#[tokio::test]
async fn a_no_and_no_answer_end_the_handshake_and_are_remembered() {
    bounded(async {
        let bed = Bed::standing().await;
        let elsewhere = format!("http://127.0.0.1:{}/may", bed.asked.port);
        bed.route("all", &["all.once.test"], None);
        bed.front.plane.set_route(Route {
            web: Web { tls_on_demand: Some(elsewhere.parse().unwrap()), default_app: true, ..Web::default() },
            ..route_of(&bed, "default")
        });
        for name in ["no-one.once.test", "ill-one.other.test"] {
            bed.zone.point(name, HERE);
            bed.refused(name).await;
            bed.refused(name).await;
        }
        let asked: Vec<String> =
            bed.asked.questions().into_iter().map(|q| q.split_once(' ').unwrap().1.into()).collect();
        assert_eq!(asked, ["/may?domain=no-one.once.test", "/may?domain=ill-one.other.test"]);
    })
    .await;
}

fn route_of(bed: &Bed, app: &str) -> Route {
    Route {
        app: AppId(app.into()),
        name: app.parse().unwrap(),
        hosts: vec![host("default.once.test")],
        path_prefix: None,
        tls: Tls::Auto,
        web: Web::default(),
        target: Target { release: ReleaseNumber(1), address: format!("127.0.0.1:{}", bed.asked.port) },
        state: RouteState::Serving,
        health_path: UrlPath::up(),
        canary: None,
    }
}

#[tokio::test]
async fn nobody_is_asked_about_names_that_were_given_lead_to_others_or_get_none_anywhere() {
    bounded(async {
        let bed = Bed::standing().await;
        bed.route("shop", &["*.once.test", "given.once.test"], Some("/tls/ask"));
        bed.route("quiet", &["*.quiet.once.test"], None);
        for name in ["given.once.test", "a.quiet.once.test", "nobody.test", "a.localhost"] {
            bed.refused(name).await;
        }
        let off = Route { tls: Tls::Off, ..route_of(&bed, "off") };
        let web = Web { tls_on_demand: Some("/ask".parse().unwrap()), default_app: true, ..Web::default() };
        bed.front.plane.set_route(Route { web: web.clone(), ..off });
        bed.refused("nobody.test").await;
        let stopped = Route { state: RouteState::Stopped, web, ..route_of(&bed, "off") };
        bed.front.plane.set_route(stopped);
        bed.refused("nobody.test").await;
        assert_eq!(bed.asked.questions(), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn who_makes_names_up_costs_the_app_a_burst_of_questions_and_the_neighbour_nothing() {
    bounded(async {
        let bed = Bed::standing().await;
        bed.route("shop", &["*.once.test"], Some("/tls/ask"));
        bed.route("other", &["*.other.once.test"], Some("/tls/other"));
        for n in 0..40 {
            bed.refused(&format!("no-{n}.once.test")).await;
        }
        assert_eq!(bed.asked.questions().len(), 20);
        // What leads elsewhere is asked about, and never ordered.
        bed.refused("yes.other.once.test").await;
        bed.zone.point("ann.other.once.test", HERE);
        bed.shake("ann.other.once.test").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn it_is_renewed_by_those_who_come_and_none_of_them_waits() {
    bounded(async {
        let bed = Bed::new(Wish { validity: 15, ..Wish::default() }, IssuerOptions::default()).await;
        bed.route("shop", &["*.once.test"], Some("/tls/ask"));
        bed.zone.point("ann.once.test", HERE);
        let first = bed.shake("ann.once.test").await.unwrap();
        loop {
            let shown = bed.shake("ann.once.test").await.unwrap();
            if shown != first {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
}
