//! The releases of the selected app: those of its record, and the older ones from the proxy's history.

use std::borrow::Cow;

use once_app::{Change, Release, ReleaseNumber, compare};

use super::{AppView, Model};

impl Model {
    /// Newest first, the one that is tried out before all others.
    pub(crate) fn releases<'a>(&'a self, app: &'a AppView) -> Vec<&'a Release> {
        let record = &app.record;
        let recent = record.canary_release().into_iter().chain(record.releases.iter().rev());
        let mut all: Vec<&Release> = recent.collect();
        let oldest = record.releases.first().map(|r| r.number);
        all.extend(self.history_of(app).iter().filter(|r| oldest.is_some_and(|oldest| r.number < oldest)));
        all
    }

    /// One of them.
    pub(crate) fn release_of<'a>(&'a self, app: &'a AppView, number: ReleaseNumber) -> Option<&'a Release> {
        self.releases(app).into_iter().find(|r| r.number == number)
    }

    /// All releases of an app as the proxy's history has them; none: they have not come yet.
    fn history_of(&self, app: &AppView) -> &[Release] {
        match &self.settled.history {
            Some((of, Ok(releases))) if of == app.name() => releases,
            _ => &[],
        }
    }

    /// How one release differs from another, secrets masked. That a secret changed is only seen where both are known
    /// with theirs.
    pub(crate) fn difference(&self, app: &AppView, from: &Release, to: &Release) -> Vec<Change> {
        let whole = |of: &Release| self.history_of(app).iter().find(|r| r.number == of.number);
        let masked = |of: &'_ Release| Release { settings: of.settings.without_secrets(), ..of.clone() };
        let (from, to) = match (whole(from), whole(to)) {
            (Some(from), Some(to)) => (Cow::Borrowed(from), Cow::Borrowed(to)),
            _ => (Cow::Owned(masked(from)), Cow::Owned(masked(to))),
        };
        compare(&from, &to)
    }

    /// What a release is compared with: the one that was marked for it, else the one before.
    pub(crate) fn compared<'a>(&'a self, app: &'a AppView, release: &Release) -> Option<&'a Release> {
        let all = self.releases(app);
        let marked = self.compare.and_then(|number| all.iter().find(|r| r.number == number));
        marked
            .filter(|r| r.number != release.number)
            .or_else(|| all.iter().find(|r| r.number < release.number))
            .copied()
    }
}
