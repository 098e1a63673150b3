//! One file a subcommand, or a family of them. Each gets the session and gives an exit code or a problem.

pub(crate) mod activity;
pub(crate) mod adopt;
pub(crate) mod canary;
pub(crate) mod close;
pub(crate) mod completions;
pub(crate) mod console;
pub(crate) mod demo_image;
pub(crate) mod deploy;
pub(crate) mod doctor;
pub(crate) mod env;
pub(crate) mod exec;
pub(crate) mod export;
pub(crate) mod lifecycle;
pub(crate) mod list;
pub(crate) mod locks;
pub(crate) mod logs;
pub(crate) mod proxy;
pub(crate) mod proxy_config;
pub(crate) mod proxy_takeover;
pub(crate) mod proxy_upgrade;
pub(crate) mod release;
pub(crate) mod releases;
pub(crate) mod remove;
pub(crate) mod rename;
pub(crate) mod run_job;
pub(crate) mod setup;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod teardown;
pub(crate) mod version;
pub(crate) mod watch;

use once_app::Problem;

/// An exit code, or why there is no answer.
pub(crate) type Answer = Result<u8, Problem>;

/// Exit code of answers that hold findings or pending changes.
pub(crate) const FINDINGS: u8 = 10;
