//! Apps and their releases.

use once_app::ledger::{AppRecord, Generated, ManualLock, RunState};
use once_app::{AppId, EnvValue, OpId, Port, Release, ReleaseNumber, ReleaseStatus, ResolvedImage, Secret, Settings};

use super::{ago, caller};

fn digest(seed: char) -> ResolvedImage {
    ResolvedImage { digest: Some(format!("sha256:3f2a91c{}", seed.to_string().repeat(57))), id: String::new() }
}

fn release(app: &str, number: u64, image: &str, age: i64, status: ReleaseStatus) -> Release {
    let mut settings = Settings::new(image.parse().unwrap(), format!("{app}.example.com").parse().unwrap());
    settings.memory = Some("1g".parse().unwrap());
    settings.env.insert("RAILS_LOG_LEVEL".parse().unwrap(), EnvValue::plain("info"));
    settings.env.insert("SMTP_PASSWORD".parse().unwrap(), EnvValue::secret("••••••"));
    if number % 2 == 1 {
        settings.env.insert("FEATURE_X".parse().unwrap(), EnvValue::plain("on"));
    }
    Release {
        number: ReleaseNumber(number),
        op: OpId(format!("op-{app}-{number}")),
        image: digest(char::from(b'0' + (number % 10) as u8)),
        settings,
        container: format!("once-{app}-{number}"),
        port: Port::HTTP,
        created_at: ago(age),
        by: caller("deploy", "ci", "deploy"),
        revision: (number % 2 == 1).then(|| "9c1f04e".into()),
        rollback_to: None,
        status,
        took_ms: 6_400,
        container_kept: true,
        adopted: false,
        declared_volumes: std::collections::BTreeMap::new(),
    }
}

pub(crate) fn record(app: &str, releases: Vec<Release>, state: RunState) -> AppRecord {
    let secret = || Secret::new(String::new());
    let generated =
        Generated { secret_key_base: secret(), vapid_public_key: String::new(), vapid_private_key: secret() };
    let mut record = AppRecord::new(AppId(format!("id-{app}")), app.parse().unwrap(), generated, ago(9_000_000));
    record.serving = releases.iter().find(|r| r.status == ReleaseStatus::Serving).map(|r| r.number);
    record.next_release = releases.last().map_or(1, |r| r.number.0 + 1);
    record.releases = releases;
    record.state = state;
    record.revision = 20;
    record
}

fn serving(app: &str, number: u64, image: &str, age: i64) -> Vec<Release> {
    let replaced = ReleaseStatus::Replaced { at: ago(age) };
    let tagged = |n: u64| format!("{image}:1.{n}.0");
    (number.saturating_sub(4).max(1)..number)
        .map(|n| release(app, n, &tagged(n), age + 86_400 * (number - n) as i64, replaced.clone()))
        .chain([release(app, number, &tagged(number), age, ReleaseStatus::Serving)])
        .collect()
}

/// All releases of books, as the proxy's history has them: the first ones are no longer in its record, and release 2 had
/// another password.
pub(crate) fn history() -> Vec<Release> {
    let replaced = ReleaseStatus::Replaced { at: ago(86_400) };
    let made = |n: u64| {
        let status = if n == 7 { ReleaseStatus::Serving } else { replaced.clone() };
        let age = if n == 7 { 5 * 3600 } else { 5 * 3600 + 86_400 * (7 - n) as i64 };
        let mut release = release("books", n, &format!("ghcr.io/acme/books:1.{n}.0"), age, status);
        let password = if n == 2 { "hunter1" } else { "hunter2" };
        release.settings.env.insert("SMTP_PASSWORD".parse().unwrap(), EnvValue::secret(password));
        release.settings.note = (n == 2).then(|| "the day the mail moved".into());
        release.container_kept = n > 4;
        release
    };
    (1..=7).rev().map(made).collect()
}

pub(crate) fn records() -> Vec<AppRecord> {
    let mut failed =
        release("wiki", 1, "acme/wiki:2.0", 7200, ReleaseStatus::Failed { why: "it never answered on port 80".into() });
    failed.container_kept = false;
    let mut locked = record("chat", serving("chat", 41, "ghcr.io/acme/chat", 3 * 86_400), RunState::Running);
    locked.manual_lock =
        Some(ManualLock { by: caller("mia", "laptop", "lock"), since: ago(4000), message: Some("load test".into()) });
    vec![
        record("books", serving("books", 7, "ghcr.io/acme/books", 5 * 3600), RunState::Running),
        locked,
        record("shop", serving("shop", 12, "ghcr.io/acme/shop", 86_400), RunState::Running),
        record("blog", serving("blog", 3, "ghcr.io/acme/blog", 40 * 86_400), RunState::Running),
        record("old", serving("old", 2, "acme/old", 90 * 86_400), RunState::Stopped),
        record("wiki", vec![failed], RunState::Running),
    ]
}
