//! The person's own programs around a deploy: `pre-deploy`, `post-deploy`, `on-failure`.

use std::sync::Mutex;

use super::context::Context;
use super::next_release::Decided;
use crate::ledger::AppRecord;
use crate::model::canary::Canary;
use crate::model::image::ResolvedImage;
use crate::model::problem::Problem;
use crate::plan::diff::Action;
use crate::ports::hook::Hook;
use crate::progress::event::{Event, Outcome};
use crate::settings::Settings;

/// Lines of a failed hook that go with the answer.
const LINES: usize = 25;

/// What a hook is told of.
#[derive(Clone, Copy)]
struct About<'a> {
    settings: &'a Settings,
    image: &'a ResolvedImage,
    action: &'a str,
}

type Variables = Vec<(&'static str, String)>;

impl Context<'_> {
    /// Runs `pre-deploy`, once it is known that something will change. Whether the app is another one since: commands of
    /// the hook share the lock.
    pub(crate) async fn before(&mut self, record: Option<&AppRecord>, decided: &Decided) -> Result<bool, Problem> {
        if decided.view.action == Action::Nothing {
            return Ok(false);
        }
        let action = decided.view.action.to_string();
        self.announced(record, About { settings: &decided.settings, image: &decided.resolved.image, action: &action });
        self.ask_first(record).await
    }

    /// The same for what is done with a canary. Whether the app is another one since.
    pub(crate) async fn before_canary(
        &mut self,
        record: &AppRecord,
        canary: &Canary,
        action: &str,
    ) -> Result<bool, Problem> {
        self.announced(
            Some(record),
            About { settings: &canary.release.settings, image: &canary.release.image, action },
        );
        self.ask_first(Some(record)).await
    }

    /// Tells hooks of a canary that goes, without asking them: nothing is to keep it.
    pub(crate) fn without_asking(&mut self, record: &AppRecord, canary: &Canary, action: &str) {
        self.announced(
            Some(record),
            About { settings: &canary.release.settings, image: &canary.release.image, action },
        );
    }

    fn announced(&mut self, record: Option<&AppRecord>, about: About<'_>) {
        self.variables = Some(self.variables(record, about));
    }

    async fn ask_first(&mut self, record: Option<&AppRecord>) -> Result<bool, Problem> {
        if !self.installation.hooks.has(Hook::PreDeploy) {
            return Ok(false);
        }
        let ran = self.hook(Hook::PreDeploy, Vec::new());
        self.until_stopped(ran).await?;
        let revision = |record: Option<&AppRecord>| record.map(|r| r.revision);
        Ok(revision(self.record().await?.as_ref()) != revision(record))
    }

    /// Runs `post-deploy` or `on-failure`, where a change had been planned. Their failure is a warning.
    pub(crate) async fn after(&self, result: &Result<Outcome, Problem>) {
        let Some(_) = &self.variables else { return };
        let (hook, outcome) = match result {
            Ok(outcome) => (Hook::PostDeploy, *outcome),
            Err(problem) => (Hook::OnFailure, problem.outcome),
        };
        if !self.installation.hooks.has(hook) {
            return;
        }
        let mut more = vec![("ONCE_OUTCOME", outcome.to_string())];
        more.extend(self.report.serving.map(|n| ("ONCE_SERVING", n.to_string())));
        more.extend(self.report.release.map(|n| ("ONCE_RELEASE", n.to_string())));
        more.extend(self.report.url.clone().map(|url| ("ONCE_URL", url)));
        more.extend(result.as_ref().err().map(|problem| ("ONCE_ERROR", problem.message.clone())));
        if let Err(problem) = self.hook(hook, more).await {
            self.journal.warn(&problem.code, problem.message);
        }
    }

    fn variables(&self, record: Option<&AppRecord>, about: About<'_>) -> Variables {
        let settings = about.settings;
        let hosts: Vec<_> = settings.hosts.iter().map(ToString::to_string).collect();
        let mut variables = vec![
            ("ONCE_NAMESPACE", self.installation.namespace.to_string()),
            ("ONCE_APP", self.name.to_string()),
            ("ONCE_OP", self.job.op.to_string()),
            ("ONCE_BY", self.job.by.user.clone()),
            ("ONCE_COMMAND", self.job.by.command.clone()),
            ("ONCE_ACTION", about.action.to_owned()),
            ("ONCE_IMAGE", settings.image.to_string()),
            ("ONCE_DIGEST", about.image.identity().to_owned()),
            ("ONCE_HOSTS", hosts.join(" ")),
        ];
        variables.extend(record.and_then(|r| r.serving).map(|n| ("ONCE_SERVING", n.to_string())));
        variables.extend(settings.note.clone().map(|note| ("ONCE_NOTE", note)));
        variables
    }

    async fn hook(&self, hook: Hook, more: Variables) -> Result<(), Problem> {
        let mut variables = self.variables.clone().unwrap_or_default();
        variables.extend(more);
        // Commands that it starts share the lock of this deploy.
        variables.extend(self.lease.token().map(|token| ("ONCE_LEASE", token.expose().to_owned())));
        let last = Mutex::new(Vec::new());
        let say = |line: String| {
            self.journal.write(Event::Log { line: line.clone() });
            if let Ok(mut last) = last.lock() {
                last.push(line);
                let surplus = last.len().saturating_sub(LINES);
                last.drain(..surplus);
            }
        };
        let work = async {
            self.installation.hooks.run(hook, &variables, &say).await.map(|()| ((), "ended with 0".to_owned()))
        };
        self.journal.step(hook.step(), work).await.map_err(|error| {
            let code = format!("{}-failed", hook.name());
            let problem = Problem::new(Outcome::Failed, &code, error.to_string());
            Problem { log: last.into_inner().unwrap_or_default(), ..problem }
        })
    }
}
