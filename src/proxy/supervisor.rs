//! PID 1 of the proxy's container: owns the listening sockets and never reads from them; starts the worker, starts it
//! again when it dies, has it relieved by a newer program when it asks for that, reaps what is left behind by others.
//!
//! The sockets stay open when a worker dies: what connects meanwhile waits in their queues for the next one. It alone
//! decides who serves: a newer program is in charge when it has said that it is ready, and not before.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use rustix::process::{Signal, WaitOptions, wait};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use crate::binaries::{Binaries, hash_of};
use crate::parent::{Order, Report};

mod child;
mod sockets;

use child::{Worker, send};
pub use sockets::{inherited_listeners, listen};

/// What is supervised.
#[derive(Debug)]
pub struct Supervised {
    /// The program: usually `/proc/self/exe`.
    pub program: PathBuf,
    /// Its arguments, and those of any newer program.
    pub arguments: Vec<OsString>,
    /// Handed to it in this order, see [`inherited_listeners`].
    pub listeners: Vec<TcpListener>,
    /// How long it may take to end after SIGTERM before it is killed.
    pub grace: Duration,
    /// Newer programs.
    pub binaries: Binaries,
}

/// Between a worker's death and the next one: doubled each time, back to the first after a life of [`GOOD_LIFE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const GOOD_LIFE: Duration = Duration::from_secs(10);
/// How long a newer program may take until it is ready.
const READY: Duration = Duration::from_secs(30);
/// A newer program that ends so often without having been ready is given up for the image's own.
const FAILURES: u32 = 3;

/// Runs until SIGTERM or SIGINT and the workers' end that follows; says what happens on `out`, a line each. Gives the
/// exit code. Reaps every child of this process: call it in a process that does nothing else.
///
/// # Errors
///
/// Signals cannot be had, or nobody listens on `out`.
pub async fn supervise(supervised: Supervised, out: impl Write) -> io::Result<ExitCode> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut child = signal(SignalKind::child())?;
    let mut all = Supervisor {
        supervised,
        out,
        serving: None,
        next: None,
        leaving: Vec::new(),
        pause: FIRST_PAUSE,
        again: Instant::now(),
        failures: 0,
    };
    loop {
        let limit = all.next.as_ref().map(|next| next.started + READY);
        let again = (all.serving.is_none() && all.next.is_none()).then_some(all.again);
        tokio::select! {
            _ = term.recv() => return all.end(&mut child).await,
            _ = int.recv() => return all.end(&mut child).await,
            _ = child.recv() => all.reap().await?,
            report = heard(all.serving.as_mut()) => all.hear(report).await?,
            report = heard(all.next.as_mut()) => if report == Report::Ready { all.put_in_charge().await? },
            () = due(limit) => {
                all.refuse(&format!("it was not ready within {} s", READY.as_secs())).await?;
            }
            () = due(again) => {
                if let Err(error) = all.start_serving() {
                    all.later();
                    writeln!(all.out, "no worker: {error}; next try in {} ms", all.pause.as_millis())?;
                }
            }
        }
    }
}

async fn heard(worker: Option<&mut Worker>) -> Report {
    match worker {
        Some(worker) => worker.line.report().await,
        None => std::future::pending().await,
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

struct Supervisor<W> {
    supervised: Supervised,
    out: W,
    serving: Option<Worker>,
    /// On its way to relieve the serving one.
    next: Option<Worker>,
    /// Relieved, and not yet at their end.
    leaving: Vec<i32>,
    pause: Duration,
    again: Instant,
    failures: u32,
}

impl<W: Write> Supervisor<W> {
    /// The newest program that was in charge, or the image's own where that cannot be run.
    fn start_serving(&mut self) -> io::Result<()> {
        let (newer, note) = match self.supervised.binaries.current(|| hash_of(&self.supervised.program)) {
            Ok(newer) => (newer, None),
            Err(error) => (None, Some(format!("which program was in charge cannot be read: {error}"))),
        };
        let (program, newer, note) = match newer.map(|hash| (self.supervised.binaries.verified(&hash), hash)) {
            None => (None, None, note),
            Some((_, hash)) if self.failures >= FAILURES => {
                (None, None, Some(format!("the program {hash} ended {} times before it was ready", self.failures)))
            }
            Some((Ok(path), hash)) => (Some(path), Some(hash), None),
            Some((Err(error), hash)) => (None, None, Some(format!("the program {hash} cannot be run: {error}"))),
        };
        if let Some(note) = &note {
            writeln!(self.out, "{note}; the image's own is started")?;
        }
        let program = program.unwrap_or_else(|| self.supervised.program.clone());
        let started = self.supervised.start(&program, newer, note.as_deref(), false);
        if started.is_err() {
            self.failures += 1;
        }
        let worker = started?;
        writeln!(self.out, "worker {} started", worker.pid)?;
        self.serving = Some(worker);
        Ok(())
    }

    fn later(&mut self) {
        self.again = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// What the serving worker says.
    async fn hear(&mut self, report: Report) -> io::Result<()> {
        let hash = match report {
            Report::Ready => {
                self.failures = 0;
                self.serving.iter_mut().for_each(|worker| worker.ready = true);
                return Ok(());
            }
            Report::Upgrade(hash) => hash,
        };
        if self.next.is_some() {
            return self.tell_serving(Order::Refused("another upgrade is under way".to_owned())).await;
        }
        let program = match self.supervised.binaries.verified(&hash) {
            Ok(program) => program,
            Err(error) => {
                return self.tell_serving(Order::Refused(format!("it is not what it should be: {error}"))).await;
            }
        };
        match self.supervised.start(&program, Some(hash), None, true) {
            Ok(next) => {
                writeln!(self.out, "worker {} is to take over", next.pid)?;
                self.next = Some(next);
                Ok(())
            }
            Err(error) => self.tell_serving(Order::Refused(format!("it cannot be run: {error}"))).await,
        }
    }

    async fn tell_serving(&mut self, order: Order) -> io::Result<()> {
        if let Order::Refused(why) = &order {
            writeln!(self.out, "the newer worker is refused: {why}")?;
        }
        if let Some(worker) = self.serving.as_mut() {
            worker.line.give(&order).await;
        }
        Ok(())
    }

    /// The next one is ready: from here on it serves, also after a restart.
    async fn put_in_charge(&mut self) -> io::Result<()> {
        let Some(hash) = self.next.as_ref().and_then(|next| next.newer.clone()) else { return Ok(()) };
        let own = hash_of(&self.supervised.program);
        if let Err(error) = own.and_then(|own| self.supervised.binaries.put_in_charge(&hash, &own)) {
            return self.refuse(&format!("that it is in charge could not be written down: {error}")).await;
        }
        let Some(mut next) = self.next.take() else { return Ok(()) };
        next.ready = true;
        next.line.give(&Order::Serve).await;
        writeln!(self.out, "worker {} is in charge", next.pid)?;
        if let Some(mut old) = self.serving.replace(next) {
            old.line.give(&Order::Leave).await;
            self.leaving.push(old.pid);
        }
        self.failures = 0;
        Ok(())
    }

    /// The next one does not come to serve.
    async fn refuse(&mut self, why: &str) -> io::Result<()> {
        let Some(next) = self.next.take() else { return Ok(()) };
        send(next.pid, Signal::KILL);
        // It lets go of the ledger by its end.
        while let Ok(Some((pid, status))) = wait(WaitOptions::empty()) {
            if pid.as_raw_pid() == next.pid {
                break;
            }
            self.ended(pid.as_raw_pid(), std::os::unix::process::ExitStatusExt::from_raw(status.as_raw()))?;
        }
        self.tell_serving(Order::Refused(why.to_owned())).await
    }

    /// Takes note of all ended children.
    async fn reap(&mut self) -> io::Result<()> {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let (pid, status) = (pid.as_raw_pid(), std::os::unix::process::ExitStatusExt::from_raw(status.as_raw()));
            if self.next.as_ref().is_some_and(|next| next.pid == pid) {
                self.next = None;
                self.tell_serving(Order::Refused(format!("it ended before it was ready: {status}"))).await?;
            } else {
                self.ended(pid, status)?;
            }
        }
        Ok(())
    }

    fn ended(&mut self, pid: i32, status: ExitStatus) -> io::Result<()> {
        self.leaving.retain(|leaving| *leaving != pid);
        let Some(worker) = self.serving.take_if(|serving| serving.pid == pid) else { return Ok(()) };
        if worker.started.elapsed() >= GOOD_LIFE {
            self.pause = FIRST_PAUSE;
        }
        if !worker.ready && worker.newer.is_some() {
            self.failures += 1;
        }
        writeln!(self.out, "worker {pid} ended: {status}; next in {} ms", self.pause.as_millis())?;
        self.later();
        Ok(())
    }

    /// Lets the workers end, for as long as they may take.
    async fn end(mut self, child: &mut Signals) -> io::Result<ExitCode> {
        let serving = self.serving.as_ref().map(|worker| worker.pid);
        let mut left: Vec<i32> = self.leaving.drain(..).chain(serving).chain(self.next.map(|next| next.pid)).collect();
        left.iter().for_each(|pid| send(*pid, Signal::TERM));
        let mut code = ExitCode::SUCCESS;
        let ended = async {
            while !left.is_empty() {
                while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
                    left.retain(|one| *one != pid.as_raw_pid());
                    if Some(pid.as_raw_pid()) == serving {
                        let status = status.exit_status().and_then(|code| u8::try_from(code).ok());
                        code = status.map_or(ExitCode::FAILURE, ExitCode::from);
                    }
                }
                if !left.is_empty() {
                    child.recv().await;
                }
            }
        };
        if tokio::time::timeout(self.supervised.grace, ended).await.is_err() {
            for pid in left {
                writeln!(self.out, "worker {pid} did not end within {} s", self.supervised.grace.as_secs())?;
                send(pid, Signal::KILL);
            }
            return Ok(ExitCode::FAILURE);
        }
        Ok(code)
    }
}
