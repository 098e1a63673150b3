//! The loop: the only place that waits. Terminal, messages, signals and the frame timer go in, frames and effects come
//! out. It draws when something changed, at most so often as the terminal takes it.

use std::io;
use std::time::Duration;

use crossterm::Command as _;
use crossterm::clipboard::CopyToClipboard;
use futures_util::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use once_app::event::Outcome;
use once_app::{AppName, Problem};
use once_text::sanitize;

use super::console::Console;
use super::input::{Reader, Typed};
use super::model::Model;
use super::msg::{Effect, Msg};
use super::paint::Screen;
use super::screen;
use super::session::{self, Session};
use super::tasks::Tasks;
use super::update::update;

/// How often the time is looked at while nothing moves: ages and the clock change no faster.
const RESTING: Duration = Duration::from_secs(1);

/// How often while a spinner turns.
const MOVING: Duration = Duration::from_millis(100);

/// A frame that takes the terminal long to swallow is followed by a pause of so many times that.
const BREATH: u32 = 4;

/// And one that takes long to draw by a pause of so many times that.
const REST: u32 = 2;

/// A frame whose write takes so long was held up by the terminal: what was typed meanwhile was typed before it was seen.
const HELD_UP: Duration = Duration::from_millis(100);

/// How long messages that wait are taken in before a frame shows what came of them. Who sends without end is not
/// waited for.
const TAKING: Duration = Duration::from_millis(8);

/// `once shell` says so when it was not the shell that failed.
const SHELL_FAILED: i32 = 125;

/// Opens the console and stays until it is left.
///
/// # Errors
/// There is no terminal to draw on, or it cannot be used; or the console ended by a bug, which has been told by then.
pub async fn run(console: Console) -> Result<(), Problem> {
    use io::IsTerminal as _;
    let term = std::env::var("TERM").unwrap_or_default();
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() || term.is_empty() || term == "dumb" {
        return Err(Problem::rejected("no-terminal", "the console needs a terminal that can be drawn on")
            .hint("`once list` and `once status` say the same in plain lines")
            .hint("`once --help` shows all commands"));
    }
    let lost = |e: io::Error| Problem::new(Outcome::Environment, "terminal", "the terminal cannot be used").because(&e);
    session::guard_panics();
    let signals = Signals::new().map_err(lost)?;
    let guard = Session::enter(console.options.mouse).map_err(lost)?;
    let mut running = Running::start(console, guard, signals);
    let ended = running.until_left().await;
    Session::leave();
    ended.map_err(lost)
}

/// What ends or interrupts the console from outside.
struct Signals {
    hangup: Signal,
    others: [Signal; 3],
    resized: Signal,
}

/// What a signal asks for.
enum Signalled {
    End,
    Resized,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let others = [SignalKind::terminate(), SignalKind::quit(), SignalKind::interrupt()];
        let [a, b, c] = others.map(signal);
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            others: [a?, b?, c?],
            resized: signal(SignalKind::window_change())?,
        })
    }

    /// The next one, whichever.
    async fn next(&mut self) -> Signalled {
        let [a, b, c] = &mut self.others;
        tokio::select! {
            _ = self.hangup.recv() => Signalled::End,
            _ = a.recv() => Signalled::End,
            _ = b.recv() => Signalled::End,
            _ = c.recv() => Signalled::End,
            _ = self.resized.recv() => Signalled::Resized,
        }
    }

    /// Forgets an interrupt that was meant for a shell.
    fn forget_interrupts(&mut self) {
        while self.others[2].recv().now_or_never().flatten().is_some() {}
    }
}

struct Running {
    m: Model,
    guard: Session,
    signals: Signals,
    keys: Option<Reader>,
    messages: mpsc::Receiver<Msg>,
    tasks: Tasks,
    screen: Screen<io::Stdout>,
    clock: std::sync::Arc<dyn once_app::Clock>,
    frame_every: Duration,
    /// When the next frame is due; a key's answer may be ahead of it by `pause`.
    next_frame: Instant,
    /// What the terminal and this machine need after a frame.
    pause: Duration,
    /// Something on the screen is not as the model has it.
    dirty: bool,
    /// So is the answer to a key.
    answer: bool,
    /// When the question on top was painted: what was typed before is no answer to it.
    asked: Option<std::time::Instant>,
    quit: bool,
}

impl Running {
    fn start(console: Console, guard: Session, signals: Signals) -> Self {
        let (tasks, messages) = Tasks::start(&console);
        let Console { namespace, clock, seed, ports, options, .. } = console;
        let fps = u64::from(options.fps.clamp(1, 30));
        let mut m = Model::new(options, namespace, ports, seed, clock.now());
        m.size = crossterm::terminal::size().unwrap_or((80, 24));
        Self {
            m,
            guard,
            signals,
            keys: None,
            messages,
            tasks,
            screen: Screen::new(io::stdout()),
            clock,
            frame_every: Duration::from_millis(1000 / fps),
            next_frame: Instant::now(),
            pause: Duration::ZERO,
            dirty: true,
            answer: false,
            asked: None,
            quit: false,
        }
    }

    async fn until_left(&mut self) -> io::Result<()> {
        let mut tick = Instant::now() + RESTING;
        while !self.quit {
            if self.dirty && Instant::now() >= self.due() {
                self.draw()?;
            }
            let due = self.due();
            let keys = match &mut self.keys {
                Some(keys) => keys,
                none => none.insert(Reader::start(self.m.options.escape_wait)?),
            };
            tokio::select! {
                biased;
                signal = self.signals.next() => match signal {
                    Signalled::End => return Ok(()),
                    Signalled::Resized => self.resized().await?,
                },
                typed = keys.next() => match typed {
                    Some(typed) => self.typed(typed?).await?,
                    // The terminal is gone.
                    None => return Ok(()),
                },
                () = sleep_until(due), if self.dirty => {}
                () = sleep_until(tick) => {
                    tick = Instant::now() + if self.is_moving() { MOVING } else { RESTING };
                    self.take(Msg::Tick(self.clock.now())).await?;
                }
                // Last: there may always be one.
                msg = self.messages.recv() => match msg {
                    Some(msg) => self.take(msg).await?,
                    None => return Ok(()),
                },
            }
            if self.is_moving() {
                tick = tick.min(Instant::now() + MOVING);
            }
            self.take_waiting().await?;
            if !session::Session::is_on() {
                // A panic somewhere has given the terminal back and been told; drawing on would hide it.
                return Err(io::Error::other("the console was ended by a bug"));
            }
        }
        Ok(())
    }

    fn is_moving(&self) -> bool {
        self.m.is_moving() && !self.m.options.reduced_motion
    }

    /// When the next frame is to be drawn. The answer to a key does not wait its turn but takes that of the next frame:
    /// in the long run there are no more frames than without it.
    fn due(&self) -> Instant {
        let ahead = if self.answer { self.pause } else { Duration::ZERO };
        self.next_frame.checked_sub(ahead).unwrap_or(self.next_frame)
    }

    /// Takes in what waits, so that one frame shows all of it; keys first.
    async fn take_waiting(&mut self) -> io::Result<()> {
        let end = Instant::now() + TAKING;
        while !self.quit && Instant::now() < end {
            if let Some(typed) = self.keys.as_mut().and_then(Reader::ready) {
                self.typed(typed?).await?;
            } else if let Ok(msg) = self.messages.try_recv() {
                self.take(msg).await?;
            } else {
                break;
            }
        }
        Ok(())
    }

    /// Takes in what one read of the terminal brought.
    async fn typed(&mut self, typed: Typed) -> io::Result<()> {
        self.answer = true;
        self.m.typed_early = self.asked.is_some_and(|asked| typed.since <= asked);
        self.take(Msg::Typed(typed.events)).await
    }

    async fn resized(&mut self) -> io::Result<()> {
        let (columns, rows) = crossterm::terminal::size().unwrap_or(self.m.size);
        self.take(Msg::Resize(columns, rows)).await
    }

    async fn take(&mut self, msg: Msg) -> io::Result<()> {
        // Times are shown as of the moment something happens, not of the last tick.
        if !matches!(msg, Msg::Tick(_)) {
            self.m.now = self.clock.now();
        }
        self.dirty = true;
        for effect in update(&mut self.m, msg) {
            match effect {
                Effect::Quit => self.quit = true,
                Effect::Repaint => self.screen.forget(),
                Effect::Copy(text) => self.copy(text)?,
                Effect::Suspend => self.suspend()?,
                Effect::Shell(app) => self.shell(app).await?,
                other => self.tasks.perform(other),
            }
        }
        Ok(())
    }

    fn draw(&mut self) -> io::Result<()> {
        let began = Instant::now();
        let drawn = screen::draw(&self.m);
        let writing = Instant::now();
        self.screen.show(drawn.buffer, drawn.cursor)?;
        let now = Instant::now();
        self.pause = ((now - writing) * BREATH).max((now - began) * REST).max(self.frame_every);
        // Behind the turn that an answer took, not behind the answer.
        self.next_frame = self.next_frame.max(now) + self.pause;
        (self.dirty, self.answer) = (false, false);
        if self.m.is_asking_anew() {
            // A frame can be seen from the moment it is written, however late this thread goes on behind that.
            let seen = if now - writing > HELD_UP { now } else { writing };
            self.asked = Some(seen.into_std());
        }
        // Not a message like others: a frame must not ask for the next one.
        update(&mut self.m, Msg::Painted(drawn.hits));
        Ok(())
    }

    /// Through the terminal, so that it works over SSH.
    fn copy(&mut self, text: String) -> io::Result<()> {
        let mut sequence = String::new();
        if CopyToClipboard::to_clipboard_from(text).write_ansi(&mut sequence).is_ok() {
            self.screen.send(&sequence)?;
        }
        Ok(())
    }

    fn away(&mut self) {
        // What was read and not taken yet was typed for whoever has the terminal next, and cannot be given to it: it is
        // no command of ours.
        self.keys = None;
        Session::leave();
    }

    fn back(&mut self) -> io::Result<()> {
        self.guard.on()?;
        self.screen.forget();
        self.m.size = crossterm::terminal::size().unwrap_or(self.m.size);
        self.m.now = self.clock.now();
        self.dirty = true;
        Ok(())
    }

    /// Stops this process as Ctrl-Z does others; goes on from here when it is continued.
    fn suspend(&mut self) -> io::Result<()> {
        self.away();
        // Not SIGTSTP: to a process group without a parent shell the kernel does not deliver it.
        rustix::process::kill_current_process_group(rustix::process::Signal::STOP)?;
        self.back()
    }

    async fn shell(&mut self, app: AppName) -> io::Result<()> {
        self.away();
        let (program, args) = self.m.options.command.clone();
        let name = app.clone();
        let shell = tokio::task::spawn_blocking(move || {
            let mut command = std::process::Command::new(program);
            // The shell itself has a terminal of its own in the container, and writes nothing there.
            command.args(args).arg("shell").arg(name.as_str()).stderr(std::process::Stdio::piped());
            let child = command.spawn()?;
            child.wait_with_output()
        });
        let output = shell.await.map_err(io::Error::other)?;
        self.signals.forget_interrupts();
        self.back()?;
        let problem = match output {
            Ok(output) if output.status.code() == Some(SHELL_FAILED) => no_shell(&app, &output.stderr),
            Ok(_) => return Ok(()),
            Err(error) => {
                Problem::new(Outcome::Environment, "no-shell", "the shell could not be started").because(&error)
            }
        };
        update(&mut self.m, Msg::Problem(problem));
        Ok(())
    }
}

/// Why there is no shell, as `once shell` says it: the error, its causes, what to do.
fn no_shell(app: &AppName, said: &[u8]) -> Problem {
    let said = String::from_utf8_lossy(said);
    let lines = || said.lines().map(sanitize::line).filter(|line| !line.is_empty());
    let of = |label: &str| lines().filter_map(|line| line.strip_prefix(label).map(str::to_owned)).collect::<Vec<_>>();
    let why = of("error: ").into_iter().next();
    let message = why.unwrap_or_else(|| format!("no shell could be opened in {app}"));
    let mut problem = Problem::new(Outcome::Environment, "no-shell", message);
    problem.causes = of("cause: ");
    problem.hints = of("hint: ");
    problem
}
