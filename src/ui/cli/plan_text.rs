//! A plan as lines of the command.

use once_app::{Change, PlanView};
use once_text::plan_words::{self, Told};
use once_text::sanitize;

use super::output::{FAINT, STRONG, styled};

/// The sum of it, then one line a difference with what it costs.
pub(crate) fn lines(plan: &PlanView, host: &str) -> Vec<String> {
    let sum = plan_words::sum(plan);
    let mut lines = vec![format!("{}: {sum}", styled(STRONG, &sanitize::line(host)))];
    lines.extend(plan.changes.iter().map(|c| {
        let cost = plan_words::cost_in(plan, c).map(|cost| format!("  {}", styled(FAINT, &format!("[{cost}]"))));
        format!("  {}{}", change(c), cost.unwrap_or_default())
    }));
    lines.extend(plan.remarks.iter().map(|r| format!("  {} {}", styled(FAINT, "note:"), sanitize::line(r))));
    lines
}

/// One difference: `~ memory  512M → 1G`.
pub(crate) fn change(change: &Change) -> String {
    let field = sanitize::line(&change.field).into_owned();
    match plan_words::told(change) {
        Told::Added(to) => format!("+ {field}  {}", sanitize::line(to)),
        Told::Changed(from, to) => format!("~ {field}  {} → {}", sanitize::line(from), sanitize::line(to)),
        Told::Replaced => format!("~ {field}  changed"),
        Told::Removed(from) => format!("- {field}  {}", sanitize::line(from)),
    }
}
