//! The review of a form: the exact change and what it costs, before anything happens.

use ratatui::layout::Rect;

use crate::app::{Action, Ask, PlanView};
use crate::ui::plan_words;

use super::super::canvas::{Canvas, Piece};
use super::super::model::{Form, Stage};
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
    y += c.paragraph(Rect { y, height: 3, ..area }, role, plan_words::sum(plan.action)) + 1;
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
        c.right(area.x, y, area.width, Role::Muted, plan_words::cost(change.cost));
        y += 1;
    }
    for remark in &plan.remarks {
        y += c.paragraph(Rect { y, height: 2, ..area }, Role::Warn, &format!("! {remark}"));
    }
    let Ok(deploy) = form.wish() else { return };
    let command = same_as::command(&Ask::Deploy(Box::new(deploy)));
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
