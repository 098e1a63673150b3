//! How long our proxy takes to come up on this host, tried with a second one beside it that nobody knows of: in a container
//! and with a volume of its own, on ports of the loopback that are free. Both are removed again.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::host::installation::{Installation, ProxyPorts, Ready};
use crate::model::problem::Problem;
use crate::plan::fingerprint::namespace_labels;
use crate::ports::engine::ContainerSpec;

/// The engine chooses a free one.
const ANY_PORT: u16 = 0;

impl Installation {
    /// Starts a proxy like ours beside it and takes it away again; how long it took to answer. Nothing that serves is
    /// touched.
    ///
    /// # Errors
    /// There is no proxy of ours, or the engine does not do its part.
    pub async fn rehearse(&self) -> Result<Duration, Problem> {
        let Some(proxy) = self.proxy_container().await? else {
            return Err(Problem::rejected("no-proxy", "there is no proxy of ours that could be tried"));
        };
        let name = format!("{}-rehearsal-{}", self.namespace, self.entropy.id());
        // No app's and no proxy's: if it is left behind, `once doctor` and `once teardown` find it.
        let labels: BTreeMap<String, String> = namespace_labels(&self.namespace)
            .into_iter()
            .chain([("once.role".to_owned(), "task".to_owned())])
            .collect();
        let ready = Ready::new(name.clone(), proxy.image_id, labels.clone());
        let ports = ProxyPorts { http: ANY_PORT, https: Some(ANY_PORT), metrics: None };
        let spec = self.proxy_spec(ports, &ready);
        let spec = ContainerSpec { publish_local: spec.publish, publish: Vec::new(), ..spec };
        let tried = async {
            self.engine.ensure_volume(&name, &labels).await?;
            let id = self.engine.create(&spec).await?;
            let begun = tokio::time::Instant::now();
            self.engine.start(&id).await?;
            self.connect(&name).await?;
            Ok::<_, Problem>(begun.elapsed())
        };
        let tried = tried.await;
        // It served nobody, so it need not be stopped gently.
        self.engine.remove(&name).await?;
        self.engine.remove_volume(&name).await?;
        tried
    }
}
