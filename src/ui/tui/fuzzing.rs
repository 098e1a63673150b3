//! What holds for whatever is typed; see `once-fuzzing`.

use once_fuzzing::Target;

use super::input::holds;

/// The fuzz targets of this crate.
pub const TARGETS: &[Target] = &[("keys", &[(b'k', "keys", holds)])];

#[cfg(test)]
mod tests {
    #[test]
    fn kept_inputs_hold() {
        once_fuzzing::replay(super::TARGETS);
    }
}
