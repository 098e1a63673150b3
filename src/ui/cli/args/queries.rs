//! Arguments of everything that is no deploy.

use clap::{Args, Subcommand};

use super::candidates::apps;
use once_app::{AppName, Hostname, PROXY_HTTP, PROXY_HTTPS, PROXY_HTTPS_PORT, PROXY_STATE, Port, UrlPath};

#[derive(Debug, Clone, Args)]
pub(crate) struct AppArg {
    /// The app's name, or any of its hostnames
    #[arg(add = apps())]
    pub(crate) app: String,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct UnlockArgs {
    /// The app's name, or any of its hostnames
    #[arg(add = apps())]
    pub(crate) app: String,
    /// Take it away from a change under way, too: what that has begun is undone or finished by the next command
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ShowArgs {
    /// The app's name, or any of its hostnames
    #[arg(add = apps())]
    pub(crate) app: String,
    /// One of its releases: image, settings, who, when, why, outcome and steps
    #[arg(long, value_name = "N")]
    pub(crate) release: Option<u64>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ReleasesArgs {
    /// The app's name, or any of its hostnames
    #[arg(add = apps())]
    pub(crate) app: String,
    /// How many, the newest ones
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    pub(crate) lines: usize,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct DiffArgs {
    /// The app's name, or any of its hostnames
    #[arg(add = apps())]
    pub(crate) app: String,
    /// The one release
    pub(crate) from: u64,
    /// The other one; else the serving one
    pub(crate) to: Option<u64>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct WaitArgs {
    /// How many seconds to wait while somebody else changes the app; 0 fails at once
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub(crate) wait: u64,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct AppsArg {
    /// Names, or any of their hostnames
    #[arg(required = true, value_name = "APP", add = apps())]
    pub(crate) apps: Vec<String>,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct AppWaitArgs {
    /// The app's name, or any of its hostnames
    #[arg(add = apps())]
    pub(crate) app: String,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

pub(crate) const CANARY_EXAMPLES: &str = "\
Examples:
  once deploy acme/shop:1.6.0 --canary 10%     try it out on a tenth of the visitors
  once canary shop                             both sides: requests, errors, latency
  once canary shop --share 25%                 or cookie:NAME[=VALUE], header:NAME[=VALUE]
  once promote shop                            for all; or: once abort shop";

#[derive(Debug, Clone, Args)]
pub(crate) struct CanaryArgs {
    /// The app's name, or any of its hostnames
    #[arg(add = apps())]
    pub(crate) app: String,
    /// Which requests it gets from now on: 25%, cookie:NAME[=VALUE] or header:NAME[=VALUE]
    #[arg(long, value_name = "WHICH", allow_hyphen_values = true)]
    pub(crate) share: Option<String>,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct MaintenanceArgs {
    /// The app's name, or any of its hostnames
    #[arg(add = apps())]
    pub(crate) app: String,
    /// What visitors are told, in plain text
    #[arg(short, long, value_name = "TEXT", conflicts_with = "off")]
    pub(crate) message: Option<String>,
    /// An own page, an HTML file of at most 64 KiB; `{message}` in it is replaced
    #[arg(long, value_name = "FILE", conflicts_with = "off")]
    pub(crate) page: Option<String>,
    /// End it
    #[arg(long)]
    pub(crate) off: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct PauseArgs {
    #[command(flatten)]
    pub(crate) apps: AppsArg,
    /// The longest wait of a request; then it gets a 503
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(crate) max_wait: String,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ConfirmArgs {
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct WatchArgs {
    /// The app's name, or any of its hostnames; else all apps
    #[arg(add = apps())]
    pub(crate) app: Option<String>,
    /// When nothing is being done, wait until something is
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct StatusArgs {
    /// The app's name, or any of its hostnames; else all apps
    #[arg(add = apps())]
    pub(crate) app: Option<String>,
    /// Go on, and print a line whenever something changes
    #[arg(short, long)]
    pub(crate) watch: bool,
}

pub(crate) const DOCTOR_EXAMPLES: &str = "\
Examples:
  once doctor                what is wrong, why it matters, which command mends it
  once doctor --fix          mends what needs nobody's judgement; never stops what serves, never removes data
  once doctor --no-disk      without counting what is on the disk, which a busy engine needs minutes for
  once doctor --json         one finding a line, as each is found";

#[derive(Debug, Clone, Args)]
pub(crate) struct DoctorArgs {
    /// Mend what needs nobody's judgement
    #[arg(long)]
    pub(crate) fix: bool,
    /// Do not count what images, containers and volumes take on the disk: a busy engine needs minutes for it
    #[arg(long)]
    pub(crate) no_disk: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct AdoptArgs {
    /// Name or id of a container: ours, ONCE's, Kamal's, or anybody's with an HTTP port
    #[arg(required_unless_present_any = ["all", "undo"])]
    pub(crate) container: Option<String>,
    /// All that are known to be apps: ours without a record, ONCE's, Kamal's; one after the other
    #[arg(long, conflicts_with_all = ["container", "undo", "name", "host", "port", "health_path"])]
    pub(crate) all: bool,
    /// Let an app go that was adopted: its container runs on, or again, and what was deployed in its place goes
    #[arg(long, value_name = "APP", add = apps(), conflicts_with_all = ["container", "name", "host", "port", "health_path"])]
    pub(crate) undo: Option<String>,
    /// The app's name [default: what Kamal calls it, else by its hostname, else the container's]
    #[arg(long)]
    pub(crate) name: Option<AppName>,
    /// Hostname; may be repeated [default: those its proxy has for it, else <name>.localhost]
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Vec<Hostname>,
    /// Its HTTP port [default: the only one that is published, else exposed]
    #[arg(long)]
    pub(crate) port: Option<Port>,
    /// Path that answers 2xx [default: what its proxy asks for, else /up, else /]
    #[arg(long, value_name = "PATH")]
    pub(crate) health_path: Option<UrlPath>,
    /// Only say what would be taken over, what cannot be, and what it costs
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) confirm: ConfirmArgs,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ExportArgs {
    /// The app's name, or any of its hostnames [default: all]
    #[arg(add = apps())]
    pub(crate) app: Option<String>,
    /// As what
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ExportFormat,
    /// Port of the first app in the script; the others have the ones behind it
    #[arg(long, default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,
    /// Write the secrets the script needs into a new file that only you can read
    #[arg(long, value_name = "FILE")]
    pub(crate) secrets: Option<std::path::PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub(crate) enum ExportFormat {
    /// A script of `docker run`
    #[default]
    Docker,
    /// A document of the settings
    Toml,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct LogsArgs {
    /// The app's name, or any of its hostnames
    #[arg(add = apps())]
    pub(crate) app: String,
    /// Go on with lines to come
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only the last so many lines
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) lines: Option<u64>,
    /// Only since then: 10m, 2h, or a time as in 2026-01-31T12:00:00Z
    #[arg(long, value_name = "T")]
    pub(crate) since: Option<String>,
    /// Only until then, given as for --since
    #[arg(long, value_name = "T", conflicts_with = "follow")]
    pub(crate) until: Option<String>,
    /// Only lines that match this regular expression
    #[arg(long, value_name = "RE")]
    pub(crate) grep: Option<String>,
    /// The proxy's access log of this app instead of what the app writes
    #[arg(long, conflicts_with = "release")]
    pub(crate) access: bool,
    /// Only what this release's container wrote
    #[arg(long, value_name = "N")]
    pub(crate) release: Option<u64>,
    /// What was written before the run that serves: by the same container before its restart, else by the one before
    #[arg(long, conflicts_with_all = ["release", "access", "follow"])]
    pub(crate) previous: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RollbackArgs {
    /// The app's name, or any of its hostnames
    #[arg(add = apps())]
    pub(crate) app: String,
    /// The release to go back to; else the one that served before
    pub(crate) release: Option<u64>,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ExecArgs {
    /// The app's name, or any of its hostnames
    #[arg(add = apps())]
    pub(crate) app: String,
    /// The command and its arguments, behind `--`
    #[arg(required = true, last = true, value_name = "CMD")]
    pub(crate) argv: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RemoveArgs {
    /// The app's name, or any of its hostnames
    #[arg(add = apps())]
    pub(crate) app: String,
    /// Its data volumes, generated secrets and history too
    #[arg(long)]
    pub(crate) data: bool,
    #[command(flatten)]
    pub(crate) confirm: ConfirmArgs,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct LockArgs {
    /// The app's name, or any of its hostnames
    #[arg(add = apps())]
    pub(crate) app: String,
    /// Why, for whoever is kept out
    #[arg(short, long)]
    pub(crate) message: Option<String>,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ProxyCommand {
    /// Whether it runs, which version, since when
    #[command(after_help = super::examples::PROXY_STATUS)]
    Status,
    /// Put this version in charge without a gap: all sockets stay open
    #[command(after_help = super::examples::PROXY_UPGRADE)]
    Upgrade(UpgradeArgs),
    /// Which hostname goes to which release
    #[command(after_help = super::examples::PROXY_ROUTES)]
    Routes,
    /// Show or change what holds for the proxy as a whole
    #[command(after_help = super::proxy::EXAMPLES)]
    Configure(Box<super::proxy::ConfigureArgs>),
    /// Take the host's ports from somebody else's proxy, with a gap that is announced and measured
    #[command(after_help = TAKEOVER_EXAMPLES)]
    Takeover(TakeoverArgs),
    /// Undo a takeover: our proxy goes to other ports, theirs is started
    #[command(after_help = super::examples::PROXY_HANDBACK)]
    Handback(HandbackArgs),
    /// What it writes: the access log of all apps and its own messages
    #[command(after_help = super::examples::PROXY_LOGS)]
    Logs {
        /// Go on with lines to come
        #[arg(short, long)]
        follow: bool,
        /// Only the last so many lines
        #[arg(short = 'n', long, value_name = "N")]
        lines: Option<u64>,
    },
    /// Bridge standard input and output to the control socket
    #[command(hide = true)]
    Ctl(ProxyArgs),
    /// Be the proxy's supervisor
    #[command(hide = true)]
    Run(ProxyArgs),
    /// Be the proxy's worker
    #[command(hide = true)]
    Worker(ProxyArgs),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct UpgradeArgs {
    /// Replace the container instead, for a proxy too old; a second without any app
    #[arg(long)]
    pub(crate) replace: bool,
    #[command(flatten)]
    pub(crate) confirm: ConfirmArgs,
}

pub(crate) const TAKEOVER_EXAMPLES: &str = "\
Examples:
  ONCE_HTTP_PORT=8080 once adopt shop-web-3f2a91c    first the apps, beside the proxy that serves them now
  once proxy takeover kamal-proxy --dry-run          what will be served, and how long nobody is
  once proxy takeover kamal-proxy

Where our proxy does not come up, theirs is started again. Afterwards the command that undoes it is printed.";

#[derive(Debug, Clone, Args)]
pub(crate) struct TakeoverArgs {
    /// Name or id of the container that has the ports
    pub(crate) container: String,
    /// Seconds it has for requests under way
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=600))]
    pub(crate) grace: u64,
    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) confirm: ConfirmArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct HandbackArgs {
    /// Name or id of the container that gets its ports again
    pub(crate) container: String,
    /// Where our proxy goes
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) http_port: u16,
    /// The same, for HTTPS
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) https_port: Option<u16>,
    #[command(flatten)]
    pub(crate) confirm: ConfirmArgs,
}

/// Where the proxy's own processes find things inside of its container.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ProxyArgs {
    /// The directory that holds the host's memory and the control socket.
    #[arg(long, value_name = "DIR", default_value = PROXY_STATE)]
    pub state: std::path::PathBuf,
    /// The port to listen on for HTTP.
    #[arg(long, value_name = "PORT", default_value_t = PROXY_HTTP)]
    pub http: u16,
    /// The port to listen on for HTTPS.
    #[arg(long, value_name = "PORT", default_value_t = PROXY_HTTPS)]
    pub https: u16,
    /// The host's port that leads to it.
    #[arg(long, value_name = "PORT", env = PROXY_HTTPS_PORT)]
    pub public_https: Option<u16>,
}

impl Default for ProxyArgs {
    fn default() -> Self {
        Self { state: PROXY_STATE.into(), http: PROXY_HTTP, https: PROXY_HTTPS, public_https: None }
    }
}

pub(crate) const RENAME_EXAMPLES: &str = "\
Examples:
  once rename shop store --dry-run         what changes, and what does not
  once rename shop store                   `shop` stays an alias
  once rename --drop-alias shop            `shop` means no app any more";

#[derive(Debug, Clone, Args)]
pub(crate) struct RenameArgs {
    /// The app's name, an alias, or any of its hostnames
    #[arg(required_unless_present = "drop_alias", add = apps())]
    pub(crate) old: Option<String>,
    /// Its name from now on, as in shop or shop.staging
    #[arg(required_unless_present = "drop_alias")]
    pub(crate) new: Option<AppName>,
    /// Take an alias away from its app instead
    #[arg(long, value_name = "ALIAS", conflicts_with_all = ["old", "new"])]
    pub(crate) drop_alias: Option<AppName>,
    /// Only show what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}
