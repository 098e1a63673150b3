//! `proxy.json`: what holds for the proxy as a whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::aside::{Aside, Unread};
use super::{During, Result, file};
use crate::app::ProxyConfig;

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
    /// What is kept; the defaults where there is nothing, or nothing that can be read: that file is set aside, and told
    /// back where it could not be moved.
    pub(super) fn open(state: &Path, aside: &Aside) -> Result<(Self, ProxyConfig, Option<Unread>)> {
        let path = state.join("proxy.json");
        let (config, stuck) = match fs::read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => (ProxyConfig::default(), None),
            read => match read.map_err(|e| format!("it cannot be read: {e}")).and_then(|content| parse(&content)) {
                Ok(config) => (config, None),
                Err(why) => (ProxyConfig::default(), aside.take(&path, why)),
            },
        };
        Ok((Self { path }, config, stuck))
    }

    pub(super) fn write(&self, config: &ProxyConfig) -> Result<()> {
        let content = serde_json::to_vec_pretty(&Written { schema: SCHEMA, config })
            .map_err(io::Error::other)
            .during(|| format!("write {}", self.path.display()))?;
        file::replace(&self.path, &content)
    }
}

fn parse(content: &[u8]) -> std::result::Result<ProxyConfig, String> {
    let damaged = |e: serde_json::Error| format!("it is damaged: {e}");
    let version: Version = serde_json::from_slice(content).map_err(damaged)?;
    if version.schema != SCHEMA {
        return Err(format!("it has schema {}; this version reads schema {SCHEMA}", version.schema));
    }
    serde_json::from_slice(content).map_err(damaged)
}
