//! Containers: list, look, make, start, stop, remove, wait.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::ContainerSummary;
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder, WaitContainerOptions,
};
use futures_util::StreamExt;

use super::call::{ANSWER, Call, optional};
use super::connect::Docker;
use super::error::taken_port;
use super::networks::unambiguous;
use super::{inspect, labels, spec};
use once_app::Namespace;
use once_app::engine::{Container, ContainerDetail, ContainerSpec, EngineError, Role};

type Result<T> = std::result::Result<T, EngineError>;

impl Docker {
    /// Which namespaces hold apps on this engine, and how many each, in order of their names.
    ///
    /// # Errors
    ///
    /// Those of any call to the engine.
    pub async fn namespaces(&self) -> Result<Vec<(Namespace, usize)>> {
        let mut apps: Vec<_> = self
            .list(Some(labels::NAMESPACE.to_owned()))
            .await?
            .into_iter()
            .filter_map(|container| container.identity)
            .filter(|identity| identity.role == Role::Web)
            .filter_map(|identity| Some((identity.namespace, identity.app?)))
            .collect();
        apps.sort();
        apps.dedup();
        Ok(apps
            .chunk_by(|one, other| one.0 == other.0)
            .filter_map(|apps| Some((apps.first()?.0.clone(), apps.len())))
            .collect())
    }

    pub(super) async fn list(&self, label: Option<String>) -> Result<Vec<Container>> {
        let filters: HashMap<&str, Vec<String>> = label.into_iter().map(|label| ("label", vec![label])).collect();
        self.list_by(&filters).await
    }

    pub(super) async fn list_by(&self, filters: &HashMap<&str, Vec<String>>) -> Result<Vec<Container>> {
        let call = Call::new("list", "the containers");
        let options = ListContainersOptionsBuilder::new().all(true).filters(filters).build();
        let found: Vec<ContainerSummary> =
            self.client.ask(call.clone(), self.client.api.list_containers(Some(options))).await?;
        let mut found: Vec<Container> =
            found.into_iter().map(|summary| inspect::listed(summary, &call)).collect::<Result<_>>()?;
        // One small file each, which is only there where the engine runs on this machine.
        let cgroups = self.cgroups.lock().unwrap_or_else(PoisonError::into_inner);
        for container in found.iter_mut().filter(|c| c.running) {
            container.memory_kills = cgroups.memory_kills(&container.id);
        }
        Ok(found)
    }

    pub(super) async fn look(&self, id: &str) -> Result<Option<ContainerDetail>> {
        let call = Call::container("inspect", id);
        let request = self.client.api.inspect_container(id, None::<InspectContainerOptions>);
        optional(self.client.ask(call.clone(), request).await)?.map(|found| inspect::detailed(found, &call)).transpose()
    }

    pub(super) async fn make(&self, spec: &ContainerSpec) -> Result<String> {
        let options = CreateContainerOptionsBuilder::new().name(&spec.name).build();
        let request = self.client.api.create_container(Some(options), spec::body(spec));
        let call = Call::new("create", format!("container {} of image {}", spec.name, spec.image));
        let id = match self.client.order(call, request).await {
            Ok(made) => made.id,
            // The one thing a create can miss: networks are looked up at the start.
            Err(EngineError::Absent { .. }) => {
                return Err(EngineError::Absent { what: format!("image {}", spec.image) });
            }
            Err(EngineError::Failed { .. }) if self.has_nothing_to_run(spec).await => {
                return Err(EngineError::NoCommand { image: spec.image.clone() });
            }
            Err(other) => return Err(other),
        };
        for network in spec.networks.iter().skip(1) {
            if let Err(error) = self.join(network, &id).await {
                // Half a container would take the name; should this fail too, the next sweep finds it by label.
                let _ = self.discard(&id).await;
                return Err(error);
            }
        }
        Ok(id)
    }

    /// The engine refuses such a container with a status that many refusals have. An image that cannot be looked at now
    /// leaves the engine's own words.
    async fn has_nothing_to_run(&self, spec: &ContainerSpec) -> bool {
        let given = |words: &Option<Vec<String>>| words.as_ref().is_some_and(|words| !words.is_empty());
        if given(&spec.command) || given(&spec.entrypoint) {
            return false;
        }
        let call = Call::new("inspect", format!("image {}", spec.image));
        let found = self.client.ask(call, self.client.api.inspect_image(&spec.image)).await;
        found.is_ok_and(|image| {
            let config = image.config.unwrap_or_default();
            !given(&config.cmd) && !given(&config.entrypoint)
        })
    }

    pub(super) async fn run(&self, id: &str) -> Result<()> {
        let request = unambiguous(|| self.client.api.start_container(id, None::<StartContainerOptions>));
        match tokio::time::timeout(super::call::DEED, request).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(cause)) => Err(self.why_not_started(id, cause).await),
            Err(_) => {
                Err(EngineError::TimedOut { what: Call::container("start", id).what(), after: super::call::DEED })
            }
        }
    }

    async fn why_not_started(&self, id: &str, cause: Error) -> EngineError {
        let call = Call::container("start", id);
        let Error::DockerResponseServerError { status_code, message } = &cause else {
            return self.client.explain(&call, cause);
        };
        let detail = match self.look(id).await {
            Ok(Some(detail)) => detail,
            Ok(None) | Err(_) => return self.client.explain(&call, cause),
        };
        let published: Vec<u16> = detail.ports.values().copied().collect();
        if let Some(port) = taken_port(message, &published) {
            return EngineError::PortTaken { port, source: Box::new(cause) };
        }
        // The container is there, so what is missing is something it names.
        if *status_code == 404 {
            return EngineError::Absent { what: format!("thing that container {id} needs: {message}") };
        }
        self.client.explain(&call, cause)
    }

    pub(super) async fn halt(&self, id: &str, grace: Duration) -> Result<()> {
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        let limit = grace.saturating_add(ANSWER);
        let api = self.client.api.clone().with_timeout(limit.saturating_add(ANSWER));
        let request = api.stop_container(id, Some(options));
        optional(self.client.within(limit, Call::container("stop", id), request).await).map(|_| ())
    }

    pub(super) async fn discard(&self, id: &str) -> Result<()> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(false).build();
        let request = self.client.api.remove_container(id, Some(options));
        match optional(self.client.order(Call::container("remove", id), request).await) {
            Ok(_) => Ok(()),
            // Somebody else is removing it just now: wait until it is gone.
            Err(EngineError::Conflict { message }) => self.until_gone(id, message).await,
            Err(other) => Err(other),
        }
    }

    async fn until_gone(&self, id: &str, message: String) -> Result<()> {
        const LOOKS: u32 = 100;
        for _ in 0..LOOKS {
            if self.look(id).await?.is_none() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(EngineError::Conflict { message })
    }

    pub(super) async fn until_ended(&self, id: &str) -> Result<i64> {
        let call = Call::container("wait for", id);
        let mut answers = std::pin::pin!(self.client.api.wait_container(id, None::<WaitContainerOptions>));
        match answers.next().await {
            Some(Ok(ended)) => Ok(ended.status_code),
            // bollard takes a code other than 0 for a failure of the call.
            Some(Err(Error::DockerContainerWaitError { code, error })) if error.is_empty() => Ok(code),
            Some(Err(cause)) => Err(self.client.explain(&call, cause)),
            None => Err(EngineError::Unreachable {
                address: self.client.address.to_string(),
                source: "the connection ended before the container did".into(),
            }),
        }
    }
}
