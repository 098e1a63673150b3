//! The loop: the only place that waits. Terminal, messages, signals and the frame timer go in, frames and effects come
//! out. It draws when something changed, at most so often as the terminal takes it.

use std::io;
use std::time::Duration;

use crossterm::Command as _;
use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{Event, EventStream};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::app::event::Outcome;
use crate::app::{AppName, Problem};

use super::console::Console;
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
}

impl Signals {
    fn new() -> io::Result<Self> {
        let others = [SignalKind::terminate(), SignalKind::quit(), SignalKind::interrupt()];
        let [a, b, c] = others.map(signal);
        Ok(Self { hangup: signal(SignalKind::hangup())?, others: [a?, b?, c?] })
    }

    /// The next one, whichever.
    async fn next(&mut self) {
        let [a, b, c] = &mut self.others;
        tokio::select! {
            _ = self.hangup.recv() => {}
            _ = a.recv() => {}
            _ = b.recv() => {}
            _ = c.recv() => {}
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
    keys: Option<EventStream>,
    messages: mpsc::Receiver<Msg>,
    tasks: Tasks,
    screen: Screen<io::Stdout>,
    clock: std::sync::Arc<dyn crate::app::Clock>,
    frame_every: Duration,
    next_frame: Instant,
    dirty: bool,
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
            keys: Some(EventStream::new()),
            messages,
            tasks,
            screen: Screen::new(io::stdout()),
            clock,
            frame_every: Duration::from_millis(1000 / fps),
            next_frame: Instant::now(),
            dirty: true,
            quit: false,
        }
    }

    async fn until_left(&mut self) -> io::Result<()> {
        let mut tick = Instant::now() + RESTING;
        while !self.quit {
            if self.dirty && Instant::now() >= self.next_frame {
                self.draw()?;
            }
            let keys = self.keys.get_or_insert_with(EventStream::new);
            let event = tokio::select! {
                biased;
                () = self.signals.next() => return Ok(()),
                event = keys.next() => match event {
                    Some(Ok(event)) => translate(event),
                    // The terminal is gone.
                    Some(Err(error)) => return Err(error),
                    None => return Ok(()),
                },
                msg = self.messages.recv() => msg,
                () = sleep_until(self.next_frame), if self.dirty => None,
                () = sleep_until(tick) => {
                    let every = if self.m.is_moving() && !self.m.options.reduced_motion { MOVING } else { RESTING };
                    tick = Instant::now() + every;
                    Some(Msg::Tick(self.clock.now()))
                }
            };
            if self.m.is_moving() && !self.m.options.reduced_motion {
                tick = tick.min(Instant::now() + MOVING);
            }
            if let Some(msg) = event {
                self.take(msg).await?;
            }
            self.drain().await?;
            if !session::Session::is_on() {
                // A panic somewhere has given the terminal back and been told; drawing on would hide it.
                return Err(io::Error::other("the console was ended by a bug"));
            }
        }
        Ok(())
    }

    /// Takes in all that waits, so that one frame shows all of it.
    async fn drain(&mut self) -> io::Result<()> {
        while let Ok(msg) = self.messages.try_recv() {
            self.take(msg).await?;
        }
        loop {
            let Some(keys) = self.keys.as_mut() else { return Ok(()) };
            let Some(Some(Ok(event))) = keys.next().now_or_never() else { return Ok(()) };
            if let Some(msg) = translate(event) {
                self.take(msg).await?;
            }
        }
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
        self.screen.show(drawn.buffer, drawn.cursor)?;
        let pause = (began.elapsed() * BREATH).max(self.frame_every);
        self.next_frame = Instant::now() + pause;
        self.dirty = false;
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
            std::process::Command::new(program).args(args).arg("shell").arg(name.as_str()).status()
        });
        let status = shell.await.map_err(io::Error::other)?;
        self.signals.forget_interrupts();
        self.back()?;
        let problem = match status {
            Ok(status) if status.code() == Some(SHELL_FAILED) => {
                Problem::new(Outcome::Environment, "no-shell", format!("no shell could be opened in {app}"))
                    .hint(format!("`once shell {app}` says why"))
            }
            Ok(_) => return Ok(()),
            Err(error) => {
                Problem::new(Outcome::Environment, "no-shell", "the shell could not be started").because(&error)
            }
        };
        update(&mut self.m, Msg::Problem(problem));
        Ok(())
    }
}

fn translate(event: Event) -> Option<Msg> {
    match event {
        Event::Key(key) => Some(Msg::Key(key)),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Mouse(mouse) => Some(Msg::Mouse(mouse)),
        Event::Resize(columns, rows) => Some(Msg::Resize(columns, rows)),
        Event::FocusGained | Event::FocusLost => None,
    }
}
