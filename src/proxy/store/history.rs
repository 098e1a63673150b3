//! `history/<id>.jsonl`: releases that left an app's record, oldest first, append-only. So a record stays small however
//! long the app lives, and any release can still be gone back to. Holds secrets, as records do.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::activity::end_torn_line;
use super::{During, Result, file};
use once_app::{AppId, Release, ReleaseNumber};

/// The version of a line. A newer one is passed over, never guessed at.
const SCHEMA: u32 = 1;

#[derive(Debug)]
pub(super) struct HistoryFiles {
    dir: PathBuf,
}

#[derive(Serialize)]
struct Written<'a> {
    schema: u32,
    release: &'a Value,
}

#[derive(Deserialize)]
struct Version {
    schema: u32,
}

#[derive(Deserialize)]
struct Read {
    release: Release,
}

impl HistoryFiles {
    pub(super) fn open(state: &Path) -> Result<Self> {
        let files = Self { dir: state.join("history") };
        file::make_dir(&files.dir)?;
        Ok(files)
    }

    /// Appends, synced.
    pub(super) fn append(&self, app: &AppId, releases: &[Value]) -> Result<()> {
        let path = self.path(app);
        let writing = || format!("write {}", path.display());
        let mut lines = Vec::new();
        for release in releases {
            let line = Written { schema: SCHEMA, release };
            serde_json::to_writer(&mut lines, &line).map_err(io::Error::other).during(writing)?;
            lines.push(b'\n');
        }
        let mut file = file::private().create(true).append(true).open(&path).during(writing)?;
        end_torn_line(&mut file, &mut lines).during(writing)?;
        file.write_all(&lines).and_then(|()| file.sync_data()).during(writing)
    }

    /// Newest first. One that was written twice, since what followed failed, is there once.
    pub(super) fn read(&self, app: &AppId) -> Result<Vec<Release>> {
        let path = self.path(app);
        let content = match fs::read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            content => content.during(|| format!("read {}", path.display()))?,
        };
        let mut releases: BTreeMap<ReleaseNumber, Release> = BTreeMap::new();
        for line in content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match release(line) {
                Ok(release) => drop(releases.insert(release.number, release)),
                Err(why) => tracing::warn!(path = %path.display(), why, "a line of the history is passed over"),
            }
        }
        Ok(releases.into_values().rev().collect())
    }

    pub(super) fn forget(&self, app: &AppId) -> Result<()> {
        let path = self.path(app);
        match fs::remove_file(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.during(|| format!("remove {}", path.display())),
        }
    }

    fn path(&self, app: &AppId) -> PathBuf {
        self.dir.join(format!("{app}.jsonl"))
    }
}

fn release(line: &[u8]) -> std::result::Result<Release, String> {
    let damaged = |e: serde_json::Error| format!("it is damaged: {e}");
    let version: Version = serde_json::from_slice(line).map_err(damaged)?;
    if version.schema != SCHEMA {
        return Err(format!("it has schema {}; this version reads schema {SCHEMA}", version.schema));
    }
    Ok(serde_json::from_slice::<Read>(line).map_err(damaged)?.release)
}
