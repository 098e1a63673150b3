//! Asks for a change and follows it to its end, through the detached process.

use tokio::signal::unix::{Signal, SignalKind, signal};

use once_app::event::{Event, Finished, Outcome};
use once_app::{Ask, DeployView, PlanView, Problem};
use once_job::detached::lost;
use once_job::runner::{self, RunnerError, RunningJob};
use once_text::plan_words;

use super::output::{GOOD, Mode, Output, STRONG, styled};
use super::progress::{Progress, traffic};
use super::report;
use super::session::Session;

/// A change's end, and what was planned.
pub(crate) struct Ended {
    pub(crate) finished: Finished,
    pub(crate) plan: Option<PlanView>,
}

/// Runs a job to its end and says how it went. Its exit code is the outcome's.
///
/// # Errors
/// Only when the change could not even be asked for; a change that failed is an [`Ended`].
pub(crate) async fn run(session: &mut Session<'_>, ask: Ask, wait_seconds: u64) -> Result<Ended, Problem> {
    let job = session.job(ask, wait_seconds);
    let dry = job.ask.is_dry();
    let mut signals = Signals::new()?;
    let mut hang_up = HangUp::new()?;
    let running = runner::spawn(&job, &session.place()).await.map_err(|e| lost(&e))?;
    let mut progress = Progress::new(&job.op, jiff::Timestamp::now(), session.out);
    let finished = follow(running, &mut progress, session.out, &mut signals, &mut hang_up).await;
    progress.end();
    let finished = finished?;
    conclude(session.out, &progress.view, &finished, dry);
    Ok(Ended { finished, plan: progress.view.plan })
}

async fn follow(
    mut running: RunningJob,
    progress: &mut Progress,
    out: &mut Output,
    signals: &mut Signals,
    hang_up: &mut HangUp,
) -> Result<Finished, Problem> {
    let mut asked = false;
    loop {
        tokio::select! {
            event = running.next_event() => match event {
                Ok(Some(envelope)) => {
                    progress.event(out, &envelope);
                    if let Event::Finished(finished) = envelope.event {
                        return Ok(finished);
                    }
                }
                Ok(None) => return Err(Problem::new(Outcome::Internal, "no-answer", "the change gave no answer")),
                Err(error) => return Err(if asked { interrupted(&error) } else { lost(&error) }),
            },
            () = signals.next() => {
                if asked {
                    running.control().detach();
                    return Err(detached(progress));
                }
                asked = true;
                running.cancel();
                let text = if progress.view.is_past_switch() {
                    "the new release serves already, so this will be finished; once more to leave it alone"
                } else {
                    "asked to undo; past the switch it will be finished instead; once more to leave it alone"
                };
                progress.say(out, text);
            }
            () = hang_up.next() => {
                running.control().detach();
                return Err(detached(progress));
            }
        }
    }
}

/// The final sentence, with the address; or the three things that went wrong.
pub(crate) fn conclude(out: &mut Output, view: &DeployView, finished: &Finished, dry: bool) {
    if out.mode() == Mode::Json {
        return;
    }
    if let Some(problem) = &finished.problem {
        report::explain(out, problem);
        let serving = match (finished.serving, &finished.visitors, finished.outcome) {
            (Some(_), Some(visitors), _) => format!("the app is {visitors}"),
            (Some(serving), None, _) => format!("release {serving} serves"),
            // No app was found yet: nobody asked what serves it.
            (None, ..) if view.app.is_none() => return,
            (None, _, Outcome::Failed | Outcome::Down | Outcome::Interrupted) => "nothing serves".to_owned(),
            (None, ..) => return,
        };
        out.tell(&match finished.release_command_ran {
            Some(true) => format!("{serving}; the release command had already run"),
            Some(false) => format!("{serving}; the release command had not run"),
            None => serving,
        });
        return;
    }
    let requests = view.traffic.old + view.traffic.new + view.traffic.failed;
    if requests > 0 {
        out.say(&format!("traffic meanwhile: {}", traffic(&view.traffic)));
    }
    if dry {
        out.say(&format!("{}; nothing was done", plan_words::would(view.plan.as_ref())));
        return;
    }
    out.say(&last_line(view, finished));
}

/// What visitors get now, and how to take it back.
fn last_line(view: &DeployView, finished: &Finished) -> String {
    let app = view.app.as_ref().map_or_else(|| "the app".into(), ToString::to_string);
    let outcome = styled(GOOD, &finished.outcome.to_string());
    let release = finished.serving.map(|r| format!(", release {r}")).unwrap_or_default();
    if let Some(visitors) = &finished.visitors {
        let back = view.app.as_ref().map(|app| format!("; {}", visitors.way_back(app))).unwrap_or_default();
        let visitors = visitors.to_string();
        return match (finished.release, finished.outcome) {
            // Its state is what was asked for.
            (None, Outcome::Updated) => format!("{app} {}{back}", styled(GOOD, &visitors)),
            _ => format!("{app} {outcome}{release}, {visitors}{back}"),
        };
    }
    let url = finished.url.as_deref().map(|url| format!(" at {}", styled(STRONG, url))).unwrap_or_default();
    let canary = finished
        .canary
        .as_ref()
        .map(|c| format!("; {} on release {}, a canary", c.rule, c.release))
        .unwrap_or_default();
    // A canary has its own ways: `promote` and `abort`.
    let replaced = view.from.filter(|_| finished.release.is_some() && finished.canary.is_none());
    let back = match (&view.app, replaced) {
        (Some(app), Some(before)) => format!("; `once rollback {app}` goes back to release {before}"),
        _ => String::new(),
    };
    format!("{app} {outcome}{release}{canary}{url}{back}")
}

/// Ctrl-C and SIGTERM.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(crate) fn new() -> Result<Self, Problem> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Problem::new(Outcome::Environment, "signals", "signals cannot be listened for").because(&error)
            })
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// The next of either. Cancel-safe.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The terminal was hung up: a window was closed, or the connection to a server ended. The change goes on.
struct HangUp(Option<Signal>);

impl HangUp {
    /// A hang-up that is ignored, as `nohup` has it, stays ignored.
    fn new() -> Result<Self, Problem> {
        if is_ignored(SignalKind::hangup()) {
            return Ok(Self(None));
        }
        let signal = signal(SignalKind::hangup()).map_err(|error| {
            Problem::new(Outcome::Environment, "signals", "signals cannot be listened for").because(&error)
        })?;
        Ok(Self(Some(signal)))
    }

    /// Cancel-safe.
    async fn next(&mut self) {
        match &mut self.0 {
            Some(signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    }
}

/// Whether whatever started this process had it ignore a signal. The kernel shows the set as a mask in hex.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or_default();
    mask & (1 << (kind.as_raw_value() - 1)) != 0
}

fn detached(progress: &Progress) -> Problem {
    let app = progress.view.app.as_ref().map(|a| format!(" {a}")).unwrap_or_default();
    Problem::new(Outcome::Interrupted, "left-running", "the change was left running in its own process")
        .hint(format!("`once watch{app}` shows how it goes on"))
}

fn interrupted(error: &RunnerError) -> Problem {
    Problem::new(Outcome::Interrupted, "interrupted", "the change was interrupted before it gave an answer")
        .because(error)
        .hint("`once status` says what serves; the next command puts in order what was left")
}
