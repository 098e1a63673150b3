//! Certificates as a deploy gets them: the engine is in memory, the rest is real.

use std::sync::Arc;
use std::time::Duration;

use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use once_app::event::{Event, Finished, Outcome, Step};
use once_app::proxy::{AppTraffic, DrainLimits, DrainProgress, ProbeAnswer, ProbeRequest, Proxy};
use once_app::traffic::TrafficReport;
use once_app::{
    Acme, Action, AppId, Ask, Deploy, Draft, Installation, IssuingState, PlanView, ProxyConfig, ProxyDraft,
    ReleaseNumber, Route,
};
use once_proxy::acme::IssuerOptions;
use once_proxy::plane::Plane;
use once_proxy::service::{Routes, Service};
use once_proxy::tls::Certificates;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::front::{Front, stranger};
use super::house::{ELSEWHERE, HERE, bounded, host, until};
use crate::support::dns::Zone;
use crate::support::fake_engine::FakeEngine;
use crate::support::installation::{Asker, installation};
use crate::support::pebble::{Pebble, Wish};

/// No deploy takes longer; none is to be killed.
const LIFE: Duration = Duration::from_secs(150);

/// The real data plane, but that candidates of the engine in memory are healthy.
struct Healthy(Plane);

impl Routes for Healthy {
    fn publish(&self, routes: Vec<Route>) {
        self.0.publish(routes);
    }
    fn configure(&self, config: &ProxyConfig) {
        self.0.configure(config.clone());
    }
    fn set_route(&self, route: Route) {
        self.0.set_route(route);
    }
    fn remove_route(&self, app: &AppId) {
        self.0.remove_route(app);
    }
    fn hold(&self, app: &AppId, limit: Duration) -> bool {
        self.0.hold(app, limit)
    }
    fn holds(&self) -> Vec<(AppId, Duration)> {
        Routes::holds(&self.0)
    }
    fn resume(&self, app: &AppId) {
        self.0.resume(app);
    }
    fn drain(&self, app: &AppId, release: ReleaseNumber, limits: DrainLimits) -> BoxStream<'static, DrainProgress> {
        self.0.drain(app, release, limits)
    }
    fn probe(&self, _: ProbeRequest) -> BoxStream<'static, ProbeAnswer> {
        stream::iter([ProbeAnswer::Healthy { status: 200, took_ms: 1 }]).boxed()
    }
    fn traffic(&self, app: &AppId) -> AppTraffic {
        self.0.traffic(app)
    }
    fn traffic_report(&self, app: &AppId) -> TrafficReport {
        Routes::traffic_report(&self.0, app)
    }
    fn traffic_all(&self) -> Vec<(AppId, AppTraffic)> {
        self.0.traffic_all()
    }
    fn mark(&self, app: &AppId) {
        self.0.mark(app);
    }
    fn certificates(&self) -> Certificates {
        self.0.certificates().clone()
    }
}

struct Bed {
    zone: Zone,
    front: Front,
    service: Service,
    installation: Installation,
    asker: Asker,
    pebble: Pebble,
    _state: TempDir,
    _stop: DropGuard,
}

impl Bed {
    async fn new() -> Self {
        let (zone, front, state) = (Zone::default(), Front::open(), TempDir::new().unwrap());
        let pebble = Pebble::start(&zone, front.http, front.https, Wish::default()).await;
        let engine = FakeEngine::new();
        engine.hold_image("shop:1");
        engine.hold_image("shop:2");
        let service = Service::open(state.path(), Arc::new(Healthy(front.plane.clone()))).unwrap();
        let acme = Acme { directory: Some(pebble.directory()), root: Some(pebble.root.clone()), ..Acme::default() };
        service.configure(ProxyDraft { acme, ..ProxyDraft::default() }).await.unwrap();
        let options = IssuerOptions {
            names: Arc::new(zone.clone()),
            http_port: front.http,
            https_port: front.https,
            nap: Duration::from_millis(200),
            ..IssuerOptions::default()
        };
        let stop = CancellationToken::new();
        let issuer = service.issue(state.path(), options).unwrap();
        tokio::spawn(issuer.run(stop.clone()));
        let installation = installation("certs", &engine, &service, ["s", "s"]);
        let asker = Asker::default();
        Self { zone, front, service, installation, asker, pebble, _state: state, _stop: stop.drop_guard() }
    }

    async fn deploy(&self, image: &str, hosts: &[&str], require_tls: bool) -> (Finished, Vec<Event>) {
        self.ask(image, hosts, Deploy { require_tls, ..Deploy::default() }).await
    }

    /// What the same deploy would do, and the steps it would take.
    async fn plan(&self, image: &str, hosts: &[&str]) -> (PlanView, Vec<Step>) {
        let (_, events) = self.ask(image, hosts, Deploy { dry_run: true, ..Deploy::default() }).await;
        let planned = events.into_iter().find_map(|event| match event {
            Event::Planned { plan, steps, .. } => Some((plan, steps)),
            _ => None,
        });
        planned.unwrap()
    }

    async fn ask(&self, image: &str, hosts: &[&str], wish: Deploy) -> (Finished, Vec<Event>) {
        let mut draft = Draft { image: Some(image.parse().unwrap()), ..Draft::default() };
        draft.hosts = hosts.iter().map(|h| host(h)).collect();
        let deploy = Deploy { name: Some("shop".parse().unwrap()), draft, ..wish };
        let told = self.asker.ask(&self.installation, Ask::Deploy(Box::new(deploy)), LIFE).await;
        (told.finished.unwrap(), told.events.into_iter().map(|event| event.event).collect())
    }

    fn has_certificate(&self, name: &str) -> bool {
        self.front.certificates().find(name).is_some()
    }
}

/// The steps that ended well, in their order, and what they said.
fn steps(events: &[Event]) -> Vec<(Step, String)> {
    let ended = events.iter().filter_map(|event| match event {
        Event::StepFinished { step, detail, .. } => Some((*step, detail.clone())),
        _ => None,
    });
    ended.collect()
}

fn place(steps: &[(Step, String)], step: Step) -> usize {
    steps.iter().position(|(s, _)| *s == step).unwrap_or_else(|| panic!("no {step} in {steps:?}"))
}

#[tokio::test]
async fn a_deploy_gets_the_certificate_before_the_switch_and_proves_it_after() {
    bounded(async {
        let bed = Bed::new().await;
        bed.zone.point("shop.once.test", HERE);
        let (finished, events) = bed.deploy("shop:1", &["shop.once.test"], true).await;
        assert_eq!(finished.outcome, Outcome::Created, "{finished:#?}");
        assert!(finished.warnings.is_empty(), "{:?}", finished.warnings);
        let steps = steps(&events);
        let (certificate, switch, proof) =
            (place(&steps, Step::Certificate), place(&steps, Step::Switch), place(&steps, Step::Proof));
        assert!(place(&steps, Step::Healthy) < certificate && certificate < switch && switch < proof, "{steps:?}");
        assert!(steps[certificate].1.contains("shop.once.test until"), "{steps:?}");
        assert!(steps[proof].1.contains("handshake through the public name shows it"), "{steps:?}");
        let planned = events.iter().find_map(|e| match e {
            Event::Planned { steps, .. } => Some(steps.clone()),
            _ => None,
        });
        assert!(planned.unwrap().contains(&Step::Certificate));
        let views = bed.service.snapshot().await.unwrap().certificates;
        assert_eq!(views[0].issuing.as_ref().unwrap().state, IssuingState::Valid);
        // The next deploy has it already.
        let (_, events) = bed.deploy("shop:2", &[], false).await;
        let steps = self::steps(&events);
        assert!(!steps[place(&steps, Step::Certificate)].1.contains("new"), "{steps:?}");
    })
    .await;
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_is_a_warning_that_says_how_to_try_and_mends_itself() {
    bounded(async {
        let bed = Bed::new().await;
        let _stranger = stranger((ELSEWHERE, bed.front.http).into());
        bed.zone.point("shop.once.test", ELSEWHERE);
        let (finished, _) = bed.deploy("shop:1", &["shop.once.test"], false).await;
        assert_eq!(finished.outcome, Outcome::Created, "{finished:#?}");
        let warning = finished.warnings.join("\n");
        assert!(warning.contains("leads to 127.0.0.2, where something else answers"), "{warning}");
        assert!(warning.contains("curl --resolve shop.once.test:8080:"), "{warning}");
        assert!(!bed.has_certificate("shop.once.test"));
        bed.zone.point("shop.once.test", HERE);
        until("the certificate", || bed.has_certificate("shop.once.test").then_some(())).await;
    })
    .await;
}

#[tokio::test]
async fn with_require_tls_nothing_is_switched_without_a_certificate() {
    bounded(async {
        let bed = Bed::new().await;
        bed.zone.point("shop.once.test", HERE);
        bed.deploy("shop:1", &["shop.once.test"], true).await;
        let (finished, _) = bed.deploy("shop:2", &["shop.once.test", "new.once.test"], true).await;
        assert_eq!((finished.outcome, finished.outcome.exit_code()), (Outcome::Failed, 5), "{finished:#?}");
        assert_eq!(finished.serving, Some(ReleaseNumber(1)));
        let problem = finished.problem.unwrap();
        assert_eq!(problem.code, "no-certificate");
        assert!(problem.causes.iter().any(|c| c.contains("new.once.test does not lead to this proxy")), "{problem:#?}");
        let (finished, _) = bed.deploy("shop:2", &["*.once.test"], true).await;
        assert_eq!(finished.outcome, Outcome::Failed, "{finished:#?}");
    })
    .await;
}

#[tokio::test]
async fn a_new_hostname_has_its_certificate_before_its_route() {
    bounded(async {
        let bed = Bed::new().await;
        bed.zone.point("shop.once.test", HERE);
        bed.zone.point("new.once.test", HERE);
        bed.deploy("shop:1", &["shop.once.test"], false).await;
        let (finished, events) = bed.deploy("shop:1", &["shop.once.test", "new.once.test"], false).await;
        assert_eq!((finished.outcome, finished.release), (Outcome::Updated, None), "{finished:#?}");
        let steps = steps(&events);
        assert!(steps[place(&steps, Step::Certificate)].1.contains("new.once.test until"), "{steps:?}");
        assert!(place(&steps, Step::Certificate) < place(&steps, Step::Proof));
        assert!(bed.has_certificate("new.once.test"));
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_can_be_had_now_is_a_difference_of_its_own() {
    bounded(async {
        let bed = Bed::new().await;
        let _stranger = stranger((ELSEWHERE, bed.front.http).into());
        let hosts = &["shop.once.test", "www.once.test"];
        for name in hosts {
            bed.zone.point(name, ELSEWHERE);
        }
        bed.deploy("shop:1", hosts, false).await;
        let (plan, steps) = bed.plan("shop:1", hosts).await;
        assert_eq!((plan.action, plan.changes.len(), steps.len()), (Action::Nothing, 0, 0), "{plan:#?}");
        assert!(plan.remarks.iter().any(|r| r.starts_with("www.once.test has no certificate yet: ")), "{plan:#?}");
        assert_eq!(bed.deploy("shop:1", hosts, false).await.0.outcome, Outcome::Unchanged);
        // One of two.
        bed.zone.point("www.once.test", HERE);
        let (plan, steps) = bed.plan("shop:1", hosts).await;
        let change = &plan.changes[..][0];
        assert_eq!((plan.action, plan.changes.len(), plan.remarks.len()), (Action::Route, 1, 1), "{plan:#?}");
        assert_eq!((change.field.as_str(), &change.from), ("certificate.www.once.test", &None));
        assert_eq!(steps, [Step::Lock, Step::Certificate, Step::Proof]);
        assert!(!bed.has_certificate("www.once.test"), "a plan orders nothing");
        let (finished, _) = bed.deploy("shop:1", &[], false).await;
        assert_eq!((finished.outcome, finished.release), (Outcome::Updated, None), "{finished:#?}");
        assert!(bed.has_certificate("www.once.test") && !bed.has_certificate("shop.once.test"));
        assert_eq!(bed.plan("shop:1", hosts).await.0.action, Action::Nothing);
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_was_to_be_had_and_was_not_changes_nothing_and_says_so() {
    bounded(async {
        let mut bed = Bed::new().await;
        let _stranger = stranger((ELSEWHERE, bed.front.http).into());
        bed.zone.point("shop.once.test", ELSEWHERE);
        bed.deploy("shop:1", &["shop.once.test"], false).await;
        bed.pebble.stop();
        bed.zone.point("shop.once.test", HERE);
        let (finished, _) = bed.deploy("shop:1", &["shop.once.test"], false).await;
        assert_eq!(finished.outcome, Outcome::Unchanged, "{finished:#?}");
        assert!(finished.warnings.join("\n").contains("tried again by itself"), "{finished:#?}");
        // The plan says what to expect of another try.
        let (plan, _) = bed.plan("shop:1", &["shop.once.test"]).await;
        assert_eq!((plan.action, plan.changes.len()), (Action::Route, 1), "{plan:#?}");
        assert!(plan.remarks.iter().any(|r| r.starts_with("the last try for shop.once.test failed: ")), "{plan:#?}");
    })
    .await;
}
