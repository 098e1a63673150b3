//! Arguments of `deploy`, `plan` and `set`: settings as raw text, and how to go about it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::candidates::{apps, words};
use super::queries::WaitArgs;
use super::web::WebArgs;
use once_app::{AppName, Pull};

pub(crate) const EXAMPLES: &str = "\
Examples:
  once deploy ghcr.io/acme/shop:1.5.0 --host shop.example.com
  once deploy ghcr.io/acme/shop:1.6.0               a newer image; all settings stay
  once deploy --name shop -e LOCALE=de --unset memory
  SECRET_TOKEN=… once deploy acme/shop --secret SECRET_TOKEN --secret CERT=@cert.pem
  once deploy acme/shop:1.7.0 --canary 10%          for a tenth of the visitors, beside the serving one
  once deploy acme/shop --dry-run                   what would change?

What is given replaces, what is left out stays. The same command again changes nothing and exits 0.";

pub(crate) const SET_EXAMPLES: &str = "\
Examples:
  once set shop LOCALE=de FEATURE_X=on           variables of the app's environment
  once set shop --memory 1g --unset cpus
  once set shop --host www.example.com           one more hostname, nothing restarts
  once set shop --move-host shop.example.org     another address; the old one redirects until --drop-host";

#[derive(Debug, Clone, Args)]
pub(crate) struct DeployArgs {
    /// Repository and tag, as in ghcr.io/acme/shop:1.5.0; left out: the image stays
    pub(crate) image: Option<String>,
    /// The app's name; else the app with this --host, else derived from the image
    #[arg(long, value_name = "NAME", add = apps())]
    pub(crate) name: Option<AppName>,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    #[command(flatten)]
    pub(crate) behaviour: Behaviour,
    /// Try it out beside the serving release: 10% of the visitors, cookie:NAME[=VALUE] or header:NAME[=VALUE]
    #[arg(long, value_name = "WHICH", allow_hyphen_values = true, help_heading = "Behaviour")]
    pub(crate) canary: Option<String>,
    /// Only show what would change
    #[arg(long, help_heading = "Behaviour")]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct PlanArgs {
    /// Repository and tag; left out: the image stays
    pub(crate) image: Option<String>,
    /// The app's name; else the app with this --host, else derived from the image
    #[arg(long, value_name = "NAME", add = apps())]
    pub(crate) name: Option<AppName>,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    #[command(flatten)]
    pub(crate) behaviour: Behaviour,
    /// The plan of a canary: 10% of the visitors, cookie:NAME[=VALUE] or header:NAME[=VALUE]
    #[arg(long, value_name = "WHICH", allow_hyphen_values = true, help_heading = "Behaviour")]
    pub(crate) canary: Option<String>,
    /// Exit with 10 when changes are pending
    #[arg(long, help_heading = "Behaviour")]
    pub(crate) detailed_exitcode: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct SetArgs {
    /// The app's name, or any of its hostnames
    #[arg(add = apps())]
    pub(crate) app: String,
    /// Variables for the app's environment
    #[arg(value_name = "K=V")]
    pub(crate) variables: Vec<String>,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    #[command(flatten)]
    pub(crate) behaviour: Behaviour,
    /// Only show what would change
    #[arg(long, help_heading = "Behaviour")]
    pub(crate) dry_run: bool,
}

/// Every flag takes raw text; [`Draft::set`](once_app::Draft::set) parses it, so that flags and forms agree.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct SettingsArgs {
    /// Hostname the app answers to; the first is the primary one; may be repeated
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Vec<String>,
    /// The app's address from now on: its other hostnames redirect to it until they are dropped
    #[arg(long, value_name = "HOST")]
    pub(crate) move_host: Option<String>,
    /// Take a hostname away
    #[arg(long, value_name = "HOST")]
    pub(crate) drop_host: Vec<String>,
    /// Only requests below this path belong to the app, as in /blog
    #[arg(long, value_name = "PATH")]
    pub(crate) path_prefix: Option<String>,
    /// auto: a certificate from the authority for public names; off: plain HTTP; custom: your own certificate [default: auto]
    #[arg(long, value_name = "MODE", add = words(&["auto", "off", "custom"]))]
    pub(crate) tls: Option<String>,
    /// Your certificate and the chain to its root, in PEM form; for all hostnames of the app
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key, in PEM form, without a pass phrase
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Where the app listens; else the image's only exposed port, else 80
    #[arg(long, value_name = "PORT", allow_negative_numbers = true)]
    pub(crate) port: Option<String>,
    /// A 2xx here says that the app is ready [default: /up]
    #[arg(long, value_name = "PATH")]
    pub(crate) health_path: Option<String>,
    /// How long a new release may take to become healthy [default: 120s]
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub(crate) health_timeout: Option<String>,
    /// How long requests of the old release may take to finish [default: 30s]
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub(crate) drain_timeout: Option<String>,
    /// Between SIGTERM and SIGKILL for the old container [default: 10s]
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub(crate) stop_timeout: Option<String>,
    /// A variable of the app's environment; may be repeated
    #[arg(short, long, value_name = "K=V")]
    pub(crate) env: Vec<String>,
    /// Variables from a file of KEY=VALUE lines
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Vec<String>,
    /// A secret variable: K takes the value from this command's environment, K=@FILE from a file, K=- from standard input
    #[arg(long, value_name = "K")]
    pub(crate) secret: Vec<String>,
    /// Accept secrets that are missing or empty
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// NAME:/path for a volume of the app's own, /host/path:/path[:ro], or docker:NAME:/path for a volume that the engine has
    /// already; may be repeated
    #[arg(long, value_name = "VOLUME")]
    pub(crate) volume: Vec<String>,
    /// An engine network to join beside once's own; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) network: Vec<String>,
    /// Hard memory limit, as in 512m or 1g
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true)]
    pub(crate) memory: Option<String>,
    /// Share of the processors, as in 0.5 or 2
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) cpus: Option<String>,
    /// overlap: old and new run together for a moment; handover: never two at once, requests wait [default: overlap]
    #[arg(long, value_name = "HOW", add = words(&["overlap", "handover"]))]
    pub(crate) swap: Option<String>,
    /// Run once per deploy in the new image before the switch, as in "bin/rails db:migrate"
    #[arg(long, value_name = "CMD", allow_hyphen_values = true)]
    pub(crate) release_command: Option<String>,
    /// Mail server handed to the app
    #[arg(long, value_name = "NAME")]
    pub(crate) smtp_server: Option<String>,
    /// Its port [default: 587]
    #[arg(long, value_name = "PORT", allow_negative_numbers = true)]
    pub(crate) smtp_port: Option<String>,
    /// Its login name
    #[arg(long, value_name = "NAME")]
    pub(crate) smtp_username: Option<String>,
    /// Its login password: @FILE, or - for standard input
    #[arg(long, value_name = "@FILE|-", allow_hyphen_values = true)]
    pub(crate) smtp_password: Option<String>,
    /// The sender's address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) smtp_from: Option<String>,
    /// What to do about newer images under the same tag: on, off or notify; recorded, without effect in this version
    #[arg(long, value_name = "MODE", add = words(&["on", "off", "notify"]))]
    pub(crate) auto_update: Option<String>,
    /// A label for the container; may be repeated
    #[arg(long, value_name = "K=V")]
    pub(crate) label: Vec<String>,
    /// Size at which the app's log is rotated [default: 10m]
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true)]
    pub(crate) log_max_size: Option<String>,
    /// Stopped containers of earlier releases to keep, for a rollback in a second [default: 2]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) keep_containers: Option<String>,
    /// Images of the newest releases to keep on the engine [default: 5]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) keep_images: Option<String>,
    /// A remark for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    #[command(flatten)]
    pub(crate) web: WebArgs,
    /// Set a field back to its default, or take an entry away, as in memory or env.KEY; may be repeated
    #[arg(long, value_name = "FIELD", help_heading = "Settings")]
    pub(crate) unset: Vec<String>,
    /// These flags are the whole truth: what is left out goes back to its default
    #[arg(long, help_heading = "Settings")]
    pub(crate) exact: bool,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Behaviour")]
pub(crate) struct Behaviour {
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    /// A number that grows from run to run; older than the last accepted one: superseded, exit 8
    #[arg(long, value_name = "N")]
    pub(crate) sequence: Option<u64>,
    /// Source revision to remember with the release
    #[arg(long, value_name = "TEXT")]
    pub(crate) revision: Option<String>,
    /// When to ask the registry
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) pull: PullWord,
    /// Swap even when nothing changed
    #[arg(long)]
    pub(crate) force: bool,
    /// Serve, also if the app is stopped
    #[arg(long)]
    pub(crate) start: bool,
    /// Bring the proxy to this command's version first
    #[arg(long)]
    pub(crate) upgrade_proxy: bool,
    /// The new app is meant to stand beside this one, whose hostname, data or image it was taken for; may be repeated
    #[arg(long, value_name = "APP", add = apps())]
    pub(crate) beside: Vec<AppName>,
    /// The app is to run another image from now on
    #[arg(long)]
    pub(crate) change_image: bool,
    /// Fail, exit 5, and switch nothing unless there is a certificate for each hostname
    #[arg(long)]
    pub(crate) require_tls: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PullWord {
    /// Ask; offline with a local copy: use it and warn
    Auto,
    /// Ask; offline is an error
    Always,
    /// Use what the engine has
    Never,
}

impl From<PullWord> for Pull {
    fn from(word: PullWord) -> Self {
        match word {
            PullWord::Auto => Self::Auto,
            PullWord::Always => Self::Always,
            PullWord::Never => Self::Never,
        }
    }
}
