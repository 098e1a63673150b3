//! Settings of the proxy, and what it takes to put them in force.

use super::installation::{HTTP_PORT, HTTPS_PORT, Installation, ProxyPorts};
use super::proxy_config::{ProxyConfig, ProxyDraft, ProxyField};
use crate::model::problem::Problem;
use crate::model::release::Caller;
use crate::model::units::Port;
use crate::ports::proxy::Activity;
use crate::progress::event::Outcome;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    /// What holds now, the secret key masked.
    pub config: ProxyConfig,
    /// Whether anything is other than before.
    pub changed: bool,
}

/// Changes the proxy's settings. Where there is no proxy yet it is made. `gap` is told before requests fail for a moment:
/// other ports need a new container.
///
/// # Errors
/// A port is taken, or engine or proxy do not answer; the proxy is on its old ports then, with its old settings.
pub async fn configure(
    at: &Installation,
    draft: ProxyDraft,
    by: Caller,
    gap: impl FnOnce(&str),
) -> Result<Configured, Problem> {
    let mut proxy = match (at.proxy().await?, draft.http_port) {
        (Some(proxy), _) => proxy,
        (None, Some(port)) => Installation { http_port: Some(port.get()), ..at.clone() }.ensure_proxy().await?,
        (None, None) => at.ensure_proxy().await?,
    };
    let before = proxy.config().await?;
    let wished = draft.merge(&before);
    let now = at.public_ports().await?;
    let is_unset = |field: ProxyField| draft.unset.contains(field.key());
    let http = draft.http_port.map(Port::get);
    let http = http.or(is_unset(ProxyField::HttpPort).then_some(at.http_port.unwrap_or(HTTP_PORT))).unwrap_or(now.http);
    let https = match draft.https_port {
        Some(port) => Some(port.get()),
        None if is_unset(ProxyField::HttpsPort) => at.https_port.or((http == HTTP_PORT).then_some(HTTPS_PORT)),
        None => now.https,
    };
    let next = ProxyPorts { http, https, metrics: wished.metrics_port.map(Port::get) };
    if next != now {
        gap(&moves(now, next));
        proxy = at.move_proxy(next).await?;
    }
    let told = told(&draft);
    let config = proxy.configure(draft).await?;
    // A new key looks like the old one: it is masked.
    let changed = config != before || next != now || wished.acme.eab_key != before.acme.eab_key;
    if changed {
        let outcome = Outcome::Updated.to_string();
        let at = at.clock.now();
        proxy.record_activity(Activity { at, by, app: None, op: None, outcome, text: told }).await?;
    }
    Ok(Configured { config, changed })
}

fn moves(from: ProxyPorts, to: ProxyPorts) -> String {
    if (from.http, from.https) != (to.http, to.https) {
        return format!("the proxy moves from port {from} to {to}");
    }
    match to.metrics {
        Some(port) => format!("the proxy opens port {port} of 127.0.0.1 for metrics"),
        None => "the proxy closes its port for metrics".to_owned(),
    }
}

fn told(draft: &ProxyDraft) -> String {
    let given = draft.merge(&ProxyConfig::default());
    let default = ProxyConfig::default().texts();
    let set = given.texts().into_iter().filter(|text| !default.contains(text));
    let set = set.map(|(field, text)| format!("{field} {text}"));
    let all: Vec<String> = set.chain(draft.unset.iter().map(|path| format!("{path} unset"))).collect();
    format!("proxy configured: {}", all.join(", "))
}
