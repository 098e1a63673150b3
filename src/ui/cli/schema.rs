//! Holds what `--json` prints to the schemas in `assets/schema`: field names are a promise.

use serde::Serialize;
use serde_json::{Value, json};

use super::objects::{
    ActivityObject, AppObject, CanaryObject, DiffObject, EnvObject, LockObject, LogBreakObject, LogObject,
    ReleaseObject, RouteObject, StepObject,
};
use super::report;
use once_app::event::{Envelope, Event, Finished, LockView, Outcome, Step, TrafficView, Visitors};
use once_app::ledger::{AppRecord, Generated};
use once_app::proxy::{Activity, AppTraffic};
use once_app::traffic::{Compared, ReleaseTraffic};
use once_app::{
    Action, AppId, AppState, AppView, BreakReason, Caller, Canary, CanaryView, CertificateFacts, CertificateFailure,
    CertificateSource, CertificateView, Change, Cost, EnvValue, Finding, Fix, Issuing, IssuingState, Kind, LogBreak,
    OpId, PlanView, Port, Problem, ProxyConfig, ProxyDraft, ProxyField, Reason, Release, ReleaseNumber, ReleaseStatus,
    ResolvedImage, Secret, Settings, Standing, StepState, StepView,
};

macro_rules! schema {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../../assets/schema/", $name, ".schema.json"))).unwrap()
    };
}

/// What breaks the schema, with the place.
fn breaks(schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let fits = |t: &&str| match *t {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the schema's type {other} is not known here"),
    };
    if !types.iter().any(fits) {
        wrong.push(format!("{place} is {value}, not {types:?}"));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        wrong.push(format!("{place} is {value}, none of {allowed:?}"));
    }
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        wrong.extend(breaks(&schema["items"], item, &format!("{place}[{n}]")));
    }
    if let (Some(properties), Some(fields)) = (schema["properties"].as_object(), value.as_object()) {
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(key) {
                wrong.push(format!("{place}.{key} is missing"));
            }
        }
        for (key, field) in fields {
            match properties.get(key) {
                Some(schema) => wrong.extend(breaks(schema, field, &format!("{place}.{key}"))),
                None => wrong.push(format!("{place}.{key} is not in the schema")),
            }
        }
    }
    wrong
}

fn holds(schema: &Value, object: &impl Serialize) {
    let value = serde_json::to_value(object).unwrap();
    assert_eq!(breaks(schema, &value, "$"), Vec::<String>::new(), "{value}");
}

fn caller() -> Caller {
    Caller { user: "ada".into(), host: "web-1".into(), command: "deploy".into() }
}

fn at() -> jiff::Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn record() -> AppRecord {
    let generated = Generated {
        secret_key_base: Secret::new("k".into()),
        vapid_public_key: "p".into(),
        vapid_private_key: Secret::new("s".into()),
    };
    let mut settings = Settings::new("acme/shop:1".parse().unwrap(), "shop.example.com".parse().unwrap());
    settings.env.insert("TOKEN".parse().unwrap(), EnvValue::secret("hunter2"));
    let mut record = AppRecord::new(AppId("0".repeat(16)), "shop".parse().unwrap(), generated, at());
    record.releases.push(Release {
        number: ReleaseNumber(1),
        op: OpId("1".repeat(16)),
        image: ResolvedImage { digest: None, id: format!("sha256:{}", "a".repeat(64)) },
        settings,
        container: "once-shop-1".into(),
        port: Port::HTTP,
        created_at: at(),
        by: caller(),
        revision: Some("3f2a91c".into()),
        rollback_to: None,
        status: ReleaseStatus::Failed { why: "exited with 1".into() },
        took_ms: 12,
        container_kept: false,
        adopted: false,
        declared_volumes: std::collections::BTreeMap::new(),
    });
    record.serving = Some(ReleaseNumber(1));
    record.aliases.push("kiosk".parse().unwrap());
    record
}

fn standing(state: AppState) -> Standing {
    let reason = (state == AppState::Failing).then_some(Reason::Errors { answers: 24, errors: 12 });
    Standing { state, reason }
}

#[test]
fn both_sides_of_a_canary() {
    let mut record = record();
    let release = Release { number: ReleaseNumber(2), status: ReleaseStatus::Canary, ..record.releases[0].clone() };
    record.canary = Some(Box::new(Canary { release, rule: "10%".parse().unwrap(), since: at() }));
    let compared = Some(Compared { requests: 200, errors: 30, p50_ms: Some(1.5), ..Compared::default() });
    let seen = ReleaseTraffic { requests: 900, errors: 31, compared, ..ReleaseTraffic::none(ReleaseNumber(2)) };
    let traffic = AppTraffic { releases: vec![seen], ..AppTraffic::default() };
    let certificates = Vec::new();
    let standing = standing(AppState::Running);
    let view = AppView { record, container: None, canary: None, traffic, certificates, standing };
    let object = serde_json::to_value(CanaryObject::new(&view).unwrap()).unwrap();
    holds(&schema!("canary"), &object);
    assert_eq!((&object["sides"][0]["requests"], &object["sides"][1]["error_percent"]), (&json!(0), &json!(15.0)));
    let app = serde_json::to_value(AppObject::new(&view, at())).unwrap();
    holds(&schema!("app"), &app);
    assert_eq!(app["canary"], json!({"release": 2, "rule": "10%"}));
    let mut without = view;
    without.record.canary = None;
    assert_eq!(CanaryObject::new(&without), None);
}

#[test]
fn objects() {
    let record = record();
    let traffic = AppTraffic { p50_ms: Some(1.5), ..AppTraffic::default() };
    for state in [
        AppState::Running,
        AppState::Changing,
        AppState::Stopped,
        AppState::Maintenance,
        AppState::Paused,
        AppState::Failing,
        AppState::Abandoned,
        AppState::Down,
        AppState::Empty,
    ] {
        let view = AppView {
            record: record.clone(),
            container: None,
            canary: None,
            traffic: traffic.clone(),
            certificates: vec![certificate()],
            standing: standing(state),
        };
        holds(&schema!("app"), &AppObject::new(&view, at()));
        let shown = AppObject::new(&view, at()).with_settings(&record);
        holds(&schema!("app"), &shown);
        assert!(!serde_json::to_string(&shown).unwrap().contains("hunter2"));
    }
    let release = ReleaseObject::new(&record, &record.releases[0]);
    holds(&schema!("release"), &release);
    assert!(!serde_json::to_string(&release).unwrap().contains("hunter2"));
    let step = StepView {
        step: Step::Pull,
        state: StepState::Done,
        detail: "3 layers".into(),
        amount: None,
        started_at: None,
        took_ms: Some(3),
    };
    holds(&schema!("release"), &release.with_steps(vec![StepObject::new(&step)]));
    let change = Change { field: "memory".into(), from: None, to: Some("1g".into()), cost: Cost::Swap };
    holds(&schema!("diff"), &DiffObject::new(&record.name, ReleaseNumber(1), ReleaseNumber(2), &change));
    holds(&schema!("env"), &EnvObject::new(&"A".parse().unwrap(), &EnvValue::plain("1")));
    holds(&schema!("lock"), &LockObject::new(&lock()));
    let entry = Activity {
        at: at(),
        by: caller(),
        app: Some("shop".parse().unwrap()),
        op: None,
        outcome: "updated".into(),
        text: "deploy release 1".into(),
    };
    holds(&schema!("activity"), &ActivityObject::new(&entry));
    let line = LogObject { app: "shop", kind: "line", at: Some(at()), stream: "stderr", text: "x", release: Some(7) };
    holds(&schema!("log"), &line);
    let between =
        LogBreak { at: at(), why: BreakReason::Swap, from: Some(ReleaseNumber(12)), to: Some(ReleaseNumber(13)) };
    holds(&schema!("log"), &LogBreakObject::new("shop", &between));
    let removed = LogBreak { why: BreakReason::Removed, to: None, ..between };
    holds(&schema!("log"), &LogBreakObject::new("shop", &removed));
    let route = RouteObject {
        host: "shop.example.com".into(),
        path_prefix: None,
        app: "shop".into(),
        release: 1,
        address: "once-shop-1:80".into(),
        serving: true,
        state: "serving",
    };
    holds(&schema!("route"), &route);
    holds(&schema!("proxy_config"), &ProxyConfig::default());
    let mut draft = ProxyDraft::default();
    for (field, text) in [
        (ProxyField::HttpPort, "8080"),
        (ProxyField::AcmeEabKey, "hunter2-hunter2-hunter2"),
        (ProxyField::Webhook, "https://hooks.example.com/hunter2"),
        (ProxyField::WebhookKey, "hunter2-hunter2-hunter2"),
        (ProxyField::TrustedProxies, "10.0.0.0/8"),
        (ProxyField::ConnectionsPerAddress, "3"),
    ] {
        draft.set(field, text).unwrap();
    }
    let config = draft.merge(&ProxyConfig::default()).without_secrets();
    holds(&schema!("proxy_config"), &config);
    assert!(!serde_json::to_string(&config).unwrap().contains("hunter2"));
}

fn certificate() -> CertificateView {
    let facts = CertificateFacts {
        names: vec!["shop.example.com".into()],
        not_before: at(),
        not_after: at(),
        issuer: "R11".into(),
        source: CertificateSource::Acme,
        obtained_at: at(),
        fingerprint: "0".repeat(64),
    };
    let issuing = Issuing {
        state: IssuingState::Failing,
        next: Some(at()),
        leads: Some("x".into()),
        code: Some("budget".into()),
    };
    CertificateView {
        name: "shop.example.com".parse().unwrap(),
        certificate: Some(facts),
        last_error: Some(CertificateFailure { at: at(), message: "no".into(), next_try: None }),
        issuing: Some(issuing),
    }
}

fn lock() -> LockView {
    LockView { app: "shop".parse().unwrap(), by: caller(), since: at(), op: None, message: Some("moving".into()) }
}

fn finished(outcome: Outcome, problem: Option<Problem>) -> Event {
    Event::Finished(Finished {
        outcome,
        release: Some(ReleaseNumber(2)),
        serving: None,
        canary: Some(CanaryView { release: ReleaseNumber(3), rule: "10%".parse().unwrap() }),
        visitors: Some(Visitors::Removed { kept: vec!["once-shop".into()] }),
        url: Some("http://shop.example.com".into()),
        warnings: vec!["w".into()],
        retryable: false,
        release_command_ran: Some(true),
        problem,
    })
}

fn events() -> Vec<Event> {
    let change = Change { field: "memory".into(), from: None, to: Some("1g".into()), cost: Cost::Swap };
    let plan = PlanView {
        action: Action::Swap,
        changes: vec![change],
        canary: Some("10%".parse().unwrap()),
        remarks: vec!["r".into()],
    };
    let problem = Problem { log: vec!["l".into()], ..Problem::new(Outcome::Failed, "unhealthy", "it never answered") };
    let (step, text) = (Step::ReleaseCommand, || "t".to_owned());
    let from = Some(ReleaseNumber(1));
    vec![
        Event::Started { by: caller() },
        Event::Waiting { holder: lock() },
        Event::Tidied { text: text() },
        Event::Planned { plan, host: text(), from, steps: vec![Step::Lock, Step::Retire] },
        Event::Numbered { release: ReleaseNumber(2) },
        Event::StepStarted { step },
        Event::Progress { step, text: text(), done: Some(1), total: None },
        Event::StepFinished { step, detail: text(), took_ms: 1 },
        Event::StepSkipped { step, why: text() },
        Event::StepFailed { step, detail: text(), took_ms: 1 },
        Event::Log { line: text() },
        Event::Traffic(TrafficView { series: vec![(1, 2)], ..TrafficView::default() }),
        Event::Warning { code: text(), text: text() },
        finished(Outcome::Updated, None),
        finished(Outcome::Failed, Some(problem)),
    ]
}

#[test]
fn findings_of_the_doctor() {
    let schema = schema!("finding");
    for kind in schema["properties"]["kind"]["enum"].as_array().unwrap() {
        let kind: Kind = serde_json::from_value(kind.clone()).unwrap();
        let app = "shop".parse().unwrap();
        let found = Finding::problem(kind, "once-shop-1", "it is gone", "visitors get errors")
            .of(&app)
            .mend("once restart shop");
        holds(&schema, &found);
        holds(&schema, &found.clone().fix(Fix::Adopt { container: "once-shop-1".into() }));
        for fix in [Fix::Start { app: app.clone() }, Fix::Restart { app: app.clone() }, Fix::Tidy { app: app.clone() }]
        {
            holds(&schema, &found.clone().fix(fix));
        }
        holds(&schema, &Finding::remark(kind, "x", "y", "z"));
    }
}

#[test]
fn events_of_a_change() {
    let schemas = schema!("event");
    let mut seen = std::collections::BTreeSet::new();
    for event in events() {
        let envelope = Envelope { event, op: OpId("1".repeat(16)), app: None, seq: 3, at: at() };
        let line = serde_json::to_value(report::event(&envelope).unwrap()).unwrap();
        let name = line["event"].as_str().unwrap().to_owned();
        holds(&schemas["$defs"][&name], &line);
        seen.insert(name);
    }
    let promised: std::collections::BTreeSet<String> = schemas["$defs"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(seen, promised);
}

#[test]
fn every_outcome_and_answers_without_a_change() {
    let schema = &schema!("event")["$defs"]["finished"];
    for outcome in schema["properties"]["outcome"]["enum"].as_array().unwrap() {
        let outcome: Outcome = serde_json::from_value(outcome.clone()).unwrap();
        holds(schema, &report::done(outcome, None));
        holds(schema, &report::finished_without_job(&Problem::new(outcome, "c", "m").hint("h")));
    }
}

#[test]
fn the_check_itself_finds_what_is_wrong() {
    let schema = schema!("env");
    for (value, place) in [
        (json!({"key": "A", "value": "1"}), "secret is missing"),
        (json!({"key": "A", "value": 1, "secret": true}), "$.value is 1"),
        (json!({"key": "A", "value": "1", "secret": true, "more": 1}), "more is not in the schema"),
    ] {
        assert!(breaks(&schema, &value, "$").iter().any(|w| w.contains(place)), "{value}");
    }
}
