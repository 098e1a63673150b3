//! The ledger on disk: one file an app under `apps/`, the audit log, the events of changes, and who this proxy is.
//! Blocking; the service calls it away from the runtime's threads. Knows nothing of what a change means.

mod activity;
mod aside;
mod config;
mod events;
pub(crate) mod file;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod history;
mod identity;
mod records;
mod unknown;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use once_app::event::Envelope;
use once_app::ledger::{AppRecord, Ledger};
use once_app::proxy::Activity;
use once_app::{AppId, AppName, OpId, ProxyConfig, Release};

use activity::ActivityLog;
pub(crate) use aside::Aside;
use config::ConfigFile;
use events::EventFiles;
use history::HistoryFiles;
use records::RecordFiles;

/// Why something could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another worker has the ledger open.
    #[error("another process has the ledger open")]
    InUse,
    /// The file system said no.
    #[error("could not {what}")]
    Io {
        /// What was tried.
        what: String,
        /// Its words.
        source: io::Error,
    },
}

pub(crate) type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Names the step that failed.
pub(crate) trait During<T> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| StoreError::Io { what: what(), source })
    }
}

/// The state directory of one proxy, held by one process at a time.
#[derive(Debug)]
pub struct Store {
    records: RecordFiles,
    history: HistoryFiles,
    config: ConfigFile,
    activity: ActivityLog,
    events: EventFiles,
    lock: File,
}

/// What was found when a state directory was opened.
#[derive(Debug)]
pub struct Opened {
    /// For writing.
    pub store: Store,
    /// All records that could be read.
    pub ledger: Ledger,
    /// What holds for the proxy as a whole.
    pub config: ProxyConfig,
    /// Made once per directory: 32 hex digits.
    pub instance: String,
    /// How often this directory was opened; fencing numbers grow with it.
    pub start: u32,
    /// Files that could not be read: name and why. Earlier ones are listed until somebody takes them away.
    pub set_aside: Vec<(String, String)>,
    /// The events of the last changes, oldest change first.
    pub changes: Vec<Vec<Envelope>>,
}

impl Store {
    /// Opens a state directory, making it where it is missing. A file that cannot be read costs its own app only.
    ///
    /// # Errors
    /// [`StoreError::InUse`], or the directory itself cannot be read or written.
    pub fn open(dir: &Path) -> Result<Opened> {
        file::make_dir(dir)?;
        let path = dir.join("lock");
        let lock = file::private().create(true).open(&path).during(|| format!("open {}", path.display()))?;
        take(&lock)?;
        let (instance, start) = identity::load(dir)?;
        let (records, found) = RecordFiles::open(dir)?;
        let mut set_aside = found.set_aside;
        let (config_file, config) = ConfigFile::open(dir, &mut set_aside)?;
        let (events, changes) = EventFiles::open(dir)?;
        let history = HistoryFiles::open(dir)?;
        let activity = ActivityLog::open(dir)?;
        let store = Self { records, history, config: config_file, activity, events, lock };
        Ok(Opened { store, ledger: Ledger::from_records(found.records), config, instance, start, set_aside, changes })
    }

    /// Lets another process have the directory; nothing may be written until [`Store::take_back`].
    ///
    /// # Errors
    /// The file system's.
    pub fn let_go(&self) -> Result<()> {
        self.lock.unlock().during(|| "let go of the ledger".to_owned())
    }

    /// Takes the directory back from a process that had it meanwhile and changed nothing.
    ///
    /// # Errors
    /// [`StoreError::InUse`].
    pub fn take_back(&self) -> Result<()> {
        take(&self.lock)
    }

    /// Writes a record; it is on disk when this returns.
    ///
    /// # Errors
    /// The file system's; what was there before is still there.
    pub fn write(&self, record: &AppRecord) -> Result<()> {
        self.records.write(record)
    }

    /// Appends releases that are about to leave an app's record; they are on disk when this returns. Twice is once.
    ///
    /// # Errors
    /// The file system's.
    pub fn remember(&self, app: &AppId, releases: &[&Release]) -> Result<()> {
        let releases = self.records.whole(app, releases)?;
        self.history.append(app, &releases)
    }

    /// Releases that left an app's record, newest first.
    ///
    /// # Errors
    /// The file system's.
    pub fn history(&self, app: &AppId) -> Result<Vec<Release>> {
        self.history.read(app)
    }

    /// Writes what holds for the proxy as a whole; it is on disk when this returns.
    ///
    /// # Errors
    /// The file system's; what was there before is still there.
    pub fn write_config(&self, config: &ProxyConfig) -> Result<()> {
        self.config.write(config)
    }

    /// Removes a record and its history; they are gone from disk when this returns.
    ///
    /// # Errors
    /// The file system's.
    pub fn forget(&self, app: &AppId) -> Result<()> {
        self.records.forget(app)?;
        self.history.forget(app)
    }

    /// Appends to the audit log, synced.
    ///
    /// # Errors
    /// The file system's.
    pub fn append_activity(&mut self, activity: &Activity) -> Result<()> {
        self.activity.append(activity)
    }

    /// The newest `limit` entries, newest first.
    ///
    /// # Errors
    /// The file system's.
    pub fn activity(&self, names: Option<&[AppName]>, limit: usize) -> Result<Vec<Activity>> {
        self.activity.newest(names, limit)
    }

    /// Appends events of a change. Not synced: they are for watching, the truth is in the records.
    ///
    /// # Errors
    /// The file system's.
    pub fn append_events(&self, op: &OpId, events: &[Envelope]) -> Result<()> {
        self.events.append(op, events)
    }

    /// Drops the events of a change.
    ///
    /// # Errors
    /// The file system's.
    pub fn drop_events(&self, op: &OpId) -> Result<()> {
        self.events.forget(op)
    }
}

fn take(lock: &File) -> Result<()> {
    match lock.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse),
        Err(TryLockError::Error(source)) => Err(source).during(|| "lock the ledger".to_owned()),
    }
}

/// Names in a directory that end in `.{extension}`, sorted; without the ending.
pub(crate) fn stems(dir: &Path, extension: &str) -> Result<Vec<(String, PathBuf)>> {
    let listing = || format!("list {}", dir.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).during(listing)? {
        let path = entry.during(listing)?.path();
        if path.extension().is_some_and(|e| e == extension)
            && let Some(stem) = path.file_stem().and_then(|s| s.to_str())
        {
            found.push((stem.to_owned(), path.clone()));
        }
    }
    found.sort();
    Ok(found)
}
