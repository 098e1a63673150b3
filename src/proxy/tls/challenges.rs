//! Answers to the challenges by which an authority finds out that a name leads here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::sign::CertifiedKey;

/// Below it the tokens of HTTP-01 are asked for, over plain HTTP.
pub const HTTP_CHALLENGES: &str = "/.well-known/acme-challenge/";

/// What is answered to whom just now.
#[derive(Debug, Default)]
pub(super) struct Challenges {
    /// Looked at for each plain request, so that nothing more is done where no order is under way.
    awaits_http: AtomicBool,
    http: Mutex<HashMap<String, String>>,
    alpn: ArcSwap<HashMap<String, Arc<CertifiedKey>>>,
}

impl Challenges {
    pub(super) fn set_http(&self, token: &str, key_authorization: &str) {
        let mut tokens = self.tokens();
        tokens.insert(token.to_owned(), key_authorization.to_owned());
        self.awaits_http.store(true, Ordering::Release);
    }

    pub(super) fn clear_http(&self, token: &str) {
        let mut tokens = self.tokens();
        tokens.remove(token);
        self.awaits_http.store(!tokens.is_empty(), Ordering::Release);
    }

    /// What to answer at a path.
    pub(super) fn http(&self, path: &str) -> Option<String> {
        if !self.awaits_http.load(Ordering::Acquire) {
            return None;
        }
        self.tokens().get(path.strip_prefix(HTTP_CHALLENGES)?).cloned()
    }

    fn tokens(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.http.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_alpn(&self, name: &str, key: &Arc<CertifiedKey>) {
        self.change_alpn(|names| drop(names.insert(name.to_owned(), Arc::clone(key))));
    }

    pub(super) fn clear_alpn(&self, name: &str) {
        self.change_alpn(|names| drop(names.remove(name)));
    }

    fn change_alpn(&self, change: impl Fn(&mut HashMap<String, Arc<CertifiedKey>>)) {
        self.alpn.rcu(|names| {
            let mut names = HashMap::clone(names);
            change(&mut names);
            names
        });
    }

    pub(super) fn alpn(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.alpn.load().get(name).cloned()
    }
}
