//! The command: arguments in, one honest answer out. `args` is what can be typed, `command` has one file a
//! subcommand, `change` follows a change through the detached process, `progress` draws it, `output` and `report` are
//! the only ways to say anything.

mod args;
mod bytes;
mod certificate;
mod certificates;
mod change;
mod command;
mod completion;
mod confirm;
mod env_file;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod looking;
mod mistakes;
mod objects;
mod output;
mod plan_text;
mod process;
mod progress;
mod report;
#[cfg(test)]
mod schema;
mod secret;
mod session;
mod settings;
mod table;

use std::ffi::OsString;

use clap::Parser as _;

use once_app::event::Outcome;
use once_app::{Ask, Problem};

pub use args::{Cli, ColorWhen, DemoLoadArgs, Global, Machinery};
use args::{Command, ProxyCommand};
pub use completion::complete;
pub use output::Output;
pub use process::proxy_process;
use session::Session;
pub use session::{ConsoleStart, Wiring, installation};

/// A part of the machinery that `ui` may not know: `lib.rs` runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// `proxy run`.
    Supervisor(args::ProxyArgs),
    /// `proxy worker`.
    Worker(args::ProxyArgs),
    /// `proxy ctl`.
    Bridge(args::ProxyArgs),
    /// `demo-app`.
    DemoApp,
    /// `demo-load`.
    DemoLoad(args::DemoLoadArgs),
}

/// Reads the arguments. What is wrong with them has been said when this gives an exit code.
///
/// # Errors
/// The exit code to end with: 0 after help and version, 2 after bad arguments.
pub fn parse(args: &[OsString]) -> Result<Cli, u8> {
    Cli::try_parse_from(args).map_err(|error| {
        if !error.use_stderr() {
            // Help and version are the data that was asked for.
            let _ = error.print();
            return 0;
        }
        let error = mistakes::corrected(error, args);
        let mut out = Output::guess(args);
        report::bad_arguments(&mut out, &error, repeats_secret(&error, args));
        Outcome::Rejected.exit_code()
    })
}

/// `--secret KEY hunter2`: clap would repeat the stray argument, which may be the secret.
fn repeats_secret(error: &clap::Error, args: &[OsString]) -> bool {
    use clap::error::{ContextKind, ContextValue};
    const FLAGS: [&str; 2] = ["--secret", "--smtp-password"];
    let secrets = args.iter().any(|a| FLAGS.iter().any(|f| a.to_string_lossy().starts_with(f)));
    let stray = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => !text.starts_with('-'),
        _ => false,
    };
    secrets && (stray(ContextKind::InvalidArg) || stray(ContextKind::InvalidSubcommand))
}

impl Cli {
    /// The part of the machinery that is asked for, if it is one.
    #[must_use]
    pub fn part(&self) -> Option<Part> {
        match self.command.as_ref()? {
            Command::Proxy(ProxyCommand::Run(args)) => Some(Part::Supervisor(args.clone())),
            Command::Proxy(ProxyCommand::Worker(args)) => Some(Part::Worker(args.clone())),
            Command::Proxy(ProxyCommand::Ctl(args)) => Some(Part::Bridge(args.clone())),
            Command::Machinery(Machinery::DemoApp) => Some(Part::DemoApp),
            Command::Machinery(Machinery::DemoLoad(args)) => Some(Part::DemoLoad(args.clone())),
            _ => None,
        }
    }
}

/// Does what was asked and says how it went; the exit code.
pub async fn run(cli: &Cli, wiring: &'static dyn Wiring, out: &mut Output) -> u8 {
    let command = cli.command.as_ref().map_or("console", Command::word);
    let mut session = Session { global: &cli.global, wiring, out, command };
    let answer = dispatch(&mut session, cli).await;
    let answer = match (answer, out.failure()) {
        (Ok(_), Some(problem)) => Err(problem),
        (answer, _) => answer,
    };
    answer.unwrap_or_else(|problem| {
        report::problem(out, &problem);
        problem.outcome.exit_code()
    })
}

async fn dispatch(session: &mut Session<'_>, cli: &Cli) -> command::Answer {
    let Some(command) = &cli.command else { return command::console::console(session, &cli.console).await };
    match command {
        Command::Setup(args) => command::setup::setup(session, args).await,
        Command::Deploy(args) => command::deploy::deploy(session, args).await,
        Command::Plan(args) => command::deploy::plan(session, args).await,
        Command::Set(args) => command::deploy::set(session, args).await,
        Command::Watch(args) => command::watch::watch(session, args).await,
        Command::List => command::list::list(session).await,
        Command::Status(args) => command::status::status(session, args).await,
        Command::Show(args) => command::show::show(session, args).await,
        Command::Logs(args) => command::logs::logs(session, args).await,
        Command::Start(args) => command::lifecycle::each(session, args, |app| Ask::Start { app }).await,
        Command::Stop(args) => command::lifecycle::each(session, args, |app| Ask::Stop { app }).await,
        Command::Restart(args) => command::lifecycle::each(session, args, |app| Ask::Restart { app }).await,
        Command::Maintenance(args) => command::close::maintenance(session, args).await,
        Command::Pause(args) => command::close::pause(session, args).await,
        Command::Resume(args) => command::lifecycle::each(session, args, |app| Ask::Resume { app }).await,
        Command::Env(args) => command::env::env(session, &args.app).await,
        Command::Releases(args) => command::releases::releases(session, args).await,
        Command::Diff(args) => command::releases::diff(session, args).await,
        Command::Rollback(args) => command::lifecycle::rollback(session, args).await,
        Command::Canary(args) => command::canary::canary(session, args).await,
        Command::Promote(args) => command::canary::promote(session, args).await,
        Command::Abort(args) => command::canary::abort(session, args).await,
        Command::Exec(args) => command::exec::exec(session, &args.app, &args.argv).await,
        Command::Shell(args) => command::exec::shell(session, &args.app).await,
        Command::Remove(args) => command::remove::remove(session, args).await,
        Command::Teardown(args) => command::teardown::teardown(session, args).await,
        Command::Proxy(ProxyCommand::Status) => command::proxy::status(session).await,
        Command::Proxy(ProxyCommand::Upgrade(args)) => command::proxy_upgrade::upgrade(session, args).await,
        Command::Proxy(ProxyCommand::Configure(args)) => command::proxy_config::configure(session, args).await,
        Command::Proxy(ProxyCommand::Takeover(args)) => command::proxy_takeover::takeover(session, args).await,
        Command::Proxy(ProxyCommand::Handback(args)) => command::proxy_takeover::handback(session, args).await,
        Command::Proxy(ProxyCommand::Routes) => command::proxy::routes(session).await,
        Command::Proxy(ProxyCommand::Logs { follow, lines }) => {
            command::logs::proxy_logs(session, *follow, *lines).await
        }
        Command::Locks => command::locks::locks(session).await,
        Command::Lock(args) => command::locks::lock(session, args).await,
        Command::Unlock(args) => command::locks::unlock(session, args).await,
        Command::Activity { app, lines } => command::activity::activity(session, app.as_deref(), *lines).await,
        Command::Doctor(args) => command::doctor::doctor(session, args).await,
        Command::Export(args) => command::export::export(session, args).await,
        Command::Adopt(args) => command::adopt::adopt(session, args).await,
        Command::Rename(args) => command::rename::rename(session, args).await,
        Command::Completions { shell } => command::completions::completions(session, *shell),
        Command::Version => command::version::version(session).await,
        Command::Machinery(Machinery::RunJob) => command::run_job::run_job(session).await,
        Command::Machinery(Machinery::DemoImage(args)) => command::demo_image::demo_image(session, args).await,
        Command::Proxy(_) | Command::Machinery(_) => {
            Err(Problem::new(Outcome::Internal, "not-wired", "this part of the machinery is not wired"))
        }
    }
}
