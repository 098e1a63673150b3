//! Certificates on demand: a handshake for a name that no app was given, but one gets the requests of, asks that app
//! whether the name may have one, and gets it. Names are made up easily, so all of it is bounded: how many are seen to at
//! once, how often one app is asked, how many orders its names may cost, and how long an answer is remembered.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::issuer::Issuer;
use super::question::{Answer, Asker, Question};
use super::ration::{FAILED, NO, Ration, UNCLEAR, Verdict, YES};
use crate::tls::{Flight, OnDemand};
use once_app::{AppId, Certified, Hostname};

/// Names seen to at once.
const AT_ONCE: usize = 16;

/// Of these, names of one app: another one's customers come through too.
const OF_ONE_APP: usize = 8;

/// Which app gets a name's requests and whom it wants to be asked; `None`: none, or it was given the name itself.
type Whom = dyn Fn(&str) -> Option<Question> + Send + Sync;

/// Who sees to names on demand.
pub struct Demand {
    issuer: Issuer,
    whom: Box<Whom>,
    asker: Asker,
    ration: Mutex<Ration>,
    /// Names being seen to: each once, whoever waits.
    flights: Mutex<HashMap<Hostname, (AppId, Flight)>>,
    /// Handshakes have runtimes of their own, which end with the plane: what was begun goes on here.
    runtime: Handle,
}

impl fmt::Debug for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Demand").field("flights", &lock(&self.flights).len()).finish_non_exhaustive()
    }
}

impl Demand {
    /// Sees to names through this issuer, on the runtime it is called in.
    ///
    /// # Errors
    /// The library's own, about its cryptography.
    pub(crate) fn new(
        issuer: Issuer,
        whom: impl Fn(&str) -> Option<Question> + Send + Sync + 'static,
    ) -> Result<Self, rustls::Error> {
        let (ration, flights) = Default::default();
        let asker = Asker::new()?;
        Ok(Self { issuer, whom: Box::new(whom), asker, ration, flights, runtime: Handle::current() })
    }

    async fn attend(&self, question: &Question, name: &Hostname, verdict: Verdict) {
        if verdict == Verdict::Ask {
            let answer = self.asker.ask(question, name).await;
            let (yes, how_long) = match &answer {
                Answer::Yes => (true, YES),
                Answer::No => (false, NO),
                Answer::Unclear(why) => {
                    tracing::warn!(%name, app = %question.app, "whether it may have a certificate is not known: {why}");
                    (false, UNCLEAR)
                }
            };
            lock(&self.ration).remember(name, yes, how_long, self.issuer.now());
            if !yes {
                return;
            }
        }
        if !lock(&self.ration).order(&question.app, self.issuer.now()) {
            tracing::warn!(%name, app = %question.app, "no certificate: the app's names on demand had many lately");
            return;
        }
        let came = self.issuer.certify(name, &|_| {}).await;
        let mut ration = lock(&self.ration);
        let now = self.issuer.now();
        match came {
            Certified::Obtained { .. } => {}
            Certified::Kept { .. } => ration.give_back(&question.app),
            Certified::Failed { .. } => ration.remember(name, false, FAILED, now),
            _ => {
                ration.give_back(&question.app);
                ration.remember(name, false, NO, now);
            }
        }
    }
}

impl OnDemand for Demand {
    fn begin(self: Arc<Self>, name: &str) -> Option<Flight> {
        let question = (self.whom)(name)?;
        let name: Hostname = name.parse().ok()?;
        let mut flights = lock(&self.flights);
        if let Some((_, flight)) = flights.get(&name) {
            return Some(flight.clone());
        }
        let of_app = flights.values().filter(|(app, _)| *app == question.app).count();
        if flights.len() >= AT_ONCE || of_app >= OF_ONE_APP || !self.issuer.lacks(&name) {
            return None;
        }
        let verdict = lock(&self.ration).verdict(&name, &question.app, self.issuer.now());
        if verdict == Verdict::Nothing {
            return None;
        }
        let (over, flight) = watch::channel(());
        flights.insert(name.clone(), (question.app.clone(), flight.clone()));
        let landing = Landing { demand: Arc::clone(&self), name, _over: over };
        let begun = async move { landing.demand.attend(&question, &landing.name, verdict).await };
        self.runtime.spawn(begun);
        Some(flight)
    }
}

/// A name being seen to; its end, however it comes, lets go those who wait.
struct Landing {
    demand: Arc<Demand>,
    name: Hostname,
    _over: watch::Sender<()>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        lock(&self.demand.flights).remove(&self.name);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
