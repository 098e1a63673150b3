//! What holds for whatever comes over the proxy's inner lines and out of its files; see `once-fuzzing`.

// What does not hold panics.
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::Value;

use crate::control::wire;
use crate::parent::{Order, Report};
use crate::scrape;
use crate::tls::fuzzing as tls;
use once_app::proxy::ProxyError;

pub(crate) use crate::acme::fuzzing::{answer, schedule};
pub(crate) use crate::plane::fuzzing as plane;
pub(crate) use crate::store::fuzzing::{configuration, record, unknown};
use once_fuzzing::Target;
pub(crate) use tls::pair;

/// The fuzz targets of this crate.
pub const TARGETS: &[Target] = &[
    ("request", &[(b'r', "request", plane::request)]),
    (
        "heads",
        &[
            (b'h', "hop", plane::hop),
            (b'f', "forwarded", plane::forwarded),
            (b'e', "coding", plane::coding),
            (b'p', "page", plane::page),
            (b'c', "cookie", plane::cookie),
            (b'a', "authorization", plane::authorization),
            (b'l', "log", plane::log),
        ],
    ),
    (
        "addresses",
        &[
            (b'p', "proxy-protocol", plane::proxy_protocol),
            (b'a', "authority", plane::authority),
            (b'x', "prefix", plane::prefix),
            (b'w', "frames", plane::frames),
        ],
    ),
    (
        "state",
        &[
            (b'r', "record", record),
            (b'c', "configuration", configuration),
            (b'u', "unknown", unknown),
            (b's', "schedule", schedule),
            (b'a', "answer", answer),
            (b't', "pair", pair),
            (b'w', "word", word),
            (b'f', "frame", frame),
            (b'g', "gateway", gateway),
        ],
    ),
];

/// A word on the line between supervisor and worker is said again as it was heard.
pub(crate) fn word(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(line) = text.lines().next() else { return };
    let said = Report::of(line).map(|report| report.to_string()).or_else(|| Some(Order::of(line)?.to_string()));
    if let Some(said) = said {
        assert_eq!(said, format!("{}\n", line.replace('\r', " ")));
    }
}

/// A line of a long answer, an error in particular, comes out as it went in.
pub(crate) fn frame(bytes: &[u8]) {
    let Ok(line) = serde_json::from_slice::<wire::Line<Value>>(bytes) else { return };
    let json = serde_json::to_value(&line).unwrap();
    let result: Result<Value, ProxyError> = line.into();
    assert_eq!(serde_json::to_value(wire::Line::from(result)).ok(), Some(json));
}

/// The kernel's table names a gateway only by the default route.
pub(crate) fn gateway(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(gateway) = scrape::gateway(&text) {
        assert!(text.contains("00000000") && !gateway.is_unspecified());
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn kept_inputs_hold() {
        once_fuzzing::replay(super::TARGETS);
    }
}
