//! `activity.jsonl`: the audit log, append-only. When full it becomes `activity.1.jsonl` and a new one is begun.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{During, Result, file};
use crate::app::AppName;
use crate::app::proxy::Activity;

/// Entries a file; with the one before at most twice that are kept.
const ENTRIES: usize = 10_000;

#[derive(Debug)]
pub(super) struct ActivityLog {
    current: PathBuf,
    previous: PathBuf,
    entries: usize,
}

impl ActivityLog {
    pub(super) fn open(state: &Path) -> Result<Self> {
        let (current, previous) = (state.join("activity.jsonl"), state.join("activity.1.jsonl"));
        let entries = read(&current)?.iter().filter(|byte| **byte == b'\n').count();
        Ok(Self { current, previous, entries })
    }

    pub(super) fn append(&mut self, activity: &Activity) -> Result<()> {
        let writing = || format!("write {}", self.current.display());
        let mut line = serde_json::to_vec(activity).map_err(io::Error::other).during(writing)?;
        line.push(b'\n');
        if self.entries >= ENTRIES {
            fs::rename(&self.current, &self.previous).during(writing)?;
            self.entries = 0;
        }
        let mut file = file::private().create(true).append(true).open(&self.current).during(writing)?;
        end_torn_line(&mut file, &mut line).during(writing)?;
        file.write_all(&line).and_then(|()| file.sync_data()).during(writing)?;
        self.entries += 1;
        Ok(())
    }

    pub(super) fn newest(&self, names: Option<&[AppName]>, limit: usize) -> Result<Vec<Activity>> {
        let mut found = Vec::new();
        for path in [&self.current, &self.previous] {
            let content = read(path)?;
            let entries = content.rsplit(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let entries = entries.filter_map(|line| match serde_json::from_slice::<Activity>(line) {
                Ok(activity) => Some(activity),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a line of the audit log is damaged");
                    None
                }
            });
            let wanted = |activity: &Activity| {
                names.is_none_or(|names| activity.app.as_ref().is_some_and(|app| names.contains(app)))
            };
            found.extend(entries.filter(wanted).take(limit - found.len()));
            if found.len() == limit {
                break;
            }
        }
        Ok(found)
    }
}

/// A crash can leave half a line; what follows must not become a part of it.
pub(super) fn end_torn_line(file: &mut fs::File, line: &mut Vec<u8>) -> io::Result<()> {
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            line.insert(0, b'\n');
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    match fs::read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        content => content.during(|| format!("read {}", path.display())),
    }
}
