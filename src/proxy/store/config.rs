//! `proxy.json`: what holds for the proxy as a whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Aside, During, Result, file};
use once_app::ProxyConfig;

/// The version of the file. A newer one is set aside, never guessed at.
const SCHEMA: u32 = 1;

#[derive(Debug)]
pub(super) struct ConfigFile {
    path: PathBuf,
}

#[derive(Serialize)]
struct Written<'a> {
    schema: u32,
    #[serde(flatten)]
    config: &'a ProxyConfig,
}

#[derive(Deserialize)]
struct Version {
    schema: u32,
}

impl ConfigFile {
    /// What is kept; the defaults where there is nothing, or nothing that can be read: that file is set aside.
    pub(super) fn open(state: &Path, set_aside: &mut Vec<(String, String)>) -> Result<(Self, ProxyConfig)> {
        let path = state.join("proxy.json");
        let aside = Aside::open(state)?;
        aside.give_back(|_, path| fs::read(path).is_ok_and(|content| parse(&content).is_ok()))?;
        let read = match fs::read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(ProxyConfig::default()),
            read => read.map_err(|e| format!("it cannot be read: {e}")).and_then(|content| parse(&content)),
        };
        let (config, broken) = match read {
            Ok(config) => (config, Vec::new()),
            Err(why) => (ProxyConfig::default(), vec![(path.clone(), why)]),
        };
        set_aside.extend(aside.take(broken)?);
        Ok((Self { path }, config))
    }

    pub(super) fn write(&self, config: &ProxyConfig) -> Result<()> {
        let content = text(config).map_err(io::Error::other).during(|| format!("write {}", self.path.display()))?;
        file::replace(&self.path, &content)
    }
}

pub(super) fn text(config: &ProxyConfig) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec_pretty(&Written { schema: SCHEMA, config })
}

pub(super) fn parse(content: &[u8]) -> std::result::Result<ProxyConfig, String> {
    let damaged = |e: serde_json::Error| format!("it is damaged: {e}");
    let version: Version = serde_json::from_slice(content).map_err(damaged)?;
    if version.schema != SCHEMA {
        return Err(format!("it has schema {}; this version reads schema {SCHEMA}", version.schema));
    }
    serde_json::from_slice(content).map_err(damaged)
}
