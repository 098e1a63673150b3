//! Images on the engine, and digests in registries.

use std::collections::HashMap;

use bollard::models::ImageInspect;
use bollard::query_parameters::RemoveImageOptions;

use super::call::{Call, optional, required};
use super::connect::Docker;
use super::registry_error;
use once_app::ImageRef;
use once_app::engine::{EngineError, Image};

type Result<T> = std::result::Result<T, EngineError>;

impl Docker {
    pub(super) async fn image_named(&self, reference: &str) -> Result<Option<Image>> {
        let call = Call::new("inspect", format!("image {reference}"));
        optional(self.client.ask(call.clone(), self.client.api.inspect_image(reference)).await)?
            .map(|found| image(found, &call))
            .transpose()
    }

    pub(super) async fn digest_in_registry(&self, image: &ImageRef) -> Result<String> {
        let login = self.login(image).await?;
        let reference = image.canonical();
        let call = Call::new("ask the registry for", &reference);
        let user = login.as_ref().map(|login| login.name().to_owned());
        let request = self.client.api.inspect_registry_image(&reference, login.map(Into::into));
        // The engine waits for the registry, and a registry that is gone is 30 s and more of connecting.
        let found = match tokio::time::timeout(super::call::DEED, request).await {
            Ok(Ok(found)) => found,
            Ok(Err(cause)) => return Err(registry_error::explain(&self.client, &call, &reference, user, cause)),
            Err(_) => return Err(EngineError::TimedOut { what: call.what(), after: super::call::DEED }),
        };
        required(found.descriptor.digest, "Descriptor.digest", &call)
    }

    pub(super) async fn drop_image(&self, id: &str) -> Result<bool> {
        match self.untag(id).await {
            Ok(()) => Ok(true),
            Err(EngineError::Absent { .. }) => Ok(false),
            Err(EngineError::Conflict { .. }) => self.drop_every_tag(id).await,
            Err(other) => Err(other),
        }
    }

    async fn untag(&self, reference: &str) -> Result<()> {
        let call = Call::new("remove", format!("image {reference}"));
        let request = self.client.api.remove_image(reference, None::<RemoveImageOptions>, None);
        self.client.order(call, request).await.map(|_| ())
    }

    /// An ID with several tags is refused like one in use. Force would also take images of stopped containers.
    async fn drop_every_tag(&self, id: &str) -> Result<bool> {
        let in_use = HashMap::from([("ancestor", vec![id.to_owned()])]);
        if !self.list_by(&in_use).await?.is_empty() {
            return Ok(false);
        }
        let Some(image) = self.image_named(id).await? else { return Ok(false) };
        for tag in &image.tags {
            match self.untag(tag).await {
                Ok(()) | Err(EngineError::Absent { .. }) => {}
                Err(EngineError::Conflict { .. }) => return Ok(false),
                Err(other) => return Err(other),
            }
        }
        Ok(self.image_named(&image.id).await?.is_none())
    }
}

fn image(found: ImageInspect, call: &Call) -> Result<Image> {
    let config = found.config.unwrap_or_default();
    let mut exposed: Vec<u16> = config
        .exposed_ports
        .unwrap_or_default()
        .iter()
        .filter_map(|port| port.strip_suffix("/tcp").unwrap_or(port).parse().ok())
        .collect();
    exposed.sort_unstable();
    let mut volumes = config.volumes.unwrap_or_default();
    volumes.sort_unstable();
    Ok(Image {
        id: required(found.id, "Id", call)?,
        repo_digests: found.repo_digests.unwrap_or_default(),
        os: found.os.unwrap_or_default(),
        arch: found.architecture.unwrap_or_default(),
        exposed,
        volumes,
        user: config.user.unwrap_or_default(),
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        size: found.size.and_then(|size| size.try_into().ok()).unwrap_or_default(),
        tags: found.repo_tags.unwrap_or_default(),
    })
}
