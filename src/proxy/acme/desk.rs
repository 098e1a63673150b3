//! What belongs to one authority: its configuration, the account there, and the schedule, on disk in a directory of its
//! own, so that trying another authority costs the first nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use instant_acme::Account;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::account::{AccountFile, storage};
use super::fault::Fault;
use super::issuer::Issuer;
use super::schedule::{Outcome, Schedule, Trouble, brief};
use super::transport::{BadRoot, Transport};
use crate::store::{StoreError, file};
use once_app::{AccountOffer, Acme, Hostname};

/// Where nothing is said.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// What one authority is asked from.
pub(super) struct Desk {
    pub(super) url: String,
    config: Acme,
    transport: Result<Transport, BadRoot>,
    schedule: Mutex<Schedule>,
    schedule_path: PathBuf,
    account: AccountFile,
    /// One account is made, however many names ask at once.
    making: tokio::sync::Mutex<()>,
    /// Writes do not overtake each other.
    writing: tokio::sync::Mutex<()>,
    ours: Ours,
}

/// Whether the files are this process's to write. Read for as long as one is written.
pub(super) type Ours = Arc<tokio::sync::RwLock<bool>>;

impl Desk {
    /// Reads what is known of the configured authority. A schedule that cannot be read is set aside and begun anew.
    ///
    /// # Errors
    /// The directory cannot be made or read.
    pub(super) fn open(dir: &Path, config: Acme, ours: Ours) -> Result<Self, StoreError> {
        let url = config.directory.clone().unwrap_or_else(|| LETS_ENCRYPT.to_owned());
        let dir = place(dir, &url);
        file::make_dir(&dir)?;
        file::sweep(&dir)?;
        let schedule_path = dir.join("schedule.json");
        let schedule = match fs::read(&schedule_path) {
            Ok(content) => serde_json::from_slice(&content).unwrap_or_else(|error| {
                let aside = schedule_path.with_extension("broken");
                let moved = fs::rename(&schedule_path, &aside);
                tracing::warn!(path = %aside.display(), %error, ?moved, "a schedule of certificates was damaged");
                Schedule::default()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Schedule::default(),
            Err(source) => {
                return Err(StoreError::Io { what: format!("read {}", schedule_path.display()), source });
            }
        };
        let transport = Transport::new(config.root.as_deref());
        let account = AccountFile::new(&dir);
        let schedule = Mutex::new(schedule);
        let (making, writing) = Default::default();
        Ok(Self { url, config, transport, schedule, schedule_path, account, making, writing, ours })
    }

    /// Whether it is the authority that is asked where nothing is said.
    pub(super) fn is_default(&self) -> bool {
        self.config.directory.is_none()
    }

    /// Looks at the schedule or changes it.
    pub(super) fn schedule<T>(&self, with: impl FnOnce(&mut Schedule) -> T) -> T {
        with(&mut self.schedule.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes an order from the budget; on disk when this returns.
    pub(super) async fn begin(&self, name: &Hostname, now: Timestamp) -> Result<(), Fault> {
        let taken = self.schedule(|schedule| schedule.begin(name, now));
        taken.map_err(|why| Fault::new("budget", why, Outcome::Failed))?;
        self.save().await
    }

    /// Notes how an order ended.
    pub(super) async fn ended(&self, name: &Hostname, now: Timestamp, outcome: &Outcome, fault: Option<&Fault>) {
        let trouble = fault.map(|fault| fault.trouble(now));
        self.schedule(|schedule| schedule.ended(name, now, outcome, trouble));
        self.save_or_say().await;
    }

    /// Notes what went wrong before there was an order.
    pub(super) async fn failed_before(&self, name: &Hostname, now: Timestamp, fault: &Fault) {
        self.schedule(|schedule| schedule.failed_before(name, now, fault.trouble(now)));
        self.save_or_say().await;
    }

    /// Notes why an order was not begun.
    pub(super) async fn refused(&self, name: &Hostname, now: Timestamp, fault: &Fault) {
        self.schedule(|schedule| schedule.refused(name, fault.trouble(now)));
        self.save_or_say().await;
    }

    async fn save_or_say(&self) {
        if let Err(fault) = self.save().await {
            tracing::warn!("{}", fault.message);
        }
    }

    async fn save(&self) -> Result<(), Fault> {
        let _turn = self.writing.lock().await;
        let ours = self.ours.read().await;
        if !*ours {
            // It has read them already, and would lose what it has counted since.
            let why = "another process of the proxy sees to certificates now";
            return Err(Fault::new("moved", why.to_owned(), Outcome::Failed));
        }
        let failed = |why: String| storage(&self.schedule_path, &why);
        let content = self.schedule(|schedule| serde_json::to_vec(schedule)).map_err(|e| failed(e.to_string()))?;
        let path = self.schedule_path.clone();
        let written = tokio::task::spawn_blocking(move || file::replace(&path, &content)).await;
        written.map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.to_string()))
    }

    /// The account, made where there is none; with the way its answers come by.
    pub(super) async fn account(&self, now: Timestamp, tell: &super::Tell<'_>) -> Result<(Account, Transport), Fault> {
        let transport = self.transport()?;
        let _turn = self.making.lock().await;
        match self.account.restore(&self.config, &self.url, &transport).await {
            Ok(Some(account)) => return Ok((account, transport)),
            Ok(None) => {
                if let Some(account) = self.account.go_on(&self.config, &self.url, &transport).await? {
                    tracing::info!(directory = self.url, account = account.id(), "an account was taken over");
                    return Ok((account, transport));
                }
            }
            Err(fault) if fault.account_gone => self.forget_account(&fault, tell)?,
            Err(fault) => return Err(fault),
        }
        let may = self.schedule(|schedule| schedule.begin_account(now));
        may.map_err(|until| {
            let why = format!("several accounts were made lately; the next one may be made at {}", brief(until));
            Fault::new("budget", why, Outcome::Failed)
        })?;
        self.save().await?;
        tell("making an account at the authority".to_owned());
        let account = self.account.create(&self.config, &self.url, &transport).await?;
        tracing::info!(directory = self.url, account = account.id(), "an account was made at the authority");
        Ok((account, transport))
    }

    /// The account that there is, for questions that are not worth making one.
    pub(super) async fn known_account(&self) -> Result<Option<Account>, Fault> {
        self.account.restore(&self.config, &self.url, &self.transport()?).await
    }

    fn transport(&self) -> Result<Transport, Fault> {
        match &self.transport {
            Ok(transport) => Ok(transport.fresh()),
            Err(bad) => Err(Fault::new("account", bad.to_string(), Outcome::Failed)),
        }
    }

    /// The next order makes a new account.
    pub(super) fn forget_account(&self, fault: &Fault, tell: &super::Tell<'_>) -> Result<(), Fault> {
        tracing::warn!(directory = self.url, "{}; a new one is made", fault.message);
        tell(format!("{}; a new one is made", fault.message));
        self.account.forget()
    }
}

/// Where what belongs to one authority is kept.
fn place(dir: &Path, url: &str) -> PathBuf {
    let hash: String = Sha256::digest(url).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    dir.join(hash)
}

impl Issuer {
    /// Goes on with an account that another program made, once its authority is asked for a certificate; whether it will:
    /// an account of one's own stays. Blocks on the disk.
    ///
    /// # Errors
    /// In words: the key is none that can be used, or it cannot be kept.
    pub(crate) fn offer_account(&self, offer: &AccountOffer) -> Result<bool, String> {
        let dir = place(&self.inner.dir, &offer.directory);
        file::make_dir(&dir).map_err(|error| error.to_string())?;
        AccountFile::new(&dir).offer(offer).map_err(|fault| fault.message)
    }
}

impl Fault {
    fn trouble(&self, at: Timestamp) -> Trouble {
        Trouble { at, code: self.code.to_owned(), message: self.message.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_another_process_counts_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let ours = Ours::new(tokio::sync::RwLock::new(true));
        let open = || Desk::open(dir.path(), Acme::default(), Arc::clone(&ours)).unwrap();
        let (name, now) = ("shop.example.com".parse().unwrap(), Timestamp::now());
        let old = open();
        old.begin(&name, now).await.unwrap();
        *ours.write().await = false;
        let read = || fs::read(&old.schedule_path).unwrap();
        let before = read();
        // No order is placed that the other one does not know of.
        assert_eq!(old.begin(&name, now).await.unwrap_err().code, "moved");
        old.ended(&name, now, &Outcome::Unusable, None).await;
        assert_eq!(read(), before);
        *ours.write().await = true;
        old.begin(&name, now).await.unwrap();
        assert_ne!(read(), before);
    }
}
