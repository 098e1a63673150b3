//! What is not as it should be on a host, and what to do about it. `status`, `doctor` and the console show the same.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::name::AppName;
use crate::request::change::{Ask, Selector};

/// One thing that somebody should know, with why it matters and what mends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which sort.
    pub kind: Kind,
    /// Whether it is wrong, or only worth knowing.
    pub severity: Severity,
    /// Which app it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<AppName>,
    /// The thing: a container, a volume, a hostname, a port, a file.
    pub subject: String,
    /// One sentence.
    pub what: String,
    /// What may come of it.
    pub why: String,
    /// What it is made up of, line by line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// Commands, the likeliest first. Empty: nothing has to be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mend: Vec<String>,
    /// What `doctor --fix` does about it; `None`: a person has to decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Something does not work, or will not.
    Problem,
    /// Worth knowing; a host with nothing else is clean.
    Remark,
}

/// What can be wrong. The words are a promise: additive only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// The ledger knows few of the containers there are: its volume was lost or exchanged.
    LostState,
    /// A container of ours serves, and no record owns it.
    Orphan,
    /// A record says that a release serves, and its container is not there.
    Ghost,
    /// It is there and does not run.
    Down,
    /// An app runs, and too many of its answers are errors, or its own health check fails.
    Failing,
    /// A container of ours that nothing needs: an abandoned candidate, a left-over task.
    Stray,
    /// A change was left behind by a holder that died.
    Abandoned,
    /// A container was changed behind our back.
    Drift,
    /// An app's data volume is not there.
    LostVolume,
    /// A file of the ledger could not be read.
    SetAside,
    /// The engine starts a container again and again.
    RestartLoop,
    /// Somebody else's container that could be an app.
    Foreign,
    /// The engine is older than what is tested.
    Engine,
    /// The engine listens on the network without encryption.
    EngineExposed,
    /// A database's port is open to the network.
    DatabasePublished,
    /// The proxy is not there, does not run, or is not of this version.
    Proxy,
    /// Little room is left where the engine keeps its data.
    Disk,
    /// Little memory is left.
    Memory,
    /// The host's clock and this machine's differ.
    Clock,
    /// A hostname does not lead here.
    Dns,
    /// A hostname has no certificate, or one that ends soon.
    Certificate,
    /// A container's log has no bound.
    Log,
    /// A port of the web is held by somebody else.
    Port,
    /// Somebody may do more than is meant.
    Permissions,
    /// Something could not be looked at.
    Unseen,
    /// The web hook is not told.
    Webhook,
    /// Values of variables stand in a container's label, as versions before 0.1.1 wrote them.
    LabelValues,
    /// A volume of an earlier release is kept.
    KeptVolume,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::LostState => "lost state",
            Self::Orphan => "orphan",
            Self::Ghost => "ghost",
            Self::Down => "down",
            Self::Failing => "failing",
            Self::Stray => "stray",
            Self::Abandoned => "abandoned change",
            Self::Drift => "drift",
            Self::LostVolume => "lost volume",
            Self::SetAside => "unreadable file",
            Self::RestartLoop => "restart loop",
            Self::Foreign => "foreign",
            Self::Engine => "engine",
            Self::EngineExposed => "exposed engine",
            Self::DatabasePublished => "published database",
            Self::Proxy => "proxy",
            Self::Disk => "disk",
            Self::Memory => "memory",
            Self::Clock => "clock",
            Self::Dns => "dns",
            Self::Certificate => "certificate",
            Self::Log => "log",
            Self::Port => "port",
            Self::Permissions => "permissions",
            Self::Unseen => "not looked at",
            Self::Webhook => "web hook",
            Self::LabelValues => "values in labels",
            Self::KeptVolume => "kept volume",
        })
    }
}

/// What can be done without a person's judgement: none of it stops what serves, or removes data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "fix")]
pub enum Fix {
    /// Make the record again from labels, inspect and volumes.
    Adopt {
        /// A container of the app.
        container: String,
    },
    /// Start what should run.
    Start {
        /// Which app.
        app: AppName,
    },
    /// Make the container again.
    Restart {
        /// Which app.
        app: AppName,
    },
    /// Finish or undo what was left behind, and remove what no release needs.
    Tidy {
        /// Which app.
        app: AppName,
    },
}

impl Fix {
    /// The change that does it.
    #[must_use]
    pub fn ask(&self) -> Ask {
        let selector = |app: &AppName| Selector(app.to_string());
        match self {
            Self::Adopt { container } => Ask::Adopt { container: container.clone(), wish: Box::default() },
            Self::Start { app } => Ask::Start { app: selector(app) },
            Self::Restart { app } => Ask::Restart { app: selector(app) },
            Self::Tidy { app } => Ask::Tidy { app: selector(app) },
        }
    }
}

impl Finding {
    /// The order in which findings are shown.
    pub fn worst_first(&self, other: &Self) -> std::cmp::Ordering {
        (self.severity, self.kind, &self.subject).cmp(&(other.severity, other.kind, &other.subject))
    }

    /// Something wrong, with nothing said yet about what to do.
    #[must_use]
    pub fn problem(kind: Kind, subject: impl Into<String>, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            kind,
            severity: Severity::Problem,
            app: None,
            subject: subject.into(),
            what: what.into(),
            why: why.into(),
            details: Vec::new(),
            mend: Vec::new(),
            fix: None,
        }
    }

    /// Something worth knowing.
    #[must_use]
    pub fn remark(kind: Kind, subject: impl Into<String>, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { severity: Severity::Remark, ..Self::problem(kind, subject, what, why) }
    }

    /// Something that could not be looked at in time, so that it is not known whether it is in order.
    #[must_use]
    pub fn unseen(subject: impl Into<String>, what: impl Into<String>) -> Self {
        let why = "the host may be very busy, or its disk slow; what is wrong there is not known";
        Self::problem(Kind::Unseen, subject, what, why).mend("once doctor, when the host is less busy")
    }

    /// Says which app it is about.
    #[must_use]
    pub fn of(mut self, app: &AppName) -> Self {
        self.app = Some(app.clone());
        self
    }

    /// Says what it is made up of.
    #[must_use]
    pub fn detail(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(lines);
        self
    }

    /// Adds a command that mends it.
    #[must_use]
    pub fn mend(mut self, command: impl Into<String>) -> Self {
        self.mend.push(command.into());
        self
    }

    /// Says what `doctor --fix` does.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }
}
