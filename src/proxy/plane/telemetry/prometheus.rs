//! The counters in Prometheus' text format: kamal-proxy's families under their names, so that what was built on those
//! goes on working, and our own.

use std::fmt::{Display, Write};
use std::sync::Arc;

use super::access_log::LogWriter;
use super::answers::{Answers, BOUNDS};
use super::cause::Cause;
use super::metrics::Metrics;
use crate::plane::handle::Shared;
use crate::plane::routing::app::App;
use once_app::RouteState;
use once_app::proxy::AppTraffic;

/// An app at the moment of the question.
struct Seen {
    service: String,
    /// The serving release.
    release: u64,
    serving: bool,
    traffic: AppTraffic,
    answers: Answers,
    causes: Vec<(Cause, u64)>,
}

/// Requests for no app have an empty service, as in the access log.
pub(in crate::plane) fn text(apps: &[Arc<App>], shared: &Shared) -> String {
    let mut seen: Vec<Seen> = apps.iter().map(|app| look(app)).collect();
    let mut out = String::with_capacity(4096);
    proxy(&mut out, shared);
    ours(&mut out, &seen);
    seen.insert(0, stray(&shared.strays));
    kamal_proxys(&mut out, &seen);
    out
}

fn proxy(out: &mut String, shared: &Shared) {
    family(out, "once_build_info", "gauge", "Always 1; the label says which version this is.");
    sample(out, "once_build_info", concat!("version=\"", env!("CARGO_PKG_VERSION"), "\""), 1);
    family(
        out,
        "once_access_log_dropped_lines_total",
        "counter",
        "Access log lines lost to a reader that was too slow.",
    );
    let dropped = shared.log.as_ref().map_or(0, LogWriter::dropped);
    let _ = writeln!(out, "once_access_log_dropped_lines_total {dropped}");
    let name = "once_certificate_expiry_timestamp_seconds";
    family(out, name, "gauge", "When the certificate of a hostname runs out, seconds since 1970.");
    for view in shared.certificates.all() {
        if let Some(facts) = &view.certificate {
            sample(out, name, &format!("host=\"{}\"", view.name), facts.not_after.as_second());
        }
    }
}

fn look(app: &App) -> Seen {
    let live = app.live();
    Seen {
        service: live.route.name.to_string(),
        release: live.upstream.target.release.0,
        serving: live.route.state == RouteState::Serving,
        traffic: crate::plane::handle::traffic(app),
        answers: app.metrics.answers(),
        causes: app.metrics.causes(),
    }
}

fn stray(strays: &Metrics) -> Seen {
    let traffic = strays.traffic(std::time::Instant::now());
    Seen {
        service: String::new(),
        release: 0,
        serving: false,
        traffic,
        answers: strays.answers(),
        causes: strays.causes(),
    }
}

fn kamal_proxys(out: &mut String, seen: &[Seen]) {
    const REQUESTS: &str = "kamal_proxy_http_requests_total";
    const SECONDS: &str = "kamal_proxy_http_request_duration_seconds";
    let pairs: Vec<_> = seen
        .iter()
        .flat_map(|app| app.answers.clone().sorted().into_iter().map(|p| (app.service.as_str(), p)))
        .collect();
    family(out, REQUESTS, "counter", "HTTP requests answered, by app, method and status.");
    for (service, pair) in &pairs {
        sample(out, REQUESTS, &labels(service, pair.method, &pair.status()), pair.count);
    }
    family(out, SECONDS, "histogram", "Time to the end of the answer, upgraded connections left out.");
    for (service, pair) in &pairs {
        let labels = labels(service, pair.method, &pair.status());
        let counts = pair.cumulative();
        let bounds = BOUNDS.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(counts) {
            sample(out, &format!("{SECONDS}_bucket"), &format!("{labels},le=\"{bound}\""), count);
        }
        sample(out, &format!("{SECONDS}_sum"), &labels, pair.seconds());
        sample(out, &format!("{SECONDS}_count"), &labels, counts[BOUNDS.len()]);
    }
    let name = "kamal_proxy_http_in_flight_requests";
    gauge(out, name, "Requests under way, upgraded connections included.", seen.iter().skip(1), |app| {
        app.traffic.in_flight.iter().map(|flight| flight.requests + flight.upgraded).sum()
    });
}

type Count = fn(&Seen) -> u64;

fn ours(out: &mut String, seen: &[Seen]) {
    family(out, "once_app_up", "gauge", "1: the app's requests go to this release; 0: it has been stopped.");
    for app in seen {
        let labels = format!("service=\"{}\",release=\"{}\"", app.service, app.release);
        sample(out, "once_app_up", &labels, u64::from(app.serving));
    }
    let counters: [(&str, &str, Count); 3] = [
        ("once_http_received_bytes_total", "Bytes of bodies received from clients.", |app| app.traffic.bytes_in),
        ("once_http_sent_bytes_total", "Bytes of bodies sent to clients.", |app| app.traffic.bytes_out),
        (
            "once_http_own_answers_total",
            "Answers of the proxy's own: pages of an app that is stopped, paused or under maintenance, redirects, refusals.",
            |app| app.traffic.own.unwrap_or_default(),
        ),
    ];
    for (name, help, count) in counters {
        family(out, name, "counter", help);
        for app in seen {
            sample(out, name, &service(app), count(app));
        }
    }
    failures(out, seen);
    let gauges: [(&str, &str, Count); 4] = [
        ("once_http_held_requests", "Requests that wait while a release is handed over.", |app| app.traffic.held),
        ("once_http_draining_requests", "Requests still under way at releases that serve no more.", |app| {
            app.traffic.in_flight.iter().filter(|f| f.release.0 != app.release).map(|f| f.requests + f.upgraded).sum()
        }),
        ("once_upgraded_connections", "WebSockets and other upgraded connections.", |app| {
            app.traffic.in_flight.iter().map(|flight| flight.upgraded).sum()
        }),
        ("once_visitors_24h", "Different client addresses of the last 24 hours, within about 3 %.", |app| {
            app.traffic.visitors_24h
        }),
    ];
    for (name, help, count) in gauges {
        gauge(out, name, help, seen.iter(), count);
    }
}

/// The series without a cause is there from the beginning, so that there is a zero to start from; all of an app's series
/// together are its failures.
fn failures(out: &mut String, seen: &[Seen]) {
    let name = "once_http_failed_total";
    let help = "Requests the proxy answered with 502, 503 or 504 itself, or whose answer broke off, by cause; not the \
                pages of an app that is stopped, paused or under maintenance.";
    family(out, name, "counter", help);
    for app in seen {
        let known: u64 = app.causes.iter().map(|(_, count)| count).sum();
        sample(out, name, &service(app), app.traffic.failed.saturating_sub(known));
        for (cause, count) in &app.causes {
            sample(out, name, &format!("{},cause=\"{}\"", service(app), cause.word()), count);
        }
    }
}

fn gauge<'a>(out: &mut String, name: &str, help: &str, seen: impl Iterator<Item = &'a Seen>, count: Count) {
    family(out, name, "gauge", help);
    for app in seen {
        sample(out, name, &service(app), count(app));
    }
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn sample(out: &mut String, name: &str, labels: &str, value: impl Display) {
    let _ = writeln!(out, "{name}{{{labels}}} {value}");
}

/// Names of apps, methods and statuses need no escapes.
fn labels(service: &str, method: &str, status: &str) -> String {
    format!("method=\"{method}\",service=\"{service}\",status=\"{status}\"")
}

fn service(app: &Seen) -> String {
    format!("service=\"{}\"", app.service)
}
