//! `proxy configure`: what holds for the proxy as a whole.

use crate::args::ConfigureArgs;
use crate::output::{STRONG, styled};
use crate::report;
use crate::secret;
use crate::session::Session;
use once_app::event::Outcome;
use once_app::{Problem, ProxyConfig, ProxyDraft, ProxyField, configure as put_in_force};

use super::Answer;

pub(crate) async fn configure(session: &mut Session<'_>, args: &ConfigureArgs) -> Answer {
    let draft = draft(args)?;
    let at = session.installation().await?;
    if draft.is_empty() {
        super::proxy::container(&at).await?;
        let proxy = at.proxy().await?;
        if let Some(proxy) = proxy {
            show(session, &proxy.config().await?);
        }
        return Ok(0);
    }
    let by = session.caller();
    let out = &mut *session.out;
    let done = put_in_force(&at, draft, by, |what| {
        out.say(&format!("{what}: requests fail for a moment"));
    })
    .await?;
    session.out.say(if done.changed { "the proxy is configured" } else { "nothing to change" });
    show(session, &done.config);
    if session.out.is_json() {
        let outcome = if done.changed { Outcome::Updated } else { Outcome::Unchanged };
        session.out.object(&report::done(outcome, None));
    }
    Ok(0)
}

fn show(session: &mut Session<'_>, config: &ProxyConfig) {
    if session.out.is_json() {
        session.out.object(config);
        return;
    }
    for (field, text) in config.texts() {
        let label = styled(STRONG, &format!("{field:<24}"));
        session.out.data(&format!("{label} {}", once_text::sanitize::line(&text)));
    }
}

fn draft(args: &ConfigureArgs) -> Result<ProxyDraft, Problem> {
    let mut draft = ProxyDraft::default();
    let mut wrong = Vec::new();
    let single = [
        (ProxyField::HttpPort, &args.http_port),
        (ProxyField::HttpsPort, &args.https_port),
        (ProxyField::AcmeDirectory, &args.acme_directory),
        (ProxyField::AcmeContact, &args.acme_contact),
        (ProxyField::AcmeEabKid, &args.acme_eab_kid),
        (ProxyField::ConnectionsPerAddress, &args.connections_per_address),
        (ProxyField::AccessLog, &args.access_log),
        (ProxyField::MetricsPort, &args.metrics_port),
    ];
    let lists =
        [(ProxyField::TrustedProxies, &args.trusted_proxy), (ProxyField::ProxyProtocolFrom, &args.proxy_protocol_from)];
    let single = single.into_iter().filter_map(|(field, text)| Some((field, text.as_deref()?)));
    let lists = lists.into_iter().flat_map(|(field, texts)| texts.iter().map(move |text| (field, text.as_str())));
    for (field, text) in single.chain(lists) {
        if let Err(error) = draft.set(field, text) {
            wrong.push(error.to_string());
        }
    }
    for path in &args.unset {
        wrong.extend(draft.unset(path).err());
    }
    if let Some(path) = &args.acme_root {
        let read = std::fs::read_to_string(path).map_err(|error| {
            Problem::rejected("unreadable-file", format!("the certificate {path} cannot be read")).because(&error)
        })?;
        wrong.extend(draft.set(ProxyField::AcmeRoot, &read).err().map(|e| e.to_string()));
    }
    for (field, flag, from) in [
        (ProxyField::AcmeEabKey, "--acme-eab-key", &args.acme_eab_key),
        (ProxyField::Webhook, "--webhook", &args.webhook),
        (ProxyField::WebhookKey, "--webhook-key", &args.webhook_key),
    ] {
        let Some(from) = from else { continue };
        let text = secret::text(flag, from, false)?;
        wrong.extend(draft.set(field, &text).err().map(|e| e.to_string()));
    }
    if wrong.is_empty() {
        return Ok(draft);
    }
    let mut told = Problem::rejected("bad-settings", wrong.remove(0));
    told.causes = wrong;
    Err(told)
}
