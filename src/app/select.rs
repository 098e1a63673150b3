//! Which app is meant (CLI.md, "Which app" and "Guard"). Pure.

use super::draft::Draft;
use super::event::Outcome;
use super::host::Hostname;
use super::job::{Deploy, Selector};
use super::ledger::AppRecord;
use super::name::AppName;
use super::problem::Problem;
use super::units::UrlPath;

/// The app that exists and goes by a name, alias or hostname.
pub(crate) fn existing<'a>(records: &'a [AppRecord], selector: &Selector) -> Result<&'a AppRecord, Problem> {
    let text = selector.0.trim();
    if let Some(record) = live(records).find(|r| r.name.as_str() == text) {
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
        let known = live(records).find(|r| &r.name == name);
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
    match live(records).find(|r| r.name == name) {
        None => Ok(Target::New(name)),
        Some(_) if deploy.draft.hosts.is_empty() => Ok(Target::Existing(name)),
        Some(record) => {
            let host = record.settings().map(|s| s.primary_host().to_string()).unwrap_or_default();
            let message = format!("the name {name}, derived from the image, belongs to an app at {host}");
            Err(Problem::rejected("name-taken", message)
                .hint(format!("to add the hostname to that app: `--name {name}`"))
                .hint("for a new app: `--name` with a name of its own"))
        }
    }
}

/// The guard of CLI.md: a new app may not take what belongs, or lately belonged, to another identity.
pub(crate) fn guard_new(records: &[AppRecord], name: &AppName, hosts: &[Hostname]) -> Result<(), Problem> {
    for record in records.iter().filter(|r| &r.name != name && !r.is_live()) {
        let Some(settings) = record.releases.last().map(|r| &r.settings) else { continue };
        if let Some(host) = hosts.iter().find(|h| settings.hosts.contains(h)) {
            let old = &record.name;
            let message = format!("{host} lately belonged to the app {old}, whose data is kept");
            return Err(Problem::new(Outcome::Refused, "host-lately-owned", message)
                .hint(format!("to bring that app back with its data: `--name {old}`"))
                .hint(format!("to let its data go first: `once remove {old} --data`")));
        }
    }
    Ok(())
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
    let Some(record) = live(records).find(|r| r.name.as_str() == text) else { return Ok(()) };
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
