//! A plan in words.

use crate::app::{Action, Change, PlanView};
use crate::ui::sanitize;

use super::output::{FAINT, STRONG, styled};

/// The sum of it, then one line a difference.
pub(crate) fn lines(plan: &PlanView, host: &str) -> Vec<String> {
    let sum = match plan.action {
        Action::Nothing => "nothing to change",
        Action::Record => "recorded, nothing restarts",
        Action::Route => "re-routed in place, nothing restarts",
        Action::Swap => "swapped without downtime",
        Action::Create => "a new app",
    };
    let mut lines = vec![format!("{} {}", styled(STRONG, &sanitize::line(host)), styled(FAINT, sum))];
    lines.extend(plan.changes.iter().map(change));
    lines.extend(plan.remarks.iter().map(|r| format!("  {} {}", styled(FAINT, "note:"), sanitize::line(r))));
    lines
}

fn change(change: &Change) -> String {
    let field = sanitize::line(&change.field).into_owned();
    match (&change.from, &change.to) {
        (Some(from), Some(to)) if from == to => format!("  ~ {field}  changed"),
        (Some(from), Some(to)) => format!("  ~ {field}  {} → {}", sanitize::line(from), sanitize::line(to)),
        (None, Some(to)) => format!("  + {field}  {}", sanitize::line(to)),
        (Some(from), None) => format!("  - {field}  {}", sanitize::line(from)),
        (None, None) => format!("  ~ {field}"),
    }
}
