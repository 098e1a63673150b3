//! `apps/<id>.json`: one file an app, each read on its own.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{During, Result, file, stems};
use crate::app::AppId;
use crate::app::ledger::{AppRecord, SCHEMA};

/// What set-aside files' reasons end in.
const REASON: &str = "why";

#[derive(Debug)]
pub(super) struct RecordFiles {
    dir: PathBuf,
}

/// What was read.
pub(super) struct Found {
    pub(super) records: Vec<AppRecord>,
    /// Now or earlier: file name and why.
    pub(super) set_aside: Vec<(String, String)>,
}

impl RecordFiles {
    pub(super) fn open(state: &Path) -> Result<(Self, Found)> {
        let files = Self { dir: state.join("apps") };
        file::make_dir(&files.dir)?;
        file::make_dir(&files.aside())?;
        for (_, path) in stems(&files.dir, file::UNFINISHED)? {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "an unfinished file stays");
            }
        }
        let mut records: BTreeMap<AppId, AppRecord> = BTreeMap::new();
        let mut broken = Vec::new();
        for (stem, path) in stems(&files.dir, "json")? {
            match read(&stem, &path) {
                Ok(record) => match records.values().find(|r| r.is_live() && record.is_live() && r.name == record.name)
                {
                    Some(first) => broken.push((path, format!("{} has the same name, {}", first.id, first.name))),
                    None => drop(records.insert(record.id.clone(), record)),
                },
                Err(why) => broken.push((path, why)),
            }
        }
        let mut stuck = Vec::new();
        for (path, why) in broken {
            tracing::warn!(path = %path.display(), why, "a ledger file is set aside");
            if let Err(error) = files.set_aside(&path, &why) {
                tracing::warn!(path = %path.display(), %error, "it could not be moved");
                stuck.push((display_name(&path), why));
            }
        }
        let mut set_aside = files.list_aside()?;
        set_aside.extend(stuck);
        Ok((files, Found { records: records.into_values().collect(), set_aside }))
    }

    pub(super) fn write(&self, record: &AppRecord) -> Result<()> {
        let path = self.path(&record.id);
        let content = serde_json::to_vec_pretty(record)
            .map_err(io::Error::other)
            .during(|| format!("write {}", path.display()))?;
        file::replace(&path, &content)
    }

    pub(super) fn forget(&self, app: &AppId) -> Result<()> {
        let path = self.path(app);
        match fs::remove_file(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.during(|| format!("remove {}", path.display())),
        }?;
        file::sync_dir(&self.dir)
    }

    fn path(&self, app: &AppId) -> PathBuf {
        self.dir.join(format!("{app}.json"))
    }

    fn aside(&self) -> PathBuf {
        self.dir.join("set-aside")
    }

    /// Never overwrites an earlier one of the same name.
    fn set_aside(&self, path: &Path, why: &str) -> Result<()> {
        let name = display_name(path);
        let free = |n: &u32| !self.aside().join(format!("{name}.{n}")).exists();
        let n = (1..u32::MAX).find(free).unwrap_or(u32::MAX);
        let kept = self.aside().join(format!("{name}.{n}"));
        file::replace(&self.aside().join(format!("{name}.{n}.{REASON}")), why.as_bytes())?;
        fs::rename(path, &kept).during(|| format!("move {} to {}", path.display(), kept.display()))?;
        file::sync_dir(&self.aside())?;
        file::sync_dir(&self.dir)
    }

    fn list_aside(&self) -> Result<Vec<(String, String)>> {
        let dir = self.aside();
        let listing = || format!("list {}", dir.display());
        let mut found = Vec::new();
        for entry in fs::read_dir(&dir).during(listing)? {
            let path = entry.during(listing)?.path();
            if path.extension().is_some_and(|e| e == REASON || e == file::UNFINISHED) {
                continue;
            }
            let name = display_name(&path);
            let why = fs::read_to_string(dir.join(format!("{name}.{REASON}")));
            found.push((name, why.unwrap_or_else(|e| format!("the reason is lost: {e}"))));
        }
        found.sort();
        Ok(found)
    }
}

fn display_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[derive(Deserialize)]
struct Version {
    schema: u32,
}

/// The record, or in words why it cannot be used.
fn read(stem: &str, path: &Path) -> std::result::Result<AppRecord, String> {
    let content = fs::read(path).map_err(|e| format!("it cannot be read: {e}"))?;
    let version: Version = serde_json::from_slice(&content).map_err(|e| format!("it is damaged: {e}"))?;
    if version.schema != SCHEMA {
        return Err(format!("it has schema {}; this version reads schema {SCHEMA}", version.schema));
    }
    let record: AppRecord = serde_json::from_slice(&content).map_err(|e| format!("it is damaged: {e}"))?;
    if record.id.0 != stem {
        return Err(format!("it holds the app with id {}", record.id.0.escape_default()));
    }
    record.flaw().map_or(Ok(record), Err)
}
