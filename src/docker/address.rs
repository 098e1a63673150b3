//! Which engine is meant: `--on`, `DOCKER_HOST`, `DOCKER_CONTEXT`, the current context of Docker's own command, or the
//! usual socket, in that order.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::environment::Environment;
use once_app::Port;
use once_app::engine::EngineError;

const DEFAULT: &str = "unix:///var/run/docker.sock";

/// An address taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// As it was given, for people.
    pub text: String,
    pub transport: Transport,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Transport {
    Unix(PathBuf),
    Tcp,
    /// Holds the directory with `ca.pem`, `cert.pem` and `key.pem`.
    Tls(PathBuf),
    Ssh(SshTarget),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SshTarget {
    pub user: Option<String>,
    pub host: String,
    pub port: Option<u16>,
}

/// Finds out which engine is meant.
pub(super) fn resolve(given: Option<&str>, environment: &Environment) -> Result<Address, EngineError> {
    if let Some(text) = given.or_else(|| environment.get("DOCKER_HOST")) {
        return parse(text, certificates_of(environment));
    }
    let directory = environment.docker_config();
    let context = match environment.get("DOCKER_CONTEXT") {
        Some(name) => Some(name.to_owned()),
        None => directory.as_deref().map(current_context).transpose()?.flatten(),
    };
    match (context.as_deref(), directory) {
        (None | Some("default"), _) => parse(DEFAULT, None),
        (Some(name), Some(directory)) => from_context(&directory, name),
        (Some(name), None) => Err(bad(name, "there is no home directory to look for the context in")),
    }
}

fn bad(address: &str, reason: impl Into<String>) -> EngineError {
    EngineError::BadAddress { address: address.to_owned(), reason: reason.into() }
}

fn certificates_of(environment: &Environment) -> Option<PathBuf> {
    environment.get("DOCKER_TLS_VERIFY")?;
    environment.get("DOCKER_CERT_PATH").map(PathBuf::from).or_else(|| environment.docker_config())
}

pub(super) fn parse(text: &str, certificates: Option<PathBuf>) -> Result<Address, EngineError> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(bad(text, "it needs a scheme: `unix://`, `tcp://` or `ssh://`"));
    };
    let transport = match (scheme, certificates) {
        ("unix", _) if rest.starts_with('/') => Transport::Unix(PathBuf::from(rest)),
        ("unix", _) => return Err(bad(text, "the socket's path must be absolute")),
        ("tcp" | "http" | "https", Some(directory)) if is_authority(rest) => Transport::Tls(directory),
        ("tcp" | "http", None) if is_authority(rest) => Transport::Tcp,
        ("https", None) => return Err(bad(text, "it needs certificates; set DOCKER_TLS_VERIFY and DOCKER_CERT_PATH")),
        ("tcp" | "http" | "https", _) => return Err(bad(text, "it needs a host and a port: `tcp://host:2376`")),
        ("ssh", _) => Transport::Ssh(ssh_target(text, rest)?),
        _ => return Err(bad(text, format!("`{scheme}://` is not supported; use `unix://`, `tcp://` or `ssh://`"))),
    };
    Ok(Address { text: text.to_owned(), transport })
}

fn is_authority(rest: &str) -> bool {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    !rest.contains('/')
        && rest.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<Port>().is_ok())
}

fn ssh_target(text: &str, rest: &str) -> Result<SshTarget, EngineError> {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains('/') {
        return Err(bad(text, "a path is not supported; the server's own `docker` command finds its engine"));
    }
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, rest),
    };
    if user.is_some_and(|user| user.contains(':')) {
        return Err(bad("ssh://…", "it holds a password; use a key"));
    }
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        // Without its colon it is no port, whatever it says.
        Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or_default())),
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let port = match port.map(str::parse::<Port>) {
        None => None,
        Some(Ok(port)) => Some(port.get()),
        Some(Err(_)) => return Err(bad(text, "its port is not a number")),
    };
    // A leading dash would be an option to ssh.
    let dangerous = |word: &str| {
        word.is_empty() || word.starts_with('-') || word.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    if dangerous(host) || user.is_some_and(dangerous) {
        return Err(bad(text, "its user or host is not usable"));
    }
    Ok(SshTarget { user: user.map(str::to_owned), host: host.to_owned(), port })
}

#[derive(Deserialize)]
struct CommandConfig {
    #[serde(rename = "currentContext")]
    current_context: Option<String>,
}

#[derive(Deserialize)]
struct ContextFile {
    #[serde(rename = "Endpoints")]
    endpoints: Endpoints,
}

#[derive(Deserialize)]
struct Endpoints {
    docker: Endpoint,
}

#[derive(Deserialize)]
struct Endpoint {
    #[serde(rename = "Host", default)]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_tls_verify: bool,
}

fn current_context(directory: &Path) -> Result<Option<String>, EngineError> {
    let path = directory.join("config.json");
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        // One that may not be read (another user's) says nothing about us.
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied) => {
            return Ok(None);
        }
        Err(error) => return Err(bad(&path.display().to_string(), error.to_string())),
    };
    let config: CommandConfig =
        serde_json::from_slice(&text).map_err(|error| bad(&path.display().to_string(), error.to_string()))?;
    Ok(config.current_context.filter(|name| !name.is_empty()))
}

fn from_context(directory: &Path, name: &str) -> Result<Address, EngineError> {
    let key = hex(&Sha256::digest(name.as_bytes()));
    let shown = format!("context {name}");
    let path = directory.join("contexts/meta").join(&key).join("meta.json");
    let text = std::fs::read(&path).map_err(|error| bad(&shown, format!("{}: {error}", path.display())))?;
    let file: ContextFile =
        serde_json::from_slice(&text).map_err(|error| bad(&shown, format!("{}: {error}", path.display())))?;
    let endpoint = file.endpoints.docker;
    if endpoint.skip_tls_verify {
        return Err(bad(&shown, "it turns the check of the engine's certificate off, which once does not do"));
    }
    let certificates = directory.join("contexts/tls").join(&key).join("docker");
    parse(
        if endpoint.host.is_empty() { DEFAULT } else { &endpoint.host },
        certificates.is_dir().then_some(certificates),
    )
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::of(variables, Path::new("/dev/null"))
    }

    fn ssh(user: Option<&str>, host: &str, port: Option<u16>) -> Transport {
        Transport::Ssh(SshTarget { user: user.map(str::to_owned), host: host.to_owned(), port })
    }

    #[test]
    fn takes_addresses_apart() {
        for (text, expected) in [
            ("unix:///run/d.sock", Transport::Unix("/run/d.sock".into())),
            ("tcp://10.0.0.1:2375", Transport::Tcp),
            ("tcp://[::1]:2375/", Transport::Tcp),
            ("ssh://ana@shop.example", ssh(Some("ana"), "shop.example", None)),
            ("ssh://ana@shop.example:2222/", ssh(Some("ana"), "shop.example", Some(2222))),
            ("ssh://[fe80::1]:22", ssh(None, "fe80::1", Some(22))),
            ("ssh://alias", ssh(None, "alias", None)),
        ] {
            assert_eq!(parse(text, None).unwrap(), Address { text: text.to_owned(), transport: expected });
        }
        assert_eq!(parse("tcp://h:2376", Some("/c".into())).unwrap().transport, Transport::Tls("/c".into()));
    }

    #[test]
    fn turns_down_what_cannot_work() {
        for text in [
            "",
            "shop",
            "unix://relative",
            "tcp://host",
            "tcp://host:port",
            "https://h:1",
            "ftp://h",
            "ssh://",
            "ssh://-oProxyCommand=x",
            "ssh://-l@h",
            "ssh://a:b@h",
            "ssh://h:x",
            "ssh://h/var/run",
            "ssh://a b",
            "ssh://a\u{7}b",
            "ssh://h:+22",
            "ssh://h:0",
            "ssh://[fe80::1]22",
            "tcp://h:+2375",
        ] {
            assert!(matches!(parse(text, None), Err(EngineError::BadAddress { .. })), "{text}");
        }
    }

    #[test]
    fn a_password_in_the_address_is_not_repeated() {
        let error = parse("ssh://ana:hunter2@h", None).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn follows_the_order_of_dockers_command() {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().to_str().unwrap();
        let write = |name: &str, meta: &str| {
            let path = directory.path().join("contexts/meta").join(hex(&Sha256::digest(name)));
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join("meta.json"), meta).unwrap();
        };
        write("remote", r#"{"Name":"remote","Endpoints":{"docker":{"Host":"ssh://ana@remote"}}}"#);
        write("lax", r#"{"Name":"lax","Endpoints":{"docker":{"Host":"tcp://a:1","SkipTLSVerify":true}}}"#);
        std::fs::write(directory.path().join("config.json"), r#"{"currentContext":"remote","auths":{}}"#).unwrap();

        let of = |given: Option<&str>, more: &[(&str, &str)]| {
            let variables: Vec<_> = [("DOCKER_CONFIG", config)].iter().chain(more).copied().collect();
            resolve(given, &environment(&variables)).map(|address| address.text)
        };
        assert_eq!(of(None, &[]).unwrap(), "ssh://ana@remote");
        assert_eq!(of(None, &[("DOCKER_CONTEXT", "default")]).unwrap(), DEFAULT);
        assert_eq!(of(None, &[("DOCKER_HOST", "tcp://b:2"), ("DOCKER_CONTEXT", "remote")]).unwrap(), "tcp://b:2");
        assert_eq!(of(Some("tcp://c:3"), &[("DOCKER_HOST", "tcp://b:2")]).unwrap(), "tcp://c:3");
        assert!(matches!(of(None, &[("DOCKER_CONTEXT", "gone")]), Err(EngineError::BadAddress { .. })));
        assert!(matches!(of(None, &[("DOCKER_CONTEXT", "lax")]), Err(EngineError::BadAddress { .. })));
        assert_eq!(resolve(None, &environment(&[])).unwrap().text, DEFAULT);
    }

    #[test]
    fn certificates_follow_the_variables() {
        let of = |variables: &[(&str, &str)]| resolve(Some("tcp://h:2376"), &environment(variables)).unwrap().transport;
        assert_eq!(of(&[]), Transport::Tcp);
        assert_eq!(of(&[("DOCKER_CERT_PATH", "/c")]), Transport::Tcp);
        assert_eq!(of(&[("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", "/c")]), Transport::Tls("/c".into()));
        assert_eq!(of(&[("DOCKER_TLS_VERIFY", "1"), ("HOME", "/h")]), Transport::Tls("/h/.docker".into()));
    }
}
