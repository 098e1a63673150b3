//! A deploy, event by event.

use jiff::Timestamp;

use once_app::event::{Envelope, Event, Finished, Outcome, Step, TrafficView};
use once_app::{Action, AppName, Change, Cost, OpId, PlanView, Problem, ReleaseNumber};

use super::{ago, caller};

/// The plan of [`deploy`].
pub(crate) fn plan() -> PlanView {
    let change = |field: &str, from: Option<&str>, to: Option<&str>, cost| Change {
        field: field.into(),
        from: from.map(Into::into),
        to: to.map(Into::into),
        cost,
    };
    PlanView {
        action: Action::Swap,
        changes: vec![
            change("image", Some("ghcr.io/acme/shop:1.12.0"), Some("ghcr.io/acme/shop:1.13.0"), Cost::Swap),
            change("env.FEATURE_X", None, Some("on"), Cost::Swap),
            change("env.SMTP_PASSWORD", None, None, Cost::Swap),
        ],
        canary: None,
        remarks: Vec::new(),
    }
}

/// The plan of a rename of books to library.
pub(crate) fn renaming() -> PlanView {
    let change = |field: &str, from: Option<&str>, to: &str| Change {
        field: field.into(),
        from: from.map(Into::into),
        to: Some(to.into()),
        cost: Cost::Record,
    };
    PlanView {
        action: Action::Record,
        changes: vec![change("name", Some("books"), "library"), change("alias", None, "books")],
        canary: None,
        remarks: vec![
            "no container is touched: once-books-7 goes on serving; the next deploy makes one named after library"
                .into(),
            "its hostnames stay: books.example.com".into(),
            "its data stays in the volume once-books".into(),
            "its history, secrets and releases stay".into(),
            "`books` goes on meaning this app until `once rename --drop-alias books`".into(),
        ],
    }
}

/// A dry run that ends with a plan.
pub(crate) fn planned(op: &OpId, plan: PlanView) -> Vec<Envelope> {
    let planned = Event::Planned { plan, host: "books.example.com".into(), from: None, steps: Vec::new() };
    let finished = Finished {
        canary: None,
        visitors: None,
        outcome: Outcome::Unchanged,
        release: None,
        serving: None,
        url: None,
        warnings: Vec::new(),
        retryable: false,
        release_command_ran: None,
        problem: None,
    };
    let envelope = |(seq, event)| Envelope { event, op: op.clone(), app: None, seq: seq as u64, at: super::now() };
    [planned, Event::Finished(finished)].into_iter().enumerate().map(envelope).collect()
}

/// A deploy of shop, release 12 to 13; `good`: it ends well, else its container never listens.
pub(crate) fn deploy(op: &str, good: bool) -> Vec<Envelope> {
    let steps = vec![Step::Lock, Step::Pull, Step::Start, Step::Healthy, Step::Switch, Step::Drain, Step::Retire];
    let done = |step, detail: &str, took_ms| Event::StepFinished { step, detail: detail.into(), took_ms };
    let started = |step| Event::StepStarted { step };
    let log = |line: &str| Event::Log { line: line.into() };
    let traffic = TrafficView {
        old: 1024,
        new: 180,
        failed: 0,
        slowest_ms: 84,
        series: (0..24)
            .map(|i: u32| (if i < 16 { 60 + i % 5 * 8 } else { (24 - i) * 6 }, i.saturating_sub(15) * 9))
            .collect(),
    };
    let mut events = vec![
        Event::Started { by: caller("deploy", "ci", "deploy") },
        done(Step::Lock, "yours", 10),
        Event::Planned { plan: plan(), host: "shop.example.com".into(), from: Some(ReleaseNumber(12)), steps },
        Event::Numbered { release: ReleaseNumber(13) },
        started(Step::Pull),
        Event::Progress {
            step: Step::Pull,
            text: "2 of 4 layers, 61 of 128 MB".into(),
            done: Some(61),
            total: Some(128),
        },
        done(Step::Pull, "4 of 9 layers, 128 MB", 3_100),
        started(Step::Start),
        done(Step::Start, "once-shop-13", 210),
        log("=> Booting Puma"),
        log("* Listening on http://0.0.0.0:80"),
        started(Step::Healthy),
    ];
    if good {
        events.extend([
            done(Step::Healthy, "GET /up → refused, 503, 200", 1_900),
            done(Step::Switch, "new requests go to release 13", 10),
            started(Step::Drain),
            Event::Traffic(traffic),
            Event::Progress {
                step: Step::Drain,
                text: "release 12 still has 14 requests, 2 websockets".into(),
                done: None,
                total: None,
            },
            done(Step::Drain, "release 12 has nothing under way", 4_000),
            done(Step::Retire, "once-shop-12 is kept for a rollback", 300),
            Event::Finished(Finished {
                canary: None,
                visitors: None,
                outcome: Outcome::Updated,
                release: Some(ReleaseNumber(13)),
                serving: Some(ReleaseNumber(13)),
                url: Some("http://shop.example.com".into()),
                warnings: Vec::new(),
                retryable: false,
                release_command_ran: None,
                problem: None,
            }),
        ]);
    } else {
        let mut problem = Problem::new(
            Outcome::Failed,
            "not-healthy",
            "release 13 did not become healthy within 60 s: nobody listens on port 80",
        )
        .hint("port 3000 answers: `once deploy --name shop --port 3000`")
        .hint("`once logs shop --release 13` shows all it wrote");
        problem.causes.push("GET /up was refused 61 times".into());
        problem.log = vec!["Error: bind EADDRINUSE :80".into(), "exiting".into()];
        events.extend([
            log("Error: bind EADDRINUSE :80"),
            Event::StepFailed { step: Step::Healthy, detail: "GET /up → refused".into(), took_ms: 60_000 },
            Event::Finished(Finished {
                canary: None,
                visitors: None,
                outcome: Outcome::Failed,
                release: Some(ReleaseNumber(13)),
                serving: Some(ReleaseNumber(12)),
                url: None,
                warnings: Vec::new(),
                retryable: false,
                release_command_ran: Some(false),
                problem: Some(problem),
            }),
        ]);
    }
    let app: AppName = "shop".parse().unwrap();
    let at = |i: usize| Timestamp::from_millisecond(ago(14).as_millisecond() + i as i64 * 700).unwrap();
    let envelope = |(i, event): (usize, Event)| Envelope {
        event,
        op: OpId(op.into()),
        app: Some(app.clone()),
        seq: i as u64,
        at: at(i),
    };
    events.into_iter().enumerate().map(envelope).collect()
}
