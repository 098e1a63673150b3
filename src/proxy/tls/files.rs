//! `certs/<name>.json`: one file a name, each read on its own. They hold private keys.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::pair::Pair;
use crate::store::{Aside, During, Result, file, stems};
use once_app::{CertificateSource, Hostname, Secret};

/// What is written today.
const SCHEMA: u32 = 1;

/// Longer names go by their hash: a file's name has 255 bytes at most.
const LONGEST_STEM: usize = 200;

/// A file's content.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    schema: u32,
    pub(super) name: Hostname,
    pub(super) source: CertificateSource,
    pub(super) obtained_at: Timestamp,
    /// PEM.
    pub(super) chain: String,
    /// PEM.
    pub(super) key: Secret,
}

impl Entry {
    pub(super) fn new(name: Hostname, source: CertificateSource, at: Timestamp, chain: &str, key: &Secret) -> Self {
        Self { schema: SCHEMA, name, source, obtained_at: at, chain: chain.to_owned(), key: key.clone() }
    }
}

#[derive(Debug)]
pub(super) struct CertificateFiles {
    dir: PathBuf,
}

/// What was read.
#[derive(Default)]
pub(super) struct Found {
    pub(super) entries: Vec<(Entry, Pair)>,
    /// Now or earlier: file name and why.
    pub(super) set_aside: Vec<(String, String)>,
}

impl CertificateFiles {
    pub(super) fn open(dir: &Path) -> Result<(Self, Found)> {
        file::make_dir(dir)?;
        file::sweep(dir)?;
        let aside = Aside::open(dir)?;
        let mut found = Found::default();
        let mut broken = Vec::new();
        for (stem, path) in stems(dir, "json")? {
            match read(&stem, &path) {
                Ok(entry) => found.entries.push(entry),
                Err(why) => broken.push((path, why)),
            }
        }
        found.set_aside = aside.take(broken)?;
        Ok((Self { dir: dir.to_owned() }, found))
    }

    pub(super) fn write(&self, entry: &Entry) -> Result<()> {
        let path = self.dir.join(format!("{}.json", stem(&entry.name)));
        let content = serde_json::to_vec_pretty(entry)
            .map_err(io::Error::other)
            .during(|| format!("write {}", path.display()))?;
        file::replace(&path, &content)
    }
}

fn stem(name: &Hostname) -> String {
    match name.as_str() {
        short if short.len() <= LONGEST_STEM => short.to_owned(),
        long => Sha256::digest(long).iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

#[derive(Deserialize)]
struct Version {
    schema: u32,
}

/// The entry, or in words why it cannot be used; none of them from the key.
fn read(expected: &str, path: &Path) -> std::result::Result<(Entry, Pair), String> {
    let content = fs::read(path).map_err(|e| format!("it cannot be read: {e}"))?;
    // The parser's words could quote what it stumbled over.
    let damaged = |e: serde_json::Error| format!("it is damaged in line {}", e.line());
    let version: Version = serde_json::from_slice(&content).map_err(damaged)?;
    if version.schema != SCHEMA {
        return Err(format!("it has schema {}; this version reads schema {SCHEMA}", version.schema));
    }
    let entry: Entry = serde_json::from_slice(&content).map_err(damaged)?;
    if stem(&entry.name) != expected {
        return Err(format!("it holds the certificate of {}", entry.name));
    }
    let pair = Pair::parse(&entry.chain, entry.key.expose()).map_err(|flaw| flaw.to_string())?;
    Ok((entry, pair))
}
