//! Who this proxy is, and how often it was started.

use std::fs;
use std::io;
use std::path::Path;

use super::{During, Result, file};

/// The instance's id, made where there is none, and the number of this start: 1, 2, 3 …
pub(super) fn load(dir: &Path) -> Result<(String, u32)> {
    Ok((instance(&dir.join("instance"))?, next_start(&dir.join("start"))?))
}

fn instance(path: &Path) -> Result<String> {
    match read(path)? {
        Some(id) if id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) => return Ok(id),
        Some(_) => tracing::warn!(path = %path.display(), "the instance id is damaged; a new one is made"),
        None => {}
    }
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(io::Error::other).during(|| "make an id".to_owned())?;
    let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    file::replace(path, id.as_bytes())?;
    Ok(id)
}

fn next_start(path: &Path) -> Result<u32> {
    let last = match read(path)? {
        None => 0,
        // A count that can no longer be read goes on far above what it can have been: at seconds.
        Some(text) => text.parse().unwrap_or_else(|_| {
            tracing::warn!(path = %path.display(), "the start count is damaged");
            u32::try_from(jiff::Timestamp::now().as_second()).unwrap_or(u32::MAX >> 1)
        }),
    };
    let start = last.saturating_add(1);
    file::replace(path, start.to_string().as_bytes())?;
    Ok(start)
}

fn read(path: &Path) -> Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(source).during(|| format!("read {}", path.display())),
    }
}
