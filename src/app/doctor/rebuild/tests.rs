use std::collections::BTreeMap;

use super::*;
use crate::model::name::Namespace;
use crate::model::units::Port;
use crate::ports::engine::{Identity, Restart, Role};
use crate::settings::label;
use crate::settings::{EnvValue, Smtp};

const BASE: &str = "planted-base";
const PRIVATE: &str = "planted-vapid";

fn settings() -> Settings {
    let mut settings = Settings::new("ghcr.io/acme/shop:1.5".parse().unwrap(), "shop.example.com".parse().unwrap());
    settings.env.insert("LOCALE".parse().unwrap(), EnvValue::plain("de"));
    settings.env.insert("TOKEN".parse().unwrap(), EnvValue::secret("planted-token"));
    settings.smtp = Some(Smtp {
        server: "mail.example.com".into(),
        port: Port::HTTP,
        username: None,
        password: Some(Secret::new("planted-mail".into())),
        from: None,
    });
    settings
}

fn remains(release: u64, running: bool, env: &[&str]) -> Remains {
    let name = format!("once-shop-{release}");
    let labels = BTreeMap::new();
    let identity = Identity {
        namespace: Namespace::default(),
        role: Role::Web,
        app: Some("shop".parse().unwrap()),
        id: Some(AppId("id-shop".into())),
        release: Some(ReleaseNumber(release)),
    };
    let container = Container {
        id: name.clone(),
        name: name.clone(),
        identity: Some(identity),
        image: "sha256:1".into(),
        image_id: "sha256:1".into(),
        running,
        state: "running".into(),
        status: String::new(),
        created_at: Timestamp::from_second(1000 + release as i64).unwrap(),
        labels: labels.clone(),
        ports: Vec::new(),
        open: Vec::new(),
        unhealthy: false,
        memory_kills: None,
    };
    let detail = ContainerDetail {
        id: name.clone(),
        name,
        running,
        restarting: false,
        exit_code: None,
        out_of_memory: false,
        error: String::new(),
        started_at: None,
        restarts: 0,
        image_id: "sha256:1".into(),
        networks: BTreeMap::new(),
        labels,
        env: env.iter().map(|e| (*e).to_owned()).collect(),
        ports: BTreeMap::new(),
        volumes: BTreeMap::new(),
        memory: None,
        nano_cpus: None,
        restart: Restart::UnlessStopped,
    };
    let image = Image {
        id: "sha256:1".into(),
        repo_digests: vec!["docker.io/other@sha256:aa".into(), "ghcr.io/acme/shop@sha256:bb".into()],
        os: "linux".into(),
        arch: "amd64".into(),
        exposed: vec![3000],
        labels: BTreeMap::new(),
        volumes: Vec::new(),
        user: String::new(),
        size: 1,
        tags: Vec::new(),
    };
    // As the label holds them: with masks.
    Remains { container, detail, image: Some(image), settings: Some(settings().without_secrets()) }
}

fn full_env() -> Vec<String> {
    ["LOCALE=de", "TOKEN=planted-token", "SMTP_PASSWORD=planted-mail", "VAPID_PUBLIC_KEY=public"]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("SECRET_KEY_BASE={BASE}"), format!("VAPID_PRIVATE_KEY={PRIVATE}")])
        .collect()
}

fn fresh() -> Generated {
    Generated {
        secret_key_base: Secret::new("fresh-base".into()),
        vapid_public_key: "fresh-public".into(),
        vapid_private_key: Secret::new("fresh-private".into()),
    }
}

fn made(parts: Vec<Remains>) -> Result<Rebuilt, RebuildError> {
    rebuild(parts, &OpId("op".into()), &Caller::default(), Timestamp::UNIX_EPOCH, fresh())
}

#[test]
fn a_record_comes_back_with_settings_secrets_numbers_and_digest() {
    let env = full_env();
    let env: Vec<&str> = env.iter().map(String::as_str).collect();
    let rebuilt = made(vec![remains(12, true, &env), remains(11, false, &env)]).unwrap();
    let record = rebuilt.record;
    assert_eq!(rebuilt.lost, Vec::<String>::new());
    assert_eq!((record.name.as_str(), record.id.0.as_str()), ("shop", "id-shop"));
    assert_eq!((record.serving, record.next_release), (Some(ReleaseNumber(12)), 13));
    assert_eq!(record.generated.secret_key_base.expose(), BASE);
    assert_eq!(record.generated.vapid_private_key.expose(), PRIVATE);
    assert_eq!(record.settings(), Some(&settings()));
    let serving = record.serving_release().unwrap();
    assert_eq!(serving.image.digest.as_deref(), Some("sha256:bb"));
    assert_eq!(serving.port.get(), 3000);
    assert_eq!(record.releases.len(), 2);
    assert_eq!(record.flaw(), None);
    assert!(!format!("{record:?}").contains("planted"));
}

#[test]
fn plain_variables_stay_plain_secrets_stay_secret_and_nothing_else_is_taken_for_a_variable() {
    let mut env = full_env();
    env.extend(["PATH=/bin".to_owned(), "NUM_CPUS=2".to_owned()]);
    let env: Vec<&str> = env.iter().map(String::as_str).collect();
    let labels: BTreeMap<String, String> = label::write(&settings()).collect();
    // As this version writes the labels, and as the one before did.
    for read in [label::read(&labels), Some(settings().without_secrets())] {
        let rebuilt = made(vec![Remains { settings: read, ..remains(1, true, &env) }]).unwrap();
        assert_eq!(rebuilt.record.settings(), Some(&settings()));
        assert_eq!(rebuilt.lost, Vec::<String>::new());
    }
    let rebuilt = made(vec![Remains { settings: label::read(&labels), ..remains(1, true, &[]) }]).unwrap();
    assert!(rebuilt.lost.iter().any(|l| l.contains("variable LOCALE")), "{:?}", rebuilt.lost);
    assert!(rebuilt.record.settings().unwrap().env.is_empty());
}

#[test]
fn the_newest_that_runs_serves_else_the_newest() {
    let serving = |parts| made(parts).unwrap().record.serving.unwrap().0;
    assert_eq!(serving(vec![remains(3, true, &[]), remains(4, false, &[])]), 3);
    assert_eq!(serving(vec![remains(4, false, &[]), remains(3, false, &[])]), 4);
}

#[test]
fn what_is_lost_is_said_and_never_made_up_as_a_mask() {
    let rebuilt = made(vec![remains(1, true, &["LOCALE=de"])]).unwrap();
    assert!(rebuilt.lost.iter().any(|l| l.contains("TOKEN")), "{:?}", rebuilt.lost);
    assert!(rebuilt.lost.iter().any(|l| l.contains("generated secrets")), "{:?}", rebuilt.lost);
    let settings = rebuilt.record.settings().unwrap();
    assert!(!settings.env.contains_key(&"TOKEN".parse().unwrap()));
    assert_eq!(settings.smtp.as_ref().unwrap().password, None);
    assert_eq!(rebuilt.record.generated, fresh());
}

#[test]
fn an_app_behind_a_password_stays_closed_when_the_password_is_lost() {
    let mut part = remains(1, true, &[]);
    part.settings.as_mut().unwrap().web.basic_auth.insert("ada".parse().unwrap(), Secret::new(MASK.into()));
    let rebuilt = made(vec![part]).unwrap();
    let users = &rebuilt.record.settings().unwrap().web.basic_auth;
    assert_eq!(users.values().map(Secret::expose).collect::<Vec<_>>(), ["fresh-base"]);
    assert!(rebuilt.lost.iter().any(|l| l.contains("ada")), "{:?}", rebuilt.lost);
}

#[test]
fn two_apps_or_none_make_no_record() {
    let mut other = remains(2, true, &[]);
    let identity = other.container.identity.as_mut().unwrap();
    (identity.id, identity.app) = (Some(AppId("id-blog".into())), Some("blog".parse().unwrap()));
    assert!(matches!(made(vec![remains(1, true, &[]), other]), Err(RebuildError::Mixed(..))));
    assert_eq!(made(vec![]).unwrap_err(), RebuildError::Nothing);
    let blank = Remains { settings: None, ..remains(1, true, &[]) };
    assert_eq!(made(vec![blank]).unwrap_err(), RebuildError::Nothing);
}
