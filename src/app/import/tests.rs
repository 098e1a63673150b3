use std::collections::BTreeMap;

use super::*;
use crate::model::name::Namespace;
use crate::ports::engine::{Image, Volume};
use crate::settings::{AutoUpdate, Tls};

fn origin(name: &str) -> Origin {
    Origin {
        id: "3f2a91c4d5e6f708".into(),
        name: name.into(),
        image: "acme/wiki:1".into(),
        image_id: "sha256:1".into(),
        running: true,
        labels: BTreeMap::new(),
        env: Vec::new(),
        mounts: BTreeMap::new(),
        networks: vec!["bridge".into()],
        shared_network: None,
        memory: None,
        nano_cpus: None,
        published: BTreeMap::new(),
        stop_timeout: None,
        beyond: Vec::new(),
    }
}

fn image(exposed: &[u16]) -> Image {
    Image {
        id: "sha256:1".into(),
        repo_digests: Vec::new(),
        os: "linux".into(),
        arch: "amd64".into(),
        exposed: exposed.to_vec(),
        labels: BTreeMap::new(),
        volumes: Vec::new(),
        user: String::new(),
        size: 0,
        tags: Vec::new(),
    }
}

fn with(
    origin: &Origin,
    exposed: &[u16],
    data: Option<&Volume>,
    routes: Option<&[u8]>,
    siblings: &[(String, String)],
) -> Result<Takeover, Problem> {
    let namespace: Namespace = "apps".parse().unwrap();
    let image = image(exposed);
    let seen = Sighting { namespace: &namespace, origin, image: &image, data, routes, siblings };
    let name = names(seen, &AdoptWish::default())?.remove(0);
    read(seen, &AdoptWish::default(), name)
}

fn labelled(name: &str, labels: &[(&str, &str)]) -> Origin {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Origin { labels, ..origin(name) }
}

#[test]
fn values_nobody_is_to_see_are_secrets() {
    for (key, value) in [
        ("DB_PASSWORD", "x"),
        ("SMTP_PASS", "x"),
        ("API_TOKEN", "x"),
        ("stripe_key", "x"),
        ("DATABASE_URL", "postgres://wiki:hunter2@db/wiki"),
        ("SENTRY_DSN", "x"),
    ] {
        assert!(is_secret(key, value), "{key}");
    }
    for (key, value) in [("LOCALE", "de"), ("HOME_URL", "https://example.com/a:b@c"), ("PASSENGER_APP_ENV", "x")] {
        assert!(!is_secret(key, value), "{key}");
    }
}

#[test]
fn the_port_is_the_only_one_or_has_to_be_said() {
    let published = Origin { published: BTreeMap::from([(3000, 8080)]), ..origin("wiki") };
    for (origin, exposed, port) in
        [(&published, &[3000, 9000][..], 3000), (&origin("wiki"), &[9000], 9000), (&origin("wiki"), &[], 80)]
    {
        assert_eq!(with(origin, exposed, None, None, &[]).unwrap().settings.port.unwrap().get(), port);
    }
    assert_eq!(with(&origin("wiki"), &[80, 9000], None, None, &[]).unwrap_err().code, "several-ports");
}

#[test]
fn what_cannot_be_an_app_is_said() {
    let stopped = Origin { running: false, ..origin("wiki") };
    let shared = Origin { shared_network: Some("host".into()), ..origin("wiki") };
    let nameless = Origin { image: "sha256:1".into(), ..origin("wiki") };
    let odd = labelled("odd", &[("once", "{not json, hunter2")]);
    for (origin, code) in [
        (stopped, "not-running"),
        (shared, "no-network"),
        (nameless, "image-without-name"),
        (odd, "unreadable-label"),
        (labelled("once-proxy", &[("once", r#"{"httpPort":80,"httpsPort":443}"#)]), "not-an-app"),
        (origin("Ärger"), "invalid-name"),
    ] {
        let problem = with(&origin, &[], None, None, &[]).unwrap_err();
        assert_eq!(problem.code, code, "{problem:?}");
        assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
        assert!(code == "not-an-app" || !problem.hints.is_empty(), "{problem:?}");
    }
}

const ONCE_APP: &str = r#"{"name":"campfire.a1b2c3","image":"basecamp/once-campfire:latest","host":"chat.example.com",
"disableTLS":false,"env":{"LOCALE":"de","API_TOKEN":"hunter2"},"smtp":{"server":"mail.example.com","port":"2525",
"username":"me","password":"hunter3","from":"me@example.com"},"resources":{"cpus":1,"memoryMB":256},"autoUpdate":true,
"backup":{"path":"/srv/backups","autoBackup":true}}"#;

const ONCE_VOLUME: &str = r#"{"secretKeyBase":"base64hex","vapidPublicKey":"pub","vapidPrivateKey":"priv"}"#;

fn once_app() -> Origin {
    let mut found = labelled("once-app-campfire.a1b2c3-0f0f0f", &[("once", ONCE_APP)]);
    let env = [
        ("SECRET_KEY_BASE", "base64hex"),
        ("VAPID_PUBLIC_KEY", "pub"),
        ("VAPID_PRIVATE_KEY", "priv"),
        ("NUM_CPUS", "1"),
        ("SMTP_ADDRESS", "mail.example.com"),
        ("SMTP_PASSWORD", "hunter3"),
        ("LOCALE", "de"),
        ("API_TOKEN", "hunter2"),
    ];
    found.env = env.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    for target in ["/storage", "/rails/storage"] {
        let name = "once-app-campfire.a1b2c3".to_owned();
        found.mounts.insert(target.into(), MountSource::External { name });
    }
    (found.memory, found.nano_cpus) = (Some(256 << 20), Some(1_000_000_000));
    found
}

#[test]
fn an_app_of_once_keeps_its_settings_its_data_and_its_generated_secrets() {
    let labels = BTreeMap::from([("once".to_owned(), ONCE_VOLUME.to_owned())]);
    let name = "once-app-campfire.a1b2c3".to_owned();
    let volume = Volume { name, identity: None, mountpoint: String::new(), labels };
    for data in [Some(&volume), None] {
        let taken = with(&once_app(), &[80], data, None, &[]).unwrap();
        let settings = &taken.settings;
        assert_eq!((taken.name.as_str(), settings.primary_host().as_str()), ("chat", "chat.example.com"));
        assert_eq!(settings.hosts.len(), 1);
        let generated = taken.generated.unwrap();
        assert_eq!(generated.secret_key_base.expose(), "base64hex");
        assert_eq!((generated.vapid_public_key.as_str(), generated.vapid_private_key.expose()), ("pub", "priv"));
        let keys: Vec<_> = settings.env.iter().map(|(key, value)| (key.as_str(), value.secret)).collect();
        assert_eq!(keys, [("API_TOKEN", true), ("LOCALE", false)], "what ONCE makes itself is not the app's own");
        let smtp = settings.smtp.as_ref().unwrap();
        assert_eq!((smtp.server.as_str(), smtp.port.get()), ("mail.example.com", 2525));
        assert_eq!((settings.memory, settings.auto_update), (Some(ByteSize(256 << 20)), AutoUpdate::On));
        assert_eq!(settings.volumes.len(), 2);
        assert!(!crate::plan::fingerprint::has_data(settings), "its data stays where it is");
        assert!(taken.left.iter().any(|text| text.contains("/srv/backups")), "{:?}", taken.left);
        assert!(!format!("{:?}{:?}{settings:?}", taken.left, taken.remarks).contains("hunter"));
    }
}

const KAMAL_ROUTES: &str = r#"[{"name":"other-web","options":{"hosts":["other.example.com"]},"active_targets":["x:80"]},
{"name":"shop-web-staging","options":{"hosts":["shop.example.com","www.example.com"],"path_prefixes":["/shop"],
"tls_enabled":true},"target_options":{"buffer_requests":true,"health_check_config":{"path":"/health","port":0,"interval":1000000000}},
"active_targets":["3f2a91c4d5e6:3000"],"pause_controller":{"state":0},"rollout_controller":null}]"#;

fn kamal_app(role: &str) -> Origin {
    labelled(&format!("shop-{role}-staging-abc"), &[("service", "shop"), ("role", role), ("destination", "staging")])
}

#[test]
fn an_app_of_kamal_is_routed_as_its_proxy_routes_it() {
    let siblings = [("shop-job-staging-abc".to_owned(), "job".to_owned())];
    let mut origin = kamal_app("web");
    origin.env = [("KAMAL_VERSION", "abc"), ("LOCALE", "de")].map(|(key, value)| (key.into(), value.into())).into();
    let taken = with(&origin, &[], None, Some(KAMAL_ROUTES.as_bytes()), &siblings).unwrap();
    let keys: Vec<_> = taken.settings.env.keys().map(EnvKey::as_str).collect();
    assert_eq!(keys, ["LOCALE"]);
    for dropped in ["KAMAL_VERSION", "buffering of requests"] {
        assert!(taken.left.iter().any(|text| text.contains(dropped)), "{dropped}: {:?}", taken.left);
    }
    assert!(taken.remarks.iter().any(|text| text.contains("find it no longer")), "{:?}", taken.remarks);
    let settings = &taken.settings;
    assert_eq!(taken.name.as_str(), "shop.staging");
    let hosts: Vec<_> = settings.hosts.iter().map(Hostname::as_str).collect();
    assert_eq!(hosts, ["shop.example.com", "www.example.com"]);
    assert_eq!(settings.path_prefix.as_ref().map(UrlPath::as_str), Some("/shop"));
    assert_eq!((settings.port.unwrap().get(), settings.tls), (3000, Tls::Auto));
    assert_eq!(taken.health_paths, ["/health".parse().unwrap()]);
    assert!(taken.left.iter().any(|text| text.contains("shop-job-staging-abc")), "{:?}", taken.left);

    let found = with(&kamal_app("web"), &[], None, None, &[]).unwrap();
    assert_eq!(found.settings.primary_host().as_str(), "staging.shop.localhost", "nothing is made up");
    assert!(found.left.iter().any(|text| text.contains("hostnames")), "{:?}", found.left);
    let web = [("shop-web-staging-abc".to_owned(), "web".to_owned())];
    let job = Origin { id: "ffff00001111".into(), ..kamal_app("job") };
    let problem = with(&job, &[], None, Some(KAMAL_ROUTES.as_bytes()), &web).unwrap_err();
    assert_eq!(problem.code, "not-web");
    assert!(problem.hints[0].contains("shop-web-staging-abc"), "{problem:?}");
}
