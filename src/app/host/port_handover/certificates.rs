//! Certificates that another proxy has of an authority, taken over before the ports are: the proxy of Kamal and of ONCE
//! keeps them in the cache of Go's `autocert`, a file a name with the key and the chain in PEM.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::import::kamal;
use crate::model::certificate::{AccountOffer, CertificateOffer, CertificatePair, CertificateSource};
use crate::model::hostname::Hostname;
use crate::model::problem::Problem;
use crate::ports::engine::Engine;
use crate::ports::proxy::{Proxy, ProxyError};
use crate::settings::Secret;

/// Where that proxy keeps certificates, beside its state.
const CACHE: &str = "/home/kamal-proxy/.config/kamal-proxy/certs";

/// What that proxy asks where no other authority is named.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// `autocert`'s name for the account's key.
const ACCOUNT: &str = "acme_account+key";

/// A chain has a few kilobytes.
const CHAIN_MOST: usize = 256 << 10;

/// A state file has a kilobyte a service.
const STATE_MOST: usize = 8 << 20;

/// What a proxy of others has of authorities.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// Good certificates for names of ours that have none yet.
    pub(super) offers: Vec<CertificateOffer>,
    /// Names of ours that are to have a certificate, and have none there either, or none that can be used.
    pub(super) lacking: Vec<Hostname>,
    /// The account, as far as one was found.
    pub(super) account: Option<AccountOffer>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Service {
    options: Options,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Options {
    hosts: Vec<String>,
    tls_enabled: bool,
    acme_directory: String,
    acme_cache_path: String,
}

/// A directory of certificates, and whose they are.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cache {
    path: String,
    directory: String,
}

/// Looks for certificates of these names in the container of another proxy. Nothing is changed there.
pub(super) async fn kept(
    engine: &dyn Engine,
    proxy: &dyn Proxy,
    holder: &str,
    wanted: Vec<Hostname>,
) -> Result<Kept, Problem> {
    let mut kept = Kept::default();
    if wanted.is_empty() {
        return Ok(kept);
    }
    let state = engine.read_file(holder, kamal::STATE, STATE_MOST).await?;
    let services: Vec<Service> = state.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    for host in wanted {
        match find(engine, proxy, holder, &caches(&services, &host), &host).await? {
            Some((offer, cache)) => {
                kept.offers.push(offer);
                if kept.account.is_none() {
                    let file = engine.read_file(holder, &format!("{}/{ACCOUNT}", cache.path), CHAIN_MOST).await?;
                    kept.account = file
                        .and_then(|bytes| String::from_utf8(bytes).ok())
                        .map(|key| AccountOffer { directory: cache.directory, key: Secret::new(key) });
                }
            }
            None => kept.lacking.push(host),
        }
    }
    Ok(kept)
}

/// The newest versions of that proxy have a directory an authority; older ones have them all in one.
fn caches(services: &[Service], host: &Hostname) -> Vec<Cache> {
    let of = |s: &&Service| s.options.tls_enabled && s.options.hosts.iter().any(|name| name == host.as_str());
    let options = services.iter().find(of).map(|service| &service.options);
    let said = |text: fn(&Options) -> &String| options.map(text).filter(|text| !text.is_empty()).cloned();
    let directory = said(|o| &o.acme_directory).unwrap_or_else(|| LETS_ENCRYPT.to_owned());
    let hash: String = Sha256::digest(&directory).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut caches = Vec::new();
    for base in said(|o| &o.acme_cache_path).into_iter().chain([CACHE.to_owned()]) {
        for path in [format!("{base}/{hash}"), base] {
            let cache = Cache { path, directory: directory.clone() };
            if !caches.contains(&cache) {
                caches.push(cache);
            }
        }
    }
    caches
}

async fn find(
    engine: &dyn Engine,
    proxy: &dyn Proxy,
    holder: &str,
    caches: &[Cache],
    host: &Hostname,
) -> Result<Option<(CertificateOffer, Cache)>, Problem> {
    for cache in caches {
        // Of ECDSA, and of RSA for old clients.
        for file in [host.to_string(), format!("{host}+rsa")] {
            let bytes = engine.read_file(holder, &format!("{}/{file}", cache.path), CHAIN_MOST).await?;
            let Some(pair) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).and_then(|text| split(&text)) else {
                continue;
            };
            let offer = CertificateOffer { names: vec![host.clone()], pair, source: CertificateSource::Acme };
            match proxy.check_certificate(offer.clone()).await {
                Ok(_) => return Ok(Some((offer, cache.clone()))),
                // Damaged, or expired: it is obtained anew.
                Err(ProxyError::Certificate(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(None)
}

/// The key's section and those of the chain; `None`: it is no such file.
fn split(text: &str) -> Option<CertificatePair> {
    let (mut key, mut chain, mut section, mut is_key) = (String::new(), String::new(), String::new(), false);
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("-----BEGIN ") {
            section.clear();
            is_key = kind.ends_with("PRIVATE KEY-----");
        }
        section.push_str(line);
        section.push('\n');
        if line.starts_with("-----END ") {
            let into = if is_key { &mut key } else { &mut chain };
            into.push_str(&std::mem::take(&mut section));
        }
    }
    (!key.is_empty() && !chain.is_empty()).then(|| CertificatePair { chain, key: Secret::new(key) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----\n";
    const LEAF: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

    #[test]
    fn a_file_of_the_cache_is_a_key_and_a_chain() {
        let pair = split(&format!("{KEY}{LEAF}{LEAF}")).unwrap();
        assert_eq!((pair.key.expose(), pair.chain), (KEY, format!("{LEAF}{LEAF}")));
        assert!(split(KEY).is_none() && split(LEAF).is_none() && split("").is_none());
    }

    #[test]
    fn certificates_are_looked_for_where_its_versions_keep_them() {
        let state = r#"[{"name":"shop-web","options":{"hosts":["shop.test"],"tls_enabled":true,
            "acme_directory":"https://acme.test/d","acme_cache_path":"/certs"}}]"#;
        let services: Vec<Service> = serde_json::from_str(state).unwrap();
        let hash = "c2c0dd4fd4fb4cd0dbd7e1b8e4d8c0a4";
        let paths = |host: &str| -> Vec<String> {
            caches(&services, &host.parse().unwrap()).into_iter().map(|cache| cache.path).collect()
        };
        let shop = paths("shop.test");
        assert_eq!((shop.len(), shop[1].as_str(), shop[3].as_str()), (4, "/certs", CACHE), "{shop:?}");
        assert!(shop[0].starts_with("/certs/") && shop[0].len() == "/certs/".len() + 2 * hash.len(), "{shop:?}");
        let other = paths("other.test");
        assert_eq!((other.len(), other[1].as_str()), (2, CACHE), "{other:?}");
    }
}
