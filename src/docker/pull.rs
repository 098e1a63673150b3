//! Pulling.

use std::time::Duration;

use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::call::{Call, HEAD};
use super::connect::Docker;
use super::progress::Layers;
use super::registry_error;
use once_app::ImageRef;
use once_app::engine::{EngineError, PullProgress};

type Result<T> = std::result::Result<T, EngineError>;

impl Docker {
    pub(super) fn pulling<'a>(&'a self, image: &'a ImageRef, idle: Duration) -> BoxStream<'a, Result<PullProgress>> {
        stream::once(self.begin_pull(image, idle)).try_flatten().boxed()
    }

    async fn begin_pull<'a>(
        &'a self,
        image: &'a ImageRef,
        idle: Duration,
    ) -> Result<BoxStream<'a, Result<PullProgress>>> {
        let login = self.login(image).await?;
        let user = login.as_ref().map(|login| login.name().to_owned());
        let tag = image.digest().or(image.tag()).unwrap_or("latest");
        let options = CreateImageOptionsBuilder::new().from_image(image.repository()).tag(tag).build();
        // The idle limit is ours; bollard's must not come first.
        let api = self.client.api.clone().with_timeout(idle.saturating_add(HEAD));
        let lines = api.create_image(Some(options), None, login.map(Into::into)).boxed();
        let call = Call::new("pull", image.canonical());
        let pull = Pull { lines, layers: Layers::default(), idle, call, user };
        Ok(stream::try_unfold(pull, move |mut pull| async move {
            Ok(self.next_progress(&mut pull).await?.map(|progress| (progress, pull)))
        })
        .boxed())
    }

    async fn next_progress(&self, pull: &mut Pull) -> Result<Option<PullProgress>> {
        loop {
            match tokio::time::timeout(pull.idle, pull.lines.next()).await {
                Err(_) => {
                    let what = format!("{} any further", pull.call.what());
                    return Err(EngineError::TimedOut { what, after: pull.idle });
                }
                Ok(None) => return Ok(None),
                Ok(Some(Err(cause))) => {
                    let user = pull.user.clone();
                    let image = pull.call.subject();
                    return Err(registry_error::explain(&self.client, &pull.call, image, user, cause));
                }
                Ok(Some(Ok(line))) => {
                    if let Some(progress) = pull.layers.fold(&line) {
                        return Ok(Some(progress));
                    }
                }
            }
        }
    }
}

struct Pull {
    lines: BoxStream<'static, std::result::Result<bollard::models::CreateImageInfo, bollard::errors::Error>>,
    layers: Layers,
    idle: Duration,
    call: Call,
    user: Option<String>,
}
