//! What holds for whatever the files of the ledger hold; see `once-fuzzing`.

// What does not hold panics.
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::Value;

use super::unknown::Unknown;
use super::{config, records};
use once_app::ledger::AppRecord;

/// A record that was read is written so that it is read as the same, with what a newer version put into it.
pub(crate) fn record(bytes: &[u8]) {
    let id = |value: Value| value.get("id")?.as_str().map(str::to_owned);
    let Some(id) = serde_json::from_slice(bytes).ok().and_then(id) else { return };
    let Ok((record, unknown)) = records::parse(&id, bytes) else { return };
    assert!(record.flaw().is_none() && record.id.is_plain());
    let written = records::text(&record, unknown.as_ref()).unwrap();
    let (again, kept): (AppRecord, _) = records::parse(&id, &written).unwrap();
    assert_eq!((again, kept), (record, unknown));
}

/// The proxy's configuration stays what it was.
pub(crate) fn configuration(bytes: &[u8]) {
    let Ok(config) = config::parse(bytes) else { return };
    let written = config::text(&config).unwrap();
    assert_eq!(config::parse(&written), Ok(config));
}

/// Nothing of ours is lost or changed by what is put back, and of theirs nothing is left out.
pub(crate) fn unknown(bytes: &[u8]) {
    let mut documents = bytes.split(|b| *b == b'\n').map(serde_json::from_slice::<Value>);
    let (Some(Ok(theirs)), Some(Ok(ours))) = (documents.next(), documents.next()) else { return };
    let mut merged = ours.clone();
    let unknown = Unknown::of(&theirs, &ours);
    if let Some(unknown) = &unknown {
        unknown.put_into(&mut merged);
    }
    assert!(holds(&merged, &ours), "{merged} {ours}");
    // Entries of lists have no place of their own where numbers are there twice.
    if !bytes.contains(&b'[') {
        assert_eq!(Unknown::of(&theirs, &merged), None, "{merged}");
    }
}

/// Whether a document has all of another.
fn holds(all: &Value, part: &Value) -> bool {
    match (all, part) {
        (Value::Object(all), Value::Object(part)) => {
            part.iter().all(|(key, value)| all.get(key).is_some_and(|own| holds(own, value)))
        }
        (Value::Array(all), Value::Array(part)) => {
            all.len() == part.len() && all.iter().zip(part).all(|(own, value)| holds(own, value))
        }
        (all, part) => all == part,
    }
}
