//! The names an app goes by, noted on the engine beside the ledger. Labels of a container cannot be changed, so after a
//! rename the ledger would be the only place that knows the new name until the next deploy. The note is an empty volume
//! that carries it as labels: a rebuild finds it there. Pure.

use std::collections::BTreeMap;

use super::fingerprint::Owner;
use crate::ledger::AppRecord;
use crate::model::name::{AppId, AppName, Namespace};
use crate::ports::engine::{Container, Role, Volume};

/// The aliases, separated by spaces.
const ALIASES: &str = "once.aliases";
/// The record's revision: of several notes the newest holds.
const REVISION: &str = "once.revision";

/// The names of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) name: AppName,
    pub(crate) aliases: Vec<AppName>,
    /// Whether a note says so; else they were put together from the labels of what was made under them.
    pub(crate) noted: bool,
}

/// Name and labels of the volume that notes a record's names.
pub(crate) fn note(namespace: &Namespace, record: &AppRecord) -> (String, BTreeMap<String, String>) {
    let mut labels = Owner::of(namespace, record).labels("name");
    let aliases: Vec<&str> = record.aliases.iter().map(AppName::as_str).collect();
    labels.insert(ALIASES.to_owned(), aliases.join(" "));
    labels.insert(REVISION.to_owned(), record.revision.to_string());
    (format!("{}-name-{}-{}", namespace.proxy(), record.id, record.revision), labels)
}

/// All notes about an app, the newest last.
pub(crate) fn notes<'a>(volumes: &'a [Volume], id: &AppId) -> Vec<&'a Volume> {
    let mut notes: Vec<&Volume> = volumes.iter().filter(|v| is(v, Role::Name, id)).collect();
    notes.sort_by_key(|v| v.labels.get(REVISION).and_then(|r| r.parse::<u64>().ok()));
    notes
}

/// The names of an app whose record is lost; `None`: nothing of it carries one.
pub(crate) fn names(id: &AppId, containers: &[Container], volumes: &[Volume]) -> Option<Names> {
    if let Some(note) = notes(volumes, id).last()
        && let Some(name) = note.identity.as_ref().and_then(|i| i.app.clone())
    {
        let text = note.labels.get(ALIASES).map(String::as_str).unwrap_or_default();
        let aliases = text.split_whitespace().filter_map(|alias| alias.parse().ok()).collect();
        return Some(Names { name, aliases, noted: true });
    }
    let mut made: Vec<_> = containers
        .iter()
        .filter_map(|c| c.identity.as_ref())
        .filter(|i| i.role == Role::Web && i.id.as_ref() == Some(id))
        .collect();
    made.sort_by_key(|i| std::cmp::Reverse(i.release));
    let data = volumes.iter().filter(|v| is(v, Role::Data, id)).filter_map(|v| v.identity.as_ref());
    // The newest container carries the name it went by last.
    let mut found = made.into_iter().chain(data).filter_map(|i| i.app.clone());
    let name = found.next()?;
    let mut aliases: Vec<AppName> = Vec::new();
    for other in found {
        if other != name && !aliases.contains(&other) {
            aliases.push(other);
        }
    }
    Some(Names { name, aliases, noted: false })
}

/// The name an app's data volumes carry, by the volumes themselves.
pub(crate) fn volume_name(namespace: &Namespace, id: &AppId, volumes: &[Volume]) -> Option<AppName> {
    let data = volumes.iter().filter(|v| is(v, Role::Data, id));
    data.filter_map(|v| Some((v, v.identity.as_ref()?.app.clone()?)))
        .find(|(volume, name)| volume.name == namespace.volume(name, None))
        .map(|(_, name)| name)
}

fn is(volume: &Volume, role: Role, id: &AppId) -> bool {
    volume.identity.as_ref().is_some_and(|i| i.role == role && i.id.as_ref() == Some(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::engine::Identity;

    fn volume(role: Role, name: &str, app: &str, labels: &[(&str, &str)]) -> Volume {
        let identity = Identity {
            namespace: Namespace::default(),
            role,
            app: Some(app.parse().unwrap()),
            id: Some(AppId("1".into())),
            release: None,
        };
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Volume { name: name.to_owned(), identity: Some(identity), mountpoint: String::new(), labels }
    }

    #[test]
    fn the_newest_note_holds_and_the_volume_keeps_its_first_name() {
        let id = AppId("1".into());
        let volumes = [
            volume(Role::Name, "b", "store", &[(ALIASES, "shop kiosk"), (REVISION, "10")]),
            volume(Role::Name, "a", "kiosk", &[(ALIASES, "shop"), (REVISION, "9")]),
            volume(Role::Data, "once-shop", "shop", &[]),
            volume(Role::Data, "once-shop-cache", "shop", &[]),
        ];
        let found = names(&id, &[], &volumes).unwrap();
        assert_eq!((found.name.as_str(), found.noted), ("store", true));
        assert_eq!(found.aliases.iter().map(AppName::as_str).collect::<Vec<_>>(), ["shop", "kiosk"]);
        let kept = volume_name(&Namespace::default(), &id, &volumes).unwrap();
        assert_eq!(kept.as_str(), "shop");
        assert_eq!(names(&AppId("2".into()), &[], &volumes), None);
    }

    #[test]
    fn without_a_note_the_labels_tell_what_they_can() {
        let volumes = [volume(Role::Data, "once-shop", "shop", &[])];
        let found = names(&AppId("1".into()), &[], &volumes).unwrap();
        assert_eq!((found.name.as_str(), found.aliases.len(), found.noted), ("shop", 0, false));
    }
}
