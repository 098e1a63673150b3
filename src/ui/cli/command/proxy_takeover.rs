//! `proxy takeover` and `proxy handback`: the host's ports from somebody else's proxy to ours, and back.

use std::time::Duration;

use serde::Serialize;

use super::Answer;
use crate::args::{HandbackArgs, TakeoverArgs};
use crate::confirm::{self, confirm};
use crate::output::{GOOD, STRONG, styled};
use crate::report;
use crate::session::Session;
use once_app::event::Outcome;
use once_app::proxy::Activity;
use once_app::{Gap, Hostname, Installation, PortPlan, Problem, ProxyPorts, in_words};
use once_text::sanitize;

#[derive(Serialize)]
struct Moved<'a> {
    event: &'static str,
    holder: &'a str,
    http_port: u16,
    https_port: Option<u16>,
    gap_ms: Option<i64>,
    gap_from: Option<jiff::Timestamp>,
    gap_until: Option<jiff::Timestamp>,
    hosts: &'a [String],
    /// What ours took to come up when it was tried beforehand.
    rehearsed_ms: Option<u64>,
    /// Names whose certificates are taken over.
    certificates: Vec<&'a str>,
    /// Names that have none until one was obtained.
    without_certificate: Vec<&'a str>,
    undo: String,
}

pub(crate) async fn takeover(session: &mut Session<'_>, args: &TakeoverArgs) -> Answer {
    let at = session.installation().await?;
    let plan = at.plan_ports(&args.container, Duration::from_secs(args.grace)).await?;
    let undo = undo(&plan);
    let holder = sanitize::line(&plan.holder);
    session.out.say(&format!("our proxy goes from port {} to {}, which {holder} has now", plan.from, plan.to));
    session.out.say(&format!("served from then on: {}", plan.hosts.join(", ")));
    session.out.say(&format!("whatever else {holder} serves is served no more"));
    say_certificates(session, &plan);
    let rehearsed = at.rehearse().await?;
    let gap = format!(
        "nobody is answered from {holder}'s stop until ours is up: ours took {} ms in a rehearsal just now, and {holder} \
         has up to {} for what is under way; where ours does not come up, {holder} is started again",
        rehearsed.as_millis(),
        in_words(Duration::from_secs(args.grace))
    );
    if args.dry_run {
        session.out.say(&gap);
        return finish(session, Outcome::Unchanged, &plan, (rehearsed, None), undo);
    }
    confirm(session.out, args.confirm.yes, &gap, &confirm::Answer::Yes)?;
    if args.confirm.yes {
        session.out.say(&gap);
    }
    let moved = at.take_ports(&plan).await;
    let told = match &moved {
        Ok(gap) => format!("took ports {} from {}, gap {} ms", plan.to, plan.holder, gap.ms()),
        Err(problem) => format!("took no ports from {}: {problem}", plan.holder),
    };
    note(session, &at, &moved.as_ref().map_or_else(|p| p.outcome, |_| Outcome::Updated), told).await;
    let gap = moved?;
    session.out.say(&format!("{} our proxy has ports {}; the gap was {} ms", styled(GOOD, "✓"), plan.to, gap.ms()));
    session.out.say(&format!("to undo it: {}", styled(STRONG, &undo)));
    finish(session, Outcome::Updated, &plan, (rehearsed, Some(gap)), undo)
}

fn say_certificates(session: &mut Session<'_>, plan: &PortPlan) {
    let taken: Vec<&str> = plan.taken_over().map(Hostname::as_str).collect();
    if !taken.is_empty() {
        let account = if plan.has_account() { ", and its account at the authority" } else { "" };
        session.out.say(&format!("certificates taken over from it: {}{account}", taken.join(", ")));
    }
    let lacking: Vec<&str> = plan.lacking().iter().map(Hostname::as_str).collect();
    if !lacking.is_empty() {
        session.out.say(&format!(
            "no certificate was found for {}: handshakes fail until one was obtained, which begins once our proxy has the \
             ports and takes seconds, or longer where the authority refuses",
            lacking.join(", ")
        ));
    }
}

pub(crate) async fn handback(session: &mut Session<'_>, args: &HandbackArgs) -> Answer {
    let at = session.installation().await?;
    super::proxy::container(&at).await?;
    let now = at.public_ports().await?;
    let to = ProxyPorts { http: args.http_port, https: args.https_port, metrics: now.metrics };
    let holder = sanitize::line(&args.container);
    let text = format!("our proxy leaves ports {now} for {to}, and {holder} is started: nobody is answered in between");
    confirm(session.out, args.confirm.yes, &text, &confirm::Answer::Yes)?;
    let moved = at.give_ports_back(&args.container, to).await;
    let told = match &moved {
        Ok(gap) => format!("gave ports {now} back to {}, gap {} ms", args.container, gap.ms()),
        Err(problem) => format!("gave no ports back to {}: {problem}", args.container),
    };
    note(session, &at, &moved.as_ref().map_or_else(|p| p.outcome, |_| Outcome::Updated), told).await;
    let gap = moved?;
    session.out.say(&format!("{} {holder} has its ports again; the gap was {} ms", styled(GOOD, "✓"), gap.ms()));
    if session.out.is_json() {
        session.out.object(&Moved {
            event: "ports",
            holder: &args.container,
            http_port: to.http,
            https_port: to.https,
            gap_ms: Some(gap.ms()),
            gap_from: Some(gap.from),
            gap_until: Some(gap.until),
            hosts: &[],
            rehearsed_ms: None,
            certificates: Vec::new(),
            without_certificate: Vec::new(),
            undo: format!("once proxy takeover {}", args.container),
        });
        session.out.object(&report::done(Outcome::Updated, None));
    }
    Ok(0)
}

fn undo(plan: &PortPlan) -> String {
    let https = plan.from.https.map(|port| format!(" --https-port {port}")).unwrap_or_default();
    format!("once proxy handback {} --http-port {}{https}", plan.holder, plan.from.http)
}

fn finish(
    session: &mut Session<'_>,
    outcome: Outcome,
    plan: &PortPlan,
    (rehearsed, gap): (Duration, Option<Gap>),
    undo: String,
) -> Answer {
    if session.out.is_json() {
        session.out.object(&Moved {
            event: "ports",
            holder: &plan.holder,
            http_port: plan.to.http,
            https_port: plan.to.https,
            gap_ms: gap.map(|gap| gap.ms()),
            gap_from: gap.map(|gap| gap.from),
            gap_until: gap.map(|gap| gap.until),
            hosts: &plan.hosts,
            rehearsed_ms: u64::try_from(rehearsed.as_millis()).ok(),
            certificates: plan.taken_over().map(Hostname::as_str).collect(),
            without_certificate: plan.lacking().iter().map(Hostname::as_str).collect(),
            undo,
        });
        session.out.object(&report::done(outcome, None));
    }
    Ok(0)
}

/// Into the audit log; it is no reason to fail.
async fn note(session: &Session<'_>, at: &Installation, outcome: &Outcome, text: String) {
    let (by, now) = (session.caller(), at.clock.now());
    let activity = Activity { at: now, by, app: None, op: None, outcome: outcome.to_string(), text };
    let written = async {
        if let Some(proxy) = at.proxy().await? {
            proxy.record_activity(activity).await?;
        }
        Ok::<_, Problem>(())
    };
    if let Err(error) = written.await {
        tracing::warn!(%error, "the audit log was not written");
    }
}
