//! Networks.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{Network, NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest};
use bollard::query_parameters::ListNetworksOptionsBuilder;

use tokio::time::{Instant, sleep};

use super::call::{Call, optional};
use super::connect::Docker;
use once_app::engine::EngineError;

type Result<T> = std::result::Result<T, EngineError>;

/// From look to look.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// For those who made one too many to remove it.
const SETTLED: Duration = Duration::from_secs(5);

/// For a name to mean one network again. Longer than [`SETTLED`], since what a dead maker left is removed only after that,
/// and each of the calls that do it may take seconds on a busy engine.
const UNAMBIGUOUS: Duration = Duration::from_secs(30);

impl Docker {
    pub(super) async fn network_or_new(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<()> {
        if !self.networks_named(name).await?.is_empty() {
            return self.settle(name, None).await;
        }
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            labels: Some(labels.clone().into_iter().collect()),
            ..NetworkCreateRequest::default()
        };
        let call = Call::new("create", format!("network {name}"));
        let made = match self.client.order(call, self.client.api.create_network(request)).await {
            Ok(made) => made,
            Err(EngineError::Conflict { .. }) => return self.settle(name, None).await,
            Err(other) => return Err(other),
        };
        self.settle(name, Some(&made.id)).await
    }

    /// Engines make several networks of one name when asked at the same moment, and know none of them by its name then.
    /// All who asked agree on the oldest: whoever made another one removes it, and nobody goes on before one is left.
    /// Somebody may have looked before that one was there, and make theirs later: that is the younger one, which goes, and
    /// whoever uses the name meanwhile asks again ([`unambiguous`]). The engine may also show one late that calls itself
    /// older, when the other one is in use already: then that one stays, and its maker removes the older, which nobody can
    /// have started to use while there are two.
    async fn settle(&self, name: &str, made: Option<&str>) -> Result<()> {
        let limit = Instant::now() + SETTLED;
        loop {
            let mut all = self.networks_named(name).await?;
            all.sort_by(|one, other| (&one.created, &one.id).cmp(&(&other.created, &other.id)));
            let all: Vec<String> = all.into_iter().filter_map(|network| network.id).collect();
            let [oldest, surplus @ ..] = all.as_slice() else { return Ok(()) };
            if surplus.is_empty() {
                return Ok(());
            }
            // After the limit those who made the others are taken for dead.
            let late = Instant::now() >= limit;
            for id in surplus.iter().filter(|id| late || made == Some(id.as_str())) {
                match self.drop_network(id).await {
                    Err(EngineError::Conflict { .. }) => self.drop_network(oldest).await?,
                    dropped => dropped?,
                }
            }
            sleep(BETWEEN_LOOKS).await;
        }
    }

    pub(super) async fn networks_named(&self, name: &str) -> Result<Vec<Network>> {
        // The engine's filter also finds names that only contain this one.
        let filters = HashMap::from([("name", vec![name])]);
        let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
        let call = Call::new("list", "the networks");
        let found = self.client.ask(call, self.client.api.list_networks(Some(options))).await?;
        Ok(found.into_iter().filter(|network| network.name.as_deref() == Some(name)).collect())
    }

    pub(super) async fn join(&self, network: &str, container: &str) -> Result<()> {
        let request = || NetworkConnectRequest { container: container.to_owned(), endpoint_config: None };
        let asked = || self.client.api.connect_network(network, request());
        let call = Call::new("join", format!("network {network} with container {container}"));
        let Err(error) = self.client.order(call, unambiguous(asked)).await else {
            return Ok(());
        };
        // Being in it already is 403 or 409, as is much else.
        let is_in = match self.look(container).await {
            Ok(Some(detail)) => detail.networks.contains_key(network),
            Ok(None) | Err(_) => false,
        };
        if is_in { Ok(()) } else { Err(error) }
    }

    pub(super) async fn leave(&self, network: &str, container: &str) -> Result<()> {
        let request = NetworkDisconnectRequest { container: container.to_owned(), force: None };
        let call = Call::new("leave", format!("network {network} with container {container}"));
        let Err(error) = self.client.order(call, self.client.api.disconnect_network(network, request)).await else {
            return Ok(());
        };
        let is_in = match self.look(container).await {
            Ok(Some(detail)) => detail.networks.contains_key(network),
            Ok(None) => false,
            Err(_) => true,
        };
        if is_in { Err(error) } else { Ok(()) }
    }

    pub(super) async fn drop_network(&self, name: &str) -> Result<()> {
        let call = Call::new("remove", format!("network {name}"));
        optional(self.client.order(call, self.client.api.remove_network(name)).await).map(|_| ())
    }
}

/// Asks for something by a network's name, again where the engine knows two of it: somebody has just made it a second
/// time, and is about to remove that one.
pub(super) async fn unambiguous<T, F>(ask: impl Fn() -> F) -> std::result::Result<T, Error>
where
    F: Future<Output = std::result::Result<T, Error>>,
{
    let limit = Instant::now() + UNAMBIGUOUS;
    loop {
        match ask().await {
            Err(cause) if is_ambiguous(&cause) && Instant::now() < limit => sleep(BETWEEN_LOOKS).await,
            answer => return answer,
        }
    }
}

/// Whether the engine has several networks of the name that is asked for.
fn is_ambiguous(cause: &Error) -> bool {
    matches!(cause, Error::DockerResponseServerError { message, .. } if message.contains("is ambiguous"))
}
