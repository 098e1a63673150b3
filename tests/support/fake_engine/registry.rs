//! The fake's registry.

use once_app::ImageRef;
use once_app::engine::EngineError;

use super::state::{self, State};

/// The digest a reference has.
pub fn registry(state: &State, image: &ImageRef) -> Result<String, EngineError> {
    let unknown = || EngineError::NoSuchImage { image: image.canonical(), message: "manifest unknown".into() };
    match image.digest() {
        Some(digest) => {
            let known = state
                .registry
                .iter()
                .any(|(name, found)| state::repository(name) == image.repository() && found == digest);
            if known { Ok(digest.to_owned()) } else { Err(unknown()) }
        }
        None => {
            let found = state.registry.iter().find(|(name, _)| state::with_tag(name) == image.canonical());
            found.map(|(_, digest)| digest.clone()).ok_or_else(unknown)
        }
    }
}
