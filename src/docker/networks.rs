//! Networks.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{Network, NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest};
use bollard::query_parameters::ListNetworksOptionsBuilder;

use super::call::{Call, optional};
use super::connect::Docker;
use crate::app::engine::EngineError;

type Result<T> = std::result::Result<T, EngineError>;

impl Docker {
    pub(super) async fn network_or_new(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<()> {
        if !self.networks_named(name).await?.is_empty() {
            return Ok(());
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
            Err(EngineError::Conflict { .. }) => return Ok(()),
            Err(other) => return Err(other),
        };
        self.keep_the_oldest(name, &made.id).await
    }

    /// Engines make several networks of one name when asked at the same moment. All who asked agree on the oldest.
    async fn keep_the_oldest(&self, name: &str, made: &str) -> Result<()> {
        let oldest = self
            .networks_named(name)
            .await?
            .into_iter()
            .min_by(|one, other| (&one.created, &one.id).cmp(&(&other.created, &other.id)));
        match oldest.and_then(|network| network.id) {
            Some(id) if id != made => self.drop_network(made).await,
            _ => Ok(()),
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
        let request = NetworkConnectRequest { container: container.to_owned(), endpoint_config: None };
        let call = Call::new("join", format!("network {network} with container {container}"));
        let Err(error) = self.client.order(call, self.client.api.connect_network(network, request)).await else {
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
