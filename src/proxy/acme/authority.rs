//! One order of one certificate for one name, by the protocol.

use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, KeyAuthorization, NewOrder, Order, OrderStatus,
    RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::fault::{Fault, Stage, sentence};
use super::schedule::Outcome;
use super::transport::Transport;
use crate::tls::Certificates;
use once_app::{CertificatePair, Hostname, Secret};

/// How the authority convinces itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It asks for a token on port 80.
    Http,
    /// It shakes hands on port 443.
    TlsAlpn,
}

impl Way {
    fn kind(self) -> ChallengeType {
        match self {
            Self::Http => ChallengeType::Http01,
            Self::TlsAlpn => ChallengeType::TlsAlpn01,
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Http => "HTTP-01",
            Self::TlsAlpn => "TLS-ALPN-01",
        }
    }
}

/// How long an authority may take to look, and to sign: they have queues.
const PATIENCE: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(200)).backoff(1.4).timeout(Duration::from_secs(90));

/// Places the order and sees it through.
pub(super) async fn order(
    account: &Account,
    transport: &Transport,
    certificates: &Certificates,
    name: &Hostname,
    way: Way,
) -> Result<CertificatePair, Fault> {
    let mut stage = Stage::Placing;
    let fault = |error: instant_acme::Error, stage| Fault::of(&error, stage, &transport.seen());
    let identifiers = [Identifier::Dns(name.to_string())];
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await.map_err(|e| fault(e, stage))?;
    let mut answers = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(|e| fault(e, stage))?;
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            status => return Err(not_convinced(&format!("the authorization is {status:?}").to_lowercase())),
        }
        let Some(mut challenge) = authorization.challenge(way.kind()) else {
            let message = format!("the authority does not offer {}", way.word());
            return Err(Fault::new("not-validated", message, Outcome::NotValidated));
        };
        let key = challenge.key_authorization();
        answers.push(Answer::give(certificates, name, way, &challenge.token, &key)?);
        stage = Stage::Looking;
        challenge.set_ready().await.map_err(|e| fault(e, stage))?;
    }
    if order.state().status != OrderStatus::Ready {
        match order.poll_ready(&PATIENCE).await {
            Ok(OrderStatus::Ready) => {}
            Ok(_) => return Err(reason(&mut order).await),
            // The order's own word is shorter than that of the authorization, which has the addresses tried.
            Err(instant_acme::Error::Api(_)) if order.state().status == OrderStatus::Invalid => {
                return Err(reason(&mut order).await);
            }
            Err(error) => return Err(fault(error, stage)),
        }
    }
    drop(answers);
    let (key, request) = request(name)?;
    order.finalize_csr(&request).await.map_err(|e| fault(e, Stage::Finishing))?;
    let chain = order.poll_certificate(&PATIENCE).await.map_err(|e| fault(e, Stage::Finishing))?;
    Ok(CertificatePair { chain, key })
}

/// Why an order was not validated: what the authorization says of its challenges.
async fn reason(order: &mut Order) -> Fault {
    let said = order.state().error.as_ref().map(sentence);
    let mut details = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if authorization.refresh().await.is_ok() {
            details
                .extend(authorization.challenges.iter().filter_map(|challenge| challenge.error.as_ref().map(sentence)));
        }
    }
    if details.is_empty() {
        details.extend(said);
    }
    if details.is_empty() { not_convinced("it gives no reason") } else { not_convinced(&details.join("; ")) }
}

fn not_convinced(why: &str) -> Fault {
    Fault::new("not-validated", format!("the authority is not convinced: {why}"), Outcome::NotValidated)
}

/// A key of its own for each certificate, and the request that goes with it.
fn request(name: &Hostname) -> Result<(Secret, Vec<u8>), Fault> {
    let made = || {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([name.to_string()])?;
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(&key)?;
        Ok::<_, rcgen::Error>((Secret::new(key.serialize_pem()), request.der().to_vec()))
    };
    made().map_err(|error| unmade(&error.to_string()))
}

fn unmade(why: &str) -> Fault {
    Fault::new("rejected", format!("no request can be made for this name: {why}"), Outcome::Failed)
}

/// An answer to a challenge, given for as long as this lives.
struct Answer<'a> {
    certificates: &'a Certificates,
    way: Way,
    name: &'a Hostname,
    token: String,
}

impl<'a> Answer<'a> {
    fn give(
        certificates: &'a Certificates,
        name: &'a Hostname,
        way: Way,
        token: &str,
        key: &KeyAuthorization,
    ) -> Result<Self, Fault> {
        match way {
            Way::Http => certificates.set_http_challenge(token, key.as_str()),
            Way::TlsAlpn => {
                let key = challenge_certificate(name, key.digest().as_ref()).map_err(|why| unmade(&why))?;
                certificates.set_alpn_challenge(name, &key);
            }
        }
        Ok(Self { certificates, way, name, token: token.to_owned() })
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        match self.way {
            Way::Http => self.certificates.clear_http_challenge(&self.token),
            Way::TlsAlpn => self.certificates.clear_alpn_challenge(self.name),
        }
    }
}

/// The certificate TLS-ALPN-01 wants to see (RFC 8737): of the name, signed by itself, with the proof in an extension.
fn challenge_certificate(name: &Hostname, digest: &[u8]) -> Result<Arc<CertifiedKey>, String> {
    let made = || {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([name.to_string()])?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let certificate = params.self_signed(&key)?;
        Ok::<_, rcgen::Error>((certificate, key))
    };
    let (certificate, key) = made().map_err(|error| error.to_string())?;
    let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let signer = ring::sign::any_supported_type(&der).map_err(|error| error.to_string())?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], signer)))
}
