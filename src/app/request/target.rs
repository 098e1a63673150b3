//! Which app is meant (CLI.md, "Which app"). Pure.

use super::change::{Deploy, Selector};
use crate::ledger::AppRecord;
use crate::model::hostname::Hostname;
use crate::model::name::AppName;
use crate::model::problem::Problem;
use crate::model::units::UrlPath;
use crate::settings::draft::Draft;

/// The app that exists and goes by a name, alias or hostname.
pub(crate) fn existing<'a>(records: &'a [AppRecord], selector: &Selector) -> Result<&'a AppRecord, Problem> {
    let text = selector.0.trim();
    if let Ok(name) = text.parse::<AppName>()
        && let Some(record) = live(records).find(|r| r.is_called(&name))
    {
        return Ok(record);
    }
    if let Ok(host) = text.parse::<Hostname>() {
        let mut owners = live(records).filter(|r| serves(r, &host));
        match (owners.next(), owners.next()) {
            (Some(one), None) => return Ok(one),
            (Some(a), Some(b)) => {
                let message = format!("{host} is served by {} and by {}, below different paths", a.name, b.name);
                return Err(Problem::rejected("ambiguous-app", message).hint("name the app"));
            }
            _ => {}
        }
    }
    let names: Vec<&str> = live(records).map(|r| r.name.as_str()).collect();
    let problem = Problem::rejected("no-such-app", format!("there is no app `{}`", text.escape_debug()));
    Err(match names.as_slice() {
        [] => problem.hint("there are no apps yet; `once deploy IMAGE` makes one"),
        names => problem.hint(format!("there are: {}", names.join(", "))),
    })
}

/// What a deploy is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// An app that exists.
    Existing(AppName),
    /// One to be made.
    New(AppName),
}

impl Target {
    pub(crate) const fn name(&self) -> &AppName {
        match self {
            Self::Existing(name) | Self::New(name) => name,
        }
    }
}

/// By name, else by hostname, else by the name derived from the image.
pub(crate) fn target(records: &[AppRecord], deploy: &Deploy) -> Result<Target, Problem> {
    if let Some(selector) = &deploy.existing {
        return existing(records, selector).map(|r| Target::Existing(r.name.clone()));
    }
    image_is_an_app(records, &deploy.draft)?;
    if let Some(name) = &deploy.name {
        let known = live(records).find(|r| r.is_called(name));
        return Ok(known.map_or_else(|| Target::New(name.clone()), |r| Target::Existing(r.name.clone())));
    }
    let owners = owners(records, &deploy.draft);
    match owners.as_slice() {
        [one] => return Ok(Target::Existing(one.name.clone())),
        [] => {}
        several => {
            let names: Vec<&str> = several.iter().map(|r| r.name.as_str()).collect();
            let message = format!("the given hostnames belong to different apps: {}", names.join(", "));
            return Err(Problem::rejected("hosts-of-two-apps", message).hint("name one app with `--name`"));
        }
    }
    let name = derived(&deploy.draft)?;
    match live(records).find(|r| r.is_called(&name)) {
        None => Ok(Target::New(name)),
        Some(record) if deploy.draft.hosts.is_empty() => Ok(Target::Existing(record.name.clone())),
        Some(record) => {
            let host = record.settings().map(|s| s.primary_host().to_string()).unwrap_or_default();
            let message = format!("the name {name}, derived from the image, belongs to an app at {host}");
            Err(Problem::rejected("name-taken", message)
                .hint(format!("to add the hostname to that app: `--name {name}`"))
                .hint("for a new app: `--name` with a name of its own"))
        }
    }
}

/// The name an image suggests.
fn derived(draft: &Draft) -> Result<AppName, Problem> {
    let Some(image) = &draft.image else {
        let message = "neither image nor name says which app is meant";
        return Err(
            Problem::rejected("which-app", message).hint("`once deploy IMAGE`, or `--name` for an app that exists")
        );
    };
    let text = image.short_name().replace('_', "-");
    text.parse().map_err(|reason| {
        let message = format!("no app name can be made of the image's `{text}`: {reason}");
        Problem::rejected("invalid-name", message).hint("give one with `--name`")
    })
}

/// `once deploy shop` where `shop` is an app and not its image: most likely the app was meant.
fn image_is_an_app(records: &[AppRecord], draft: &Draft) -> Result<(), Problem> {
    let Some(image) = &draft.image else { return Ok(()) };
    let text = image.to_string();
    let Some(record) = text.parse().ok().and_then(|name| live(records).find(|r| r.is_called(&name))) else {
        return Ok(());
    };
    let Some(settings) = record.settings() else { return Ok(()) };
    if settings.image.repository() == image.repository() {
        return Ok(());
    }
    let message = format!("`{text}` is the name of an app, not its image ({})", settings.image);
    Err(Problem::rejected("image-is-app", message)
        .hint(format!("to change its settings: `once set {text} …`"))
        .hint(format!("to deploy an image to it: `once deploy IMAGE --name {text}`")))
}

/// Live apps that serve one of the hostnames below the same path.
fn owners<'a>(records: &'a [AppRecord], draft: &Draft) -> Vec<&'a AppRecord> {
    let same_path = |prefix: &Option<UrlPath>| draft.path_prefix.is_none() || &draft.path_prefix == prefix;
    live(records)
        .filter(|r| draft.hosts.iter().any(|h| serves(r, h)))
        .filter(|r| r.settings().is_some_and(|s| same_path(&s.path_prefix)))
        .collect()
}

fn serves(record: &AppRecord, host: &Hostname) -> bool {
    record.settings().is_some_and(|s| s.hosts.contains(host))
}

fn live(records: &[AppRecord]) -> impl Iterator<Item = &AppRecord> {
    records.iter().filter(|r| r.is_live())
}

#[cfg(test)]
pub(crate) mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::ledger::Generated;
    use crate::model::image::ResolvedImage;
    use crate::model::name::{AppId, OpId, ReleaseNumber};
    use crate::model::release::{Caller, Release, ReleaseStatus};
    use crate::model::units::Port;
    use crate::settings::{Secret, Settings};

    pub(crate) fn app(name: &str, image: &str, hosts: &[&str], removed: bool) -> AppRecord {
        let generated = Generated {
            secret_key_base: Secret::new("k".into()),
            vapid_public_key: String::new(),
            vapid_private_key: Secret::new(String::new()),
        };
        let id = AppId(format!("id-{name}"));
        let mut record = AppRecord::new(id, name.parse().unwrap(), generated, Timestamp::UNIX_EPOCH);
        let mut settings = Settings::new(image.parse().unwrap(), hosts[0].parse().unwrap());
        settings.hosts = hosts.iter().map(|h| h.parse().unwrap()).collect();
        record.releases.push(Release {
            number: ReleaseNumber(1),
            op: OpId("op".into()),
            image: ResolvedImage { digest: None, id: "sha256:1".into() },
            settings,
            container: format!("once-{name}-1"),
            port: Port::HTTP,
            created_at: Timestamp::UNIX_EPOCH,
            by: Caller::default(),
            revision: None,
            rollback_to: None,
            status: ReleaseStatus::Serving,
            took_ms: 1,
            container_kept: true,
            adopted: false,
            declared_volumes: std::collections::BTreeMap::new(),
        });
        record.serving = Some(ReleaseNumber(1));
        record.removed_at = removed.then_some(Timestamp::UNIX_EPOCH);
        record
    }

    pub(crate) fn host_records() -> Vec<AppRecord> {
        vec![
            app("shop", "acme/shop:1", &["shop.example.com", "www.example.com"], false),
            app("blog", "acme/press:1", &["blog.example.com"], false),
            app("old", "acme/old:1", &["old.example.com"], true),
        ]
    }

    fn deploy(name: Option<&str>, image: Option<&str>, hosts: &[&str]) -> Deploy {
        let mut deploy = Deploy { name: name.map(|n| n.parse().unwrap()), ..Deploy::default() };
        deploy.draft.image = image.map(|i| i.parse().unwrap());
        deploy.draft.hosts = hosts.iter().map(|h| h.parse().unwrap()).collect();
        deploy
    }

    #[test]
    fn which_app_is_meant() {
        let records = host_records();
        let existing = |n: &str| Ok(Target::Existing(n.parse().unwrap()));
        let new = |n: &str| Ok(Target::New(n.parse().unwrap()));
        for (name, image, hosts, expected) in [
            (Some("shop"), Some("x/y:1"), &[][..], existing("shop")),
            (Some("fresh"), Some("x/y:1"), &[], new("fresh")),
            (Some("fresh"), Some("x/y:1"), &["shop.example.com"], new("fresh")), // the guard speaks up later
            (None, Some("x/y:1"), &["www.example.com"], existing("shop")),
            (None, Some("acme/shop:2"), &[], existing("shop")),
            (None, Some("acme/fresh:2"), &["fresh.example.com"], new("fresh")),
            (None, Some("acme/my_app:2"), &[], new("my-app")),
            (None, Some("acme/old:2"), &[], new("old")),
            (None, None, &["blog.example.com"], existing("blog")),
            (None, Some("x/y:1"), &["shop.example.com", "blog.example.com"], Err("hosts-of-two-apps")),
            (None, Some("acme/shop:2"), &["new.example.com"], Err("name-taken")),
            (None, Some("blog"), &[], Err("image-is-app")),
            (None, None, &[], Err("which-app")),
            (None, Some("acme/proxy:1"), &[], Err("invalid-name")),
        ] {
            let found = target(&records, &deploy(name, image, hosts)).map_err(|p| p.code);
            assert_eq!(found, expected.map_err(str::to_owned), "{name:?} {image:?} {hosts:?}");
        }
    }

    #[test]
    fn an_app_goes_by_its_name_and_its_hostnames() {
        let records = host_records();
        let find = |text: &str| existing(&records, &Selector(text.into())).map(|r| r.name.to_string());
        assert_eq!(find("shop").unwrap(), "shop");
        assert_eq!(find("WWW.example.com").unwrap(), "shop");
        assert_eq!(find("old").unwrap_err().code, "no-such-app");
        assert!(find("nope\u{1b}[2J").unwrap_err().hints[0].contains("shop, blog"));
    }
}
