//! What an app is and how it changes. Knows no Docker, no terminal and no HTTP library: the outside world comes in
//! through the ports [`engine::Engine`], [`proxy::Proxy`], [`Clock`] and [`Entropy`]. `tests/layers.rs` holds it to that.

mod address;
mod canary;
mod certificate;
mod change;
mod clock;
mod configure;
mod doctor;
mod draft;
mod drift;
pub mod engine;
pub mod event;
mod explain;
pub mod export;
mod field;
mod finding;
mod fold;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod guard;
mod hook;
mod host;
mod image;
mod installation;
mod inventory;
mod issuing;
mod job;
mod journal;
pub mod ledger;
mod log;
mod manual_lock;
mod name;
mod naming;
mod plan;
mod port_handover;
mod problem;
mod processes;
pub mod proxy;
mod proxy_config;
mod proxy_name;
mod proxy_upgrade;
mod rebuild;
mod reconcile;
mod release;
mod resolve;
mod route;
mod select;
mod settings;
mod settings_label;
mod shape;
mod standing;
mod takeover;
mod teardown;
pub mod traffic;
mod units;
mod untold;
mod volumes;
mod watch;

pub use address::address;
pub use canary::{Canary, CanaryRule, CanaryView, Match, RuleError, Share};
pub use certificate::{
    AccountOffer, CertificateFacts, CertificateFailure, CertificateFlaw, CertificateOffer, CertificatePair,
    CertificateSource, CertificateView,
};
pub use change::{Adoption, Stop, find_container, plan_adoptions, run};
pub use clock::{Clock, Entropy};
pub use configure::{Configured, configure};
pub use doctor::{
    Looks, Lookup, Machine, Report, Resolver, Seen, Socket, examine, names, public_names, without_engine,
};
pub use draft::within_bounds;
pub use draft::{Draft, FieldError, WebDraft};
pub use field::{Cost, Field, FieldPath, FieldPathError, Section};
pub use finding::{Finding, Fix, Kind, Severity};
pub use fold::{DeployView, StepState, StepView};
pub use hook::{Hook, HookError, Hooks, NoHooks};
pub use host::{HostError, Hostname};
pub use image::{ImageError, ImageRef, ResolvedImage};
pub use installation::{
    HTTP_PORT, HTTPS_PORT, Installation, PROXY_HTTP, PROXY_HTTPS, PROXY_HTTPS_PORT, PROXY_METRICS, PROXY_STATE,
    ProxyLink, ProxyPorts,
};
pub use inventory::{AppView, Inventory, join, observe, views};
pub use issuing::{Certified, CertifyAnswer, CertifyAsk, CertifyRequest, Issuing, IssuingState, NoCertificate};
pub use job::{AdoptWish, Ask, Deploy, Job, Pull, Selector};
pub use journal::EventSink;
pub use log::{BreakReason, LogBreak, LogFilter, LogItem, LogOf, LogRequest, read_log};
pub use manual_lock::{check_message, hold, lift, note, whose};
pub use name::{AppId, AppName, NameError, Namespace, OpId, ReleaseNumber};
pub use plan::{Action, Change, PlanView, compare};
pub use port_handover::{Gap, PortPlan};
pub use problem::Problem;
pub use proxy_config::{Acme, ProxyConfig, ProxyDraft, ProxyField, ProxyFieldError};
pub use proxy_upgrade::ProxyUpgrade;
pub use reconcile::{Sight, reconcile};
pub use release::{Caller, Release, ReleaseStatus};
pub use route::{CanaryRoute, Notice, Route, RouteState, Target};
pub use settings::{
    AskUrl, AutoUpdate, Cidr, CidrError, EnvKey, EnvKeyError, EnvValue, MASK, MaxAge, Mount, MountError, MountSource,
    RateLimit, Retention, Secret, Settings, Smtp, Swap, Switch, Tls, Upstream, UserName, Web, WebError, WordError,
    defaults,
};
pub use standing::{AppState, Reason, Standing};
pub use teardown::put_away;
pub use units::{ByteSize, Cpus, Port, Span, UnitError, UrlPath, in_words, normalised_path};
pub use untold::Untold;
pub use volumes::{DeclaredVolumes, OwnedVolume, is_anonymous};
pub use watch::percent;
