//! Ranges of addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A range of addresses, as in `10.0.0.0/8`, `2001:db8::/32`; a single address is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr(IpNet);

/// Why a range was turned down. The text reads after "invalid allow-ip `x`: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// Neither an address nor a range.
    #[error("a range of addresses is given as in `10.0.0.0/8`, `2001:db8::/32`, or as one address")]
    Form,
    /// The address has bits where the range has none; carries the range that was probably meant.
    #[error("the address has bits outside of its mask; did you mean `{0}`?")]
    Loose(String),
}

impl Cidr {
    /// Whether an address is inside. IPv4 addresses that came over an IPv6 socket (`::ffff:10.0.0.1`) count as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let text = text.trim();
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(address.to_canonical().into()));
        }
        let net: IpNet = text.parse().map_err(|_| CidrError::Form)?;
        if net.trunc() == net { Ok(Self(net)) } else { Err(CidrError::Loose(net.trunc().to_string())) }
    }
}

impl TryFrom<String> for Cidr {
    type Error = CidrError;
    fn try_from(text: String) -> Result<Self, CidrError> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_single_addresses() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.200.3.4", "11.0.0.1"),
            ("10.0.0.0/8", "::ffff:10.1.1.1", "::ffff:11.1.1.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("2001:db8::/32", "2001:db8:1::1", "2001:db9::1"),
            ("0.0.0.0/0", "1.2.3.4", "::1"),
            ("::/0", "::1", "1.2.3.4"),
        ] {
            let cidr: Cidr = text.parse().unwrap();
            assert!(cidr.contains(inside.parse().unwrap()), "{text} {inside}");
            assert!(!cidr.contains(outside.parse().unwrap()), "{text} {outside}");
            assert_eq!(cidr.to_string().parse(), Ok(cidr));
        }
    }

    #[test]
    fn what_is_no_range() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "shop", "10.0.0.0/", "10.0.0.0/8/8", "::/129", "10.0.0.1:80"] {
            assert_eq!(text.parse::<Cidr>(), Err(CidrError::Form), "{text}");
        }
        assert_eq!("10.1.2.3/8".parse::<Cidr>(), Err(CidrError::Loose("10.0.0.0/8".into())));
    }
}
