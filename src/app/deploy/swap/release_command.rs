//! The release command: once per deploy, in the new image, with the app's environment and volumes, before the switch.

use futures_util::StreamExt;

use super::candidate::Candidate;
use crate::deploy::context::Context;
use crate::deploy::next_release::Wish;
use crate::ledger::AppRecord;
use crate::model::problem::Problem;
use crate::plan::fingerprint;
use crate::ports::engine::{LogQuery, Restart};
use crate::progress::event::{Event, Outcome, Step};

impl Context<'_> {
    /// Runs the release command, where there is one. A failure stops the deploy.
    pub(crate) async fn release_command(
        &mut self,
        record: &AppRecord,
        wish: &Wish,
        candidate: &Candidate,
    ) -> Result<(), Problem> {
        let Some(command) = &wish.settings.release_command else { return Ok(()) };
        // A rollback does not run it: what it did to the data cannot be undone by running an older one.
        if wish.rollback_to.is_some() {
            let why = "not run on a rollback".to_owned();
            self.journal.write(Event::StepSkipped { step: Step::ReleaseCommand, why });
            return Ok(());
        }
        self.report.release_command_ran = Some(false);
        let release = &candidate.release;
        let mut spec = fingerprint::container_spec(
            self.owner(record),
            release.number,
            &release.settings,
            &release.image,
            release.port,
            &record.generated,
            &release.declared_volumes,
        );
        spec.name = format!("{}-task-{}", spec.name, &self.job.op.as_str()[..4.min(self.job.op.as_str().len())]);
        spec.labels.insert("once.role".into(), "task".into());
        spec.restart = Restart::No;
        let argv = argv(command);
        spec.entrypoint = Some(argv[..1].to_vec());
        spec.command = Some(argv[1..].to_vec());
        let engine = &*self.installation.engine;
        let id = engine.create(&spec).await?;
        self.report.release_command_ran = Some(true);
        let work = async {
            engine.start(&id).await?;
            let query = LogQuery { follow: true, tail: None, since: None };
            let mut lines = engine.logs(&id, query);
            let mut last = Vec::new();
            while let Some(Ok(line)) = lines.next().await {
                self.journal.write(Event::Log { line: line.text.clone() });
                last.push(line.text);
            }
            match engine.wait(&id).await? {
                0 => Ok(((), "ended with 0".to_owned())),
                code => {
                    let message = format!("the release command ended with exit code {code}");
                    let from = last.len().saturating_sub(25);
                    let problem = Problem::new(Outcome::Failed, "release-command-failed", message);
                    Err(Problem { log: last.split_off(from), ..problem })
                }
            }
        };
        let result = self.journal.step(Step::ReleaseCommand, self.until_stopped(work)).await;
        if let Err(error) = engine.remove(&id).await {
            self.journal.warn("task-left", format!("the release command's container could not be removed: {error}"));
        }
        result
    }
}

/// Plain words are run as they are, so that images without a shell can have a release command too; anything a shell
/// would read differently goes to one.
fn argv(command: &str) -> Vec<String> {
    const SHELL: &[char] = &[
        '|', '&', ';', '<', '>', '(', ')', '$', '`', '\\', '"', '\'', '*', '?', '[', ']', '#', '~', '=', '%', '{', '}',
        '!',
    ];
    if command.contains(SHELL) {
        return ["/bin/sh", "-c", command].map(str::to_owned).into();
    }
    command.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::argv;

    #[test]
    fn a_shell_only_where_one_is_needed() {
        assert_eq!(argv("bin/rails db:migrate"), ["bin/rails", "db:migrate"]);
        assert_eq!(argv("a && b"), ["/bin/sh", "-c", "a && b"]);
    }
}
