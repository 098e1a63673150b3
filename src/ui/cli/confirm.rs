//! Asking before something is destroyed. Only a terminal is asked; elsewhere `--yes` is needed.

use std::io::{BufRead as _, IsTerminal as _};

use once_app::Problem;
use once_app::event::Outcome;

use super::output::Output;

/// What has to be typed.
pub(crate) enum Answer<'a> {
    /// `y` or `yes`.
    Yes,
    /// This very word.
    Word(&'a str),
}

/// Goes on if `--yes` was given or the person agrees.
///
/// # Errors
/// `refused`: they did not, or nobody can be asked.
pub(crate) fn confirm(out: &mut Output, yes: bool, consequence: &str, answer: &Answer<'_>) -> Result<(), Problem> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(unasked(consequence));
    }
    out.tell(consequence);
    out.ask(&match answer {
        Answer::Yes => "Go on? [y/N]".to_owned(),
        Answer::Word(word) => format!("Type `{word}` to go on:"),
    });
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    let typed = line.trim();
    let agreed = read.is_ok()
        && match answer {
            Answer::Yes => matches!(typed.to_lowercase().as_str(), "y" | "yes"),
            Answer::Word(word) => typed == *word,
        };
    if agreed { Ok(()) } else { Err(Problem::new(Outcome::Refused, "not-confirmed", "nothing was done, as you wish")) }
}

fn unasked(consequence: &str) -> Problem {
    Problem::new(
        Outcome::Refused,
        "needs-yes",
        format!("nothing was done, for nobody is there to agree to this: {consequence}"),
    )
    .hint("`--yes` agrees")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_done_is_not_told_as_done() {
        let message = unasked("shop is no app any more").message;
        assert_eq!(message, "nothing was done, for nobody is there to agree to this: shop is no app any more");
    }
}
