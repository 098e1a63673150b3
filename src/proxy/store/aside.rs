//! Files that cannot be read are moved to `set-aside/`, with the reason beside them, for somebody to look at.

use std::fs;
use std::path::{Path, PathBuf};

use super::{During, Result, file};

/// What the reasons' files end in.
const REASON: &str = "why";

/// The set-aside files of one directory.
#[derive(Debug)]
pub(crate) struct Aside {
    of: PathBuf,
    dir: PathBuf,
}

impl Aside {
    pub(crate) fn open(of: &Path) -> Result<Self> {
        let aside = Self { of: of.to_owned(), dir: of.join("set-aside") };
        file::make_dir(&aside.dir)?;
        Ok(aside)
    }

    /// Moves these here. All that are here then, or should be, from now or earlier: file name and why.
    pub(crate) fn take(&self, broken: Vec<(PathBuf, String)>) -> Result<Vec<(String, String)>> {
        let mut stuck = Vec::new();
        for (path, why) in broken {
            tracing::warn!(path = %path.display(), why, "a file is set aside");
            if let Err(error) = self.put(&path, &why) {
                tracing::warn!(path = %path.display(), %error, "it could not be moved");
                stuck.push((display_name(&path), why));
            }
        }
        let mut all = self.list()?;
        all.extend(stuck);
        Ok(all)
    }

    /// Puts files back that this version can read, the newest of each name and only where none has its place by now.
    pub(crate) fn give_back(&self, reads: impl Fn(&str, &Path) -> bool) -> Result<()> {
        let mut kept: Vec<(String, u32, PathBuf)> = Vec::new();
        for (name, _) in self.list()? {
            if let Some((file, n)) = name.rsplit_once('.')
                && let Ok(n) = n.parse()
            {
                kept.push((file.to_owned(), n, self.dir.join(&name)));
            }
        }
        kept.sort_by_key(|(_, n, _)| std::cmp::Reverse(*n));
        for (file, _, path) in kept {
            let place = self.of.join(&file);
            let stem = Path::new(&file).file_stem().unwrap_or_default().to_string_lossy();
            if place.exists() || !reads(&stem, &path) {
                continue;
            }
            tracing::info!(path = %place.display(), "a file that was set aside can be read now");
            fs::rename(&path, &place).during(|| format!("put {} back", path.display()))?;
            let reason = self.dir.join(format!("{}.{REASON}", display_name(&path)));
            fs::remove_file(&reason).during(|| format!("remove {}", reason.display()))?;
            file::sync_dir(&self.of)?;
        }
        Ok(())
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
        file::sync_dir(&self.of)
    }

    fn list(&self) -> Result<Vec<(String, String)>> {
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
