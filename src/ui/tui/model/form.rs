//! A form: rows of text that become a [`Draft`] of only what was changed.

use std::collections::BTreeSet;

use tui_input::Input;

use once_app::{
    AppName, Ask, AutoUpdate, Deploy, Draft, EnvValue, Field, FieldPath, Hostname, OpId, PlanView, Problem, Pull,
    Section, Selector, Settings, Swap, Switch, Tls, Upstream,
};

/// What a form is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FormKind {
    /// A new app.
    New,
    /// All settings of an app.
    Settings(AppName),
    /// A deploy of an app: its image.
    Deploy(AppName),
    /// Another name for an app.
    Rename(AppName),
}

/// Where a form stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is being filled in.
    Edit,
    /// The plan is being made by a dry run.
    Planning(OpId),
    /// The plan is shown.
    Review(Box<PlanView>),
    /// There is no plan, and why.
    Refused(Box<Problem>),
}

/// What a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowKind {
    /// The name of a new app.
    Name,
    /// A single value.
    Value(Field),
    /// An entry of a keyed field: name and value.
    Entry(Field),
}

/// A row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// What it holds.
    pub kind: RowKind,
    /// The entry's name, for entries.
    pub key: Input,
    /// The value.
    pub value: Input,
    /// Name and value as they were; `None`: the row is new.
    pub before: Option<(String, String)>,
    /// The value is not shown; what was there before was never fetched.
    pub secret: bool,
    /// There is a secret; it stays unless another one is typed.
    pub had_secret: bool,
    /// It is to be taken away.
    pub dropped: bool,
    /// What is wrong with it.
    pub error: Option<String>,
}

/// A form.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    /// What for.
    pub kind: FormKind,
    /// The app's primary hostname, for titles.
    pub host: String,
    /// The revision it was opened on.
    pub revision: Option<u64>,
    /// The rows, in the order of sections.
    pub rows: Vec<Row>,
    /// The row in focus.
    pub cursor: usize,
    /// Whether the entry's name is in focus, not its value.
    pub on_key: bool,
    /// Where it stands.
    pub stage: Stage,
}

impl RowKind {
    /// The field; names of apps have none.
    pub(crate) fn field(self) -> Option<Field> {
        match self {
            Self::Name => None,
            Self::Value(field) | Self::Entry(field) => Some(field),
        }
    }

    /// The section it stands in.
    pub(crate) fn section(self) -> Section {
        self.field().map_or(Section::Application, Field::section)
    }

    /// Words to choose from, where there is nothing else to type.
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Self::Value(Field::Tls) => Tls::WORDS,
            Self::Value(Field::Swap) => Swap::WORDS,
            Self::Value(Field::AutoUpdate) => AutoUpdate::WORDS,
            Self::Value(Field::Upstream) => Upstream::WORDS,
            Self::Value(Field::StripPrefix | Field::DefaultApp | Field::TlsRedirect | Field::Compress) => Switch::WORDS,
            _ => &[],
        }
    }
}

impl Row {
    fn value(kind: RowKind, text: String) -> Self {
        Self {
            kind,
            key: Input::default(),
            value: Input::new(text.clone()),
            before: Some((String::new(), text)),
            secret: kind == RowKind::Value(Field::SmtpPassword),
            had_secret: false,
            dropped: false,
            error: None,
        }
    }

    fn entry(field: Field, key: &str, text: &str, secret: bool) -> Self {
        let shown = if secret { "" } else { text };
        Self {
            kind: RowKind::Entry(field),
            key: Input::new(key.into()),
            value: Input::new(shown.into()),
            before: Some((key.into(), shown.into())),
            secret,
            had_secret: secret,
            dropped: false,
            error: None,
        }
    }

    /// A new entry.
    pub(crate) fn added(field: Field) -> Self {
        Self { before: None, secret: field == Field::BasicAuth, ..Self::entry(field, "", "", false) }
    }

    /// Whether it differs from what holds.
    pub(crate) fn is_changed(&self) -> bool {
        let hidden = matches!(self.kind, RowKind::Entry(_)) && self.secret != self.had_secret;
        match &self.before {
            _ if self.dropped => self.before.is_some(),
            None => !self.key.value().is_empty() || !self.value.value().is_empty(),
            Some((key, value)) => hidden || key != self.key.value() || value != self.value.value(),
        }
    }

    /// Whether there is a secret that was not fetched and will stay.
    pub(crate) fn keeps_secret(&self) -> bool {
        self.had_secret && self.value.value().is_empty() && !self.dropped
    }

    fn path(&self, field: Field) -> FieldPath {
        let entry = matches!(self.kind, RowKind::Entry(_)).then(|| self.key.value().trim().to_owned());
        // Networks and ranges are lists: the entry is all there is.
        FieldPath { field, entry }
    }

    /// Puts this row's change into a draft.
    fn give(&self, draft: &mut Draft) -> Result<(), String> {
        let Some(field) = self.kind.field().filter(|_| self.is_changed()) else { return Ok(()) };
        let text = self.value.value();
        if let (RowKind::Entry(_), Some((key, _))) = (self.kind, &self.before)
            && (self.dropped || key != self.key.value())
        {
            draft.unset.insert(FieldPath { field, entry: Some(key.clone()) });
        }
        if self.dropped {
            if let RowKind::Value(_) = self.kind {
                draft.unset.insert(FieldPath { field, entry: None });
            }
            return Ok(());
        }
        if field == Field::Host {
            return self.give_hosts(draft);
        }
        if let RowKind::Value(_) = self.kind
            && text.trim().is_empty()
        {
            draft.unset.insert(FieldPath { field, entry: None });
            return Ok(());
        }
        if matches!(self.kind, RowKind::Entry(_)) && self.key.value().trim().is_empty() {
            return Err("it needs a name".into());
        }
        draft.set(&self.path(field), text).map_err(|e| e.reason)?;
        if field == Field::Env && self.secret {
            let key = self.key.value().trim().parse().map_err(|e: once_app::EnvKeyError| e.to_string())?;
            draft.env.insert(key, EnvValue::secret(text));
        }
        Ok(())
    }

    fn give_hosts(&self, draft: &mut Draft) -> Result<(), String> {
        let path = FieldPath { field: Field::Host, entry: None };
        let before = self.before.as_ref().map_or("", |(_, hosts)| hosts.as_str());
        let mut wanted = Draft::default();
        wanted.set(&path, self.value.value()).map_err(|e| e.reason)?;
        let old: Vec<Hostname> = before.split_whitespace().filter_map(|h| h.parse().ok()).collect();
        let kept: Vec<&Hostname> = old.iter().filter(|h| wanted.hosts.contains(h)).collect();
        // A draft adds and drops; it cannot move one to the front.
        if !wanted.hosts.iter().take(kept.len()).eq(kept) {
            return Err(
                "new names go behind those there are; to make another one the primary, drop the ones before".into()
            );
        }
        draft.drop_hosts = old.iter().filter(|h| !wanted.hosts.contains(h)).cloned().collect();
        draft.hosts = wanted.hosts.into_iter().filter(|h| !old.contains(h)).collect();
        Ok(())
    }
}

impl Form {
    /// For a new app.
    pub(crate) fn new_app() -> Self {
        let kinds = [
            RowKind::Value(Field::Image),
            RowKind::Name,
            RowKind::Value(Field::Host),
            RowKind::Value(Field::Port),
            RowKind::Value(Field::HealthPath),
        ];
        let rows = kinds.map(|kind| Row::value(kind, String::new())).into();
        Self::of(FormKind::New, String::new(), None, rows)
    }

    /// For the name of an app.
    pub(crate) fn rename(app: &AppName) -> Self {
        let rows = vec![Row::value(RowKind::Name, app.to_string())];
        Self::of(FormKind::Rename(app.clone()), app.to_string(), None, rows)
    }

    /// For the image of an app.
    pub(crate) fn deploy(app: &AppName, revision: u64, settings: &Settings) -> Self {
        let rows = vec![Row::value(RowKind::Value(Field::Image), settings.image.to_string())];
        Self::of(FormKind::Deploy(app.clone()), settings.primary_host().to_string(), Some(revision), rows)
    }

    /// For all settings of an app.
    pub(crate) fn settings(app: &AppName, revision: u64, settings: &Settings) -> Self {
        let mut rows = Vec::new();
        let sections: BTreeSet<Section> = Field::ALL.iter().map(|f| f.section()).collect();
        for section in sections {
            for field in Field::ALL.iter().copied().filter(|f| f.section() == section) {
                rows.extend(rows_of(field, settings));
            }
        }
        Self::of(FormKind::Settings(app.clone()), settings.primary_host().to_string(), Some(revision), rows)
    }

    fn of(kind: FormKind, host: String, revision: Option<u64>, rows: Vec<Row>) -> Self {
        Self { kind, host, revision, rows, cursor: 0, on_key: false, stage: Stage::Edit }
    }

    /// The row in focus.
    pub(crate) fn row(&self) -> Option<&Row> {
        self.rows.get(self.cursor)
    }

    /// Whether anything was changed.
    pub(crate) fn is_changed(&self) -> bool {
        self.rows.iter().any(Row::is_changed)
    }

    /// Checks all rows anew, each on its own.
    pub(crate) fn check(&mut self) {
        for row in &mut self.rows {
            row.error = match row.kind {
                RowKind::Name if row.value.value().trim().is_empty() && self.kind == FormKind::New => None,
                RowKind::Name => row.value.value().trim().parse::<AppName>().err().map(|e| e.to_string()),
                _ => row.give(&mut Draft::default()).err(),
            };
        }
    }

    /// The change that is asked for; dry: it ends after the plan.
    ///
    /// # Errors
    /// The first row that is wrong, by its index.
    pub(crate) fn ask(&self, dry_run: bool) -> Result<Ask, usize> {
        if let FormKind::Rename(app) = &self.kind {
            let name = self.rows.first().map_or("", |row| row.value.value()).trim();
            let to = name.parse().map_err(|_| 0usize)?;
            return Ok(Ask::Rename { app: Selector(app.to_string()), to, dry_run });
        }
        Ok(Ask::Deploy(Box::new(Deploy { dry_run, ..self.wish()? })))
    }

    /// What is wished for: only what was changed.
    fn wish(&self) -> Result<Deploy, usize> {
        let mut draft = Draft::default();
        for (i, row) in self.rows.iter().enumerate() {
            row.give(&mut draft).map_err(|_| i)?;
        }
        let existing = match &self.kind {
            FormKind::New => None,
            FormKind::Settings(app) | FormKind::Deploy(app) | FormKind::Rename(app) => Some(Selector(app.to_string())),
        };
        if draft.image.is_none() && self.kind == FormKind::New {
            return Err(0);
        }
        let name = self.rows.iter().position(|r| r.kind == RowKind::Name);
        let name = match name.map(|i| (i, self.rows[i].value.value().trim())) {
            None | Some((_, "")) => None,
            Some((i, text)) => Some(text.parse().map_err(|_| i)?),
        };
        Ok(Deploy { name, existing, draft, expected_revision: self.revision, pull: Pull::Auto, ..Deploy::default() })
    }
}

fn rows_of(field: Field, settings: &Settings) -> Vec<Row> {
    match field {
        Field::Env => {
            let rows = settings.env.iter();
            rows.map(|(k, v)| Row::entry(field, k.as_str(), if v.secret { "" } else { v.value.expose() }, v.secret))
                .collect()
        }
        Field::Volume => {
            let rows = settings.volumes.iter();
            rows.map(|(target, source)| Row::entry(field, target.as_str(), &source.to_string(), false)).collect()
        }
        Field::Network => settings.networks.iter().map(|n| Row::entry(field, n, "", false)).collect(),
        Field::BasicAuth => settings.web.basic_auth.keys().map(|u| Row::entry(field, u.as_str(), "", true)).collect(),
        Field::AllowIp => settings.web.allow_ip.iter().map(|n| Row::entry(field, &n.to_string(), "", false)).collect(),
        Field::Label => settings.labels.iter().map(|(k, v)| Row::entry(field, k, v, false)).collect(),
        Field::SmtpPassword => {
            let had_secret = settings.smtp.as_ref().is_some_and(|m| m.password.is_some());
            vec![Row { had_secret, ..Row::value(RowKind::Value(field), String::new()) }]
        }
        field => vec![Row::value(RowKind::Value(field), text_of(field, settings))],
    }
}

/// A setting as it is typed; empty: nothing is set.
pub(crate) fn text_of(field: Field, settings: &Settings) -> String {
    fn opt<T: ToString>(value: Option<&T>) -> String {
        value.map(ToString::to_string).unwrap_or_default()
    }
    let s = settings;
    let smtp = s.smtp.as_ref();
    match field {
        Field::Image => s.image.to_string(),
        Field::Host => s.hosts.iter().map(Hostname::as_str).collect::<Vec<_>>().join(" "),
        Field::PathPrefix => opt(s.path_prefix.as_ref()),
        Field::Tls => s.tls.to_string(),
        Field::Port => opt(s.port.as_ref()),
        Field::HealthPath => s.health_path.to_string(),
        Field::HealthTimeout => s.health_timeout.to_string(),
        Field::DrainTimeout => s.drain_timeout.to_string(),
        Field::StopTimeout => s.stop_timeout.to_string(),
        Field::Swap => s.swap.to_string(),
        Field::ReleaseCommand => opt(s.release_command.as_ref()),
        Field::SmtpServer => smtp.map(|m| m.server.clone()).unwrap_or_default(),
        Field::SmtpPort => opt(smtp.map(|m| &m.port)),
        Field::SmtpUsername => opt(smtp.and_then(|m| m.username.as_ref())),
        Field::SmtpFrom => opt(smtp.and_then(|m| m.from.as_ref())),
        Field::Memory => opt(s.memory.as_ref()),
        Field::Cpus => opt(s.cpus.as_ref()),
        Field::LogMaxSize => s.log_max_size.to_string(),
        Field::KeepContainers => s.retention.containers.to_string(),
        Field::KeepImages => s.retention.images.to_string(),
        Field::AutoUpdate => s.auto_update.to_string(),
        Field::Note => opt(s.note.as_ref()),
        Field::SmtpPassword | Field::Env | Field::Volume | Field::Network | Field::Label => String::new(),
        Field::StreamTimeout => opt(s.stream_timeout.as_ref()),
        Field::WatchTime => s.watch_time.to_string(),
        Field::StripPrefix => Switch::from(s.web.strip_prefix).to_string(),
        Field::DefaultApp => Switch::from(s.web.default_app).to_string(),
        Field::TlsRedirect => Switch::from(s.web.tls_redirect).to_string(),
        Field::Compress => Switch::from(s.web.compress).to_string(),
        Field::Upstream => s.web.upstream.to_string(),
        field => s.web.text(field).unwrap_or_default(),
    }
}
