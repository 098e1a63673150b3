//! The review of a form: the exact change and what it costs, before anything happens.

use ratatui::layout::Rect;

use once_app::{Action, PlanView};
use once_text::plan_words;

use super::super::canvas::{Canvas, Piece};
use super::super::model::{Form, FormKind, Stage};
use super::super::same_as;
use super::super::theme::Role;
use super::failure;

pub(super) fn draw(c: &mut Canvas<'_>, area: Rect, form: &Form) {
    match &form.stage {
        Stage::Edit => {}
        Stage::Planning(_) => {
            c.text(
                area.x,
                area.y + 1,
                area.width,
                Role::Muted,
                "Looking at what this would change; nothing is touched",
            );
        }
        Stage::Refused(problem) => {
            failure::problem(c, Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }, problem);
        }
        Stage::Review(plan) => plan_shown(c, area, form, plan),
    }
}

fn plan_shown(c: &mut Canvas<'_>, area: Rect, form: &Form, plan: &PlanView) {
    let role = match plan.action {
        Action::Nothing => Role::Muted,
        Action::Record | Action::Route => Role::Ok,
        Action::Swap | Action::Create => Role::Warn,
    };
    let mut y = area.y + 1;
    y += c.paragraph(Rect { y, height: 3, ..area }, role, &plan_words::sum(plan)) + 1;
    let arrow = c.glyphs().arrow;
    let room = area.bottom().saturating_sub(5);
    for (i, change) in plan.changes.iter().enumerate() {
        if y >= room {
            let more = format!("and {} more", plan.changes.len() - i);
            c.text(area.x + 2, y, area.width, Role::Muted, &more);
            y += 1;
            break;
        }
        let pieces = failure::change_pieces(change, arrow);
        let shown: Vec<Piece<'_>> = pieces.iter().map(|(role, text)| (*role, text.as_str())).collect();
        c.line(area.x + 2, y, area.width.saturating_sub(18), &shown);
        if let Some(cost) = plan_words::cost_in(plan, change) {
            c.right(area.x, y, area.width, Role::Muted, cost);
        }
        y += 1;
    }
    // What a rename says is what does not change; else a remark is something to think about.
    let (role, mark) = match form.kind {
        FormKind::Rename(_) => (Role::Text, c.glyphs().pending),
        _ => (Role::Warn, "!"),
    };
    for remark in &plan.remarks {
        let left = area.bottom().saturating_sub(y + 3);
        y += c.paragraph(Rect { y, height: left.min(2), ..area }, role, &format!("{mark} {remark}"));
    }
    let Ok(ask) = form.ask(false) else { return };
    let command = same_as::command(&ask);
    y += 1;
    c.text(area.x, y, area.width, Role::Muted, "the same as:");
    for line in same_as::wrapped(&command, usize::from(area.width.saturating_sub(4))) {
        y += 1;
        if y >= area.bottom() {
            break;
        }
        c.text(area.x + 2, y, area.width.saturating_sub(2), Role::Text, &line);
    }
}
