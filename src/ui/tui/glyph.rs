//! The characters drawn with: Unicode, or ASCII where a terminal or a locale cannot show more.

use ratatui::symbols::border;

/// One set of characters; every one is a single column wide.
#[derive(Debug)]
pub(crate) struct Glyphs {
    pub serving: &'static str,
    pub busy: &'static str,
    pub stopped: &'static str,
    pub maintenance: &'static str,
    pub paused: &'static str,
    pub canary: &'static str,
    pub down: &'static str,
    pub unknown: &'static str,
    pub done: &'static str,
    pub pending: &'static str,
    pub skipped: &'static str,
    pub warn: &'static str,
    pub mark: &'static str,
    pub arrow: &'static str,
    pub rule: &'static str,
    pub bar: &'static str,
    pub ellipsis: char,
    /// From empty to full.
    pub levels: [&'static str; 9],
    pub spinner: &'static [&'static str],
    pub border: border::Set<'static>,
    /// Up, down, left, right.
    pub arrows: [&'static str; 4],
    pub up_down: &'static str,
    pub left_right: &'static str,
    pub enter: &'static str,
    pub mask: &'static str,
}

/// For terminals with a UTF-8 locale.
pub(crate) static UNICODE: Glyphs = Glyphs {
    serving: "●",
    busy: "◐",
    stopped: "○",
    maintenance: "◇",
    paused: "=",
    canary: "◑",
    down: "✕",
    unknown: "?",
    done: "✓",
    pending: "·",
    skipped: "–",
    warn: "!",
    mark: "▌",
    arrow: "→",
    rule: "─",
    bar: "━",
    ellipsis: '…',
    levels: [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    spinner: &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"],
    border: border::ROUNDED,
    arrows: ["↑", "↓", "←", "→"],
    up_down: "↑↓",
    left_right: "←→",
    enter: "⏎",
    mask: "••••••",
};

/// For everything else.
pub(crate) static ASCII: Glyphs = Glyphs {
    serving: "*",
    busy: "~",
    stopped: "o",
    maintenance: "m",
    paused: "=",
    canary: "c",
    down: "x",
    unknown: "?",
    done: "+",
    pending: ".",
    skipped: "-",
    warn: "!",
    mark: ">",
    arrow: ">",
    rule: "-",
    bar: "=",
    ellipsis: '~',
    levels: [" ", ".", ".", ":", ":", "=", "=", "#", "#"],
    spinner: &["|", "/", "-", "\\"],
    border: border::Set {
        top_left: "+",
        top_right: "+",
        bottom_left: "+",
        bottom_right: "+",
        vertical_left: "|",
        vertical_right: "|",
        horizontal_top: "-",
        horizontal_bottom: "-",
    },
    arrows: ["up", "down", "left", "right"],
    up_down: "up/down",
    left_right: "left/right",
    enter: "enter",
    mask: "******",
};

/// Characters of our own texts that the ASCII set has no room for, replaced in the finished buffer: one place, so no
/// screen has to think of it.
pub(crate) fn to_ascii(symbol: &str) -> Option<&'static str> {
    Some(match symbol {
        "·" => "-",
        "…" => "~",
        "→" => ">",
        "–" | "—" | "─" => "-",
        "•" => "*",
        "│" => "|",
        "✓" => "+",
        "⏎" | "↵" => "<",
        "↑" => "^",
        "↓" => "v",
        "←" => "<",
        "×" => "x",
        _ if symbol.is_ascii() => return None,
        _ => "?",
    })
}
