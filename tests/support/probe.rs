//! Builds `probe/program.rs`, the program that test containers run.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

const SOURCE: &str = include_str!("probe/program.rs");

/// The static binary; built at first use by whichever test comes first.
pub fn path() -> PathBuf {
    static PATH: LazyLock<PathBuf> = LazyLock::new(build);
    PATH.clone()
}

fn build() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    SOURCE.hash(&mut hasher);
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(&directory).unwrap();
    let binary = directory.join(format!("probe-{:016x}", hasher.finish()));
    // Each test is a process of its own: only one may write.
    let lock = File::create(directory.join("probe.lock")).unwrap();
    lock.lock().unwrap();
    if binary.exists() {
        return binary;
    }
    let source = directory.join("probe.rs");
    let half = directory.join("probe.half");
    fs::write(&source, SOURCE).unwrap();
    let status = Command::new("rustc")
        .args(["--edition", "2024", "-C", "opt-level=1", "-C", "strip=symbols", "-C", "target-feature=+crt-static"])
        .args(["--crate-name", "probe", "-o"])
        .arg(&half)
        .arg(&source)
        .status()
        .unwrap();
    assert!(status.success(), "the probe can be built");
    fs::rename(&half, &binary).unwrap();
    binary
}
