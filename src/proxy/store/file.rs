//! Writing a file so that after a crash there is the old content or the new, never half of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::{During, Result, stems};

/// What unfinished files end in; swept at the next start.
pub(crate) const UNFINISHED: &str = "tmp";

/// For files only their owner may read: they hold secrets.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

pub(crate) fn make_dir(dir: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .and_then(|()| fs::set_permissions(dir, fs::Permissions::from_mode(0o700)))
        .during(|| format!("make the directory {}", dir.display()))
}

/// Replaces a file's content: temporary file, sync, rename, sync of the directory.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let writing = || format!("write {}", path.display());
    let dir = path.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput)).during(writing)?;
    let unfinished = path.with_extension(UNFINISHED);
    let written = write_synced(&unfinished, content).and_then(|()| fs::rename(&unfinished, path));
    if let Err(source) = written {
        if let Err(left) = fs::remove_file(&unfinished)
            && left.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %unfinished.display(), error = %left, "an unfinished file stays");
        }
        return Err(source).during(writing);
    }
    sync_dir(dir)
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = private().create(true).truncate(true).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|d| d.sync_all()).during(|| format!("sync {}", dir.display()))
}

/// Removes what was being written when the last process ended.
pub(crate) fn sweep(dir: &Path) -> Result<()> {
    for (_, path) in stems(dir, UNFINISHED)? {
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(path = %path.display(), %error, "an unfinished file stays");
        }
    }
    Ok(())
}
