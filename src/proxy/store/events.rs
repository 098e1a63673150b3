//! `ops/<op>.jsonl`: the events of the last changes, for whoever looks after a restart.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::activity::end_torn_line;
use super::{During, Result, file, stems};
use once_app::OpId;
use once_app::event::Envelope;

#[derive(Debug)]
pub(super) struct EventFiles {
    dir: PathBuf,
}

impl EventFiles {
    /// The changes found, by their first event. What cannot be read is left out: it is for watching only.
    pub(super) fn open(state: &Path) -> Result<(Self, Vec<Vec<Envelope>>)> {
        let files = Self { dir: state.join("ops") };
        file::make_dir(&files.dir)?;
        let mut changes = Vec::new();
        for (op, path) in stems(&files.dir, "jsonl")? {
            let content = fs::read(&path).during(|| format!("read {}", path.display()))?;
            let lines = content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let events: Vec<Envelope> = lines
                .filter_map(|line| serde_json::from_slice(line).ok())
                .filter(|e: &Envelope| e.op.0 == op)
                .collect();
            if events.is_empty() {
                tracing::warn!(path = %path.display(), "it holds no event that can be read");
                fs::remove_file(&path).during(|| format!("remove {}", path.display()))?;
            } else {
                changes.push(events);
            }
        }
        changes.sort_by_key(|events| events.first().map(|e| e.at));
        Ok((files, changes))
    }

    pub(super) fn append(&self, op: &OpId, events: &[Envelope]) -> Result<()> {
        let path = self.path(op);
        let writing = || format!("write {}", path.display());
        let mut lines = Vec::new();
        for event in events {
            serde_json::to_writer(&mut lines, event).map_err(io::Error::other).during(writing)?;
            lines.push(b'\n');
        }
        let mut file = file::private().create(true).append(true).open(&path).during(writing)?;
        end_torn_line(&mut file, &mut lines).during(writing)?;
        file.write_all(&lines).during(writing)
    }

    pub(super) fn forget(&self, op: &OpId) -> Result<()> {
        let path = self.path(op);
        match fs::remove_file(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.during(|| format!("remove {}", path.display())),
        }
    }

    fn path(&self, op: &OpId) -> PathBuf {
        self.dir.join(format!("{op}.jsonl"))
    }
}
