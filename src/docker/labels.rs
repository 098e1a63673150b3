//! The labels our things on the engine carry, and what they say. They hold only what never changes and is no secret.

use std::collections::BTreeMap;

use once_app::engine::{Identity, Role};
use once_app::{AppId, AppName, Namespace, ReleaseNumber};

/// The version of this set of labels.
pub const SCHEMA: &str = "once.schema";
/// The namespace: what every list filters by.
pub const NAMESPACE: &str = "once.namespace";
/// What it is for: `proxy`, `web`, `task`, `data`, `name`.
pub const ROLE: &str = "once.role";
/// The app's name at creation.
pub const APP: &str = "once.app";
/// The app's opaque id.
pub const ID: &str = "once.id";
/// The release's number.
pub const RELEASE: &str = "once.release";
/// The version of the proxy.
pub const VERSION: &str = "once.version";
/// The settings the release was made with, without any value of a variable.
pub const SETTINGS: &str = "once.settings";
/// The names of the variables that are no secrets.
pub const PLAIN: &str = "once.plain";
/// A keyed hash of what makes one container differ from another.
pub const DIGEST: &str = "once.digest";

/// The filter that finds everything of a namespace.
pub(super) fn filter(namespace: &Namespace) -> String {
    format!("{NAMESPACE}={namespace}")
}

/// What the labels say, or `None` where they are not ours or cannot be read.
pub(super) fn identity(labels: &BTreeMap<String, String>) -> Option<Identity> {
    let text = |key: &str| labels.get(key).map(String::as_str);
    // It becomes a file's name when a ledger is made again.
    let id = text(ID).map(|id| AppId(id.to_owned()));
    if id.as_ref().is_some_and(|id| !id.is_plain()) {
        return None;
    }
    Some(Identity {
        namespace: text(NAMESPACE)?.parse().ok()?,
        role: role(text(ROLE)?)?,
        app: text(APP).map(str::parse::<AppName>).transpose().ok()?,
        id,
        release: text(RELEASE).map(number).transpose().ok()?.map(ReleaseNumber),
    })
}

/// As it was written: std's numbers take signs and zeros before them.
fn number(text: &str) -> Result<u64, ()> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text).ok_or(())
}

fn role(text: &str) -> Option<Role> {
    match text {
        "proxy" => Some(Role::Proxy),
        "web" => Some(Role::Web),
        "task" => Some(Role::Task),
        "data" => Some(Role::Data),
        "name" => Some(Role::Name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn reads_a_release() {
        let found = identity(&labels(&[
            (SCHEMA, "1"),
            (NAMESPACE, "once"),
            (ROLE, "web"),
            (APP, "shop.staging"),
            (ID, "0011223344556677"),
            (RELEASE, "12"),
        ]));
        assert_eq!(
            found,
            Some(Identity {
                namespace: Namespace::default(),
                role: Role::Web,
                app: Some("shop.staging".parse().unwrap()),
                id: Some(AppId("0011223344556677".into())),
                release: Some(ReleaseNumber(12)),
            })
        );
    }

    #[test]
    fn reads_a_thing_without_an_app() {
        let found = identity(&labels(&[(NAMESPACE, "once"), (ROLE, "proxy")])).unwrap();
        assert_eq!((found.role, found.app, found.release), (Role::Proxy, None, None));
    }

    #[test]
    fn others_and_unreadable_ones_have_no_identity() {
        for bad in [
            vec![],
            vec![("com.example", "x")],
            vec![(NAMESPACE, "once")],
            vec![(ROLE, "web")],
            vec![(NAMESPACE, "No Good"), (ROLE, "web")],
            vec![(NAMESPACE, "once"), (ROLE, "emperor")],
            vec![(NAMESPACE, "once"), (ROLE, "web"), (APP, "Not A Name")],
            vec![(NAMESPACE, "once"), (ROLE, "web"), (RELEASE, "-1")],
            vec![(NAMESPACE, "once"), (ROLE, "web"), (RELEASE, "+1")],
            vec![(NAMESPACE, "once"), (ROLE, "web"), (ID, "../../x")],
        ] {
            assert_eq!(identity(&labels(&bad)), None, "{bad:?}");
        }
    }
}
