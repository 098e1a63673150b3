//! The caller's logins to registries, where Docker's own command keeps them: in its configuration or behind its
//! credential helpers. Read for each use, never kept, never shown.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::connect::Docker;
use super::environment::{Environment, SudoCaller};
use once_app::ImageRef;
use once_app::engine::EngineError;

/// The key that Docker's own registry has had since before there were others.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// A helper may ask an agent or a keyring; one that waits for a person must not hold a deploy.
const HELPER: Duration = Duration::from_secs(30);

/// What helpers answer instead of a name when the secret is an identity token.
const TOKEN: &str = "<token>";

/// A login. `Debug` shows who, never with what.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    server: String,
    name: String,
    secret: Secret,
}

#[derive(Clone, PartialEq, Eq)]
enum Secret {
    Password(String),
    IdentityToken(String),
}

impl Login {
    /// Whose it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn new(server: &str, name: String, password: String) -> Self {
        let secret = if name == TOKEN { Secret::IdentityToken(password) } else { Secret::Password(password) };
        Self { server: server.to_owned(), name, secret }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("server", &self.server).field("name", &self.name).finish_non_exhaustive()
    }
}

impl From<Login> for DockerCredentials {
    fn from(login: Login) -> Self {
        let mut credentials = Self { serveraddress: Some(login.server), ..Self::default() };
        match login.secret {
            Secret::Password(password) => {
                credentials.username = Some(login.name);
                credentials.password = Some(password);
            }
            Secret::IdentityToken(token) => credentials.identitytoken = Some(token),
        }
        credentials
    }
}

impl Docker {
    /// The caller's login for an image's registry, if there is one.
    pub(super) async fn login(&self, image: &ImageRef) -> Result<Option<Login>, EngineError> {
        let server = match image.registry() {
            None | Some("docker.io" | "index.docker.io") => DOCKER_HUB,
            Some(host) => host,
        };
        let Some((config, sudo)) = Config::of(&self.environment)? else { return Ok(None) };
        config.login(server, &self.environment, sudo.as_ref()).await
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Config {
    auths: HashMap<String, Entry>,
    creds_store: String,
    cred_helpers: HashMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

#[derive(Deserialize)]
struct HelperAnswer {
    #[serde(rename = "Username")]
    username: String,
    #[serde(rename = "Secret")]
    secret: String,
}

fn failed(message: impl fmt::Display) -> EngineError {
    EngineError::Failed { what: "read the logins of registries".into(), message: message.to_string() }
}

impl Config {
    /// The caller's; under `sudo` that of who called it, unless root has one.
    fn of(environment: &Environment) -> Result<Option<(Self, Option<SudoCaller>)>, EngineError> {
        if let Some(directory) = environment.docker_config()
            && let Some(config) = Self::read(&directory.join("config.json"))?
        {
            return Ok(Some((config, None)));
        }
        let Some(caller) = environment.sudo_caller() else { return Ok(None) };
        let path: PathBuf = caller.home.join(".docker/config.json");
        Ok(Self::read(&path)?.map(|config| (config, Some(caller))))
    }

    fn read(path: &Path) -> Result<Option<Self>, EngineError> {
        match std::fs::read(path) {
            Ok(text) => Self::parse(&text)
                .map(Some)
                // serde's message may quote the line it stumbled over.
                .map_err(|error| failed(format!("{}:{}: it is no valid JSON", path.display(), error.line()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(format!("{}: {error}", path.display()))),
        }
    }

    pub(super) fn parse(text: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(text)
    }

    async fn login(
        &self,
        server: &str,
        environment: &Environment,
        sudo: Option<&SudoCaller>,
    ) -> Result<Option<Login>, EngineError> {
        let helper = self.cred_helpers.get(server).unwrap_or(&self.creds_store);
        if helper.is_empty() { self.written(server) } else { ask_helper(helper, server, environment, sudo).await }
    }

    pub(super) fn written(&self, server: &str) -> Result<Option<Login>, EngineError> {
        let exact = self.auths.get(server);
        // Old logins were kept under URLs.
        let found = exact.or_else(|| self.auths.iter().find(|(key, _)| host(key) == host(server)).map(|(_, e)| e));
        found.map_or(Ok(None), |entry| entry.login(server))
    }
}

impl Entry {
    fn login(&self, server: &str) -> Result<Option<Login>, EngineError> {
        let (name, password) = if self.auth.is_empty() {
            (self.username.clone(), self.password.clone())
        } else {
            let decoded = STANDARD.decode(&self.auth).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let pair = decoded.as_deref().and_then(|text| text.split_once(':'));
            let (name, password) = pair.ok_or_else(|| failed(format!("the login for {server} cannot be decoded")))?;
            (name.to_owned(), password.trim_end_matches('\0').to_owned())
        };
        if !self.identitytoken.is_empty() {
            let secret = Secret::IdentityToken(self.identitytoken.clone());
            return Ok(Some(Login { server: server.to_owned(), name, secret }));
        }
        Ok((!name.is_empty()).then(|| Login::new(server, name, password)))
    }
}

fn host(key: &str) -> &str {
    let bare = key.split_once("://").map_or(key, |(_, rest)| rest);
    bare.split('/').next().unwrap_or(bare)
}

async fn ask_helper(
    helper: &str,
    server: &str,
    environment: &Environment,
    sudo: Option<&SudoCaller>,
) -> Result<Option<Login>, EngineError> {
    let program = format!("docker-credential-{helper}");
    let mut command = Command::new(&program);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    if let Some(path) = environment.get("PATH") {
        command.env("PATH", path);
    }
    if let Some(caller) = sudo {
        // A keyring belongs to a user and opens to nobody else.
        command.env("HOME", &caller.home).uid(caller.uid).gid(caller.gid);
    }
    let mut child = command.spawn().map_err(|error| failed(format!("{program}: {error}")))?;
    let stdin = child.stdin.take();
    let answering = async {
        if let Some(mut stdin) = stdin {
            stdin.write_all(server.as_bytes()).await?;
        }
        child.wait_with_output().await
    };
    let output = match tokio::time::timeout(HELPER, answering).await {
        Ok(output) => output.map_err(|error| failed(format!("{program}: {error}")))?,
        Err(_) => return Err(EngineError::TimedOut { what: format!("get an answer of {program}"), after: HELPER }),
    };
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        return if has_none(&words) { Ok(None) } else { Err(failed(format!("{program}: {words}"))) };
    }
    let answer: HelperAnswer = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed(format!("{program} gave no valid answer for {server}")))?;
    Ok((!answer.username.is_empty()).then(|| Login::new(server, answer.username, answer.secret)))
}

/// The helpers' protocol has only this sentence for "no login for that server".
fn has_none(words: &str) -> bool {
    words.contains("credentials not found in native keychain")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn written(config: &str, server: &str) -> Option<(String, String)> {
        let config = Config::parse(config.as_bytes()).unwrap();
        config.written(server).unwrap().map(|login| match login.secret {
            Secret::Password(password) => (login.name, password),
            Secret::IdentityToken(token) => (login.name, format!("token:{token}")),
        })
    }

    fn pair(name: &str, password: &str) -> Option<(String, String)> {
        Some((name.to_owned(), password.to_owned()))
    }

    #[test]
    fn reads_written_logins() {
        // ana:s3cret
        let config = r#"{"auths":{"r.example:5000":{"auth":"YW5hOnMzY3JldA=="},
            "https://index.docker.io/v1/":{"auth":"YW5hOnMzY3JldA=="},
            "https://old.example/v1/":{"username":"bob","password":"p"},
            "t.example":{"auth":"YW5hOg==","identitytoken":"tok"},
            "empty.example":{}}}"#;
        assert_eq!(written(config, "r.example:5000"), pair("ana", "s3cret"));
        assert_eq!(written(config, DOCKER_HUB), pair("ana", "s3cret"));
        assert_eq!(written(config, "old.example"), pair("bob", "p"));
        assert_eq!(written(config, "t.example"), pair("ana", "token:tok"));
        assert_eq!(written(config, "empty.example"), None);
        assert_eq!(written(config, "r.example"), None);
        assert_eq!(written("{}", "r.example"), None);
    }

    #[test]
    fn a_login_that_cannot_be_decoded_is_not_the_same_as_none() {
        let config = Config::parse(br#"{"auths":{"r":{"auth":"%%%"}}}"#).unwrap();
        assert!(matches!(config.written("r"), Err(EngineError::Failed { .. })));
    }

    #[test]
    fn secrets_do_not_show() {
        let login = Login::new("r", "ana".into(), "s3cret".into());
        assert!(!format!("{login:?}").contains("s3cret"));
    }

    fn helper(directory: &Path, name: &str, script: &str) {
        let path = directory.join(format!("docker-credential-{name}"));
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    async fn with_helper(script: &str) -> Result<Option<Login>, EngineError> {
        let directory = tempfile::tempdir().unwrap();
        helper(directory.path(), "test", script);
        let path = format!("{}:/usr/bin:/bin", directory.path().display());
        let environment = Environment::of(&[("PATH", &path)], Path::new("/dev/null"));
        let config = Config::parse(br#"{"auths":{"r.example":{}},"credHelpers":{"r.example":"test"}}"#).unwrap();
        config.login("r.example", &environment, None).await
    }

    #[tokio::test]
    async fn asks_helpers_in_their_protocol() {
        let script = r#"test "$1" = get || exit 9; read server; echo "{\"ServerURL\":\"$server\",\"Username\":\"ana\",\"Secret\":\"for $server\"}""#;
        let login = with_helper(script).await.unwrap().unwrap();
        assert_eq!(login, Login::new("r.example", "ana".into(), "for r.example".into()));
    }

    #[tokio::test]
    async fn a_helpers_token_is_sent_as_one() {
        let login =
            with_helper(r#"cat >/dev/null; echo '{"Username":"<token>","Secret":"t"}'"#).await.unwrap().unwrap();
        let credentials = DockerCredentials::from(login);
        assert_eq!((credentials.identitytoken.as_deref(), credentials.username), (Some("t"), None));
    }

    #[tokio::test]
    async fn a_helper_without_a_login_is_not_a_broken_one() {
        let none = with_helper("cat >/dev/null; echo credentials not found in native keychain; exit 1").await;
        assert_eq!(none.unwrap(), None);
        let broken = with_helper("cat >/dev/null; echo the keyring is locked; exit 1").await.unwrap_err();
        assert!(broken.to_string().contains("the keyring is locked"), "{broken}");
    }

    #[tokio::test]
    async fn a_missing_helper_is_told() {
        let config = Config::parse(br#"{"credsStore":"does-not-exist"}"#).unwrap();
        let environment = Environment::of(&[("PATH", "/nowhere")], Path::new("/dev/null"));
        let error = config.login("r", &environment, None).await.unwrap_err();
        assert!(error.to_string().contains("docker-credential-does-not-exist"), "{error}");
    }

    #[test]
    fn under_sudo_the_callers_configuration_counts() {
        let root = tempfile::tempdir().unwrap();
        let ana = tempfile::tempdir().unwrap();
        std::fs::create_dir(ana.path().join(".docker")).unwrap();
        std::fs::write(ana.path().join(".docker/config.json"), r#"{"auths":{"r":{"username":"ana"}}}"#).unwrap();
        let passwd = root.path().join("passwd");
        std::fs::write(&passwd, format!("ana:x:1:1::{}:/bin/sh\n", ana.path().display())).unwrap();
        let environment = Environment::of(
            &[("HOME", root.path().to_str().unwrap()), ("SUDO_USER", "ana"), ("SUDO_UID", "1"), ("SUDO_GID", "1")],
            &passwd,
        );
        let (config, caller) = Config::of(&environment).unwrap().unwrap();
        assert_eq!(config.written("r").unwrap().unwrap().name(), "ana");
        assert_eq!(caller.unwrap().uid, 1);

        std::fs::create_dir(root.path().join(".docker")).unwrap();
        std::fs::write(root.path().join(".docker/config.json"), r#"{"auths":{"r":{"username":"root"}}}"#).unwrap();
        let (config, caller) = Config::of(&environment).unwrap().unwrap();
        assert_eq!((config.written("r").unwrap().unwrap().name(), caller), ("root", None));
    }
}
