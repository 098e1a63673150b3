//! What a newer version wrote into a file and this one does not know: kept aside when the file is read, and put back
//! whenever it is written, so that it is still there when the newer version returns.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What identifies an entry of a list across rewrites.
const NUMBER: &str = "number";

/// The fields of a JSON document that were not understood, by their place in it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Unknown {
    fields: Map<String, Value>,
    inside: BTreeMap<String, Unknown>,
    /// Of a list's entries, by their number. Entries without one have no identity that would outlive a change.
    entries: BTreeMap<u64, Unknown>,
}

impl Unknown {
    /// What is in `theirs` and, after it was understood and written again, not in `ours`. `None`: nothing.
    pub(super) fn of(theirs: &Value, ours: &Value) -> Option<Self> {
        let mut found = Self::default();
        match (theirs, ours) {
            (Value::Object(theirs), Value::Object(ours)) => {
                for (key, value) in theirs {
                    match ours.get(key) {
                        // Written out by them, left away by us: it means the same.
                        None if is_nothing(value) => {}
                        None => drop(found.fields.insert(key.clone(), value.clone())),
                        Some(known) => drop(Self::of(value, known).map(|u| found.inside.insert(key.clone(), u))),
                    }
                }
            }
            (Value::Array(theirs), Value::Array(ours)) => {
                for entry in theirs {
                    let Some(number) = number(entry) else { continue };
                    let known = ours.iter().find(|one| self::number(one) == Some(number));
                    drop(known.and_then(|known| Self::of(entry, known)).map(|u| found.entries.insert(number, u)));
                }
            }
            _ => {}
        }
        (found != Self::default()).then_some(found)
    }

    /// As [`Unknown::put_into`], but for one list of the document only.
    pub(super) fn put_into_list(&self, ours: &mut Value, key: &str) {
        let list = self.inside.get(key).zip(ours.get_mut(key));
        list.into_iter().for_each(|(unknown, list)| unknown.put_into(list));
    }

    /// Puts it back where its place still is. What is known goes before.
    pub(super) fn put_into(&self, ours: &mut Value) {
        match ours {
            Value::Object(ours) => {
                for (key, value) in &self.fields {
                    ours.entry(key).or_insert_with(|| value.clone());
                }
                for (key, unknown) in &self.inside {
                    ours.get_mut(key).into_iter().for_each(|value| unknown.put_into(value));
                }
            }
            Value::Array(ours) => {
                for entry in ours {
                    let unknown = number(entry).and_then(|number| self.entries.get(&number));
                    unknown.into_iter().for_each(|unknown| unknown.put_into(entry));
                }
            }
            _ => {}
        }
    }
}

fn number(entry: &Value) -> Option<u64> {
    entry.get(NUMBER)?.as_u64()
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_not_understood_is_put_back_where_it_was() {
        let theirs = json!({
            "schema": 1, "new": {"a": 1}, "alias": [], "note": null,
            "inner": {"known": 1, "later": "x"},
            "releases": [{"number": 1, "old": 1}, {"number": 2, "settings": {"wish": true}}],
        });
        let understood = json!({
            "schema": 1, "inner": {"known": 1}, "releases": [{"number": 1}, {"number": 2, "settings": {}}],
        });
        let unknown = Unknown::of(&theirs, &understood).unwrap();
        // Changed meanwhile: the first release is forgotten, a third came, the inner one is another.
        let mut now = json!({
            "schema": 1, "inner": {"known": 7}, "releases": [{"number": 2, "settings": {}}, {"number": 3}], "note": "mine",
        });
        unknown.put_into(&mut now);
        assert_eq!(
            now,
            json!({
                "schema": 1, "new": {"a": 1}, "inner": {"known": 7, "later": "x"}, "note": "mine",
                "releases": [{"number": 2, "settings": {"wish": true}}, {"number": 3}],
            })
        );
        assert_eq!(Unknown::of(&understood, &understood), None);
        assert_eq!(Unknown::of(&json!({"a": null, "b": []}), &json!({})), None);
    }
}
