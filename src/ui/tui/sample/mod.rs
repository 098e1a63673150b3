//! A host as it could be, for tests and pictures: every app in another state, told through messages as in life.

mod apps;
mod deploy;
mod engine;
mod host;
mod proxy;

use jiff::Timestamp;

use once_app::event::Outcome;
use once_app::proxy::ProbeAnswer;
use once_app::{Caller, Namespace, Problem, ProxyPorts};

use super::console::ConsoleOptions;
use super::model::Model;
use super::msg::{Effect, Msg};
use super::update::update;

pub(crate) use apps::{history, records};
pub(crate) use deploy::{deploy, plan, planned, renaming};
pub(crate) use engine::{containers, detail, engine_up, log_lines, usage};
pub(crate) use host::{clean, examined};
pub(crate) use proxy::{activity, report, snapshot};

/// 20 November 2026, 18:42:07 UTC.
pub(crate) fn now() -> Timestamp {
    "2026-11-20T18:42:07Z".parse().unwrap()
}

pub(crate) fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() - seconds).unwrap()
}

pub(crate) fn caller(user: &str, host: &str, command: &str) -> Caller {
    Caller { user: user.into(), host: host.into(), command: command.into() }
}

/// A console that has just been opened.
pub(crate) fn fresh(columns: u16, rows: u16, options: ConsoleOptions) -> Model {
    let options = ConsoleOptions { by: caller("mia", "laptop", "console"), engine_label: "web-1".into(), ..options };
    let ports = ProxyPorts { http: 80, https: Some(443), metrics: None };
    let mut m = Model::new(options, Namespace::default(), ports, "0123456789abcdef".into(), now());
    update(&mut m, Msg::Resize(columns, rows));
    update(&mut m, Msg::Painted(Vec::new()));
    m
}

/// The host in full swing: six apps, a deploy under way, an orphan.
pub(crate) fn host(columns: u16, rows: u16, options: ConsoleOptions) -> Model {
    let mut m = fresh(columns, rows, options);
    feed(&mut m, engine_up());
    feed(&mut m, Msg::Containers(containers()));
    feed(&mut m, Msg::Snapshot(Box::new(snapshot())));
    for second in 0..60 {
        feed(&mut m, usage(second));
    }
    for envelope in deploy("f00d", true).into_iter().take(DEPLOYING) {
        feed(&mut m, Msg::Progress(Box::new(envelope)));
    }
    select(&mut m, "books");
    let id = "books-7".to_owned();
    feed(&mut m, Msg::Detail(id.clone(), Some(Box::new(detail(&id)))));
    feed(&mut m, Msg::Health("books".parse().unwrap(), ProbeAnswer::Healthy { status: 200, took_ms: 12 }));
    m
}

/// Events of [`deploy`] after which it drains.
pub(crate) const DEPLOYING: usize = 17;

pub(crate) fn feed(m: &mut Model, msg: Msg) -> Vec<Effect> {
    update(m, msg)
}

/// Marks an app.
pub(crate) fn select(m: &mut Model, app: &str) {
    m.selected = Some(super::model::RowKey::App(app.parse().unwrap()));
}

pub(crate) fn problem() -> Problem {
    let mut problem =
        Problem::new(Outcome::Environment, "engine-unreachable", "the engine at /var/run/docker.sock does not answer")
            .hint("`systemctl status docker` says whether it runs");
    problem.causes.push("Connection refused (os error 111)".into());
    problem
}
