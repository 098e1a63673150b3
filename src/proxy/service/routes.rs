//! What the memory needs of the data plane.

use std::time::Duration;

use futures_core::stream::BoxStream;

use crate::acme::Question;
use crate::plane::Plane;
use crate::tls::Certificates;
use once_app::proxy::{AppTraffic, DrainLimits, DrainProgress, ProbeAnswer, ProbeRequest};
use once_app::traffic::TrafficReport;
use once_app::{AppId, ProxyConfig, ReleaseNumber, Route};

/// The data plane as the service drives it. Calls take effect before they return.
pub trait Routes: Send + Sync {
    /// Replaces all routes.
    fn publish(&self, routes: Vec<Route>);
    /// What holds for all of them; called before the first [`Routes::publish`].
    fn configure(&self, config: &ProxyConfig);
    /// Adds or replaces an app's route. A new target gets the requests held.
    fn set_route(&self, route: Route);
    /// Removes an app's route.
    fn remove_route(&self, app: &AppId);
    /// Holds an app's new requests; whether it has a route.
    fn hold(&self, app: &AppId, limit: Duration) -> bool;
    /// The apps that are held, and for how much longer.
    fn holds(&self) -> Vec<(AppId, Duration)>;
    /// Lets them go on.
    fn resume(&self, app: &AppId);
    /// Waits until a release has nothing under way, or cuts what is left at the limits.
    fn drain(&self, app: &AppId, release: ReleaseNumber, limits: DrainLimits) -> BoxStream<'static, DrainProgress>;
    /// Tries a candidate until it is healthy or the time is over.
    fn probe(&self, request: ProbeRequest) -> BoxStream<'static, ProbeAnswer>;
    /// One app's traffic.
    fn traffic(&self, app: &AppId) -> AppTraffic;
    /// The same in detail.
    fn traffic_report(&self, app: &AppId) -> TrafficReport;
    /// Every app's traffic.
    fn traffic_all(&self) -> Vec<(AppId, AppTraffic)>;
    /// Resets the slowest response.
    fn mark(&self, app: &AppId);
    /// Whom to ask whether a name that no app was given may have a certificate. Default: nobody, it may not.
    fn whom_to_ask(&self, _name: &str) -> Option<Question> {
        None
    }
    /// The certificates it serves. Default: none, kept nowhere else.
    fn certificates(&self) -> Certificates {
        Certificates::default()
    }
}

impl Routes for Plane {
    fn publish(&self, routes: Vec<Route>) {
        Plane::publish(self, routes);
    }

    fn configure(&self, config: &ProxyConfig) {
        Plane::configure(self, config.clone());
    }

    fn set_route(&self, route: Route) {
        Plane::set_route(self, route);
    }

    fn remove_route(&self, app: &AppId) {
        Plane::remove_route(self, app);
    }

    fn hold(&self, app: &AppId, limit: Duration) -> bool {
        Plane::hold(self, app, limit)
    }

    fn holds(&self) -> Vec<(AppId, Duration)> {
        Plane::holds(self)
    }

    fn resume(&self, app: &AppId) {
        Plane::resume(self, app);
    }

    fn drain(&self, app: &AppId, release: ReleaseNumber, limits: DrainLimits) -> BoxStream<'static, DrainProgress> {
        Plane::drain(self, app, release, limits)
    }

    fn probe(&self, request: ProbeRequest) -> BoxStream<'static, ProbeAnswer> {
        Plane::probe(self, request)
    }

    fn traffic(&self, app: &AppId) -> AppTraffic {
        Plane::traffic(self, app)
    }

    fn traffic_report(&self, app: &AppId) -> TrafficReport {
        Plane::traffic_report(self, app)
    }

    fn traffic_all(&self) -> Vec<(AppId, AppTraffic)> {
        Plane::traffic_all(self)
    }

    fn mark(&self, app: &AppId) {
        Plane::mark(self, app);
    }

    fn whom_to_ask(&self, name: &str) -> Option<Question> {
        Plane::whom_to_ask(self, name)
    }

    fn certificates(&self) -> Certificates {
        Plane::certificates(self).clone()
    }
}
