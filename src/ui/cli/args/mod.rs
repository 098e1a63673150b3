//! What can be typed. Raw text only: it is parsed once, into drafts and queries, by the commands.

mod candidates;
mod deploy;
mod examples;
mod machinery;
mod proxy;
mod queries;
mod web;

pub(crate) use candidates::ASKED_BY;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use once_app::Namespace;

pub(crate) use deploy::{Behaviour, DeployArgs, PlanArgs, SetArgs, SettingsArgs};
pub use machinery::{DemoImageArgs, DemoLoadArgs, Machinery};
pub(crate) use proxy::ConfigureArgs;
pub use queries::ProxyArgs;
pub(crate) use queries::{
    AdoptArgs, AppArg, AppWaitArgs, AppsArg, CanaryArgs, ConfirmArgs, DiffArgs, DoctorArgs, ExecArgs, ExportArgs,
    ExportFormat, HandbackArgs, LockArgs, LogsArgs, MaintenanceArgs, PauseArgs, ProxyCommand, ReleasesArgs, RemoveArgs,
    RenameArgs, RollbackArgs, ShowArgs, StatusArgs, TakeoverArgs, UnlockArgs, UpgradeArgs, WatchArgs,
};

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "once",
    version,
    about = "Runs all your web apps on your own machines, without a lost request",
    long_about = "Runs all your web apps on your own machines, without a lost request.\n\n\
        With no command, on a terminal, it opens the console. `once deploy IMAGE` puts an app on the machine or \
        replaces it with zero downtime; everything else shows or changes what is there.",
    after_help = EXAMPLES,
    propagate_version = true,
    disable_help_subcommand = true,
    max_term_width = 110
)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    #[command(flatten)]
    pub(crate) console: ConsoleArgs,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  once setup                                               is Docker there? install it if not
  once deploy ghcr.io/acme/shop:1.5.0 --host shop.example.com
  once set shop FEATURE_X=on --memory 512m                 change settings, zero downtime
  once status                                              are all apps well?
  once --on ssh://root@web-1 list                          another machine

Exit codes:
  0 as asked             4 locked by somebody else       8 superseded by a newer --sequence
  1 a bug in once        5 failed, the old serves on    10 findings, pending changes
  2 bad arguments        6 down: nothing serves        125 exec: our own failure
  3 environment          7 refused by a guard          130 interrupted, undone";

/// Flags of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Separates whole installations on one engine
    #[arg(
        long,
        global = true,
        env = "ONCE_NAMESPACE",
        hide_env_values = true,
        default_value = "once",
        value_name = "NAME"
    )]
    pub namespace: Namespace,
    /// The engine to use, as in ssh://user@host; else DOCKER_HOST or the Docker context
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub on: Option<String>,
    /// Refuse to do anything unless this is the engine's ID; `once status` shows it
    #[arg(long, global = true, env = "ONCE_EXPECT_ENGINE", hide_env_values = true, value_name = "ID")]
    pub expect_engine: Option<String>,
    /// One JSON object per line on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more on standard error; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing but errors and the data asked for
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorWhen,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Console")]
pub(crate) struct ConsoleArgs {
    /// Open a console that cannot change anything
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Draw the console with ASCII characters only
    #[arg(long)]
    pub(crate) ascii: bool,
    /// Milliseconds that the console waits after Esc for the rest of a key, 0 to 5000; more on a slow line that takes
    /// arrow keys apart
    #[arg(long, value_name = "MS", default_value_t = 25, env = "ONCE_ESCAPE_WAIT",
          value_parser = clap::value_parser!(u16).range(0..=5000))]
    pub(crate) escape_wait: u16,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check that Docker is there, reachable, permitted and recent; install it with your consent
    #[command(after_help = examples::SETUP)]
    Setup(ConfirmArgs),
    /// Create an app, or replace it with zero downtime
    #[command(after_help = deploy::EXAMPLES)]
    Deploy(Box<DeployArgs>),
    /// Show what a deploy would change, and change nothing
    #[command(after_help = examples::PLAN)]
    Plan(Box<PlanArgs>),
    /// Change settings of an app; `deploy` without an image
    #[command(after_help = deploy::SET_EXAMPLES)]
    Set(Box<SetArgs>),
    /// Follow what is being done to an app, by whomever
    #[command(after_help = examples::WATCH)]
    Watch(WatchArgs),
    /// All apps
    #[command(visible_alias = "ls", after_help = examples::LIST)]
    List,
    /// Health and traffic; exits 10 when something is wrong
    #[command(after_help = examples::STATUS)]
    Status(StatusArgs),
    /// Everything known about one app
    #[command(after_help = examples::SHOW)]
    Show(ShowArgs),
    /// What an app writes, or who visited it
    #[command(after_help = examples::LOGS)]
    Logs(LogsArgs),
    /// Start stopped apps
    #[command(after_help = examples::START)]
    Start(AppsArg),
    /// Stop apps; visitors see a 503 page
    #[command(after_help = examples::STOP)]
    Stop(AppsArg),
    /// Show visitors a 503 page while the app goes on running
    #[command(after_help = examples::MAINTENANCE)]
    Maintenance(MaintenanceArgs),
    /// Let requests wait until `once resume`
    #[command(after_help = examples::PAUSE)]
    Pause(PauseArgs),
    /// Let the requests of paused apps go on
    #[command(after_help = examples::RESUME)]
    Resume(AppsArg),
    /// Replace an app's container by a fresh one, with zero downtime
    #[command(after_help = examples::RESTART)]
    Restart(AppsArg),
    /// An app's environment, secrets masked
    #[command(after_help = examples::ENV)]
    Env(AppArg),
    /// An app's history: images, settings, who, when and why, newest first
    #[command(after_help = examples::RELEASES)]
    Releases(ReleasesArgs),
    /// How one release differs from another, field by field, secrets masked
    #[command(after_help = examples::DIFF)]
    Diff(DiffArgs),
    /// Go back to a retained release, image and settings, as a new release number
    #[command(after_help = examples::ROLLBACK)]
    Rollback(RollbackArgs),
    /// Both sides of a canary, or with --share other requests for it
    #[command(after_help = queries::CANARY_EXAMPLES)]
    Canary(CanaryArgs),
    /// Make the canary the serving release
    #[command(after_help = examples::PROMOTE)]
    Promote(AppWaitArgs),
    /// Take the canary away; the serving release gets all requests again
    #[command(after_help = examples::ABORT)]
    Abort(AppWaitArgs),
    /// Run a command in the serving container; exits with its code, 125 for our own failures
    #[command(after_help = examples::EXEC)]
    Exec(ExecArgs),
    /// Open a shell in the serving container
    #[command(after_help = examples::SHELL)]
    Shell(AppArg),
    /// Remove an app; its data is kept unless --data
    #[command(visible_alias = "rm", after_help = examples::REMOVE)]
    Remove(RemoveArgs),
    /// Remove everything of this namespace: apps, proxy, network
    #[command(after_help = examples::TEARDOWN)]
    Teardown(ConfirmDataArgs),
    /// The proxy
    #[command(subcommand)]
    Proxy(ProxyCommand),
    /// Who is changing what, and which apps are locked
    #[command(after_help = examples::LOCKS)]
    Locks,
    /// Hold an app's lock on purpose, so that nobody changes it
    #[command(after_help = examples::LOCK)]
    Lock(LockArgs),
    /// Lift a lock that was taken by `once lock`; with --force also one that a change holds
    #[command(after_help = examples::UNLOCK)]
    Unlock(UnlockArgs),
    /// The audit log, newest first
    #[command(after_help = examples::ACTIVITY)]
    Activity {
        /// Only of this app
        #[arg(add = candidates::apps())]
        app: Option<String>,
        /// How many entries
        #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        lines: u32,
    },
    /// What is wrong on this host, and what to do about it; exits 10 when something is
    #[command(after_help = queries::DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Make an app of a container that runs already, whoever made it, without touching it
    #[command(after_help = examples::ADOPT)]
    Adopt(AdoptArgs),
    /// Apps as a plain script of `docker run`, or as a document: what it takes to go on without once
    #[command(after_help = examples::EXPORT)]
    Export(ExportArgs),
    /// Give an app another name; containers, data and history stay, and the old name goes on meaning it
    #[command(after_help = queries::RENAME_EXAMPLES)]
    Rename(RenameArgs),
    /// Print completions for a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// The version of this command, and of the proxy where there is one
    #[command(after_help = examples::VERSION)]
    Version,
    #[command(flatten)]
    Machinery(Machinery),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ConfirmDataArgs {
    #[command(flatten)]
    pub(crate) confirm: ConfirmArgs,
    /// The data volumes too
    #[arg(long)]
    pub(crate) data: bool,
}

impl Command {
    /// The word for callers, locks and the audit log.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Setup(_) => "setup",
            Self::Deploy(_) => "deploy",
            Self::Plan(_) => "plan",
            Self::Set(_) => "set",
            Self::Watch(_) => "watch",
            Self::List => "list",
            Self::Status(_) => "status",
            Self::Show(_) => "show",
            Self::Logs(_) => "logs",
            Self::Start(_) => "start",
            Self::Stop(_) => "stop",
            Self::Maintenance(_) => "maintenance",
            Self::Pause(_) => "pause",
            Self::Resume(_) => "resume",
            Self::Restart(_) => "restart",
            Self::Env(_) => "env",
            Self::Releases(_) => "releases",
            Self::Diff(_) => "diff",
            Self::Rollback(_) => "rollback",
            Self::Canary(_) => "canary",
            Self::Promote(_) => "promote",
            Self::Abort(_) => "abort",
            Self::Exec(_) => "exec",
            Self::Shell(_) => "shell",
            Self::Remove(_) => "remove",
            Self::Teardown(_) => "teardown",
            Self::Proxy(_) => "proxy",
            Self::Locks => "locks",
            Self::Lock(_) => "lock",
            Self::Unlock(_) => "unlock",
            Self::Activity { .. } => "activity",
            Self::Doctor(_) => "doctor",
            Self::Adopt(_) => "adopt",
            Self::Export(_) => "export",
            Self::Rename(_) => "rename",
            Self::Completions { .. } => "completions",
            Self::Version => "version",
            Self::Machinery(_) => "machinery",
        }
    }
}
