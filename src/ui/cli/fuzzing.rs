//! What holds for whatever files and arguments say; see `once-fuzzing`.

use jiff::Timestamp;

use super::command::logs;
use super::env_file;
use once_fuzzing::Target;

/// The fuzz targets of this crate.
pub const TARGETS: &[Target] = &[("command", &[(b'v', "env-file", env_file), (b's', "since", since)])];

/// What was read can be written so that it is read as the same.
pub(crate) fn env_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let variables = match env_file::parse(text) {
        Ok(variables) => variables,
        Err(error) => return assert!((1..=text.matches('\n').count() + 1).contains(&error.line), "{error}"),
    };
    let quoted = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\r', "\\r");
    let written: String =
        variables.iter().map(|(key, value)| format!("export {key}=\"{}\" # a remark\n", quoted(value))).collect();
    assert_eq!(env_file::parse(&written).as_ref(), Ok(&variables), "{written}");
}

/// A time before now is before now.
pub(crate) fn since(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(since) = logs::moment(text, Timestamp::UNIX_EPOCH, "--since") {
        assert!(since <= Timestamp::UNIX_EPOCH || text.parse::<Timestamp>().is_ok(), "{since}");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn kept_inputs_hold() {
        once_fuzzing::replay(super::TARGETS);
    }
}
