//! Who asks: one account at each authority, kept beside the schedule of that authority.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use instant_acme::{Account, AccountCredentials, ExternalAccountKey, NewAccount};
use serde::{Deserialize, Serialize};

use super::fault::{Fault, Stage};
use super::schedule::Outcome;
use super::transport::Transport;
use crate::app::Acme;
use crate::proxy::store::file;

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
