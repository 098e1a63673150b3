//! The parts of the machinery that are this same binary under another name: the proxy's processes and the demo app.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use once_app::PROXY_METRICS;
use once_cli::{DemoLoadArgs, Part};
use once_demo::app::DemoConfig;
use once_demo::load::{LoadOptions, Mix};
use once_demo::{app, load};
use once_proxy::acme::IssuerOptions;
use once_proxy::binaries::Binaries;
use once_proxy::ctl;
use once_proxy::parent::{Line, TAKE_OVER};
use once_proxy::plane::{AccessLog, PlaneOptions};
use once_proxy::supervisor::{Supervised, inherited_listeners, listen, supervise};
use once_proxy::worker::{self, SOCKET, WorkerOptions};

/// How long a worker may finish what is under way when the proxy's container is stopped; the engine waits 15 s.
const GRACE: Duration = Duration::from_secs(12);

/// Runs a part to its end; the exit code.
pub(crate) async fn run(part: Part, log: &mut (impl io::Write + Send)) -> ExitCode {
    let ended: Result<ExitCode, BoxError> = match part {
        Part::Supervisor(args) => run_supervisor(args.state, [args.http, args.https], &mut *log).await,
        Part::Worker(args) => run_worker(args.state, args.public_https).await,
        Part::Bridge(args) => {
            ctl::bridge(&args.state.join(SOCKET)).await.map(|()| ExitCode::SUCCESS).map_err(Into::into)
        }
        Part::DemoApp => run_demo_app().await,
        Part::DemoLoad(args) => run_demo_load(args, &mut *log).await,
    };
    ended.unwrap_or_else(|error| {
        tracing::error!("{error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            tracing::error!("because: {error}");
            cause = error.source();
        }
        ExitCode::FAILURE
    })
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// `ports`: for HTTP and HTTPS.
async fn run_supervisor(
    state: PathBuf,
    ports: [u16; 2],
    log: &mut (impl io::Write + Send),
) -> Result<ExitCode, BoxError> {
    let supervised = Supervised {
        binaries: Binaries::of(&state),
        program: "/proc/self/exe".into(),
        arguments: ["proxy".into(), "worker".into(), "--state".into(), state.into_os_string()].into(),
        listeners: ports.into_iter().map(listen).collect::<io::Result<_>>()?,
        grace: GRACE,
    };
    Ok(supervise(supervised, log).await?)
}

async fn run_worker(state: PathBuf, https_port: Option<u16>) -> Result<ExitCode, BoxError> {
    let plane = PlaneOptions { access_log: AccessLog::Stdout, https_port, ..PlaneOptions::default() };
    // In the supervisor's order; one of an older version has no socket for HTTPS.
    let mut listeners = inherited_listeners()?;
    let tls_listeners = listeners.split_off(listeners.len().min(1));
    let (line, relieves) = (Line::from_stdin(), std::env::var_os(TAKE_OVER).is_some());
    worker::run(WorkerOptions {
        state,
        listeners,
        tls_listeners,
        plane,
        issuer: IssuerOptions::default(),
        line,
        relieves,
        metrics: PROXY_METRICS,
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

async fn run_demo_app() -> Result<ExitCode, BoxError> {
    let config = DemoConfig::from_env(|name| std::env::var(name).ok())?;
    Ok(app::run(config, CancellationToken::new(), io::stdout()).await?.into())
}

/// How often a load looks whether it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

async fn run_demo_load(args: DemoLoadArgs, out: &mut (impl io::Write + Send)) -> Result<ExitCode, BoxError> {
    let stop = CancellationToken::new();
    let options = LoadOptions {
        address: args.address,
        host: args.host,
        connections: args.connections,
        duration: Duration::from_secs(args.seconds),
        pause: Duration::from_millis(args.pause_ms),
        mix: match args.mix.as_str() {
            "keep-alive" => Mix::KEEP_ALIVE,
            "close" => Mix::CLOSE,
            _ => Mix::ALL,
        },
    };
    let told = stop.clone();
    let until = async move {
        let Some(file) = args.until_file else { return std::future::pending().await };
        while !tokio::fs::try_exists(&file).await.unwrap_or(false) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        told.cancel();
        std::future::pending::<std::convert::Infallible>().await
    };
    let report = tokio::select! {
        report = load::run(options, stop) => report,
        never = until => match never {},
    };
    writeln!(out, "{report}")?;
    if args.each_failure {
        report.failed_at.iter().try_for_each(|failed| writeln!(out, "{failed}"))?;
    }
    Ok(if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
