//! Programs of other versions, made of the one under test.

use std::path::PathBuf;

/// A program in a directory of its own.
pub struct Newer {
    _dir: tempfile::TempDir,
    pub path: PathBuf,
}

fn program(change: impl FnOnce(&mut Vec<u8>)) -> Newer {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("once");
    // With its mode.
    std::fs::copy(env!("CARGO_BIN_EXE_once"), &path).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    Newer { _dir: dir, path }
}

/// This binary with other bytes at its end, which change its hash and nothing else.
pub fn newer(mark: &str) -> Newer {
    program(|bytes| bytes.extend_from_slice(mark.as_bytes()))
}

/// This binary, but that it says it is of another version, as long as its own.
pub fn of_version(version: &str) -> Newer {
    let ours = env!("CARGO_PKG_VERSION").as_bytes();
    assert_eq!(version.len(), ours.len());
    program(|bytes| {
        let found: Vec<usize> = (0..bytes.len() - ours.len()).filter(|at| bytes[*at..].starts_with(ours)).collect();
        for at in found {
            bytes[at..at + ours.len()].copy_from_slice(version.as_bytes());
        }
    })
}
