//! A plan in words: the lines of the command and the console's review say the same.

use crate::app::{Action, Change, Cost, MASK};

/// What will be done, in one sentence without its full stop.
pub(crate) const fn sum(action: Action) -> &'static str {
    match action {
        Action::Nothing => "nothing to do, the app is as asked",
        Action::Record => "recorded, nothing restarts",
        Action::Route => "the proxy takes it over in place, nothing restarts",
        Action::Swap => "a new container takes over once it is healthy, no request is lost",
        Action::Create => "a new app, reachable once it is healthy",
    }
}

/// What a difference alone costs.
pub(crate) const fn cost(cost: Cost) -> &'static str {
    match cost {
        Cost::Record => "costs nothing",
        Cost::Route => "re-route",
        Cost::Swap => "swap",
    }
}

/// A difference: what is shown of both sides. Of a secret only that it comes, changes or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told<'a> {
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
pub(crate) fn told(change: &Change) -> Told<'_> {
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
