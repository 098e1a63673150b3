//! The model itself and the questions screens ask of it.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use once_app::engine::{Container, EngineInfo, HostUsage, Role};
use once_app::event::LockView;
use once_app::proxy::{Activity, ProxyInfo, Snapshot};
use once_app::{
    AppName, AppState, Ask, Caller, Job, Namespace, OpId, Problem, ProxyPorts, Reason, ReleaseNumber, Standing,
};

use super::super::console::ConsoleOptions;
use super::super::glyph::{ASCII, Glyphs, UNICODE};
use super::super::keymap::{Cmd, Ctx};
use super::super::msg::Hit;
use super::super::theme::Theme;
use super::{
    AppView, Deploys, Form, HostView, Link, LogView, Overlay, Pane, RowKey, Series, Settled, Sort, Tab, UsageSeries,
    View,
};

/// A problem and whether it was looked at.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The problem.
    pub problem: Problem,
    /// When it came.
    pub at: Timestamp,
    /// Looked at.
    pub seen: bool,
}

/// All the console knows.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    /// How it was started.
    pub options: ConsoleOptions,
    /// The namespace.
    pub namespace: Namespace,
    /// Who sits here.
    pub by: Caller,
    /// Where they sit: the time zone.
    pub zone: TimeZone,
    /// The ports apps are reached on.
    pub ports: ProxyPorts,
    /// Ids of changes are made of this and a counter.
    pub seed: String,
    pub(super) counter: u32,
    /// Columns and rows.
    pub size: (u16, u16),
    /// Now.
    pub now: Timestamp,
    /// Frames painted so far.
    pub frames: u64,
    /// What can be clicked.
    pub hits: Vec<(Rect, Hit)>,
    /// The engine's link.
    pub engine: Link,
    /// The engine, as of its last answer.
    pub engine_info: Option<EngineInfo>,
    /// The proxy's link.
    pub proxy: Link,
    /// The proxy, as of its last answer.
    pub proxy_info: Option<ProxyInfo>,
    /// The list of containers has come at least once.
    pub containers_known: bool,
    /// All containers of the namespace.
    pub containers: Vec<Container>,
    /// Containers' numbers by id.
    pub usage: HashMap<String, UsageSeries>,
    /// The host's numbers.
    pub host: Option<HostUsage>,
    /// The host's processor.
    pub host_cpu: Series,
    /// What the proxy said last: records, locks, traffic.
    pub snapshot: Option<Box<Snapshot>>,
    /// The apps, by name, as that and the list of containers make them.
    pub apps: BTreeMap<AppName, AppView>,
    /// All locks, those taken on purpose included.
    pub locks: Vec<LockView>,
    /// What the host was found to be.
    pub host_view: HostView,
    /// Changes.
    pub deploys: Deploys,
    /// The marked row.
    pub selected: Option<RowKey>,
    /// First row of the list on the screen.
    pub list_top: usize,
    /// What the list is filtered by.
    pub filter: String,
    /// What it is sorted by.
    pub sort: Sort,
    /// Which half has the keys.
    pub pane: Pane,
    /// What of the app is shown.
    pub tab: Tab,
    /// Lines the detail is scrolled by, or the marked release.
    pub detail_at: usize,
    /// A closer look at the selected app.
    pub settled: Settled,
    /// Its log.
    pub logs: LogView,
    /// What fills the screen.
    pub view: View,
    /// What a change that fills it goes back to.
    pub under: View,
    /// The form.
    pub form: Option<Box<Form>>,
    /// Lines the log in the deploy view is scrolled back by.
    pub deploy_scroll: usize,
    /// What lies on top.
    pub overlays: Vec<Overlay>,
    /// Problems so far, newest last.
    pub problems: Vec<Seen>,
    /// The audit log; `None`: not loaded.
    pub activity: Option<Vec<Activity>>,
    /// The marked one of those that are shown.
    pub activity_at: usize,
    /// What it is filtered by.
    pub activity_filter: String,
    /// Only what did not go well.
    pub activity_bad: bool,
    /// When it was asked for last.
    pub activity_asked: Option<Timestamp>,
    /// The release that others are compared with.
    pub compare: Option<ReleaseNumber>,
    /// Lines a page is scrolled by.
    pub page_at: usize,
    /// Changes that ended and whose events the proxy still has.
    pub told: Vec<OpId>,
    /// What is being typed began before the question on top was painted, so it is no answer to it.
    pub typed_early: bool,
    /// A short word in the footer, and until when.
    pub notice: Option<(String, Timestamp)>,
}

impl Model {
    /// Nothing known yet.
    pub(crate) fn new(
        options: ConsoleOptions,
        namespace: Namespace,
        ports: ProxyPorts,
        seed: String,
        now: Timestamp,
    ) -> Self {
        Self {
            by: options.by.clone(),
            zone: options.zone.clone(),
            options,
            namespace,
            ports,
            seed,
            counter: 0,
            size: (80, 24),
            now,
            frames: 0,
            hits: Vec::new(),
            engine: Link::Connecting,
            engine_info: None,
            proxy: Link::Connecting,
            proxy_info: None,
            containers_known: false,
            containers: Vec::new(),
            usage: HashMap::new(),
            host: None,
            host_cpu: Series::default(),
            snapshot: None,
            apps: BTreeMap::new(),
            locks: Vec::new(),
            host_view: HostView::default(),
            deploys: Deploys::default(),
            selected: None,
            list_top: 0,
            filter: String::new(),
            sort: Sort::Host,
            pane: Pane::List,
            tab: Tab::Overview,
            detail_at: 0,
            settled: Settled::default(),
            logs: LogView::default(),
            view: View::Main,
            under: View::Main,
            form: None,
            deploy_scroll: 0,
            overlays: Vec::new(),
            problems: Vec::new(),
            activity: None,
            activity_at: 0,
            activity_filter: String::new(),
            activity_bad: false,
            activity_asked: None,
            compare: None,
            page_at: 0,
            told: Vec::new(),
            typed_early: false,
            notice: None,
        }
    }

    /// The characters to draw with.
    pub(crate) fn glyphs(&self) -> &'static Glyphs {
        if self.options.ascii { &ASCII } else { &UNICODE }
    }

    /// The colours to draw with.
    pub(crate) fn theme(&self) -> &'static Theme {
        self.options.theme()
    }

    /// A change to be, with an identity of its own.
    pub(crate) fn job(&mut self, ask: Ask) -> Job {
        let op = self.op();
        /// Long enough for somebody else's deploy to end; the holder is shown meanwhile.
        const WAIT_MS: u64 = 600_000;
        Job { op, by: self.by.clone(), ask, wait_ms: WAIT_MS, part_of: None }
    }

    /// An identity that no other change has.
    pub(crate) fn op(&mut self) -> OpId {
        self.counter += 1;
        let head: String = self.seed.chars().chain("0".repeat(12).chars()).take(12).collect();
        OpId(format!("{head}{:04x}", self.counter & 0xffff))
    }

    /// The entries of the audit log that fit the filter, newest first.
    pub(crate) fn activities(&self) -> Vec<&Activity> {
        let needle = self.activity_filter.to_lowercase();
        let fits = |entry: &&Activity| {
            let app = entry.app.as_ref().map_or("", |a| a.as_str());
            let all = [app, &entry.by.user, &entry.by.host, &entry.by.command, &entry.outcome, &entry.text];
            (!self.activity_bad || is_bad(&entry.outcome)) && all.iter().any(|t| t.to_lowercase().contains(&needle))
        };
        self.activity.iter().flatten().filter(fits).collect()
    }

    /// Who holds an app's lock: on purpose, and for a change under way.
    pub(crate) fn locks_of(&self, app: &AppName) -> (Option<&LockView>, Option<&LockView>) {
        let of = |on_purpose: bool| self.locks.iter().find(|l| &l.app == app && l.op.is_none() == on_purpose);
        (of(true), of(false))
    }

    /// Whether what is shown of apps is as of now.
    pub(crate) fn is_fresh(&self) -> bool {
        self.engine.is_up() && matches!(self.proxy, Link::Up | Link::Absent)
    }

    /// Rows of the list, sorted and filtered: apps, first deploys, containers without an app.
    pub(crate) fn rows(&self) -> Vec<RowKey> {
        let needle = self.filter.to_lowercase();
        let fits = |text: &str| needle.is_empty() || text.to_lowercase().contains(&needle);
        let mut apps: Vec<&AppView> = self
            .apps
            .values()
            .filter(|a| {
                fits(a.name().as_str())
                    || fits(&a.host())
                    || a.settings()
                        .is_some_and(|s| fits(&s.image.to_string()) || s.hosts.iter().any(|h| fits(h.as_str())))
            })
            .collect();
        let memory = |a: &AppView| self.usage_of(a).and_then(|u| u.memory.last()).unwrap_or(0.0);
        let cpu = |a: &AppView| self.usage_of(a).and_then(|u| u.cpu.last()).unwrap_or(0.0);
        match self.sort {
            Sort::Host => apps.sort_by_key(|a| a.host()),
            Sort::Requests => apps.sort_by(|a, b| b.traffic.rate.total_cmp(&a.traffic.rate)),
            Sort::Cpu => apps.sort_by(|a, b| cpu(b).total_cmp(&cpu(a))),
            Sort::Memory => apps.sort_by(|a, b| memory(b).total_cmp(&memory(a))),
        }
        let apps = apps.into_iter().map(|a| RowKey::App(a.name().clone()));
        let births = self.births().filter(|(_, title)| fits(title)).map(|(op, _)| RowKey::Birth(op.clone()));
        let orphans = self.orphans().filter(|c| fits(&c.name)).map(|c| RowKey::Orphan(c.id.clone()));
        apps.chain(births).chain(orphans).collect()
    }

    /// First deploys: changes whose app is not there yet, with what they are called.
    pub(crate) fn births(&self) -> impl Iterator<Item = (&OpId, String)> {
        self.deploys
            .shown()
            .filter(|w| w.is_active() || w.ask.is_some())
            .filter(|w| w.view.finished.as_ref().is_none_or(|f| !f.outcome.is_success()))
            .filter(|w| match &w.view.app {
                Some(app) => !self.apps.contains_key(app),
                None => !self.apps.keys().any(|a| a.as_str() == w.title),
            })
            .map(|w| (&w.view.op, w.view.host.clone().unwrap_or_else(|| w.title.clone())))
    }

    /// Containers of this namespace that run for no app.
    pub(crate) fn orphans(&self) -> impl Iterator<Item = &Container> {
        // Without the proxy's records every container would look like an orphan.
        let known = self.proxy.is_up();
        self.containers.iter().filter(move |_| known).filter(|c| {
            let Some(identity) = c.identity.as_ref().filter(|i| i.role == Role::Web) else { return false };
            let app = identity.id.as_ref().map(|id| self.apps.values().any(|a| &a.record.id == id));
            app != Some(true) && identity.app.as_ref().is_none_or(|name| self.deploys.active(name).is_none())
        })
    }

    /// The app of the marked row.
    pub(crate) fn app(&self) -> Option<&AppView> {
        match &self.selected {
            Some(RowKey::App(name)) => self.apps.get(name),
            _ => None,
        }
    }

    /// What an app's container used lately.
    pub(crate) fn usage_of(&self, app: &AppView) -> Option<&UsageSeries> {
        app.container.as_ref().and_then(|c| self.usage.get(&c.id))
    }

    /// How an app is, with the changes that are followed here.
    pub(crate) fn standing(&self, app: &AppView) -> Standing {
        let Some(watched) = self.deploys.active(app.name()) else { return app.standing.clone() };
        let (done, all) = watched.view.progress();
        let text = if watched.view.waiting_for.is_some() {
            "waiting for the lock".into()
        } else if all == 0 {
            "starting".into()
        } else {
            format!("deploying {done}/{all}")
        };
        Standing { state: AppState::Changing, reason: Some(Reason::Progress(text)) }
    }

    /// Problems nobody has looked at.
    pub(crate) fn unseen(&self) -> usize {
        self.problems.iter().filter(|p| !p.seen).count()
    }

    /// The newest problem nobody has looked at.
    pub(crate) fn newest_unseen(&self) -> Option<&Seen> {
        self.problems.iter().rev().find(|p| !p.seen)
    }

    /// The change that fills the screen.
    pub(crate) fn shown_deploy(&self) -> Option<&super::Watched> {
        match &self.view {
            View::Deploy(op) => self.deploys.get(op),
            _ => None,
        }
    }

    /// Whether a command does something here and now: what does not is left out of the footer.
    pub(crate) fn is_useful(&self, cmd: Cmd) -> bool {
        if let Some(top) = self.overlays.last() {
            // Where a line is typed, letters are letters.
            return !(cmd == Cmd::Copy && matches!(top, Overlay::Confirm(c) if c.is_typed()));
        }
        if let Some(watched) = self.shown_deploy() {
            let failed = !watched.is_active() && watched.view.finished.as_ref().is_none_or(|f| !f.outcome.is_success());
            return match cmd {
                Cmd::Cancel => watched.is_active() && !watched.view.is_past_switch(),
                Cmd::Retry | Cmd::Edit => failed && watched.ask.is_some(),
                Cmd::Logs => watched.view.app.as_ref().is_some_and(|a| self.apps.contains_key(a)),
                _ => true,
            };
        }
        match (&self.view, &self.form) {
            (View::Form, Some(form)) => {
                let all = matches!(form.kind, super::FormKind::Settings(_));
                all || !matches!(cmd, Cmd::PageDown | Cmd::AddRow | Cmd::DropRow | Cmd::Secret)
            }
            (View::Host, _) => match cmd {
                Cmd::Mend => self.host_view.marked().is_some_and(|f| f.fix.is_some()),
                Cmd::MendAll => self.host_view.fixes().count() > 0,
                Cmd::Up | Cmd::Down | Cmd::Copy | Cmd::Open => self.host_view.marked().is_some(),
                _ => true,
            },
            (View::Main, _) => match cmd {
                Cmd::Down | Cmd::Open | Cmd::NextPane | Cmd::Filter => {
                    self.selected.is_some() || !self.filter.is_empty()
                }
                Cmd::New => matches!(self.proxy, Link::Up | Link::Absent),
                Cmd::Edit | Cmd::Deploy | Cmd::Restart | Cmd::Rollback => {
                    self.app().is_some_and(|a| a.record.serving.is_some())
                }
                Cmd::Logs | Cmd::Shell | Cmd::Actions | Cmd::Lock => self.app().is_some(),
                _ => true,
            },
            _ => true,
        }
    }

    /// Where keys go, innermost first.
    pub(crate) fn contexts(&self) -> Vec<Ctx> {
        match self.overlays.last() {
            Some(Overlay::Help { .. } | Overlay::Problems { .. }) => return vec![Ctx::Page],
            Some(Overlay::Menu(_)) => return vec![Ctx::Menu],
            Some(Overlay::Confirm(_)) => return vec![Ctx::Confirm],
            Some(Overlay::Palette(_) | Overlay::Filter(_) | Overlay::Search(_)) => return vec![Ctx::Prompt],
            None => {}
        }
        match self.view {
            View::Deploy(_) => vec![Ctx::Deploy, Ctx::Global],
            View::Form => match self.form.as_ref().map(|f| &f.stage) {
                Some(super::Stage::Edit) => vec![Ctx::Form],
                _ => vec![Ctx::Review],
            },
            View::Activity => vec![Ctx::Activity, Ctx::Global],
            View::Release(_) => vec![Ctx::Release, Ctx::Page, Ctx::Global],
            View::Host => vec![Ctx::Host, Ctx::Global],
            View::Main => match (self.pane, self.tab) {
                (Pane::List, _) => vec![Ctx::List, Ctx::App, Ctx::Global],
                (Pane::Detail, Tab::Logs) => vec![Ctx::Logs, Ctx::Detail, Ctx::App, Ctx::Global],
                (Pane::Detail, Tab::Releases) => vec![Ctx::Releases, Ctx::Detail, Ctx::App, Ctx::Global],
                (Pane::Detail, _) => vec![Ctx::Detail, Ctx::App, Ctx::Global],
            },
        }
    }

    /// Whether there is a question on top that was never painted.
    pub(crate) fn is_asking_anew(&self) -> bool {
        matches!(self.overlays.last(), Some(Overlay::Confirm(c)) if c.asked_at == self.frames)
    }

    /// Whether something on the screen moves by itself: a spinner, a running clock.
    pub(crate) fn is_moving(&self) -> bool {
        let planning = self.form.as_ref().is_some_and(|f| matches!(f.stage, super::Stage::Planning(_)));
        planning || self.deploys.shown().any(super::Watched::is_active)
    }
}

/// Whether an outcome of the audit log is not what was asked for.
pub(crate) fn is_bad(outcome: &str) -> bool {
    !matches!(outcome, "created" | "updated" | "unchanged" | "ok")
}
