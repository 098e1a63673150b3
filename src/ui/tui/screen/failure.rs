//! Problems and plans, as the deploy view, the review and the list of errors show them.

use ratatui::layout::Rect;

use once_app::event::{Finished, Outcome};
use once_app::{Change, Problem};
use once_text::plan_words::{self, Told};

use super::super::canvas::Canvas;
use super::super::model::Watched;
use super::super::theme::Role;

/// The bad end: what failed, what serves now, what to try.
pub(super) fn draw(c: &mut Canvas<'_>, area: Rect, watched: &Watched, finished: &Finished) -> u16 {
    let mut y = area.y + 1;
    let room = |y: u16| Rect { y, height: area.bottom().saturating_sub(y), ..area };
    if let Some(found) = &finished.problem {
        y += problem(c, room(y), found);
    } else {
        y += c.paragraph(room(y), Role::Fail, &format!("{} {}", c.glyphs().down, finished.outcome));
    }
    let host = watched.view.host.as_deref().unwrap_or(&watched.title);
    let (role, serving) = match (finished.serving, finished.outcome) {
        _ if finished.visitors.is_some() => {
            let visitors = finished.visitors.as_ref().map(ToString::to_string).unwrap_or_default();
            (Role::Muted, format!("{} {host} is {visitors}", c.glyphs().stopped))
        }
        (Some(n), _) => (Role::Ok, format!("{} release {n} of {host} serves on, untouched", c.glyphs().serving)),
        (None, Outcome::Down) => (Role::Fail, format!("{} nothing serves {host} now", c.glyphs().down)),
        (None, _) => (Role::Muted, format!("{} {host} has no serving release", c.glyphs().stopped)),
    };
    y += c.paragraph(room(y), role, &serving);
    if let Some(ran) = finished.release_command_ran {
        let text = if ran { "  the release command had run" } else { "  the release command had not run" };
        y += c.paragraph(room(y), Role::Muted, text);
    }
    y - area.y
}

/// A problem: the sentence, the causes, the hints.
pub(super) fn problem(c: &mut Canvas<'_>, area: Rect, problem: &Problem) -> u16 {
    let mut y = area.y;
    let mut put = |c: &mut Canvas<'_>, role: Role, text: &str, indent: u16| {
        let rect = Rect {
            x: area.x + indent,
            y,
            width: area.width.saturating_sub(indent),
            height: area.bottom().saturating_sub(y),
        };
        y += c.paragraph(rect, role, text);
    };
    put(c, Role::Fail, &format!("{} {}", c.glyphs().down, problem.message), 0);
    for cause in problem.causes.iter().filter(|cause| !problem.message.contains(cause.as_str())) {
        put(c, Role::Muted, &format!("because {cause}"), 2);
    }
    for hint in &problem.hints {
        put(c, Role::Text, &format!("{} {hint}", c.glyphs().arrow), 2);
    }
    y - area.y
}

/// One difference of a plan.
pub(super) fn change_pieces(change: &Change, arrow: &str) -> Vec<(Role, String)> {
    let field = (Role::Muted, format!("{} ", change.field));
    match plan_words::told(change) {
        Told::Changed(from, to) => {
            let (from, to) = shortened(from, to);
            vec![field, (Role::Muted, from), (Role::Faint, format!(" {arrow} ")), (Role::Text, to)]
        }
        Told::Added(to) => vec![field, (Role::Ok, format!("+ {to}"))],
        Told::Removed(from) => vec![field, (Role::Fail, format!("- {from}"))],
        Told::Replaced => vec![field, (Role::Text, "changed".into())],
    }
}

/// Two image references of one repository differ by their tags: the second one needs only that.
fn shortened(from: &str, to: &str) -> (String, String) {
    match (from.rsplit_once(':'), to.rsplit_once(':')) {
        (Some((a, _)), Some((b, tag))) if a == b && a.contains('/') && !tag.contains('/') => (from.into(), tag.into()),
        _ => (from.into(), to.into()),
    }
}
