//! Colours by what they mean. Screens name a role; which colour that is, and whether there is one, is decided here and
//! in [`palette`](super::palette).

use ratatui::style::{Color, Modifier, Style};

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// What is read.
    Text,
    /// Labels and units beside it.
    Muted,
    /// Lines and things that rest.
    Faint,
    /// The one accent: focus, keys, the selected tab.
    Accent,
    /// Well.
    Ok,
    /// Under way, or to be looked at.
    Warn,
    /// Broken.
    Fail,
    /// Headings and the app's own name.
    Strong,
    /// The selected row.
    Selected,
    /// The host's own colour, so that two hosts are not mistaken for each other.
    Host,
}

/// A colour with its stand-in for terminals of 16 colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tone {
    /// For terminals that have it.
    pub rgb: (u8, u8, u8),
    /// For those that have 16; these follow the user's own palette.
    pub ansi: Color,
}

const fn tone(rgb: u32, ansi: Color) -> Tone {
    Tone { rgb: ((rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8), ansi }
}

impl Tone {
    fn color(self) -> Color {
        let (r, g, b) = self.rgb;
        Color::Rgb(r, g, b)
    }
}

/// All tones of a background. Text is the terminal's own foreground on its own background.
#[derive(Debug)]
pub(crate) struct Theme {
    muted: Tone,
    faint: Tone,
    accent: Tone,
    ok: Tone,
    warn: Tone,
    fail: Tone,
    /// Behind the selected row, and what is written on it.
    pub selected: (Tone, Tone),
    hosts: [Tone; 5],
    /// For pictures and contrast, where no terminal is behind: background and foreground.
    #[cfg(test)]
    pub page: (u32, u32),
}

/// Blue, green, amber and vermilion of Okabe and Ito, softened: told apart with any colour vision, and never alone.
pub(crate) static DARK: Theme = Theme {
    muted: tone(0x9aa5b1, Color::Gray),
    faint: tone(0x4b5663, Color::DarkGray),
    accent: tone(0x6cb6ff, Color::LightBlue),
    ok: tone(0x57c78e, Color::LightGreen),
    warn: tone(0xe5b34d, Color::LightYellow),
    fail: tone(0xf4735e, Color::LightRed),
    selected: (tone(0x263a50, Color::Blue), tone(0xf4f7fa, Color::White)),
    hosts: [
        tone(0x6cb6fe, Color::LightBlue),
        tone(0xd2a8ff, Color::LightMagenta),
        tone(0x56d4dd, Color::LightCyan),
        tone(0xe89bc3, Color::Magenta),
        tone(0xa5d67a, Color::Green),
    ],
    #[cfg(test)]
    page: (0x10151c, 0xd8dee6),
};

/// The same on white.
pub(crate) static LIGHT: Theme = Theme {
    muted: tone(0x57606a, Color::DarkGray),
    faint: tone(0xb4bcc4, Color::Gray),
    accent: tone(0x055fc4, Color::Blue),
    ok: tone(0x0f7a46, Color::Green),
    warn: tone(0x956200, Color::Yellow),
    fail: tone(0xc23616, Color::Red),
    selected: (tone(0xd6e8fb, Color::Cyan), tone(0x101a26, Color::Black)),
    hosts: [
        tone(0x055fc5, Color::Blue),
        tone(0x8250df, Color::Magenta),
        tone(0x0b7a8a, Color::Cyan),
        tone(0xa83274, Color::Magenta),
        tone(0x4a7a1b, Color::Green),
    ],
    #[cfg(test)]
    page: (0xffffff, 0x1f262e),
};

impl Theme {
    /// How a role is drawn. `host` picks the host's own colour.
    pub(crate) fn style(&self, role: Role, host: usize) -> Style {
        let plain = Style::new();
        match role {
            Role::Text => plain,
            Role::Strong => plain.add_modifier(Modifier::BOLD),
            Role::Muted => plain.fg(self.muted.color()),
            Role::Faint => plain.fg(self.faint.color()),
            Role::Accent => plain.fg(self.accent.color()),
            Role::Ok => plain.fg(self.ok.color()),
            Role::Warn => plain.fg(self.warn.color()),
            Role::Fail => plain.fg(self.fail.color()),
            Role::Host => plain.fg(self.hosts[host % self.hosts.len()].color()).add_modifier(Modifier::BOLD),
            Role::Selected => plain.fg(self.selected.1.color()).bg(self.selected.0.color()),
        }
    }

    /// Whether a colour is the one for things that rest; without colours they are dimmed.
    pub(crate) fn is_faint(&self, color: Color) -> bool {
        color == self.faint.color()
    }

    /// Every tone, for the downgrade.
    pub(crate) fn tones(&self) -> impl Iterator<Item = &Tone> {
        [&self.muted, &self.faint, &self.accent, &self.ok, &self.warn, &self.fail, &self.selected.0, &self.selected.1]
            .into_iter()
            .chain(&self.hosts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance((r, g, b): (u8, u8, u8)) -> f64 {
        let part = |c: u8| {
            let c = f64::from(c) / 255.0;
            if c <= 0.04 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b)
    }

    #[test]
    fn every_text_colour_can_be_read_on_its_background() {
        for theme in [&DARK, &LIGHT] {
            let page = [theme.page.0 >> 16, theme.page.0 >> 8, theme.page.0].map(|c| c as u8);
            let page = luminance((page[0], page[1], page[2]));
            for tone in [theme.muted, theme.accent, theme.ok, theme.warn, theme.fail].iter().chain(&theme.hosts) {
                let own = luminance(tone.rgb);
                let contrast = (own.max(page) + 0.05) / (own.min(page) + 0.05);
                assert!(contrast >= 4.5, "{tone:?}: {contrast:.1}");
            }
        }
    }
}
