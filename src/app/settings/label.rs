//! The settings of a release in its container's labels, for the day the ledger is lost. No value of a variable stands in
//! them: labels are in every event of the engine, and any program that lists containers reads them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{EnvValue, MASK, Settings};

/// The settings as JSON, with the mask in place of every value of a variable and of every other secret.
const SETTINGS: &str = "once.settings";

/// The names of the variables that are no secrets, separated by spaces. Versions before 0.1.1 do not know it: they take
/// a variable of the first label that is not marked as secret for one whose value stands there. So all are marked there.
const PLAIN: &str = "once.plain";

/// Both labels of a container that is made with these settings.
pub(crate) fn write(settings: &Settings) -> impl Iterator<Item = (String, String)> {
    let plain: Vec<&str> =
        settings.env.iter().filter(|(_, value)| !value.secret).map(|(key, _)| key.as_str()).collect();
    let plain = plain.join(" ");
    let mut masked = settings.without_secrets();
    for value in masked.env.values_mut() {
        *value = EnvValue::secret(MASK);
    }
    let text = serde_json::to_string(&masked).ok();
    text.into_iter().flat_map(move |text| [(SETTINGS.to_owned(), text), (PLAIN.to_owned(), plain.clone())])
}

/// The settings that the labels describe, the mask in place of each value that does not stand there; `None`: the labels
/// hold none that can be read. Labels of versions before 0.1.1, which hold values, are read too.
pub(crate) fn read(labels: &BTreeMap<String, String>) -> Option<Settings> {
    let mut settings: Settings = serde_json::from_str(labels.get(SETTINGS)?).ok()?;
    let plain: BTreeSet<&str> = labels.get(PLAIN).map(|names| names.split(' ').collect()).unwrap_or_default();
    for (_, value) in settings.env.iter_mut().filter(|(key, _)| plain.contains(key.as_str())) {
        value.secret = false;
    }
    (!settings.hosts.is_empty()).then_some(settings)
}

/// Whether values of variables stand in the labels, as versions before 0.1.1 wrote them.
pub(crate) fn holds_values(labels: &BTreeMap<String, String>) -> bool {
    read(labels).is_some_and(|settings| settings.env.values().any(|value| value.value.expose() != MASK))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let mut settings = Settings::new("acme/shop:1".parse().unwrap(), "shop.example.com".parse().unwrap());
        settings.env.insert("LOCALE".parse().unwrap(), EnvValue::plain("planted-locale"));
        settings.env.insert("EMPTY".parse().unwrap(), EnvValue::plain(""));
        settings.env.insert("TOKEN".parse().unwrap(), EnvValue::secret("planted-token"));
        settings
    }

    #[test]
    fn labels_hold_names_and_kinds_of_variables_and_no_value() {
        let labels: BTreeMap<String, String> = write(&settings()).collect();
        assert!(!format!("{labels:?}").contains("planted"), "{labels:?}");
        assert_eq!(labels[PLAIN], "EMPTY LOCALE");
        // A version before this one drops what is masked and not marked as a secret.
        assert_eq!(labels[SETTINGS].matches(r#""secret":true"#).count(), 3, "{labels:?}");
        let read = read(&labels).unwrap();
        let kinds: Vec<_> = read.env.iter().map(|(key, value)| (key.as_str(), value.secret)).collect();
        assert_eq!(kinds, [("EMPTY", false), ("LOCALE", false), ("TOKEN", true)]);
        assert!(read.env.values().all(|value| value.value.expose() == MASK));
        assert!(!holds_values(&labels));
    }

    #[test]
    fn labels_of_the_version_before_are_read_and_told_apart() {
        let text = serde_json::to_string(&settings().without_secrets()).unwrap();
        let labels = BTreeMap::from([(SETTINGS.to_owned(), text)]);
        assert_eq!(read(&labels).unwrap(), settings().without_secrets());
        assert!(holds_values(&labels));
        let mut only_secrets = settings();
        only_secrets.env.retain(|_, value| value.secret);
        let text = serde_json::to_string(&only_secrets.without_secrets()).unwrap();
        assert!(!holds_values(&BTreeMap::from([(SETTINGS.to_owned(), text)])));
        assert!(!holds_values(&BTreeMap::new()));
    }
}
