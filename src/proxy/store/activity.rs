//! `activity.jsonl`: the audit log, append-only. When full it becomes `activity.1.jsonl`, that one `activity.2.jsonl`, and
//! a new one is begun. What falls off the end is told by an entry of its own.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::iter;
use std::path::{Path, PathBuf};

use super::{During, Result, file};
use once_app::proxy::Activity;
use once_app::{AppName, Caller};

/// Entries a file.
const ENTRIES: usize = 10_000;

/// Full files kept: with the current one, some fifteen megabytes.
const FULL: usize = 4;

#[derive(Debug)]
pub(super) struct ActivityLog {
    state: PathBuf,
    current: PathBuf,
    entries: usize,
}

impl ActivityLog {
    pub(super) fn open(state: &Path) -> Result<Self> {
        let current = state.join("activity.jsonl");
        let entries = lines(&read(&current)?);
        Ok(Self { state: state.to_owned(), current, entries })
    }

    pub(super) fn append(&mut self, activity: &Activity) -> Result<()> {
        if self.entries >= ENTRIES
            && let Some(gone) = self.rotate(activity)?
        {
            self.append(&gone)?;
        }
        let writing = || format!("write {}", self.current.display());
        let mut line = serde_json::to_vec(activity).map_err(io::Error::other).during(writing)?;
        line.push(b'\n');
        let mut file = file::private().create(true).append(true).open(&self.current).during(writing)?;
        end_torn_line(&mut file, &mut line).during(writing)?;
        file.write_all(&line).and_then(|()| file.sync_data()).during(writing)?;
        self.entries += 1;
        Ok(())
    }

    fn full(&self, n: usize) -> PathBuf {
        self.state.join(format!("activity.{n}.jsonl"))
    }

    /// Begins a new file; what is to be said about the entries that are no longer kept.
    fn rotate(&mut self, by: &Activity) -> Result<Option<Activity>> {
        let rotating = || "rotate the audit log".to_owned();
        let gone = lines(&read(&self.full(FULL))?);
        for n in (1..FULL).rev().filter(|n| self.full(*n).exists()) {
            fs::rename(self.full(n), self.full(n + 1)).during(rotating)?;
        }
        fs::rename(&self.current, self.full(1)).during(rotating)?;
        file::sync_dir(&self.state)?;
        self.entries = 0;
        let text = format!("the audit log is full: its {gone} oldest entries are no longer kept");
        let by_itself = Caller { command: "rotation".to_owned(), ..Caller::default() };
        let told = Activity { at: by.at, by: by_itself, app: None, op: None, outcome: "updated".to_owned(), text };
        Ok((gone > 0).then_some(told))
    }

    pub(super) fn newest(&self, names: Option<&[AppName]>, limit: usize) -> Result<Vec<Activity>> {
        let mut found = Vec::new();
        for path in iter::once(self.current.clone()).chain((1..=FULL).map(|n| self.full(n))) {
            let content = read(&path)?;
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

fn lines(content: &[u8]) -> usize {
    content.iter().filter(|byte| **byte == b'\n').count()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    match fs::read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        content => content.during(|| format!("read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: usize) -> Activity {
        let at = jiff::Timestamp::UNIX_EPOCH;
        let by = Caller::default();
        Activity { at, by, app: None, op: None, outcome: "updated".into(), text: format!("entry {n}") }
    }

    #[test]
    fn what_falls_off_the_end_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = ActivityLog::open(dir.path()).unwrap();
        let line = |n| serde_json::to_string(&entry(n)).unwrap() + "\n";
        // As after some months: full files, and a current one with room for one entry.
        for n in 1..=FULL {
            fs::write(log.full(n), line(n).repeat(7 + n)).unwrap();
        }
        fs::write(&log.current, line(0).repeat(ENTRIES - 1)).unwrap();
        log = ActivityLog::open(dir.path()).unwrap();
        log.append(&entry(100)).unwrap();
        let count = |log: &ActivityLog| log.newest(None, usize::MAX).unwrap().len();
        let before = count(&log);
        log.append(&entry(101)).unwrap();
        let newest = log.newest(None, 3).unwrap();
        assert_eq!([0, 2].map(|n| newest[n].text.as_str()), ["entry 101", "entry 100"]);
        assert!(newest[1].text.contains(&format!("its {} oldest entries", 7 + FULL)), "{newest:?}");
        assert_eq!(count(&log), before + 2 - (7 + FULL));
    }
}
