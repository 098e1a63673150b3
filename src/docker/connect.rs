//! Reaching the engine.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bollard::API_DEFAULT_VERSION;
use tokio::sync::OnceCell;

use super::address::{self, Address, Transport};
use super::call::{ANSWER, Call, Client, HEAD};
use super::cgroup::Cgroups;
use super::environment::Environment;
use super::host::Processor;
use super::ssh;
use once_app::engine::{EngineError, EngineInfo};

/// Docker 20.10.
const OLDEST: (usize, usize) = (1, 41);

/// A connection to a Docker engine.
#[derive(Debug)]
pub struct Docker {
    pub(super) client: Client,
    pub(super) environment: Environment,
    pub(super) on_this_machine: bool,
    /// What the engine said of itself first, and when.
    pub(super) info: OnceCell<(EngineInfo, Instant)>,
    pub(super) binary: PathBuf,
    pub(super) own_hash: OnceCell<String>,
    pub(super) cgroups: Mutex<Cgroups>,
    pub(super) processor: Mutex<Option<Processor>>,
}

impl Docker {
    /// Connects to the engine at `address` (`unix://`, `tcp://`, `ssh://`), or where Docker's own command would, and
    /// agrees on a version.
    ///
    /// # Errors
    ///
    /// [`EngineError::BadAddress`], [`EngineError::NoSocket`], [`EngineError::NoPermission`],
    /// [`EngineError::Unreachable`], [`EngineError::TimedOut`], or [`EngineError::TooOld`] below Docker 20.10.
    pub async fn connect(address: Option<&str>) -> Result<Self, EngineError> {
        Self::connect_as(address, Environment::of_process()).await
    }

    /// Like [`Docker::connect`], with another environment than this process's.
    ///
    /// # Errors
    ///
    /// Those of [`Docker::connect`].
    pub async fn connect_as(address: Option<&str>, environment: Environment) -> Result<Self, EngineError> {
        let address = address::resolve(address, &environment)?;
        let on_this_machine = matches!(address.transport, Transport::Unix(_));
        let client = negotiate(&address, &environment).await?;
        Ok(Self {
            client,
            environment,
            on_this_machine,
            info: OnceCell::new(),
            binary: PathBuf::from("/proc/self/exe"),
            own_hash: OnceCell::new(),
            cgroups: Mutex::new(Cgroups::at(Path::new("/sys/fs/cgroup"))),
            processor: Mutex::new(None),
        })
    }

    /// Takes this file for "this binary" when images are made of it.
    #[must_use]
    pub fn with_binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = path.into();
        self.own_hash = OnceCell::new();
        self
    }
}

async fn negotiate(address: &Address, environment: &Environment) -> Result<Client, EngineError> {
    let text: Arc<str> = address.text.as_str().into();
    let call = || Call::new("answer", format!("at {text}"));
    let words = ssh::Words::default();
    let api = dial(address, environment, &words).map_err(|cause| super::error::explain(&text, &call(), cause))?;
    let api = api.with_request_modifier(encode_login_for_urls);
    let version = tokio::time::timeout(ANSWER, api.negotiate_version()).await;
    let api = match version {
        Ok(Ok(api)) => api,
        Ok(Err(cause)) => return Err(words.explain(super::error::explain(&text, &call(), cause))),
        Err(_) => return Err(EngineError::TimedOut { what: call().what(), after: ANSWER }),
    };
    let found = api.client_version();
    if (found.major_version, found.minor_version) < OLDEST {
        return Err(EngineError::TooOld { found: found.to_string(), needed: format!("{}.{}", OLDEST.0, OLDEST.1) });
    }
    Ok(Client { api, address: text })
}

fn dial(
    address: &Address,
    environment: &Environment,
    words: &ssh::Words,
) -> Result<bollard::Docker, bollard::errors::Error> {
    let limit = HEAD.as_secs();
    match &address.transport {
        Transport::Unix(path) => {
            bollard::Docker::connect_with_unix(&path.to_string_lossy(), limit, API_DEFAULT_VERSION)
        }
        Transport::Tcp => {
            bollard::Docker::connect_with_http(address.text.trim_end_matches('/'), limit, API_DEFAULT_VERSION)
        }
        Transport::Tls(directory) => bollard::Docker::connect_with_ssl(
            address.text.trim_end_matches('/'),
            &directory.join("key.pem"),
            &directory.join("cert.pem"),
            &directory.join("ca.pem"),
            limit,
            API_DEFAULT_VERSION,
        ),
        Transport::Ssh(target) => ssh::connect(target, environment, words.clone(), limit),
    }
}

/// bollard encodes the login with the alphabet of plain base64, the engine decodes with that of URLs. Engines up to
/// 20.10 take a header they cannot decode for an anonymous caller, so a password with the wrong bits would be refused.
fn encode_login_for_urls(mut request: bollard::BollardRequest) -> bollard::BollardRequest {
    if let Some(value) = request.headers_mut().get_mut("x-registry-auth") {
        let text: Vec<u8> = value
            .as_bytes()
            .iter()
            .map(|byte| match byte {
                b'+' => b'-',
                b'/' => b'_',
                other => *other,
            })
            .collect();
        if let Ok(mut encoded) = http::HeaderValue::from_bytes(&text) {
            encoded.set_sensitive(true);
            *value = encoded;
        }
    }
    request
}
