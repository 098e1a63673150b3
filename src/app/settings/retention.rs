//! What of earlier releases stays on the engine.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is kept of releases that no longer serve. All of them stay in the history, with their settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retention {
    /// Stopped containers beside the serving one: going back to one of these takes a second.
    pub containers: KeptContainers,
    /// Images of the newest releases, the serving one included. Older ones that a registry can give again are removed.
    pub images: KeptImages,
}

impl Retention {
    /// Nothing was said about it.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A number that is too large, too small, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a number from {least} to {most} is needed")]
pub struct CountError {
    least: u8,
    most: u8,
}

macro_rules! count {
    ($(#[$doc:meta])* $name:ident $least:literal $most:literal $default:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "u8", into = "u8")]
        pub struct $name(u8);

        impl $name {
            /// As a number of things.
            #[must_use]
            pub const fn get(self) -> usize {
                self.0 as usize
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self($default)
            }
        }

        impl TryFrom<u8> for $name {
            type Error = CountError;
            fn try_from(count: u8) -> Result<Self, CountError> {
                if ($least..=$most).contains(&count) { Ok(Self(count)) } else { Err(Self::ERROR) }
            }
        }

        impl $name {
            const ERROR: CountError = CountError { least: $least, most: $most };
        }

        impl FromStr for $name {
            type Err = CountError;
            fn from_str(text: &str) -> Result<Self, CountError> {
                text.parse::<u8>().map_err(|_| Self::ERROR).and_then(Self::try_from)
            }
        }

        impl From<$name> for u8 {
            fn from(count: $name) -> Self {
                count.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

count! {
    /// 0 to 20, 2 where nothing is said.
    KeptContainers 0 20 2
}
count! {
    /// 1 to 20, 5 where nothing is said.
    KeptImages 1 20 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_bounds() {
        assert_eq!("0".parse::<KeptContainers>().map(KeptContainers::get), Ok(0));
        assert_eq!("20".parse::<KeptImages>().map(KeptImages::get), Ok(20));
        for text in ["0", "21", "-1", "x", ""] {
            let error = text.parse::<KeptImages>().unwrap_err();
            assert_eq!(error.to_string(), "a number from 1 to 20 is needed", "{text}");
        }
        assert!(serde_json::from_str::<Retention>(r#"{"containers": 21}"#).is_err());
        assert_eq!(serde_json::from_str::<Retention>("{}").unwrap(), Retention::default());
    }
}
