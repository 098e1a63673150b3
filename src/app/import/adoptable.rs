//! What `adopt --all` takes: apps whose record was lost, and those of ONCE and Kamal. Anybody else's container is only
//! adopted by its name, since nothing says that it is meant to be an app. Pure.

use std::collections::BTreeMap;

use super::{kamal, once_label};
use crate::ledger::AppRecord;
use crate::model::name::Namespace;
use crate::ports::engine::{Container, Role};

/// A container that can be adopted without being named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Adoptable {
    /// Its name.
    pub(crate) container: String,
    /// Who made it, for people.
    pub(crate) maker: &'static str,
}

/// In the order of their names: of each app of ours its newest container, of the others each one.
#[must_use]
pub(crate) fn adoptable(containers: &[Container], namespace: &Namespace, records: &[AppRecord]) -> Vec<Adoptable> {
    let live = || records.iter().filter(|r| r.is_live());
    let mut ours: BTreeMap<&str, &Container> = BTreeMap::new();
    let mut found = Vec::new();
    for container in containers.iter().filter(|c| c.running) {
        let maker = match &container.identity {
            Some(identity) => {
                let Some(id) = identity.id.as_ref().filter(|id| {
                    identity.namespace == *namespace && identity.role == Role::Web && !live().any(|r| r.id == **id)
                }) else {
                    continue;
                };
                let newest = ours.entry(id.0.as_str()).or_insert(container);
                if container.created_at > newest.created_at {
                    *newest = container;
                }
                continue;
            }
            None if live().any(|r| r.has_adopted(&container.name)) => continue,
            None if once_label::is_app(&container.labels) => "ONCE",
            None if kamal::is_web(container) => "Kamal",
            None => continue,
        };
        found.push(Adoptable { container: container.name.clone(), maker });
    }
    found.extend(ours.into_values().map(|c| Adoptable { container: c.name.clone(), maker: "once, its record lost" }));
    found.sort_by(|one, other| one.container.cmp(&other.container));
    found
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::name::AppId;
    use crate::ports::engine::Identity;
    use crate::ports::engine::sample::of_others;

    fn container(name: &str, labels: &[(&str, &str)]) -> Container {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Container { labels, ..of_others(name) }
    }

    fn ours(name: &str, id: &str, namespace: &str, role: Role, seconds: i64) -> Container {
        let namespace = namespace.parse().unwrap();
        let identity = Identity { namespace, role, app: None, id: Some(AppId(id.into())), release: None };
        let created_at = Timestamp::from_second(seconds).unwrap();
        Container { identity: Some(identity), created_at, ..container(name, &[]) }
    }

    #[test]
    fn lost_apps_and_those_of_known_tools_are_taken_and_nobody_elses() {
        let label = r#"{"name":"wiki.0f0f0f","host":"wiki.test"}"#;
        let stopped = Container { running: false, ..container("old", &[("service", "a"), ("role", "web")]) };
        let mut known = crate::doctor::reconcile::tests::view("shop", &["shop.test"]).record;
        known.releases[0].adopted = true;
        known.releases[0].container_kept = true;
        known.releases[0].container = "taken".into();
        let all = [
            container("wiki", &[("once", label)]),
            container("once-proxy-of-theirs", &[("once", "{}")]),
            container("shop-web-1", &[("service", "shop"), ("role", "web")]),
            container("shop-job-1", &[("service", "shop"), ("role", "job")]),
            container("kamal-proxy", &[]),
            container("db", &[]),
            container("taken", &[("service", "a"), ("role", "web")]),
            stopped,
            ours("once-lost-1", "lost", "once", Role::Web, 1),
            ours("once-lost-2", "lost", "once", Role::Web, 2),
            ours("once-shop-1", &known.id.0, "once", Role::Web, 1),
            ours("other-x-1", "x", "other", Role::Web, 1),
            ours("once-task", "lost", "once", Role::Task, 9),
        ];
        let found = adoptable(&all, &"once".parse().unwrap(), &[known]);
        let told: Vec<_> = found.iter().map(|c| (c.container.as_str(), c.maker)).collect();
        assert_eq!(told, [("once-lost-2", "once, its record lost"), ("shop-web-1", "Kamal"), ("wiki", "ONCE")]);
    }
}
