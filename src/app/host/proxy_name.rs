//! What the proxy's container and volume are called, and what follows where ONCE of Basecamp has the usual name.
//!
//! Both products use the network `once` and call their proxy `once-proxy`. Where that container or volume is not ours, our
//! proxy and its volume are called `once-gateway`, and stay so. The proxy that is there is found by its labels; a name is
//! only chosen where there is none.

use super::installation::Installation;
use crate::model::name::{AppName, Namespace};
use crate::model::problem::Problem;
use crate::ports::engine::{Container, Role, Volume};
use crate::progress::event::Outcome;

/// The label ONCE puts on all of its containers.
const ONCE_LABEL: &str = "once";

/// ONCE takes each container whose name begins with `<namespace>-` and this for one of its apps, and gives up on all of
/// them when it cannot read one.
const ONCE_APPS: &str = "app-";

/// The proxy of a namespace among containers; `None`: there is none.
///
/// # Errors
/// There are two: which one has the state is not known.
pub(crate) fn proxy_among<'a>(
    containers: &'a [Container],
    namespace: &Namespace,
) -> Result<Option<&'a Container>, Problem> {
    let ours = |c: &&Container| c.identity.as_ref().is_some_and(|i| &i.namespace == namespace && i.role == Role::Proxy);
    let mut found = containers.iter().filter(ours);
    match (found.next(), found.next()) {
        (found, None) => Ok(found),
        (Some(one), Some(other)) => {
            let (one, other) = (&one.name, &other.name);
            let message = format!("the namespace `{namespace}` has two proxies: the containers {one} and {other}");
            Err(Problem::new(Outcome::Environment, "two-proxies", message)
                .hint(format!("`docker inspect {one} {other}` shows which one has the apps' ports; each has a volume of its own name"))
                .hint("`docker rm` removes the other container; its volume stays"))
        }
        (None, Some(_)) => Ok(None),
    }
}

/// Whether a container is ONCE's proxy, which has the name that ours has elsewhere.
fn is_proxy_of_once(container: &crate::ports::engine::ContainerDetail) -> bool {
    container.labels.contains_key(ONCE_LABEL) && !container.labels.contains_key("once.role")
}

/// Somebody else's container, or another volume of ours, has the name of the proxy.
pub(crate) fn name_taken(name: &str) -> Problem {
    let message = format!("the name {name} is somebody else's: the proxy cannot have it for its container and volume");
    Problem::new(Outcome::Environment, "proxy-name-taken", message)
        .hint(format!("`docker ps -a` and `docker volume ls` show what has it; `docker rename {name} OTHER` frees a container's name"))
        .hint("another namespace stays clear of it: `--namespace NAME` (or ONCE_NAMESPACE)")
}

impl Installation {
    /// The proxy's container, running or not, found by its labels; `None`: there is none.
    ///
    /// # Errors
    /// The engine does not answer, or there are two.
    pub async fn proxy_container(&self) -> Result<Option<Container>, Problem> {
        let containers = self.engine.containers(&self.namespace).await?;
        Ok(proxy_among(&containers, &self.namespace)?.cloned())
    }

    /// What a proxy that has to be made is called, its container and its volume.
    ///
    /// # Errors
    /// The engine does not answer. Or the usual volume holds our state while somebody else's container has its name.
    pub(crate) async fn name_for_proxy(&self) -> Result<String, Problem> {
        let (usual, other) = (self.namespace.proxy(), self.namespace.gateway());
        let ours = |volume: &Volume| {
            let identity = volume.identity.as_ref();
            identity.is_some_and(|i| i.namespace == self.namespace && i.role == Role::Proxy)
        };
        let kept = self.engine.volume(&other).await?.as_ref().map(ours);
        if kept == Some(true) {
            return Ok(other);
        }
        // A proxy of ours would have been found by its labels.
        let container = self.engine.container(&usual).await?;
        let volume = self.engine.volume(&usual).await?;
        match (container, volume.as_ref().map(ours)) {
            (None, None | Some(true)) => Ok(usual),
            (Some(_), Some(true)) => Err(name_taken(&usual)),
            // It may hold the data of an app that is called `gateway`.
            _ if kept.is_some() => Err(name_taken(&other)),
            _ => Ok(other),
        }
    }

    /// While ONCE's proxy is there, an app of ours must not look like one of ONCE's to ONCE; and none may have the name of
    /// our proxy.
    ///
    /// # Errors
    /// `refused`: the name would. Or the engine does not answer.
    pub(crate) async fn check_new_name(&self, name: &AppName) -> Result<(), Problem> {
        if self.namespace.volume(name, None) == self.namespace.gateway() {
            let proxy = self.proxy_container().await?;
            return match proxy.filter(|proxy| proxy.name == self.namespace.gateway()) {
                None => Ok(()),
                Some(proxy) => {
                    let message = format!("no app can be called {name} here: the proxy is called {}", proxy.name);
                    Err(Problem::new(Outcome::Refused, "name-of-proxy", message)
                        .hint("give it another name with `--name`"))
                }
            };
        }
        if name.as_str() != ONCE_APPS.trim_end_matches('-') && !name.as_str().starts_with(ONCE_APPS) {
            return Ok(());
        }
        let usual = self.namespace.proxy();
        if !self.engine.container(&usual).await?.is_some_and(|c| is_proxy_of_once(&c)) {
            return Ok(());
        }
        let message = format!("no app can be called {name} while ONCE's own proxy ({usual}) is there");
        let example = self.namespace.container(name, crate::model::name::ReleaseNumber(1));
        Err(Problem::new(Outcome::Refused, "name-of-once", message)
            .hint(format!("ONCE would take its container {example} for an app of its own, and stop working"))
            .hint("give it another name with `--name`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::engine::Identity;
    use crate::ports::engine::sample::of_others;

    fn proxy(name: &str, namespace: &str) -> Container {
        let namespace = namespace.parse().unwrap();
        let identity = Identity { namespace, role: Role::Proxy, app: None, id: None, release: None };
        Container { identity: Some(identity), ..of_others(name) }
    }

    #[test]
    fn the_proxy_is_found_by_its_labels_whatever_it_is_called() {
        let namespace = Namespace::default();
        let all = [of_others("once-proxy"), proxy("two-proxy", "two"), proxy("once-gateway", "once")];
        assert_eq!(proxy_among(&all, &namespace).unwrap().unwrap().name, "once-gateway");
        assert_eq!(proxy_among(&all[..2], &namespace), Ok(None));
    }

    #[test]
    fn two_proxies_are_both_named() {
        let all = [proxy("once-proxy", "once"), proxy("once-gateway", "once")];
        let problem = proxy_among(&all, &Namespace::default()).unwrap_err();
        assert!(problem.message.contains("once-proxy") && problem.message.contains("once-gateway"), "{problem:?}");
    }
}
