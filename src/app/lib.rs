//! What an app is and how it changes. Knows no Docker, no terminal and no HTTP library: the outside world comes in
//! through the ports [`engine::Engine`], [`proxy::Proxy`], [`Clock`] and [`Entropy`]; `tests/layers` holds it to that.
//!
//! From below to above: `model` (values), `settings`, `ledger` (what is remembered), `ports` (the outside world),
//! `progress` (what a change tells), `request` (what can be asked for), `plan` (what would change), `host` (one server),
//! `import` (what other tools left), `log` (what apps wrote), `deploy` (how a change is made), `doctor` (what is wrong).

pub(crate) mod deploy;
mod doctor;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod host;
pub(crate) mod import;
pub mod ledger;
mod log;
mod model;
mod plan;
mod ports;
mod progress;
mod request;
mod settings;

pub use deploy::{Adoption, Stop, find_container, plan_adoptions, run};
pub use doctor::finding::{Finding, Fix, Kind, Severity};
pub use doctor::reconcile::{Sight, reconcile};
pub use doctor::{Looks, Lookup, Report, Resolver, Seen, examine, names, public_names, without_engine};
pub use host::address::address;
pub use host::configure::{Configured, configure};
pub use host::export;
pub use host::installation::{
    HTTP_PORT, HTTPS_PORT, Installation, PROXY_HTTP, PROXY_HTTPS, PROXY_HTTPS_PORT, PROXY_METRICS, PROXY_STATE,
    ProxyLink, ProxyPorts,
};
pub use host::inventory::{AppView, Inventory, join, observe, views};
pub use host::manual_lock::{check_message, hold, lift, note, whose};
pub use host::port_handover::{Gap, PortPlan};
pub use host::proxy_config::{Acme, ProxyConfig, ProxyDraft, ProxyField, ProxyFieldError};
pub use host::proxy_upgrade::ProxyUpgrade;
pub use host::standing::{AppState, Reason, Standing};
pub use host::teardown::put_away;
pub use log::{BreakReason, LogBreak, LogFilter, LogItem, LogOf, LogRequest, read_log};
pub use model::canary::{Canary, CanaryRule, CanaryView, Match, RuleError, Share};
pub use model::certificate::{
    AccountOffer, CertificateFacts, CertificateFailure, CertificateFlaw, CertificateOffer, CertificatePair,
    CertificateSource, CertificateView,
};
pub use model::hostname::{HostError, Hostname};
pub use model::image::{ImageError, ImageRef, ResolvedImage};
pub use model::issuing::{Certified, CertifyAnswer, CertifyAsk, CertifyRequest, Issuing, IssuingState, NoCertificate};
pub use model::name::{AppId, AppName, NameError, Namespace, OpId, ReleaseNumber};
pub use model::problem::Problem;
pub use model::release::{Caller, Release, ReleaseStatus};
pub use model::route::{CanaryRoute, Notice, Route, RouteState, Target};
pub use model::traffic;
pub use model::undelivered::Untold;
pub use model::units::{ByteSize, Cpus, Port, Span, UnitError, UrlPath, in_words, normalised_path};
pub use model::volumes::{DeclaredVolumes, OwnedVolume, is_anonymous};
pub use model::watch_rule::percent;
pub use plan::diff::{Action, Change, PlanView, compare};
pub use ports::clock::{Clock, Entropy};
pub use ports::engine::{Machine, Socket};
pub use ports::hook::{Hook, HookError, Hooks, NoHooks};
pub use ports::{engine, proxy};
pub use progress::event;
pub use progress::journal::EventSink;
pub use progress::reducer::{DeployView, StepState, StepView};
pub use request::change::{AdoptWish, Ask, Deploy, Job, Pull, Selector};
pub use settings::draft::within_bounds;
pub use settings::draft::{Draft, FieldError, WebDraft};
pub use settings::field::{Cost, Field, FieldPath, FieldPathError, Section};
pub use settings::{
    AskUrl, AutoUpdate, Cidr, CidrError, EnvKey, EnvKeyError, EnvValue, MASK, MaxAge, Mount, MountError, MountSource,
    RateLimit, Retention, Secret, Settings, Smtp, Swap, Switch, Tls, Upstream, UserName, Web, WebError, WordError,
    defaults,
};
