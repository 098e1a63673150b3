//! The terminal while it is ours. The guard remembers what it turned on and turns exactly that off again: on quit,
//! panic, signal, suspend.

use std::io::{self, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::terminal;

/// Modes and what turns them on and off, in the order they are turned on.
const MODES: [(&str, &str); 4] = [
    ("\x1b[?1049h", "\x1b[?1049l"),              // alternate screen
    ("\x1b[22;2t\x1b]2;once\x07", "\x1b[23;2t"), // title, kept on the terminal's own stack
    ("\x1b[?2004h", "\x1b[?2004l"),              // bracketed paste
    ("\x1b[?25l", "\x1b[?25h"),                  // cursor hidden
];

/// Buttons and wheel in SGR form; no motion, which would send bytes for every cell crossed.
const MOUSE: (&str, &str) = ("\x1b[?1000h\x1b[?1006h", "\x1b[?1006l\x1b[?1000l");

/// Ends what a frame that was cut off may have left open.
const TIDY: &str = "\x1b[?2026l\x1b[0m";

/// Whether a session is on, for the panic hook: a hook has no other way to know.
static ON: AtomicBool = AtomicBool::new(false);

/// What turns off what is on, for the panic hook.
static UNDO: Mutex<String> = Mutex::new(String::new());

/// The terminal, ours until dropped.
pub(crate) struct Session {
    mouse: bool,
}

impl Session {
    /// Takes the terminal.
    ///
    /// # Errors
    /// It has no raw mode, or is gone.
    pub(crate) fn enter(mouse: bool) -> io::Result<Self> {
        let session = Self { mouse };
        session.on()?;
        Ok(session)
    }

    /// Takes it again after [`Session::leave`].
    ///
    /// # Errors
    /// It is gone.
    pub(crate) fn on(&self) -> io::Result<()> {
        terminal::enable_raw_mode()?;
        let mouse = self.mouse.then_some(MOUSE);
        let modes: Vec<(&str, &str)> = MODES.into_iter().chain(mouse).collect();
        let undo: String = modes.iter().rev().map(|(_, off)| *off).collect();
        if let Ok(mut text) = UNDO.lock() {
            *text = format!("{TIDY}{undo}");
        }
        ON.store(true, Ordering::SeqCst);
        let on: String = modes.iter().map(|(on, _)| *on).collect();
        let mut out = io::stdout();
        out.write_all(on.as_bytes())?;
        out.flush()
    }

    /// Whether the terminal is ours.
    pub(crate) fn is_on() -> bool {
        ON.load(Ordering::SeqCst)
    }

    /// Gives it back; a second time does nothing.
    pub(crate) fn leave() {
        if !ON.swap(false, Ordering::SeqCst) {
            return;
        }
        let undo = UNDO.lock().map(|text| text.clone()).unwrap_or_default();
        let mut out = io::stdout();
        // The terminal may be gone; then there is nothing left to restore and nobody to tell.
        let _ = out.write_all(undo.as_bytes());
        let _ = out.flush();
        let _ = terminal::disable_raw_mode();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        Self::leave();
    }
}

/// Makes panics give the terminal back before they are told. To be called once, after other hooks are set.
pub(crate) fn guard_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            Session::leave();
            next(info);
        }));
    });
}
