//! Who asks: one account at each authority, kept beside the schedule of that authority.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use instant_acme::{Account, AccountCredentials, ExternalAccountKey, Key, NewAccount};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};

use super::fault::{Fault, Stage};
use super::schedule::Outcome;
use super::transport::Transport;
use crate::store::file;
use once_app::{AccountOffer, Acme, Secret};

/// What is written today.
const SCHEMA: u32 = 1;

/// The account's file. It holds a private key.
#[derive(Serialize, Deserialize)]
struct Kept {
    schema: u32,
    directory: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contact: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    eab_kid: Option<String>,
    credentials: AccountCredentials,
}

/// The key of an account that another program made, until the authority was asked for the account.
#[derive(Serialize, Deserialize)]
struct Given {
    schema: u32,
    directory: String,
    /// PEM.
    key: Secret,
}

/// The account's file at one authority.
#[derive(Debug, Clone)]
pub(super) struct AccountFile {
    path: PathBuf,
}

impl AccountFile {
    pub(super) fn new(dir: &Path) -> Self {
        Self { path: dir.join("account.json") }
    }

    /// The account that is kept, ready to be used; `None`: there is none for this configuration.
    pub(super) async fn restore(
        &self,
        config: &Acme,
        url: &str,
        transport: &Transport,
    ) -> Result<Option<Account>, Fault> {
        let Some(kept) = self.read()? else { return Ok(None) };
        if kept.directory != url || kept.eab_kid != config.eab_kid {
            return Ok(None);
        }
        let renamed = kept.contact != config.contact;
        let builder = Account::builder_with_http(Box::new(transport.clone()));
        let account = builder.from_credentials(kept.credentials).await;
        let account = account.map_err(|error| Fault::of(&error, Stage::Before, &transport.seen()))?;
        if renamed {
            let contacts = contacts(config);
            let contacts: Vec<&str> = contacts.iter().map(String::as_str).collect();
            let told = account.update_contacts(&contacts).await;
            told.map_err(|error| Fault::of(&error, Stage::Placing, &transport.seen()))?;
            // A second read, since the library keeps the key to itself.
            if let Some(kept) = self.read()? {
                self.write(&Kept { contact: config.contact.clone(), ..kept })?;
            }
        }
        Ok(Some(account))
    }

    /// Makes an account and keeps it.
    pub(super) async fn create(&self, config: &Acme, url: &str, transport: &Transport) -> Result<Account, Fault> {
        let binding = match (&config.eab_kid, &config.eab_key) {
            (Some(kid), Some(key)) => Some(ExternalAccountKey::new(kid.clone(), &eab_key(key.expose())?)),
            _ => None,
        };
        let contacts = contacts(config);
        let contacts: Vec<&str> = contacts.iter().map(String::as_str).collect();
        let wish = NewAccount { contact: &contacts, terms_of_service_agreed: true, only_return_existing: false };
        let builder = Account::builder_with_http(Box::new(transport.clone()));
        let made = builder.create(&wish, url.to_owned(), binding.as_ref()).await;
        let (account, credentials) = made.map_err(|error| Fault::of(&error, Stage::Before, &transport.seen()))?;
        let (contact, eab_kid) = (config.contact.clone(), config.eab_kid.clone());
        self.write(&Kept { schema: SCHEMA, directory: url.to_owned(), contact, eab_kid, credentials })?;
        Ok(account)
    }

    /// Keeps the key of an account that another program made, for [`AccountFile::go_on`]; whether it did: one's own
    /// account stays. Blocks on the disk.
    ///
    /// # Errors
    /// It cannot be written, or the key is none.
    pub(super) fn offer(&self, offer: &AccountOffer) -> Result<bool, Fault> {
        if pkcs8(offer.key.expose()).is_none() {
            let why = "the key of the account is none that can be used: it has to be ECDSA P-256";
            return Err(Fault::new("account", why, Outcome::Failed));
        }
        if self.path.exists() {
            return Ok(false);
        }
        let given = Given { schema: SCHEMA, directory: offer.directory.clone(), key: offer.key.clone() };
        let (path, failed) = (self.given_path(), |why: &str| storage(&self.path, why));
        let content = serde_json::to_vec_pretty(&given).map_err(|error| failed(&error.to_string()))?;
        file::replace(&path, &content).map_err(|error| failed(&error.to_string()))?;
        Ok(true)
    }

    /// Goes on with the account of a key that was given, and keeps it as one's own; `None`: no key was given, or the
    /// authority knows no account of it.
    pub(super) async fn go_on(
        &self,
        config: &Acme,
        url: &str,
        transport: &Transport,
    ) -> Result<Option<Account>, Fault> {
        let Ok(content) = fs::read(self.given_path()) else { return Ok(None) };
        let given = serde_json::from_slice::<Given>(&content).ok().filter(|g| g.schema == SCHEMA && g.directory == url);
        let Some(der) = given.and_then(|given| pkcs8(given.key.expose())) else { return Ok(None) };
        let Ok(key) = Key::from_pkcs8_der(PrivatePkcs8KeyDer::from(der.as_slice())) else { return Ok(None) };
        let key = (key, PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der)));
        let builder = Account::builder_with_http(Box::new(transport.clone()));
        let found = match builder.from_key(key, url.to_owned()).await {
            Ok((account, credentials)) => {
                let eab_kid = config.eab_kid.clone();
                // Which address it has is not known: it is told of the configured one when it is used next.
                self.write(&Kept { schema: SCHEMA, directory: url.to_owned(), contact: None, eab_kid, credentials })?;
                Some(account)
            }
            Err(error) => {
                let fault = Fault::of(&error, Stage::Before, &transport.seen());
                if fault.outcome == Outcome::Unreachable {
                    return Err(fault);
                }
                tracing::warn!(directory = url, "the account that was taken over is of no use: {}", fault.message);
                None
            }
        };
        if let Err(error) = fs::remove_file(self.given_path()) {
            tracing::warn!(%error, "the key that was taken over is still kept beside the account");
        }
        Ok(found)
    }

    fn given_path(&self) -> PathBuf {
        self.path.with_file_name("account-key.json")
    }

    /// What is kept is of no use any more.
    pub(super) fn forget(&self) -> Result<(), Fault> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(storage(&self.path, &error.to_string())),
            _ => Ok(()),
        }
    }

    fn read(&self) -> Result<Option<Kept>, Fault> {
        let content = match fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| storage(&self.path, &error.to_string()))?,
        };
        match serde_json::from_slice::<Kept>(&content) {
            Ok(kept) if kept.schema == SCHEMA => Ok(Some(kept)),
            // The parser's words could quote what it stumbled over.
            _ => {
                tracing::warn!(path = %self.path.display(), "the account's file is damaged; a new account is made");
                Ok(None)
            }
        }
    }

    fn write(&self, kept: &Kept) -> Result<(), Fault> {
        let content = serde_json::to_vec_pretty(kept).map_err(|error| storage(&self.path, &error.to_string()))?;
        file::replace(&self.path, &content).map_err(|error| storage(&self.path, &error.to_string()))
    }
}

/// A key in PEM as PKCS #8 in DER; `None`: it is of another kind. Go writes keys of elliptic curves in the older form of
/// SEC 1, which is a part of it.
fn pkcs8(pem: &str) -> Option<Vec<u8>> {
    match PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()? {
        PrivateKeyDer::Pkcs8(key) => Some(key.secret_pkcs8_der().to_vec()),
        PrivateKeyDer::Sec1(key) => {
            let version = [0x02, 0x01, 0x00];
            let inner = [&version[..], &P256, &der(0x04, key.secret_sec1_der())].concat();
            Some(der(0x30, &inner))
        }
        _ => None,
    }
}

/// `AlgorithmIdentifier` of a key of the curve P-256, in DER.
const P256: [u8; 21] = [
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03,
    0x01, 0x07,
];

/// A value of DER: its tag, its length and its content.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut value = vec![tag];
    match content.len() {
        short @ 0..0x80 => value.push(short as u8),
        _ => {
            value.push(0x80 | length.len() as u8);
            value.extend(length);
        }
    }
    value.extend_from_slice(content);
    value
}

pub(super) fn storage(path: &Path, why: &str) -> Fault {
    Fault::new("storage", format!("{} cannot be kept: {why}", path.display()), Outcome::Unreachable)
}

fn contacts(config: &Acme) -> Vec<String> {
    config.contact.iter().map(|address| format!("mailto:{address}")).collect()
}

/// Authorities give it in base64url; some pad it, some use the other alphabet.
pub(super) fn eab_key(text: &str) -> Result<Vec<u8>, Fault> {
    let bare = text.trim_end_matches('=');
    let decoded = URL_SAFE_NO_PAD.decode(bare).or_else(|_| STANDARD_NO_PAD.decode(bare));
    decoded.map_err(|_| Fault::new("account", "the authority's account key is not base64url", Outcome::Failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Go's `x509.MarshalECPrivateKey` writes it.
    const GO: &str = "-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIPyxkc1wR0pdNAUoEsE/aEIJE4byLtr4RFQD3KJpTTZioAoGCCqGSM49
AwEHoUQDQgAEgCQT3HpB3IgEXWxO4f7a9VucFja8eP6PKvWdb+33Dwqg+3IKgn4E
3ajPzxlyH90q2/xkYDquAhRkHbQqwBEzRw==
-----END EC PRIVATE KEY-----
";

    #[test]
    fn a_key_as_go_writes_it_can_sign() {
        let der = pkcs8(GO).unwrap();
        Key::from_pkcs8_der(PrivatePkcs8KeyDer::from(der.as_slice())).unwrap();
        // What is in the newer form already stays as it is.
        let (_, made) = Key::generate_pkcs8().unwrap();
        let text = base64::engine::general_purpose::STANDARD.encode(made.secret_pkcs8_der());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        assert_eq!(pkcs8(&pem).unwrap(), made.secret_pkcs8_der());
        assert!(pkcs8("-----BEGIN RSA PRIVATE KEY-----\nMAA=\n-----END RSA PRIVATE KEY-----\n").is_none());
    }
}
