//! The door: what the console is started with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::tz::TimeZone;

use once_app::{Caller, Clock, Installation, Namespace, Problem, ProxyPorts};

use super::palette::Depth;
use super::theme::{DARK, LIGHT, Theme};
use once_job::changes::Runner;

/// How long after an Esc more is waited for where nobody says otherwise: a terminal sends a sequence in one go, and nobody
/// presses a key so soon after Esc.
const ESCAPE_WAIT: Duration = Duration::from_millis(25);

/// The way to an installation. A dead engine is a state of the console and not the end of it, so it is the console that
/// opens the door, and opens it again.
#[async_trait]
pub trait Door: Send + Sync {
    /// Connects. One try, no waiting.
    async fn open(&self) -> Result<Installation, Problem>;
}

#[async_trait]
impl Door for Installation {
    async fn open(&self) -> Result<Installation, Problem> {
        Ok(self.clone())
    }
}

/// Everything the console needs.
pub struct Console {
    /// Which apps.
    pub namespace: Namespace,
    /// Where.
    pub door: Arc<dyn Door>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// 16 random hex digits: identities of changes are made of them and a counter.
    pub seed: String,
    /// The ports apps are reached on until the host tells others.
    pub ports: ProxyPorts,
    /// How it looks and what it may do.
    pub options: ConsoleOptions,
    /// Carries changes out in a process of their own.
    pub runner: Arc<dyn Runner>,
}

/// How the console looks and what it may do.
#[derive(Debug, Clone)]
pub struct ConsoleOptions {
    /// Nothing can be changed.
    pub read_only: bool,
    /// ASCII glyphs only.
    pub ascii: bool,
    /// Colours of the terminal.
    pub color: Depth,
    /// The terminal's background is light.
    pub light: bool,
    /// Frames a second at most, 1 to 30.
    pub fps: u8,
    /// Nothing moves by itself but numbers.
    pub reduced_motion: bool,
    /// The mouse selects and scrolls.
    pub mouse: bool,
    /// How long after an Esc the rest of a key's sequence is waited for, before it is the key Esc.
    pub escape_wait: Duration,
    /// The engine's name for people, until it has told its own: `ssh://web-1`, `local`.
    pub engine_label: String,
    /// Who sits here.
    pub by: Caller,
    /// The time zone times are shown in.
    pub zone: TimeZone,
    /// This binary and its global arguments (`--namespace`, `--on`): what `shell APP` is appended to.
    pub command: (PathBuf, Vec<String>),
}

impl Default for ConsoleOptions {
    fn default() -> Self {
        Self {
            read_only: false,
            ascii: false,
            color: Depth::True,
            light: false,
            fps: 30,
            reduced_motion: false,
            mouse: true,
            escape_wait: ESCAPE_WAIT,
            engine_label: "local".into(),
            by: Caller { command: "console".into(), ..Caller::default() },
            zone: TimeZone::UTC,
            command: (PathBuf::from("once"), Vec::new()),
        }
    }
}

impl ConsoleOptions {
    /// From the environment of a terminal: `NO_COLOR`, `COLORTERM`, `TERM`, `COLORFGBG`, `LC_ALL`, `LC_CTYPE`, `LANG`,
    /// `ONCE_REDUCED_MOTION`. The time zone is the system's, the command is this binary without arguments.
    #[must_use]
    pub fn detect(var: impl Fn(&str) -> Option<String>) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|k| var(k).filter(|v| !v.is_empty()));
        let utf8 = locale.is_none_or(|l| {
            let l = l.to_ascii_lowercase();
            l.contains("utf-8") || l.contains("utf8")
        });
        // `fg;bg` of rxvt and friends: 7 and 15 are white.
        let light = var("COLORFGBG").is_some_and(|v| matches!(v.rsplit(';').next(), Some("7" | "15")));
        Self {
            ascii: !utf8 || var("TERM").is_some_and(|t| t == "linux"),
            color: Depth::detect(&var),
            light,
            reduced_motion: var("ONCE_REDUCED_MOTION").is_some_and(|v| !v.is_empty() && v != "0"),
            zone: TimeZone::system(),
            command: (std::env::current_exe().unwrap_or_else(|_| PathBuf::from("once")), Vec::new()),
            ..Self::default()
        }
    }

    pub(crate) fn theme(&self) -> &'static Theme {
        if self.light { &LIGHT } else { &DARK }
    }
}
