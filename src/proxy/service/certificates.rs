//! The names of the apps and the one who gets certificates for them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Weak};

use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::transact::blocking;
use super::{Service, Shared};
use crate::acme::{Demand, Issuer, IssuerOptions};
use crate::store::StoreError;
use once_app::ledger::{AppRecord, Ledger};
use once_app::proxy::ProxyError;
use once_app::{CertificateView, Certified, CertifyAnswer, CertifyAsk, CertifyRequest, Hostname, ProxyConfig, Tls};

/// Where accounts and schedules are in the state directory.
const ACME: &str = "acme";

impl Service {
    /// Gets certificates for the apps' names from now on, with what is kept in the state directory. Blocks on the disk.
    /// The caller runs what is given back. To be called within a runtime.
    ///
    /// # Errors
    /// The directory cannot be made or read.
    pub fn issue(&self, dir: &Path, options: IssuerOptions) -> Result<Issuer, StoreError> {
        let shared = &self.shared;
        let config = shared.config.load().acme.clone();
        let issuer = Issuer::open(&dir.join(ACME), config, shared.certificates.clone(), options)?;
        let issuer = shared.issuer.get_or_init(|| issuer).clone();
        shared.follow_names(&shared.ledger.load());
        shared.follow_demand(&issuer);
        Ok(issuer)
    }
}

impl Shared {
    /// Names that no app was given. Without randomness there is no TLS at all.
    fn follow_demand(&self, issuer: &Issuer) {
        let routes = Arc::clone(&self.routes);
        match Demand::new(issuer.clone(), move |name| routes.whom_to_ask(name)) {
            Ok(demand) => {
                let demand = self.demand.get_or_init(|| Arc::new(demand));
                // The certificates are part of what it holds itself.
                let weak: Weak<Demand> = Arc::downgrade(demand);
                self.certificates.set_on_demand(weak);
            }
            Err(error) => tracing::error!(%error, "no certificates are obtained on demand"),
        }
    }

    /// The names of live apps that are served with certificates of an authority.
    pub(super) fn follow_names(&self, ledger: &Ledger) {
        let Some(issuer) = self.issuer.get() else { return };
        let live = ledger.records().filter(|record| record.is_live()).filter_map(AppRecord::settings);
        let names = live.filter(|settings| settings.tls == Tls::Auto).flat_map(|settings| settings.hosts.clone());
        issuer.want(names.collect());
    }

    /// The authority of the configuration.
    pub(super) async fn follow_authority(&self, config: &ProxyConfig) -> Result<(), ProxyError> {
        let Some(issuer) = self.issuer.get().cloned() else { return Ok(()) };
        let acme = config.acme.clone();
        blocking(move || issuer.configure(acme)).await
    }

    /// What is served for each name, and how the getting of it stands.
    pub(super) fn certificate_views(&self) -> Vec<CertificateView> {
        let views = self.certificates.all().into_iter().map(|view| (view.name.clone(), view));
        let mut views: BTreeMap<Hostname, CertificateView> = views.collect();
        for (name, issuing, failure) in self.issuer.get().map(Issuer::standing).unwrap_or_default() {
            let view = views.entry(name.clone()).or_insert_with(|| CertificateView {
                name,
                certificate: None,
                last_error: None,
                issuing: None,
            });
            view.issuing = Some(issuing);
            view.last_error = failure.or_else(|| view.last_error.take());
        }
        views.into_values().collect()
    }

    pub(super) fn certify(&self, request: CertifyRequest) -> BoxStream<'static, Result<CertifyAnswer, ProxyError>> {
        let (tell, told) = mpsc::unbounded_channel();
        for host in request.hosts {
            let (tell, issuer, ask) = (tell.clone(), self.issuer.get().cloned(), request.ask);
            // An order that was placed is seen through, also when whoever asked goes away.
            tokio::spawn(async move {
                let came = match (issuer, ask) {
                    (None, _) => Certified::NotWanted { why: "this proxy asks no authority".to_owned() },
                    (Some(issuer), CertifyAsk::Prove) => issuer.prove(&host).await,
                    (Some(issuer), CertifyAsk::Look) => issuer.look(&host).await,
                    (Some(issuer), CertifyAsk::Obtain) => {
                        let progress = |text| {
                            let came = Certified::Progress { text };
                            // Nobody listens any more: the order goes on.
                            let _ = tell.send(Ok(CertifyAnswer { host: host.clone(), came }));
                        };
                        issuer.certify(&host, &progress).await
                    }
                };
                let _ = tell.send(Ok(CertifyAnswer { host, came }));
            });
        }
        UnboundedReceiverStream::new(told).boxed()
    }
}
