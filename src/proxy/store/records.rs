//! `apps/<id>.json`: one file an app, each read on its own.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::unknown::Unknown;
use super::{Aside, During, Result, file, stems};
use once_app::ledger::{AppRecord, SCHEMA};
use once_app::{AppId, AppName, Release};

#[derive(Debug)]
pub(super) struct RecordFiles {
    dir: PathBuf,
    /// What newer versions wrote into them.
    unknown: BTreeMap<AppId, Unknown>,
}

/// What was read.
pub(super) struct Found {
    pub(super) records: Vec<AppRecord>,
    /// Now or earlier: file name and why.
    pub(super) set_aside: Vec<(String, String)>,
}

impl RecordFiles {
    pub(super) fn open(state: &Path) -> Result<(Self, Found)> {
        let mut files = Self { dir: state.join("apps"), unknown: BTreeMap::new() };
        file::make_dir(&files.dir)?;
        let aside = Aside::open(&files.dir)?;
        file::sweep(&files.dir)?;
        // Set aside by an older version that did not know their schema.
        aside.give_back(|stem, path| read(stem, path).is_ok())?;
        let mut records: BTreeMap<AppId, AppRecord> = BTreeMap::new();
        let mut live: HashMap<AppName, AppId> = HashMap::new();
        let mut broken = Vec::new();
        for (stem, path) in stems(&files.dir, "json")? {
            match read(&stem, &path) {
                Ok((record, unknown)) => match live.get(&record.name).filter(|_| record.is_live()) {
                    Some(first) => broken.push((path, format!("{first} has the same name, {}", record.name))),
                    None => {
                        if record.is_live() {
                            live.insert(record.name.clone(), record.id.clone());
                        }
                        files.unknown.extend(unknown.map(|unknown| (record.id.clone(), unknown)));
                        records.insert(record.id.clone(), record);
                    }
                },
                Err(why) => broken.push((path, why)),
            }
        }
        let set_aside = aside.take(broken)?;
        Ok((files, Found { records: records.into_values().collect(), set_aside }))
    }

    pub(super) fn write(&self, record: &AppRecord) -> Result<()> {
        let path = self.path(&record.id);
        let written = text(record, self.unknown.get(&record.id));
        let content = written.map_err(io::Error::other).during(|| format!("write {}", path.display()))?;
        file::replace(&path, &content)
    }

    /// Releases of a record, with what newer versions wrote into them.
    pub(super) fn whole(&self, app: &AppId, releases: &[&Release]) -> Result<Vec<Value>> {
        let whole = || format!("write the history of {app}");
        let mut value = serde_json::json!({ "releases": releases });
        if let Some(unknown) = self.unknown.get(app) {
            unknown.put_into_list(&mut value, "releases");
        }
        match value.get_mut("releases").map(Value::take) {
            Some(Value::Array(releases)) => Ok(releases),
            _ => Err(io::Error::from(io::ErrorKind::InvalidData)).during(whole),
        }
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
}

pub(super) fn text(record: &AppRecord, unknown: Option<&Unknown>) -> serde_json::Result<Vec<u8>> {
    let Some(unknown) = unknown else { return serde_json::to_vec_pretty(record) };
    let mut value = serde_json::to_value(record)?;
    unknown.put_into(&mut value);
    serde_json::to_vec_pretty(&value)
}

#[derive(Deserialize)]
struct Version {
    schema: u32,
}

/// The record with what a newer version wrote into it, or in words why it cannot be used.
fn read(stem: &str, path: &Path) -> std::result::Result<(AppRecord, Option<Unknown>), String> {
    parse(stem, &fs::read(path).map_err(|e| format!("it cannot be read: {e}"))?)
}

pub(super) fn parse(stem: &str, content: &[u8]) -> std::result::Result<(AppRecord, Option<Unknown>), String> {
    let version: Version = serde_json::from_slice(content).map_err(|e| format!("it is damaged: {e}"))?;
    if version.schema != SCHEMA {
        return Err(format!("it has schema {}; this version reads schema {SCHEMA}", version.schema));
    }
    let record: AppRecord = serde_json::from_slice(content).map_err(|e| format!("it is damaged: {e}"))?;
    if record.id.0 != stem {
        return Err(format!("it holds the app with id {}", record.id.0.escape_default()));
    }
    if let Some(flaw) = record.flaw() {
        return Err(flaw);
    }
    let damaged = |e: serde_json::Error| format!("it is damaged: {e}");
    let theirs = serde_json::from_slice(content).map_err(damaged)?;
    let unknown = Unknown::of(&theirs, &serde_json::to_value(&record).map_err(damaged)?);
    Ok((record, unknown))
}
