//! Tells a web hook of the person's own what was done: one signed POST for each entry of the audit log, tried again at
//! growing intervals for a bounded time. It never holds up, and never fails, what it tells of.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Method, Request, header};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use sha2::Sha256;
use tokio::time::{Instant, sleep, timeout};

use super::Shared;
use super::transact::blocking;
use once_app::proxy::Activity;
use once_app::{AppName, Caller, OpId, Secret, Untold};

/// Posts under way at once; what is done beyond that is told to be untold.
pub(super) const AT_ONCE: usize = 64;

/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between the first two tries; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// How long it is tried.
const LIMIT: Duration = Duration::from_mins(5);

/// Who is named where a post was not delivered.
const COMMAND: &str = "webhook";

/// The outcome of such an entry.
const FAILED: &str = "failed";

/// Entries of the log that are looked at for what is untold at the start.
pub(super) const LOOKED_AT: usize = 1_000;

/// How long the end of the process waits for posts under way.
const FAREWELL: Duration = Duration::from_secs(2);

/// When it was signed, and by which key: `t=<seconds>,v1=<hex of HMAC-SHA256 over "<seconds>.<body>">`.
const SIGNATURE: &str = "once-signature";

/// The body.
#[derive(Serialize)]
struct Notice<'a> {
    /// 1.
    schema: u32,
    /// Tells one installation from another.
    instance: &'a str,
    activity: &'a Activity,
}

impl Shared {
    /// Posts it, where there is a web hook.
    pub(super) fn notify(self: &Arc<Self>, activity: Activity) {
        let config = self.config.load();
        let Some(url) = config.webhook.clone() else { return };
        let (key, shared) = (config.webhook_key.clone(), Arc::clone(self));
        tokio::spawn(async move {
            let sent = match Arc::clone(&shared.notices).try_acquire_owned() {
                Ok(_place) => shared.post(&url, key.as_ref(), &activity).await,
                Err(_) => Err("too many others are under way".to_owned()),
            };
            match sent {
                Ok(()) => shared.note_delivered().await,
                Err(why) => shared.note_undelivered(&activity, why).await,
            }
        });
    }

    /// Lets posts under way arrive, for a bounded time.
    pub(super) async fn finish_notices(&self) {
        let all = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
        if timeout(FAREWELL, self.notices.acquire_many(all)).await.is_err() {
            tracing::warn!("the web hook may not have been told of everything before the end");
        }
    }

    async fn post(&self, url: &Secret, key: Option<&Secret>, activity: &Activity) -> Result<(), String> {
        let notice = Notice { schema: 1, instance: &self.instance, activity };
        let body = Bytes::from(serde_json::to_vec(&notice).map_err(|e| e.to_string())?);
        let client = client()?;
        let (begun, mut wait) = (Instant::now(), FIRST_WAIT);
        loop {
            let request = request(url, key, &body, Timestamp::now())?;
            let why = match timeout(PATIENCE, client.request(request)).await {
                Ok(Ok(answer)) if answer.status().is_success() => return Ok(()),
                Ok(Ok(answer)) => format!("it answers {}", answer.status()),
                // The error may name the address.
                Ok(Err(error)) if error.is_connect() => "it cannot be reached".to_owned(),
                Ok(Err(_)) => "the connection broke".to_owned(),
                Err(_) => format!("it did not answer in {} s", PATIENCE.as_secs()),
            };
            if begun.elapsed() + wait > LIMIT {
                return Err(why);
            }
            sleep(wait).await;
            wait *= 2;
        }
    }

    async fn note_undelivered(&self, activity: &Activity, why: String) {
        tracing::warn!(why, "the web hook was not told of something");
        let text = format!("the web hook was not told of `{}`: {why}", activity.text);
        let at = Timestamp::now();
        self.untold.rcu(|untold| match untold.as_deref() {
            Some(before) => Some(Arc::new(Untold { count: before.count + 1, since: before.since, why: why.clone() })),
            None => Some(Arc::new(Untold { count: 1, since: at, why: why.clone() })),
        });
        self.write_down(at, (activity.app.clone(), activity.op.clone()), FAILED, text).await;
    }

    async fn note_delivered(&self) {
        let Some(before) = self.untold.swap(None) else { return };
        let entries = if before.count == 1 { "entry" } else { "entries" };
        let text = format!("the web hook is told again; {} {entries} before it knows nothing of", before.count);
        self.write_down(Timestamp::now(), (None, None), "updated", text).await;
    }

    /// In the audit log, and no further: a post about a post would never end.
    async fn write_down(&self, at: Timestamp, about: (Option<AppName>, Option<OpId>), outcome: &str, text: String) {
        let Ok(_entered) = self.gate.enter().await else { return };
        let mut store = self.store.clone().lock_owned().await;
        let by = Caller { command: COMMAND.to_owned(), ..Caller::default() };
        let entry = Activity { at, by, app: about.0, op: about.1, outcome: outcome.to_owned(), text };
        if let Err(error) = blocking(move || store.append_activity(&entry)).await {
            tracing::warn!(%error, "nor could that be written down");
        }
    }
}

/// What the web hook had not been told when the log's newest entries were written, the newest first: what was given up
/// since it was told again.
pub(super) fn untold(log: &[Activity]) -> Option<Untold> {
    let about_it = log.iter().filter(|entry| entry.by.command == COMMAND);
    let lost: Vec<&Activity> = about_it.take_while(|entry| entry.outcome == FAILED).collect();
    let (newest, first) = (lost.first()?, lost.last()?);
    let why = newest.text.rsplit_once("`: ").map_or("", |(_, why)| why);
    Some(Untold { count: lost.len() as u64, since: first.at, why: why.to_owned() })
}

fn request(url: &Secret, key: Option<&Secret>, body: &Bytes, at: Timestamp) -> Result<Request<Full<Bytes>>, String> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(url.expose())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("once/", env!("CARGO_PKG_VERSION")));
    if let Some(key) = key {
        request = request.header(SIGNATURE, signature(key, at.as_second(), body)?);
    }
    request.body(Full::new(body.clone())).map_err(|_| "its address is none".to_owned())
}

fn signature(key: &Secret, at: i64, body: &[u8]) -> Result<String, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).map_err(|e| e.to_string())?;
    mac.update(format!("{at}.").as_bytes());
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    Ok(format!("t={at},v1={hex}"))
}

fn client() -> Result<Client<HttpsConnector<HttpConnector>, Full<Bytes>>, String> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1();
    Ok(Client::builder(TokioExecutor::new()).build(connector.wrap_connector(tcp)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: i64, command: &str, outcome: &str, text: &str) -> Activity {
        let by = Caller { command: command.into(), ..Caller::default() };
        let at = Timestamp::from_second(n).unwrap();
        Activity { at, by, app: None, op: None, outcome: outcome.into(), text: text.into() }
    }

    #[test]
    fn what_is_untold_is_read_off_the_log() {
        let lost = |n| entry(n, COMMAND, FAILED, "the web hook was not told of `deploy: it`: it cannot be reached");
        let again = |n| entry(n, COMMAND, "updated", "the web hook is told again");
        let deploy = |n| entry(n, "deploy", FAILED, "deploy: it `broke`: at once");
        assert_eq!(untold(&[]), None);
        assert_eq!(untold(&[deploy(2), deploy(1)]), None);
        assert_eq!(untold(&[deploy(4), again(3), lost(2)]), None);
        let found = untold(&[deploy(9), lost(8), deploy(7), lost(6), again(5), lost(4)]).unwrap();
        assert_eq!((found.count, found.since.as_second()), (2, 6));
        assert_eq!(found.why, "it cannot be reached");
    }
}
