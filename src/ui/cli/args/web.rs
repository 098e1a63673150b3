//! Settings of the way between visitor and app, as raw text.

use clap::Args;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings of the way to the app")]
pub(crate) struct WebArgs {
    /// on: the app does not see its path prefix [default: off]
    #[arg(long, value_name = "ON|OFF")]
    pub(crate) strip_prefix: Option<String>,
    /// The app's other hostnames redirect to this one
    #[arg(long, value_name = "HOST")]
    pub(crate) canonical_host: Option<String>,
    /// on: the app gets the requests for hostnames nobody serves [default: off]
    #[arg(long, value_name = "ON|OFF")]
    pub(crate) default_app: Option<String>,
    /// on: HTTP redirects to HTTPS once there is a certificate [default: on]
    #[arg(long, value_name = "ON|OFF")]
    pub(crate) tls_redirect: Option<String>,
    /// Browsers insist on HTTPS for so long, as in 365d
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub(crate) hsts: Option<String>,
    /// Path or URL to ask whether a name may have a certificate
    #[arg(long, value_name = "URL")]
    pub(crate) tls_on_demand: Option<String>,
    /// What the app speaks: http1, or h2c for gRPC [default: http1]
    #[arg(long, value_name = "PROTOCOL")]
    pub(crate) upstream: Option<String>,
    /// Until the head of the app's answer [default: 60s]
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub(crate) response_timeout: Option<String>,
    /// WebSockets and streams of the old release may take so long [default: twice --drain-timeout]
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub(crate) stream_timeout: Option<String>,
    /// A new release is compared with the old one for so long after the switch [default: 0, not at all]
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub(crate) watch_time: Option<String>,
    /// Largest body of a request, as in 50m
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true)]
    pub(crate) max_body: Option<String>,
    /// Let in only who has a password: USER takes it from this command's environment, USER=@FILE from a file, USER=- from standard input; may be repeated
    #[arg(long, value_name = "USER")]
    pub(crate) basic_auth: Vec<String>,
    /// Let in only clients of this range, as in 10.0.0.0/8; may be repeated
    #[arg(long, value_name = "RANGE")]
    pub(crate) allow_ip: Vec<String>,
    /// Requests per second and client address, as in 100/s
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    pub(crate) rate_limit: Option<String>,
    /// on: answers are compressed where it is of use [default: off]
    #[arg(long, value_name = "ON|OFF")]
    pub(crate) compress: Option<String>,
}
