//! Settings of the proxy, as raw text.

use clap::Args;

pub(crate) const EXAMPLES: &str = "\
Examples:
  once proxy configure                                   what holds
  once proxy configure --http-port 8080                  requests fail for a moment
  once proxy configure --trusted-proxy 10.0.0.0/8        a load balancer whose word about clients is believed
  once proxy configure --unset trusted-proxy.10.0.0.0/8

What is given replaces, ranges are added, what is left out stays.";

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ConfigureArgs {
    /// Port of the host for HTTP; another one needs a new container: requests fail for a moment
    #[arg(long, value_name = "PORT")]
    pub(crate) http_port: Option<String>,
    /// Port of the host for HTTPS
    #[arg(long, value_name = "PORT")]
    pub(crate) https_port: Option<String>,
    /// The certificate authority's directory [default: Let's Encrypt]
    #[arg(long, value_name = "URL")]
    pub(crate) acme_directory: Option<String>,
    /// Mail address the authority may write to
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) acme_contact: Option<String>,
    /// External account binding: the key's id
    #[arg(long, value_name = "ID")]
    pub(crate) acme_eab_kid: Option<String>,
    /// External account binding: the key: @FILE, or - for standard input
    #[arg(long, value_name = "@FILE|-", allow_hyphen_values = true)]
    pub(crate) acme_eab_key: Option<String>,
    /// PEM file of one more root certificate to believe the directory with
    #[arg(long, value_name = "FILE")]
    pub(crate) acme_root: Option<String>,
    /// Peers whose word about the client (X-Forwarded-*) is believed, as in 10.0.0.0/8; may be repeated
    #[arg(long, value_name = "RANGE")]
    pub(crate) trusted_proxy: Vec<String>,
    /// Peers that begin each connection with a PROXY protocol header; may be repeated
    #[arg(long, value_name = "RANGE")]
    pub(crate) proxy_protocol_from: Vec<String>,
    /// Connections that one client address may have open
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) connections_per_address: Option<String>,
    /// Whether requests are logged [default: on]
    #[arg(long, value_name = "ON|OFF")]
    pub(crate) access_log: Option<String>,
    /// Port of the host's loopback for metrics
    #[arg(long, value_name = "PORT")]
    pub(crate) metrics_port: Option<String>,
    /// Post what is done to the apps to this URL: @FILE, or - for standard input, for it may hold a secret
    #[arg(long, value_name = "@FILE|-", allow_hyphen_values = true)]
    pub(crate) webhook: Option<String>,
    /// The key these posts are signed with, 16 characters or more: @FILE, or - for standard input
    #[arg(long, value_name = "@FILE|-", allow_hyphen_values = true)]
    pub(crate) webhook_key: Option<String>,
    /// Set a field back to its default, or take a range away, as in trusted-proxy.10.0.0.0/8; may be repeated
    #[arg(long, value_name = "FIELD")]
    pub(crate) unset: Vec<String>,
}
