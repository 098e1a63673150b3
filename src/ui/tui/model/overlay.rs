//! What lies on top of a screen: menus, questions, pages, the palette. The top one gets the keys.

use tui_input::Input;

use once_app::{AppName, Ask, Fix, OpId};

use super::super::keymap::Cmd;
use super::super::same_as;
use super::RowKey;

/// Characters of a sentence for visitors, as `once maintenance` takes them.
const MAX_MESSAGE: usize = 1000;

/// Something on top.
#[derive(Debug, Clone)]
pub(crate) enum Overlay {
    /// Keys of this screen.
    Help {
        /// Lines scrolled.
        scroll: usize,
    },
    /// Errors seen so far.
    Problems {
        /// Lines scrolled.
        scroll: usize,
    },
    /// What can be done with an app.
    Menu(Menu),
    /// A question before something is done.
    Confirm(Box<Confirm>),
    /// Any action, any app.
    Palette(Palette),
    /// One line: the list's filter.
    Filter(Input),
    /// One line: the log's search.
    Search(Input),
}

/// A list of things to choose from.
#[derive(Debug, Clone)]
pub(crate) struct Menu {
    /// Whose.
    pub app: AppName,
    /// The things.
    pub items: Vec<MenuItem>,
    /// The marked one.
    pub cursor: usize,
}

/// One thing to choose.
#[derive(Debug, Clone)]
pub(crate) struct MenuItem {
    /// What happens.
    pub cmd: Cmd,
    /// For people.
    pub label: &'static str,
    /// What it means, in a few words.
    pub note: String,
    /// The command that does the same.
    pub command: String,
    /// Why it cannot be had now.
    pub off: Option<&'static str>,
}

/// What happens when a question is answered with yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Then {
    /// A change.
    Run(Box<Ask>),
    /// A change is asked to undo itself.
    Cancel(OpId),
    /// A form is closed.
    DropForm,
    /// Findings are mended, one after another.
    Mend(Vec<Fix>),
    /// A lock is taken on purpose, with a reason.
    Hold(AppName, Option<String>),
    /// It is lifted; the second one: the lock of a change under way is taken away.
    Lift(AppName, bool),
}

/// A question that names the thing, the consequence and the host.
#[derive(Debug, Clone)]
pub(crate) struct Confirm {
    /// The question.
    pub title: String,
    /// What will happen and what not, a line each.
    pub lines: Vec<String>,
    /// The word on the button that does it.
    pub yes: &'static str,
    /// What happens then.
    pub then: Then,
    /// The command that does the same.
    pub command: Option<String>,
    /// Whether the marked button is the one that does it; the safe one is marked first.
    pub armed: bool,
    /// The name has to be typed: the name, and what was typed.
    pub typed: Option<(String, Input)>,
    /// A sentence can be typed: what it is, and what was typed.
    pub message: Option<(&'static str, Input)>,
    /// The frame that was on the screen when the question came up: keys typed before the next one are not answers.
    pub asked_at: u64,
}

impl Confirm {
    /// Whether a line of text has the keys.
    pub(crate) fn is_typed(&self) -> bool {
        self.typed.is_some() || self.message.is_some()
    }

    /// Edits that line. A sentence, as far as it can be shown, goes into the change and its command at once.
    pub(crate) fn edit(&mut self, change: impl FnOnce(&mut Input)) {
        if let Some((_, input)) = &mut self.typed {
            change(input);
        } else if let Some((_, input)) = &mut self.message {
            change(input);
            let text: String = input.value().trim().chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect();
            if let Then::Run(ask) = &mut self.then
                && let Ask::Maintenance { notice: Some(notice), .. } = ask.as_mut()
            {
                notice.message = Some(text).filter(|text| !text.is_empty());
                self.command = Some(same_as::command(ask));
            } else if let Then::Hold(app, why) = &mut self.then {
                *why = Some(text).filter(|text| !text.is_empty());
                self.command = Some(same_as::hold(app, why.as_deref()));
            }
        }
        self.armed &= self.is_ready();
    }

    /// Whether it is about an app that goes, and maybe its data.
    pub(crate) fn removes(&self) -> bool {
        matches!(&self.then, Then::Run(ask) if matches!(**ask, Ask::Remove { .. }))
    }

    /// Whether the button that does it can be pressed.
    pub(crate) fn is_ready(&self) -> bool {
        self.typed.as_ref().is_none_or(|(name, typed)| typed.value().trim() == name)
    }
}

/// Any action, any app.
#[derive(Debug, Clone, Default)]
pub(crate) struct Palette {
    /// What was typed.
    pub input: Input,
    /// Everything there is.
    pub items: Vec<PaletteItem>,
    /// What fits, best first: indices.
    pub found: Vec<usize>,
    /// The marked one of those.
    pub cursor: usize,
}

/// One entry of the palette.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PaletteItem {
    /// An action of this screen.
    Command(Cmd, &'static str, String),
    /// An app.
    Go(RowKey, String),
}

impl PaletteItem {
    /// What is matched and shown.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Command(_, text, _) => text,
            Self::Go(_, text) => text,
        }
    }
}

impl Palette {
    /// Finds what fits what was typed, best first.
    pub(crate) fn find(&mut self) {
        use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
        use nucleo_matcher::{Config, Matcher, Utf32Str};

        let mut matcher = Matcher::new(Config::DEFAULT);
        let pattern = Pattern::parse(self.input.value(), CaseMatching::Ignore, Normalization::Smart);
        let mut buffer = Vec::new();
        let mut scored: Vec<(u32, usize)> = (0..self.items.len())
            .filter_map(|i| {
                let text = Utf32Str::new(self.items[i].text(), &mut buffer);
                pattern.score(text, &mut matcher).map(|score| (score, i))
            })
            .collect();
        scored.sort_by_key(|(score, i)| (std::cmp::Reverse(*score), *i));
        self.found = scored.into_iter().map(|(_, i)| i).collect();
        self.cursor = 0;
    }

    /// The marked entry.
    pub(crate) fn marked(&self) -> Option<&PaletteItem> {
        self.found.get(self.cursor).and_then(|i| self.items.get(*i))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_palette_finds_by_letters_in_order() {
        let item = |text: &str| PaletteItem::Go(RowKey::Orphan(text.into()), text.into());
        let mut palette =
            Palette { items: vec![item("roll back"), item("restart"), item("shop.example.com")], ..Palette::default() };
        palette.find();
        assert_eq!(palette.found, [0, 1, 2]);
        palette.input = Input::new("rst".into());
        palette.find();
        assert_eq!(palette.marked().unwrap().text(), "restart");
        palette.input = Input::new("zzz".into());
        palette.find();
        assert!(palette.marked().is_none());
    }
}
