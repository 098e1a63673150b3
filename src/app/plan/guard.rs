//! What may not be taken from another app (CLI.md, "Guard"): a name that was typed anew must not become a second app
//! where the first one serves. Each refusal says what was found and what resolves it; only naming the other app
//! (`--beside`) says that two apps are meant. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::ledger::AppRecord;
use crate::model::hostname::Hostname;
use crate::model::name::{AppName, Namespace};
use crate::model::problem::Problem;
use crate::progress::event::Outcome;
use crate::settings::draft::Draft;
use crate::settings::{MountSource, Settings};

/// From so many requests on, answered since the proxy's worker started and its own probes left out, an app serves real
/// traffic: more than somebody who tries it out makes.
const REAL_TRAFFIC: u64 = 100;

/// Labels by which an image says whose it is: Kamal's and ours.
const IMAGE_LABELS: [&str; 2] = ["service", "once.app"];

/// An app to be.
#[derive(Clone, Copy)]
pub(crate) struct Newcomer<'a> {
    pub(crate) namespace: &'a Namespace,
    pub(crate) name: &'a AppName,
    pub(crate) settings: &'a Settings,
    /// The apps it is meant to stand beside.
    pub(crate) beside: &'a [AppName],
}

/// A new app may not take what belongs, or lately belonged, to another identity.
///
/// # Errors
/// `refused`, with what was found and the ways out.
pub(crate) fn newcomer(records: &[AppRecord], new: Newcomer<'_>) -> Result<(), Problem> {
    for record in records.iter().filter(|r| &r.name != new.name) {
        volumes(record, new)?;
        if named(record, new.beside) {
            continue;
        }
        hosts(record, new)?;
        paths(record, new)?;
    }
    Ok(())
}

/// An image that says that it is another app's does not become this app's by a slip.
///
/// # Errors
/// `refused`, with what was found and the ways out.
pub(crate) fn image(
    records: &[AppRecord],
    (name, aliases): (&AppName, &[AppName]),
    labels: &BTreeMap<String, String>,
    beside: &[AppName],
) -> Result<(), Problem> {
    for label in IMAGE_LABELS {
        let Some(said) = labels.get(label).and_then(|text| text.parse::<AppName>().ok()) else { continue };
        if base(&said) == base(name) || aliases.contains(&said) {
            continue;
        }
        let called = |r: &&AppRecord| &r.name != name && r.is_called(&said);
        let Some(other) = records.iter().find(called).filter(|r| !named(r, beside)) else { continue };
        let other = &other.name;
        let message = format!("the image says that it is of the app {said} (label `{label}`), and {other} is there");
        return Err(Problem::new(Outcome::Refused, "image-of-another-app", message)
            .hint(format!("to deploy it to that app: `--name {other}`"))
            .hint(format!("if that app is to be called {name}: `once rename {other} {name}`"))
            .hint(format!("if both are meant to run: `--beside {other}`")));
    }
    Ok(())
}

/// What is known of an app's visitors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    /// Requests that were answered.
    pub(crate) requests: u64,
    /// Since when: the proxy counts anew with each start and each upgrade.
    pub(crate) since: Timestamp,
}

/// Another image repository on an app that people use is more often a slip than a wish. Where the count is younger than
/// the app, nothing is known of its visitors, and it is asked as well: an upgrade of the proxy must not open the gate.
///
/// # Errors
/// `refused`, with the flag that says that it is meant.
pub(crate) fn repository(record: &AppRecord, draft: &Draft, counted: Counted) -> Result<(), Problem> {
    let (Some(settings), Some(image)) = (record.settings(), &draft.image) else { return Ok(()) };
    let used = counted.requests >= REAL_TRAFFIC;
    let unknown = record.created_at < counted.since;
    if settings.image.repository() == image.repository() || !(used || unknown) {
        return Ok(());
    }
    let (name, other) = (&record.name, image.repository());
    let minute = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
    let why = match used {
        true => format!("answered {} requests since the proxy started", counted.requests),
        false => format!(
            "is older ({}) than what the proxy counts (from {} on), so whether people use it is not known",
            minute(record.created_at),
            minute(counted.since)
        ),
    };
    let message = format!("{name} runs {} and {why}; {other} is another image", settings.image);
    Err(Problem::new(Outcome::Refused, "image-changed", message)
        .hint("if the app is to run it from now on: `--change-image`")
        .hint("if it is another app: `--name` with a name of its own"))
}

/// Apps that run the same image: worth a remark, for one image may well be several apps.
pub(crate) fn same_repository(records: &[AppRecord], settings: &Settings) -> Option<String> {
    let runs = |r: &&AppRecord| r.settings().is_some_and(|s| s.image.repository() == settings.image.repository());
    let names: Vec<&str> = records.iter().filter(|r| r.is_live()).filter(runs).map(|r| r.name.as_str()).collect();
    (!names.is_empty()).then(|| format!("the same image runs as {}; this is another app", names.join(", ")))
}

fn named(record: &AppRecord, beside: &[AppName]) -> bool {
    beside.iter().any(|name| record.is_called(name))
}

/// The app of `shop.staging` is `shop`: an image is of an app, not of an instance.
fn base(name: &AppName) -> &str {
    name.as_str().split('.').next().unwrap_or_default()
}

fn hosts(record: &AppRecord, new: Newcomer<'_>) -> Result<(), Problem> {
    let (old, name) = (&record.name, new.name);
    if !record.is_live() {
        let Some(theirs) = record.releases.last().map(|r| &r.settings.hosts) else { return Ok(()) };
        let Some(host) = new.settings.hosts.iter().find(|h| theirs.contains(h)) else { return Ok(()) };
        let message = format!("{host} lately belonged to the app {old}, whose data is kept");
        return Err(Problem::new(Outcome::Refused, "host-lately-owned", message)
            .hint(format!("to bring that app back with its data: `--name {old}`"))
            .hint(format!("to let its data go first: `once remove {old} --data`"))
            .hint(format!("for another app, its data kept: `--beside {old}`")));
    }
    if let Some(host) = new.settings.hosts.iter().find(|h| record.former_hosts.contains(h)) {
        let message = format!("{host} lately belonged to the app {old}, which gave it up");
        return Err(Problem::new(Outcome::Refused, "host-lately-owned", message)
            .hint(format!("if it is that app, to give it back: `once set {old} --host {host}`"))
            .hint(format!("if that app is to be called {name}: `once rename {old} {name}`"))
            .hint(format!("if both are meant to run: `--beside {old}`")));
    }
    let Some(settings) = record.settings().filter(|s| s.path_prefix == new.settings.path_prefix) else { return Ok(()) };
    let overlapping = |h: &&Hostname| settings.hosts.iter().any(|theirs| theirs != *h && overlap(theirs, h));
    if let Some(host) = new.settings.hosts.iter().find(overlapping) {
        let message = format!("{host} overlaps with the hostnames of the app {old}");
        return Err(Problem::new(Outcome::Refused, "host-overlaps", message)
            .hint(format!("to change that app: `--name {old}`"))
            .hint(format!("if that app is to be called {name}: `once rename {old} {name}`"))
            .hint(format!("if both are meant to run, the longer name winning: `--beside {old}`")));
    }
    Ok(())
}

/// `*.example.com` and `shop.example.com`.
fn overlap(one: &Hostname, other: &Hostname) -> bool {
    let covers = |wild: &Hostname, host: &Hostname| {
        wild.as_str().strip_prefix('*').is_some_and(|rest| host.as_str().ends_with(rest) && host != wild)
    };
    covers(one, other) || covers(other, one)
}

/// Two names that lead to one volume: `shop` with a volume `cache`, and `shop-cache`. There is no way but another name.
fn volumes(record: &AppRecord, new: Newcomer<'_>) -> Result<(), Problem> {
    let theirs = record.releases.last().map(|r| volume_names(new.namespace, record.volumes_of(), &r.settings));
    let mine = volume_names(new.namespace, new.name, new.settings);
    let Some(volume) = theirs.into_iter().flatten().find(|v| mine.contains(v)) else { return Ok(()) };
    let (old, name) = (&record.name, new.name);
    let message = format!("the volume {volume} holds the data of the app {old}");
    let problem = Problem::new(Outcome::Refused, "volume-of-another-app", message)
        .hint("give the new app another name with `--name`")
        .hint(format!("if it is that app: `--name {old}`"));
    Err(if record.is_live() {
        problem.hint(format!("if that app is to be called {name}: `once rename {old} {name}`"))
    } else {
        problem.hint(format!("to let that data go first: `once remove {old} --data`"))
    })
}

fn volume_names(namespace: &Namespace, app: &AppName, settings: &Settings) -> Vec<String> {
    let more = settings.volumes.values().filter_map(|source| match source {
        MountSource::Volume { name } => Some(namespace.volume(app, Some(name))),
        MountSource::External { name } => Some(name.clone()),
        MountSource::Host { .. } => None,
    });
    std::iter::once(namespace.volume(app, None)).chain(more).collect()
}

fn paths(record: &AppRecord, new: Newcomer<'_>) -> Result<(), Problem> {
    let Some(settings) = record.settings() else { return Ok(()) };
    let Some(path) = written(new.settings).find(|path| written(settings).any(|theirs| theirs == *path)) else {
        return Ok(());
    };
    let (old, name) = (&record.name, new.name);
    let message = format!("the app {old} keeps data in {path} of the host, and two apps would write to it");
    Err(Problem::new(Outcome::Refused, "data-of-another-app", message)
        .hint(format!("if it is that app: `--name {old}`"))
        .hint(format!("if that app is to be called {name}: `once rename {old} {name}`"))
        .hint(format!("to only read it: `--volume {path}:…:ro`; if both are meant to write: `--beside {old}`")))
}

/// Paths of the host that an app writes to.
fn written(settings: &Settings) -> impl Iterator<Item = &str> {
    settings.volumes.values().filter_map(|source| match source {
        MountSource::Host { path, read_only: false } => Some(path.as_str()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::target::tests::{app, host_records};

    fn settings(host: &str, volumes: &[(&str, MountSource)]) -> Settings {
        let mut settings = Settings::new("acme/fresh:1".parse().unwrap(), host.parse().unwrap());
        settings.volumes = volumes.iter().map(|(at, v)| (at.parse().unwrap(), v.clone())).collect();
        settings
    }

    fn path(text: &str, read_only: bool) -> MountSource {
        MountSource::Host { path: text.into(), read_only }
    }

    /// The code of the refusal, with `beside` and without.
    fn check(records: &[AppRecord], name: &str, settings: &Settings, other: &str) -> [Option<String>; 2] {
        let (namespace, name, other) = (Namespace::default(), name.parse().unwrap(), [other.parse().unwrap()]);
        [&other[..], &[]].map(|beside| {
            let new = Newcomer { namespace: &namespace, name: &name, settings, beside };
            newcomer(records, new).err().map(|problem| {
                assert_eq!(problem.outcome, Outcome::Refused);
                assert!(problem.hints.len() >= 2, "{problem:?}");
                problem.code
            })
        })
    }

    #[test]
    fn a_new_app_may_not_take_what_belongs_or_lately_belonged_to_another() {
        let mut records = host_records();
        records[0].former_hosts.push("moved.example.com".parse().unwrap());
        records.push(app("tenants", "acme/tenants:1", &["*.tenants.test"], false));
        let mut data = app("data", "acme/data:1", &["data.test"], false);
        data.releases[0].settings.volumes = settings("x.test", &[("/a", path("/srv/a", false))]).volumes;
        records.push(data);
        let host = |host: &str| settings(host, &[]);
        let mount = |source| settings("fresh.test", &[("/data", source)]);
        let cache = MountSource::Volume { name: "x".into() };
        for (name, wish, other, code, beside) in [
            ("fresh", host("fresh.test"), "shop", None, true),
            ("fresh", host("old.example.com"), "old", Some("host-lately-owned"), true),
            ("old", host("old.example.com"), "old", None, true),
            ("fresh", host("moved.example.com"), "shop", Some("host-lately-owned"), true),
            ("fresh", host("moved.example.com"), "blog", Some("host-lately-owned"), false),
            ("fresh", host("a.tenants.test"), "tenants", Some("host-overlaps"), true),
            ("fresh", host("tenants.test"), "tenants", None, true),
            ("fresh", host("*.example.com"), "shop", Some("host-overlaps"), false),
            ("fresh", mount(path("/srv/a", false)), "data", Some("data-of-another-app"), true),
            ("fresh", mount(path("/srv/a", true)), "data", None, true),
            ("fresh", mount(path("/srv/b", false)), "data", None, true),
            ("sho", settings("fresh.test", &[("/c", cache)]), "shop", None, true),
        ] {
            let [allowed, found] = check(&records, name, &wish, other);
            assert_eq!(found.as_deref(), code, "{name} {wish:?}");
            assert_eq!(allowed.is_none(), beside, "{name} beside {other}: {allowed:?}");
        }
    }

    #[test]
    fn a_volume_is_of_one_app_whatever_is_said() {
        let mut renamed = app("store", "acme/shop:1", &["shop.test"], false);
        renamed.volume_name = Some("shop".parse().unwrap());
        renamed.releases[0].settings.volumes =
            settings("x.test", &[("/c", MountSource::Volume { name: "cache".into() })]).volumes;
        for name in ["shop", "shop-cache"] {
            let found = check(&[renamed.clone()], name, &settings("fresh.test", &[]), "store");
            assert_eq!(found, [0, 1].map(|_| Some("volume-of-another-app".to_owned())), "{name}");
        }
        assert_eq!(check(&[renamed], "fresh", &settings("fresh.test", &[]), "store"), [None, None]);
    }

    #[test]
    fn an_image_says_whose_it_is() {
        let mut records = host_records();
        records[0].aliases.push("kiosk".parse().unwrap());
        let refused = |name: &str, label: &str, said: &str, beside: &str| {
            let labels = BTreeMap::from([(label.to_owned(), said.to_owned())]);
            let beside: Vec<AppName> = beside.parse::<AppName>().into_iter().collect();
            image(&records, (&name.parse().unwrap(), &[]), &labels, &beside).is_err()
        };
        assert!(refused("fresh", "service", "shop", ""));
        assert!(refused("fresh", "once.app", "kiosk", ""), "an alias is a name");
        assert!(refused("blog", "service", "shop", ""), "also into an app that exists");
        assert!(refused("fresh", "service", "old", ""), "its data is kept");
        assert!(!refused("fresh", "service", "shop", "shop"));
        assert!(!refused("shop", "service", "shop", ""));
        assert!(!refused("shop.staging", "service", "shop", ""), "an instance of it");
        assert!(!refused("fresh", "service", "unknown", ""));
        assert!(!refused("fresh", "maintainer", "shop", ""));
    }

    #[test]
    fn another_repository_is_asked_about_where_people_are() {
        let record = app("shop", "acme/shop:1", &["shop.test"], false);
        let before = record.created_at - jiff::SignedDuration::from_secs(60);
        let after = record.created_at + jiff::SignedDuration::from_secs(60);
        let refused = |image: &str, requests, since| {
            let draft = Draft { image: Some(image.parse().unwrap()), ..Draft::default() };
            repository(&record, &draft, Counted { requests, since }).err().map(|problem| problem.message)
        };
        assert!(refused("acme/press:1", REAL_TRAFFIC, before).unwrap().contains("answered 100 requests"));
        assert_eq!(refused("acme/press:1", REAL_TRAFFIC - 1, before), None);
        assert_eq!(refused("acme/shop:2", REAL_TRAFFIC, before), None);
        // The count began with the proxy's last start, and the app is older.
        assert!(refused("acme/press:1", 0, after).unwrap().contains("is not known"));
        assert!(refused("acme/press:1", REAL_TRAFFIC, after).unwrap().contains("answered 100 requests"));
        assert_eq!(refused("acme/shop:2", 0, after), None);
        let remark =
            same_repository(&host_records(), &Settings::new("acme/shop:9".parse().unwrap(), "a.b".parse().unwrap()));
        assert!(remark.unwrap().contains("runs as shop"));
    }
}
