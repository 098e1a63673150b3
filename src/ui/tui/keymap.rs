//! The one table of keys. Handlers, the footer, the help screen and the command palette are made from it, so none of
//! them can say something the others do not do.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::glyph::Glyphs;

/// Where a key means something. The innermost context that knows a key gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Ctx {
    /// Everywhere but in dialogs and text.
    Global,
    /// On an app, in the list or its detail.
    App,
    /// The apps list.
    List,
    /// The detail beside it.
    Detail,
    /// Its logs.
    Logs,
    /// Its releases.
    Releases,
    /// One release.
    Release,
    /// The audit log.
    Activity,
    /// The deploy view.
    Deploy,
    /// A form.
    Form,
    /// The review of a form.
    Review,
    /// A list of things to choose from.
    Menu,
    /// The host.
    Host,
    /// A question.
    Confirm,
    /// A page to read: help, errors, activity.
    Page,
    /// One line of text: a filter, a search, the palette.
    Prompt,
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[rustfmt::skip]
pub(crate) enum Cmd {
    Up, Down, PageUp, PageDown, Top, Bottom, Right, NextPane, NextTab, PrevTab, Tab(usize), Open, Back,
    Filter, NextMatch, PrevMatch, Palette, Help, Problems, Activity, Host, Quit, Interrupt, Suspend, Repaint, Sort,
    New, Edit, Deploy, Logs, Shell, Actions, CopyAddress, Copy, Restart, Start, Stop, Remove, Rollback, Promote, Abort,
    Close, Reopen, Pause, Resume, Mend, MendAll, Again, Lock, Rename, DropAlias, Compare, Bad,
    Follow, Wrap, Times, Source, Before, Cancel, Retry, Submit, NextField, PrevField, AddRow, DropRow, Secret, Toggle,
}

/// A key as pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    code: KeyCode,
    ctrl: bool,
}

const fn c(char: char) -> Key {
    Key { code: KeyCode::Char(char), ctrl: false }
}
const fn ctrl(char: char) -> Key {
    Key { code: KeyCode::Char(char), ctrl: true }
}
const fn k(code: KeyCode) -> Key {
    Key { code, ctrl: false }
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Binding {
    /// Where.
    pub ctx: Ctx,
    /// Any of these.
    pub keys: &'static [Key],
    /// Asks for this.
    pub cmd: Cmd,
    /// In the footer; empty: not there.
    pub short: &'static str,
    /// In the help.
    pub long: &'static str,
    /// Not to be had in a read-only console.
    pub changes: bool,
}

macro_rules! table {
    ($($ctx:ident: $([$($key:expr),+] $cmd:expr, $short:literal, $long:literal $(, $changes:ident)?;)+)+) => {
        /// The table, in the order of footer and help.
        pub(crate) static TABLE: &[Binding] = &[$($(Binding {
            ctx: Ctx::$ctx, keys: &[$($key),+], cmd: $cmd, short: $short, long: $long,
            changes: table!(@ $($changes)?),
        }),+),+];
    };
    (@) => { false };
    (@ changes) => { true };
}

use KeyCode::{BackTab, Backspace, Delete, End, Enter, Esc, F, Home, PageDown, PageUp, Tab as TabKey};

const UP: Key = k(KeyCode::Up);
const DOWN: Key = k(KeyCode::Down);
const LEFT: Key = k(KeyCode::Left);
const RIGHT: Key = k(KeyCode::Right);

table! {
    List:
        [UP, c('k')] Cmd::Up, "", "the app above";
        [DOWN, c('j')] Cmd::Down, "select", "the app below";
        [k(Enter), RIGHT] Cmd::Open, "open", "open the app, or the deploy it is in";
        [k(TabKey)] Cmd::NextPane, "pane", "to the detail";
        [k(Home), c('g')] Cmd::Top, "", "the first app";
        [k(End), c('G')] Cmd::Bottom, "", "the last app";
        [k(PageUp)] Cmd::PageUp, "", "a page up";
        [k(PageDown)] Cmd::PageDown, "", "a page down";
        [c('S')] Cmd::Sort, "", "sort by hostname, requests, processor or memory";
        [k(Esc), k(Backspace)] Cmd::Back, "", "drop the filter";
    Logs:
        [c('/')] Cmd::Filter, "search", "search in the log";
        [c('n')] Cmd::NextMatch, "next", "the next match";
        [c('N')] Cmd::PrevMatch, "", "the match before";
        [c('f')] Cmd::Follow, "follow", "follow new lines, or stop";
        [c('w')] Cmd::Wrap, "wrap", "wrap long lines, or cut them";
        [c('t')] Cmd::Times, "times", "show time stamps, or hide them";
        [c('p')] Cmd::Source, "access log", "switch between the app's log and the proxy's access log";
        [c('P')] Cmd::Before, "before", "what was written before the run that serves, or the log of now again";
        [c('y')] Cmd::Copy, "copy line", "copy the marked line";
    Releases:
        [k(Enter)] Cmd::Open, "show", "the marked release in full: settings, who, when, why, events";
        [c('b')] Cmd::Rollback, "roll back", "roll back to the marked release (asks)", changes;
        [c('c')] Cmd::Compare, "compare", "compare the others with the marked one, or with those before them again";
        [c('y')] Cmd::Copy, "copy command", "copy the command that rolls back to it";
    Detail:
        [k(Esc), k(Backspace)] Cmd::Back, "back", "back to the list";
        [UP, c('k')] Cmd::Up, "", "up";
        [DOWN, c('j')] Cmd::Down, "move", "down";
        [k(PageUp)] Cmd::PageUp, "", "a page up";
        [k(PageDown), c(' ')] Cmd::PageDown, "", "a page down";
        [k(Home), c('g')] Cmd::Top, "", "to the top";
        [k(End), c('G')] Cmd::Bottom, "", "to the bottom";
        [c(']'), RIGHT] Cmd::NextTab, "tab", "the next tab";
        [c('['), LEFT] Cmd::PrevTab, "", "the tab before";
        [k(Enter)] Cmd::Open, "", "open the deploy the app is in, or its form in Settings";
        [k(TabKey), k(BackTab)] Cmd::NextPane, "pane", "to the list";
    App:
        [c('n')] Cmd::New, "new", "a new app", changes;
        [c('e')] Cmd::Edit, "edit", "edit the app's settings", changes;
        [c('d')] Cmd::Deploy, "deploy…", "review a deploy: never fires by itself", changes;
        [c('l')] Cmd::Logs, "logs", "the app's logs";
        [c('s')] Cmd::Shell, "shell", "open a shell in the app's container", changes;
        [c('a')] Cmd::Actions, "actions", "all that can be done with the app";
        [c('r')] Cmd::Restart, "", "restart without downtime (asks)", changes;
        [c('b')] Cmd::Rollback, "", "roll back to the release before (asks)", changes;
        [c('L')] Cmd::Lock, "", "lock the app against changes, or lift its lock (asks)", changes;
        [c('o')] Cmd::CopyAddress, "", "copy the app's address";
        [c('y')] Cmd::Copy, "", "copy the command that shows this";
        [c('1')] Cmd::Tab(0), "", "Overview";
        [c('2')] Cmd::Tab(1), "", "Traffic";
        [c('3')] Cmd::Tab(2), "", "Logs";
        [c('4')] Cmd::Tab(3), "", "Releases";
        [c('5')] Cmd::Tab(4), "", "Settings";
        [c('/')] Cmd::Filter, "filter", "filter the apps by name, host or image";
        [c('H')] Cmd::Host, "host", "the host: engine, proxy, locks, what is wrong and what mends it";
        [c('A')] Cmd::Activity, "activity", "who did what, when";
    Deploy:
        [k(Esc), k(Backspace), c('q')] Cmd::Back, "leave it running", "back to the list; the deploy goes on";
        [ctrl('c')] Cmd::Back, "", "the same";
        [c('c')] Cmd::Cancel, "cancel", "undo, until the switch (asks)", changes;
        [c('y')] Cmd::Copy, "copy", "copy the command, or the report of a failure";
        [c('l')] Cmd::Logs, "logs", "the app's full log";
        [c('r')] Cmd::Retry, "retry", "try a failed deploy again", changes;
        [c('e')] Cmd::Edit, "edit", "edit what was asked for", changes;
        [UP, c('k')] Cmd::Up, "", "the log up";
        [DOWN, c('j')] Cmd::Down, "", "the log down";
    Form:
        [k(Enter)] Cmd::Submit, "next, review", "the next field; after the last one the review";
        [DOWN, k(TabKey)] Cmd::NextField, "field", "the next field";
        [UP, k(BackTab)] Cmd::PrevField, "", "the field before";
        [k(PageUp)] Cmd::PageUp, "", "the section before";
        [k(PageDown)] Cmd::PageDown, "section", "the next section";
        [ctrl('s'), k(F(2))] Cmd::Open, "review", "review the change now";
        [ctrl('n')] Cmd::AddRow, "add row", "add a variable, volume, network or label";
        [ctrl('d')] Cmd::DropRow, "drop row", "take the row away, or back";
        [ctrl('t')] Cmd::Secret, "secret", "keep the variable's value secret, or not";
        [ctrl('y')] Cmd::Copy, "", "copy the command that does the same";
        [k(Esc)] Cmd::Back, "leave", "leave without changing anything";
    Review:
        [k(Enter)] Cmd::Submit, "do it", "make the change", changes;
        [c('y')] Cmd::Copy, "copy command", "copy the command that does the same";
        [k(Esc), k(Backspace), c('e')] Cmd::Back, "back to the form", "back to the form";
    Menu:
        [UP, c('k')] Cmd::Up, "", "up";
        [DOWN, c('j')] Cmd::Down, "select", "down";
        [k(Enter)] Cmd::Open, "do", "do it; what changes something asks first";
        [k(Home), c('g')] Cmd::Top, "", "the first";
        [k(End), c('G')] Cmd::Bottom, "", "the last";
        [c('y')] Cmd::Copy, "copy command", "copy the command that does the same";
        [k(Esc), k(Backspace), c('q')] Cmd::Back, "close", "close";
    Confirm:
        [LEFT, RIGHT, k(TabKey), k(BackTab)] Cmd::Right, "choose", "the other button";
        [k(Enter)] Cmd::Submit, "press", "press the marked button";
        [ctrl('d')] Cmd::Toggle, "", "the data too, or not";
        [c('y')] Cmd::Copy, "copy command", "copy the command; never confirms";
        [k(Esc)] Cmd::Back, "close", "do nothing";
    Host:
        [UP, c('k')] Cmd::Up, "", "the finding above";
        [DOWN, c('j')] Cmd::Down, "select", "the finding below";
        [c('f')] Cmd::Mend, "mend…", "mend the marked finding (asks)", changes;
        [c('F')] Cmd::MendAll, "mend all…", "mend all that `once doctor --fix` mends (asks)", changes;
        [k(Enter)] Cmd::Open, "open", "open the change that mends it, or the app it is about";
        [k(Esc), k(Backspace), c('q')] Cmd::Back, "back", "back to the apps";
        [c('r')] Cmd::Again, "look again", "examine the host again";
        [c('y')] Cmd::Copy, "copy", "copy the command that mends it";
        [k(Home), c('g')] Cmd::Top, "", "the first finding";
        [k(End), c('G')] Cmd::Bottom, "", "the last finding";
        [k(PageUp)] Cmd::PageUp, "", "a page up";
        [k(PageDown)] Cmd::PageDown, "", "a page down";
    Release:
        [c('b')] Cmd::Rollback, "roll back", "roll back to this release (asks)", changes;
        [c('y')] Cmd::Copy, "copy command", "copy the command that shows this";
    Activity:
        [UP, c('k')] Cmd::Up, "", "the entry above";
        [DOWN, c('j')] Cmd::Down, "select", "the entry below";
        [k(Enter)] Cmd::Open, "open", "what became of the change, or its app";
        [c('/')] Cmd::Filter, "filter", "only entries with these letters: app, person, outcome, text";
        [c('f')] Cmd::Bad, "failed", "only what was refused or failed, or all again";
        [k(Esc), k(Backspace), c('q')] Cmd::Back, "back", "drop the filter; back to the apps";
        [c('y')] Cmd::Copy, "copy", "copy the entry";
        [k(Home), c('g')] Cmd::Top, "", "the newest";
        [k(End), c('G')] Cmd::Bottom, "", "the oldest";
        [k(PageUp)] Cmd::PageUp, "", "a page up";
        [k(PageDown), c(' ')] Cmd::PageDown, "", "a page down";
    Page:
        [UP, c('k')] Cmd::Up, "", "up";
        [DOWN, c('j')] Cmd::Down, "scroll", "down";
        [k(PageUp)] Cmd::PageUp, "", "a page up";
        [k(PageDown), c(' ')] Cmd::PageDown, "", "a page down";
        [c('y')] Cmd::Copy, "copy", "copy the page";
        [k(Esc), k(Backspace), k(Enter), c('q')] Cmd::Back, "close", "close";
    Prompt:
        [k(Enter)] Cmd::Submit, "go", "take it";
        [DOWN] Cmd::Down, "", "the next entry";
        [UP] Cmd::Up, "", "the entry before";
        [k(Esc)] Cmd::Back, "close", "forget it";
    Global:
        [c(':')] Cmd::Palette, "command", "any action, any app";
        [c('?')] Cmd::Help, "help", "the keys of this screen";
        [c('!')] Cmd::Problems, "", "errors seen so far";
        [c('A')] Cmd::Activity, "", "who did what, when";
        [c('H')] Cmd::Host, "", "the host: engine, proxy, locks, what is wrong and what mends it";
        [ctrl('l')] Cmd::Repaint, "", "draw everything anew";
        [ctrl('z')] Cmd::Suspend, "", "back to the shell; `fg` returns";
        [c('q')] Cmd::Quit, "quit", "quit; deploys go on";
        [ctrl('c')] Cmd::Interrupt, "", "quit";
}

/// What a key asks for in these contexts, innermost first.
pub(crate) fn lookup(contexts: &[Ctx], event: &KeyEvent) -> Option<&'static Binding> {
    let pressed = Key::of(event);
    contexts.iter().find_map(|ctx| TABLE.iter().find(|b| b.ctx == *ctx && b.keys.contains(&pressed)))
}

/// All bindings that hold in these contexts, inner ones hiding outer ones of the same key.
pub(crate) fn available(contexts: &[Ctx]) -> Vec<&'static Binding> {
    let mut seen: Vec<Key> = Vec::new();
    let mut found = Vec::new();
    for ctx in contexts {
        for binding in TABLE.iter().filter(|b| b.ctx == *ctx) {
            if binding.keys.iter().any(|key| !seen.contains(key)) {
                found.push(binding);
            }
        }
        seen.extend(TABLE.iter().filter(|b| b.ctx == *ctx).flat_map(|b| b.keys));
    }
    found
}

impl Key {
    fn of(event: &KeyEvent) -> Self {
        Self { code: event.code, ctrl: event.modifiers.contains(KeyModifiers::CONTROL) }
    }

    /// For people: `⏎`, `^S`, `n`.
    pub(crate) fn name(self, glyphs: &Glyphs) -> String {
        match self.code {
            KeyCode::Char(' ') => "space".into(),
            KeyCode::Char(c) if self.ctrl => format!("^{}", c.to_ascii_uppercase()),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::F(n) => format!("F{n}"),
            KeyCode::Up => glyphs.arrows[0].into(),
            KeyCode::Down => glyphs.arrows[1].into(),
            KeyCode::Left => glyphs.arrows[2].into(),
            KeyCode::Right => glyphs.arrows[3].into(),
            Enter => glyphs.enter.into(),
            Esc => "esc".into(),
            TabKey => "tab".into(),
            BackTab => "shift-tab".into(),
            PageUp => "PgUp".into(),
            PageDown => "PgDn".into(),
            Home => "Home".into(),
            End => "End".into(),
            Backspace => "backspace".into(),
            Delete => "del".into(),
            other => format!("{other:?}"),
        }
    }
}

impl Binding {
    /// The first key's name; both of a pair of arrows.
    pub(crate) fn key(&self, glyphs: &Glyphs) -> String {
        match self.keys.first().map(|k| k.code) {
            Some(KeyCode::Down) => return glyphs.up_down.into(),
            Some(KeyCode::Left) => return glyphs.left_right.into(),
            _ => {}
        }
        self.keys.first().map(|k| k.name(glyphs)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::glyph::UNICODE;
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_context() {
        for (i, a) in TABLE.iter().enumerate() {
            for b in TABLE.iter().skip(i + 1).filter(|b| b.ctx == a.ctx) {
                for key in a.keys {
                    assert!(!b.keys.contains(key), "{} in {:?}", key.name(&UNICODE), a.ctx);
                }
            }
        }
    }

    #[test]
    fn inner_contexts_hide_outer_ones() {
        let logs = [Ctx::Logs, Ctx::Detail, Ctx::App, Ctx::Global];
        let key = KeyEvent::new(KeyCode::Char('n'), KeyModifiers::NONE);
        assert_eq!(lookup(&logs, &key).unwrap().cmd, Cmd::NextMatch);
        assert_eq!(lookup(&[Ctx::List, Ctx::App], &key).unwrap().cmd, Cmd::New);
        assert!(available(&logs).iter().all(|b| b.cmd != Cmd::New));
    }

    #[test]
    fn every_binding_explains_itself() {
        assert!(TABLE.iter().all(|b| !b.long.is_empty() && !b.keys.is_empty()));
    }
}
