//! Where in the console one is: panes, tabs, views.

use once_app::{OpId, ReleaseNumber};

/// Which half of the main screen has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pane {
    /// The apps.
    List,
    /// The selected app.
    Detail,
}

/// What of the selected app is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Tab {
    Overview,
    Traffic,
    Logs,
    Releases,
    Settings,
}

impl Tab {
    /// In order.
    pub(crate) const ALL: [Self; 5] = [Self::Overview, Self::Traffic, Self::Logs, Self::Releases, Self::Settings];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Traffic => "Traffic",
            Self::Logs => "Logs",
            Self::Releases => "Releases",
            Self::Settings => "Settings",
        }
    }

    /// The same where room is short.
    pub(crate) const fn short(self) -> &'static str {
        match self {
            Self::Overview => "Over",
            Self::Traffic => "Traf",
            Self::Logs => "Logs",
            Self::Releases => "Rel",
            Self::Settings => "Set",
        }
    }

    /// The one `by` further, around the end.
    pub(crate) fn step(self, by: usize) -> Self {
        let at = Self::ALL.iter().position(|t| *t == self).unwrap_or(0);
        Self::ALL[(at + by) % Self::ALL.len()]
    }
}

/// What fills the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum View {
    /// List and detail.
    Main,
    /// A change.
    Deploy(OpId),
    /// The form in [`Model::form`].
    Form,
    /// The audit log.
    Activity,
    /// One release of the selected app, in full.
    Release(ReleaseNumber),
    /// The host: engine, proxy, locks, and what is wrong with any of it.
    Host,
}

/// What the list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Sort {
    Host,
    Requests,
    Cpu,
    Memory,
}
