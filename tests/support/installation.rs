//! An installation whose engine is in memory and whose ledger is real, and changes that are made on it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use once_app::event::{Envelope, Finished};
use once_app::ledger::Generated;
use once_app::proxy::{Proxy, ProxyError};
use once_app::{Ask, Caller, Clock, Entropy, Installation, Job, NoHooks, OpId, ProxyLink, Secret};
use once_proxy::service::Service;
use tokio_util::sync::CancellationToken;

use super::fake_engine::FakeEngine;

struct Link(Service);

#[async_trait]
impl ProxyLink for Link {
    async fn connect(&self, _: &str) -> Result<Arc<dyn Proxy>, ProxyError> {
        Ok(Arc::new(self.0.clone()))
    }
}

struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

struct Counter {
    next: AtomicU64,
    secrets: [&'static str; 2],
}

impl Entropy for Counter {
    fn id(&self) -> String {
        format!("{:016x}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn secrets(&self) -> Generated {
        let [key_base, vapid] = self.secrets.map(|secret| Secret::new(secret.into()));
        Generated { secret_key_base: key_base, vapid_public_key: "public".into(), vapid_private_key: vapid }
    }
}

/// A namespace on an engine in memory. `secrets`: what apps get for their key base and their VAPID key.
pub fn installation(
    namespace: &str,
    engine: &FakeEngine,
    service: &Service,
    secrets: [&'static str; 2],
) -> Installation {
    Installation {
        namespace: namespace.parse().unwrap(),
        engine: Arc::new(engine.clone()),
        link: Arc::new(Link(service.clone())),
        clock: Arc::new(Now),
        entropy: Arc::new(Counter { next: AtomicU64::new(0), secrets }),
        http_port: Some(8080),
        https_port: Some(8443),
        metrics_port: None,
        hooks: Arc::new(NoHooks),
    }
}

/// What came of a change: its answer, or that it was killed; and everything it said.
#[derive(Debug)]
pub struct Told {
    pub finished: Option<Finished>,
    pub events: Vec<Envelope>,
}

/// Changes of one installation, one after the other.
pub struct Asker {
    ops: AtomicU64,
}

impl Default for Asker {
    fn default() -> Self {
        Self { ops: AtomicU64::new(1) }
    }
}

impl Asker {
    /// Makes a change. After `life` it is dropped where it stands, as by kill -9: nothing of it gets another word in.
    pub async fn ask(&self, installation: &Installation, ask: Ask, life: std::time::Duration) -> Told {
        let job = Job {
            op: OpId(format!("{:016x}", self.ops.fetch_add(1, Ordering::Relaxed))),
            by: Caller { user: "ann".into(), host: "desk".into(), command: "deploy".into() },
            ask,
            wait_ms: 0,
            part_of: None,
        };
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&events);
        let sink = Arc::new(move |event: &Envelope| seen.lock().unwrap().push(event.clone()));
        let run = once_app::run(job, installation, sink, CancellationToken::new());
        let finished = tokio::time::timeout(life, run).await.ok();
        let events = std::mem::take(&mut *events.lock().unwrap());
        Told { finished, events }
    }
}
