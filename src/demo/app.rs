//! The demo app: small, but with everything a deploy can stumble over.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answers::Answers;

/// What the demo app is to do.
#[derive(Debug, Clone)]
pub struct DemoConfig {
    /// Shown on its page and in the `X-Version` header of each answer.
    pub version: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// It listens only after this time, as an app that boots slowly.
    pub boot: Duration,
    /// It speaks HTTP/2 with prior knowledge and nothing else, as gRPC servers do.
    pub h2c: bool,
    /// How it behaves.
    pub mode: DemoMode,
    /// How long it goes on serving new connections after SIGTERM, before it finishes what is under way.
    pub term_delay: Duration,
    /// The file visits are counted in. Default: `/storage/visits`, if there is a `/storage`.
    pub visits: Option<std::path::PathBuf>,
}

/// How the demo app behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DemoMode {
    /// As it should.
    #[default]
    Ok,
    /// `/up` answers 503 for ever.
    NeverHealthy,
    /// It exits with code 1 after booting.
    Exit,
    /// Everything answers 301.
    Redirect,
    /// Everything answers 500.
    Error,
    /// It accepts connections and never answers.
    Hang,
    /// It is fine for so long, then everything but `/up` answers 500.
    Sour(Duration),
    /// It is fine for so long, then `/up` answers 503.
    Sicken(Duration),
    /// It is fine for so long, then it exits with code 1.
    Collapse(Duration),
}

/// Why there is no [`DemoConfig`].
#[derive(Debug, thiserror::Error)]
#[error("{name} is `{value}`; it must be {expected}")]
pub struct ConfigError {
    name: &'static str,
    value: String,
    expected: &'static str,
}

impl Default for DemoConfig {
    fn default() -> Self {
        Self {
            version: "1".to_owned(),
            address: SocketAddr::from(([0, 0, 0, 0], 80)),
            boot: Duration::ZERO,
            h2c: false,
            mode: DemoMode::Ok,
            term_delay: Duration::ZERO,
            visits: None,
        }
    }
}

impl DemoConfig {
    /// From `DEMO_VERSION`, `PORT`, `DEMO_BOOT_MS`, `DEMO_HTTP` (`http1`, `h2c`), `DEMO_MODE` (`ok`, `never-healthy`, `exit`, `301`, `500`, `hang`, and
    /// after `DEMO_MODE_AFTER_MS`: `sour`, `sicken`, `collapse`) and `DEMO_TERM_MS`, as `get` gives them.
    ///
    /// # Errors
    ///
    /// A variable has a value that it cannot have.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        if let Some(version) = get("DEMO_VERSION") {
            config.version = version;
        }
        let port = number(&get, "PORT", 80)?;
        config.address.set_port(u16::try_from(port).map_err(|_| ConfigError {
            name: "PORT",
            value: port.to_string(),
            expected: "a port",
        })?);
        config.boot = Duration::from_millis(number(&get, "DEMO_BOOT_MS", 0)?);
        config.term_delay = Duration::from_millis(number(&get, "DEMO_TERM_MS", 0)?);
        let after = Duration::from_millis(number(&get, "DEMO_MODE_AFTER_MS", 0)?);
        config.h2c = match get("DEMO_HTTP").as_deref() {
            None | Some("" | "http1") => false,
            Some("h2c") => true,
            Some(other) => {
                return Err(ConfigError { name: "DEMO_HTTP", value: other.to_owned(), expected: "http1 or h2c" });
            }
        };
        config.mode = match get("DEMO_MODE").as_deref() {
            None | Some("" | "ok") => DemoMode::Ok,
            Some("never-healthy") => DemoMode::NeverHealthy,
            Some("exit") => DemoMode::Exit,
            Some("301") => DemoMode::Redirect,
            Some("500") => DemoMode::Error,
            Some("hang") => DemoMode::Hang,
            Some("sour") => DemoMode::Sour(after),
            Some("sicken") => DemoMode::Sicken(after),
            Some("collapse") => DemoMode::Collapse(after),
            Some(other) => {
                let expected = "ok, never-healthy, exit, 301, 500, hang, sour, sicken or collapse";
                return Err(ConfigError { name: "DEMO_MODE", value: other.to_owned(), expected });
            }
        };
        if std::path::Path::new("/storage").is_dir() {
            config.visits = Some("/storage/visits".into());
        }
        Ok(config)
    }
}

fn number(get: &impl Fn(&str) -> Option<String>, name: &'static str, default: u64) -> Result<u64, ConfigError> {
    match get(name) {
        None => Ok(default),
        Some(value) => value.parse().map_err(|_| ConfigError { name, value, expected: "a whole number" }),
    }
}

/// Runs the demo app until `stop`, or until SIGTERM or SIGINT if that comes first; says what it does on `out`. Gives the
/// exit code.
///
/// # Errors
///
/// The address cannot be listened on.
pub async fn run(config: DemoConfig, stop: CancellationToken, mut out: impl Write + Send) -> io::Result<u8> {
    writeln!(out, "Booting version {}", config.version)?;
    let term = terminated()?;
    let mut term = pin!(term);
    tokio::select! {
        () = tokio::time::sleep(config.boot) => {}
        () = stop.cancelled() => return Ok(0),
        () = &mut term => return Ok(0),
    }
    if config.mode == DemoMode::Exit {
        writeln!(out, "Error: DATABASE_URL is not set")?;
        return Ok(1);
    }
    let listener = TcpListener::bind(config.address).await?;
    writeln!(out, "Listening on http://{}", listener.local_addr()?)?;
    out.flush()?;
    let delay = config.term_delay;
    let collapse = match config.mode {
        DemoMode::Collapse(after) => Some(after),
        _ => None,
    };
    let ended = async {
        tokio::select! {
            () = stop.cancelled() => {}
            () = term => tokio::time::sleep(delay).await,
        }
    };
    tokio::select! {
        () = serve(listener, config, ended) => {}
        () = tokio::time::sleep(collapse.unwrap_or_default()), if collapse.is_some() => {
            writeln!(out, "Error: out of ideas")?;
            return Ok(1);
        }
    }
    writeln!(out, "Goodbye")?;
    Ok(0)
}

fn terminated() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}

/// Serves the demo app on a socket until `ended` resolves; finishes what is under way.
pub async fn serve(listener: TcpListener, config: DemoConfig, ended: impl Future<Output = ()>) {
    let h2c = config.h2c;
    let answers = Arc::new(Answers::new(config));
    let (closing, open) = (CancellationToken::new(), TaskTracker::new());
    let mut ended = pin!(ended);
    loop {
        let stream = tokio::select! {
            () = &mut ended => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
        };
        let _ = stream.set_nodelay(true);
        let answers = Arc::clone(&answers);
        let service = service_fn(move |request| {
            let answers = Arc::clone(&answers);
            async move { answers.answer(request).await }
        });
        let closing = closing.clone();
        if h2c {
            open.spawn(async move {
                let builder = http2::Builder::new(TokioExecutor::new());
                let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
                tokio::select! {
                    _ = connection.as_mut() => {}
                    () = closing.cancelled() => {
                        connection.as_mut().graceful_shutdown();
                        let _ = connection.await;
                    }
                }
            });
            continue;
        }
        open.spawn(async move {
            let builder = http1::Builder::new();
            let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
            // A client that breaks off is no error of the app's.
            tokio::select! {
                _ = connection.as_mut() => {}
                () = closing.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    let _ = connection.await;
                }
            }
        });
    }
    drop(listener);
    closing.cancel();
    open.close();
    open.wait().await;
}
