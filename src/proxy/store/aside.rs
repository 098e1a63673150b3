//! Files that could not be read: moved out of the way with the reason beside them, never overwritten, never forgotten.

use std::fs;
use std::path::{Path, PathBuf};

use super::{During, Result, file};

/// What the reasons' names end in.
const REASON: &str = "why";

/// A file that cannot be read, by name, and why.
pub(super) type Unread = (String, String);

#[derive(Debug)]
pub(super) struct Aside {
    dir: PathBuf,
}

impl Aside {
    pub(super) fn open(dir: PathBuf) -> Result<Self> {
        file::make_dir(&dir)?;
        Ok(Self { dir })
    }

    /// Moves a file here; what could not be moved is told back.
    pub(super) fn take(&self, path: &Path, why: String) -> Option<Unread> {
        tracing::warn!(path = %path.display(), why, "a file of the ledger is set aside");
        let error = self.put(path, &why).err()?;
        tracing::warn!(path = %path.display(), %error, "it could not be moved");
        Some((display_name(path), why))
    }

    /// Never overwrites an earlier one of the same name.
    fn put(&self, path: &Path, why: &str) -> Result<()> {
        let name = display_name(path);
        let free = |n: &u32| !self.dir.join(format!("{name}.{n}")).exists();
        let n = (1..u32::MAX).find(free).unwrap_or(u32::MAX);
        let kept = self.dir.join(format!("{name}.{n}"));
        file::replace(&self.dir.join(format!("{name}.{n}.{REASON}")), why.as_bytes())?;
        fs::rename(path, &kept).during(|| format!("move {} to {}", path.display(), kept.display()))?;
        file::sync_dir(&self.dir)?;
        path.parent().map_or(Ok(()), file::sync_dir)
    }

    /// All that lie here, also earlier ones: file name and why.
    pub(super) fn list(&self) -> Result<Vec<Unread>> {
        let listing = || format!("list {}", self.dir.display());
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir).during(listing)? {
            let path = entry.during(listing)?.path();
            if path.extension().is_some_and(|e| e == REASON || e == file::UNFINISHED) {
                continue;
            }
            let name = display_name(&path);
            let why = fs::read_to_string(self.dir.join(format!("{name}.{REASON}")));
            found.push((name, why.unwrap_or_else(|e| format!("the reason is lost: {e}"))));
        }
        found.sort();
        Ok(found)
    }
}

fn display_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
