//! What an app that is taken over is called. Its hostname tells it from other apps, also from those of the same image; a
//! name that its maker gave to this very app comes first. Pure.

use super::found::Made;
use crate::model::name::{AppName, NameError};
use crate::model::problem::Problem;

/// The part of a hostname that says nothing.
const WWW: &str = "www";

/// Characters of a name that is made of a whole hostname, at most.
const LONGEST: usize = 40;

/// The names it may get, the best first.
///
/// # Errors
/// None can be made of what there is.
pub(super) fn candidates(made: &Made, host: Option<&str>, container: &str) -> Result<Vec<AppName>, Problem> {
    let told = made.name.as_deref().unwrap_or(container);
    let own = made.name.as_deref().filter(|_| made.name_is_its_own);
    let (short, whole) = (host.and_then(short), host.map(|host| host.replace('.', "-")));
    let both = short.map(|short| format!("{told}-{short}"));
    let texts = [own, short, whole.as_deref(), Some(told), both.as_deref()];
    let mut names: Vec<AppName> = Vec::new();
    for name in texts.into_iter().flatten().filter_map(|text| named(text).ok()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match named(told) {
        Err(reason) if names.is_empty() => {
            let message = format!("no app name can be made of `{}`: {reason}", told.escape_debug());
            Err(Problem::rejected("invalid-name", message).hint("give one with `--name`"))
        }
        _ => Ok(names),
    }
}

/// `chat` of `chat.example.com`, `example` of `www.example.com`; nothing of an address.
fn short(host: &str) -> Option<&str> {
    if host.parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    let mut labels = host.split('.').filter(|label| !matches!(*label, WWW | "*" | ""));
    labels.next()
}

fn named(text: &str) -> Result<AppName, NameError> {
    let text: String = text.to_lowercase().replace('_', "-").chars().take(LONGEST).collect();
    text.trim_matches('-').parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(made: &Made, host: Option<&str>, container: &str) -> Vec<String> {
        candidates(made, host, container).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_hostname_gives_the_name_and_its_makers_word_only_where_it_is_this_apps_own() {
        let image = Made { name: Some("campfire".into()), ..Made::default() };
        let service = Made { name: Some("shop.staging".into()), name_is_its_own: true, ..Made::default() };
        let nobody = Made::default();
        assert_eq!(
            names(&image, Some("chat.example.com"), "x"),
            ["chat", "chat-example-com", "campfire", "campfire-chat"]
        );
        assert_eq!(names(&image, None, "x"), ["campfire"]);
        assert_eq!(names(&service, Some("shop.example.com"), "x")[0], "shop.staging");
        assert_eq!(names(&nobody, Some("www.wiki.test"), "Old_Wiki-1")[..2], ["wiki", "www-wiki-test"]);
        assert_eq!(names(&nobody, None, "Old_Wiki-1"), ["old-wiki-1"]);
        assert_eq!(names(&nobody, Some("192.0.2.1"), "wiki")[0], "192-0-2-1");
        assert_eq!(candidates(&nobody, None, "Ärger").unwrap_err().code, "invalid-name");
    }
}
