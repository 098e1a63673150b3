//! Volumes.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{Volume as Found, VolumeCreateRequest};
use bollard::query_parameters::{ListVolumesOptionsBuilder, RemoveVolumeOptions};

use super::call::{Call, optional};
use super::connect::Docker;
use super::labels;
use once_app::Namespace;
use once_app::engine::{EngineError, Volume};

type Result<T> = std::result::Result<T, EngineError>;

impl Docker {
    pub(super) async fn volumes_of(&self, namespace: &Namespace) -> Result<Vec<Volume>> {
        let filters = HashMap::from([("label", vec![labels::filter(namespace)])]);
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let request = self.client.api.list_volumes(Some(options));
        let found = self.client.ask(Call::new("list", "the volumes"), request).await?;
        Ok(found.volumes.unwrap_or_default().into_iter().map(volume).collect())
    }

    pub(super) async fn volume_named(&self, name: &str) -> Result<Option<Volume>> {
        let call = Call::new("inspect", format!("volume {name}"));
        Ok(optional(self.client.ask(call, self.client.api.inspect_volume(name)).await)?.map(volume))
    }

    pub(super) async fn volume_or_new(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<bool> {
        if self.volume_named(name).await?.is_some() {
            return Ok(false);
        }
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(labels.clone().into_iter().collect()),
            ..VolumeCreateRequest::default()
        };
        let call = Call::new("create", format!("volume {name}"));
        self.client.order(call, self.client.api.create_volume(request)).await?;
        Ok(true)
    }

    pub(super) async fn drop_volume(&self, name: &str) -> Result<()> {
        let call = Call::new("remove", format!("volume {name}"));
        let request = self.client.api.remove_volume(name, None::<RemoveVolumeOptions>);
        optional(self.client.order(call, request).await).map(|_| ())
    }
}

fn volume(found: Found) -> Volume {
    let labels: BTreeMap<_, _> = found.labels.into_iter().collect();
    Volume { name: found.name, identity: labels::identity(&labels), mountpoint: found.mountpoint, labels }
}
