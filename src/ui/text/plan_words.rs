//! A plan in words: the lines of the command and the console's review say the same.

use std::borrow::Cow;

use super::words;
use once_app::{Action, Change, Cost, MASK, PlanView};

/// What will be done, in one sentence without its full stop.
pub fn sum(plan: &PlanView) -> Cow<'static, str> {
    if let Some(rule) = &plan.canary {
        let requests = rule.requests();
        return match plan.action {
            Action::Nothing => "nothing to do, the canary is as asked".into(),
            Action::Record | Action::Route => format!("{requests} go to the canary, nothing restarts").into(),
            Action::Swap | Action::Create => {
                format!("a canary: {requests} go to a new container once it is healthy, what serves goes on").into()
            }
        };
    }
    Cow::Borrowed(match plan.action {
        Action::Nothing => "nothing to do, the app is as asked",
        Action::Record => "recorded, nothing restarts",
        Action::Route => "the proxy takes it over in place, nothing restarts",
        Action::Swap => "a new container takes over once it is healthy, no request is lost",
        Action::Create => "a new app, reachable once it is healthy",
    })
}

/// What a difference alone costs.
pub const fn cost(cost: Cost) -> &'static str {
    match cost {
        Cost::Record => "costs nothing",
        Cost::Route => "re-route",
        Cost::Swap => "swap",
    }
}

/// What a difference of a plan costs; `None`: of a new app nothing is changed, so nothing has a cost of its own.
pub fn cost_in(plan: &PlanView, change: &Change) -> Option<&'static str> {
    (plan.action != Action::Create).then_some(cost(change.cost))
}

/// What a plan that was only asked for comes to.
pub fn would(plan: Option<&PlanView>) -> String {
    match plan {
        Some(PlanView { action: Action::Create, .. }) => "a new app would be made".to_owned(),
        Some(PlanView { action: Action::Swap, canary: Some(_), .. }) => "a canary would start".to_owned(),
        _ => {
            let changes = plan.map_or(0, |p| p.changes.len());
            format!("{} would change", words::count(changes, "setting", "settings"))
        }
    }
}

/// A difference: what is shown of both sides. Of a secret only that it comes, changes or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told<'a> {
    /// Something where nothing was.
    Added(&'a str),
    /// Something else.
    Changed(&'a str, &'a str),
    /// Another secret.
    Replaced,
    /// Nothing where something was.
    Removed(&'a str),
}

/// What is to be said of a difference.
pub fn told(change: &Change) -> Told<'_> {
    let secret = |value: &str| value == MASK;
    match (change.from.as_deref(), change.to.as_deref()) {
        (None, None) => Told::Replaced,
        (Some(from), Some(to)) if secret(from) && secret(to) => Told::Replaced,
        (Some(from), Some(to)) => Told::Changed(from, to),
        (None, Some(to)) => Told::Added(if secret(to) { "a secret" } else { to }),
        (Some(from), None) => Told::Removed(if secret(from) { "a secret" } else { from }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_secret_only_that_it_changes() {
        let told_of = |from: Option<&str>, to: Option<&str>| {
            let change = Change {
                field: "env.TOKEN".into(),
                from: from.map(Into::into),
                to: to.map(Into::into),
                cost: Cost::Swap,
            };
            format!("{:?}", told(&change))
        };
        assert_eq!(told_of(None, Some(MASK)), r#"Added("a secret")"#);
        assert_eq!(told_of(Some(MASK), None), r#"Removed("a secret")"#);
        assert_eq!(told_of(Some(MASK), Some(MASK)), "Replaced");
        assert_eq!(told_of(Some(MASK), Some("plain")), format!("Changed({MASK:?}, \"plain\")"));
        assert_eq!(told_of(Some("1"), Some("2")), r#"Changed("1", "2")"#);
    }
}
