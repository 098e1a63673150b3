//! What a registry's refusal means. The engine passes on the registry's status for digests; for pulls it often has only
//! its sentence, so this is the one place that reads it.

use bollard::errors::Error;

use super::call::{Call, Client};
use super::error::disk_full;
use once_app::engine::EngineError;

pub(super) fn explain(client: &Client, call: &Call, image: &str, login: Option<String>, cause: Error) -> EngineError {
    let (status, message) = match cause {
        Error::DockerResponseServerError { status_code, message } => (Some(status_code), message),
        Error::DockerStreamError { error } => (None, error),
        other => return client.explain(call, other),
    };
    let image = image.to_owned();
    match classify(status, &message) {
        Refusal::Unauthorised => EngineError::Unauthorised { image, message, login },
        Refusal::NoSuchImage => EngineError::NoSuchImage { image, message },
        Refusal::Unreachable => EngineError::RegistryUnreachable { image, message },
        Refusal::DiskFull => EngineError::DiskFull { message },
        Refusal::Unsupported => EngineError::Unsupported { message },
        Refusal::Other => EngineError::Failed { what: call.what(), message },
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Unauthorised,
    NoSuchImage,
    Unreachable,
    DiskFull,
    Unsupported,
    Other,
}

/// The status decides where it says enough. 404 also stands for "may not be seen", 500 for everything.
fn classify(status: Option<u16>, message: &str) -> Refusal {
    match status {
        Some(401 | 403) => Refusal::Unauthorised,
        Some(429 | 502..=504) => Refusal::Unreachable,
        Some(404) => match by_text(message) {
            told @ (Refusal::Unauthorised | Refusal::Unsupported) => told,
            _ => Refusal::NoSuchImage,
        },
        _ => by_text(message),
    }
}

const UNSUPPORTED: [&str; 4] = [
    "no matching manifest for",
    "no match for platform in manifest",
    "does not match the specified platform",
    "cannot be used on this platform",
];

const UNAUTHORISED: [&str; 6] = [
    "unauthorized",
    "authentication required",
    "no basic auth credentials",
    "access denied",
    "access to the resource is denied",
    "incorrect username or password",
];

const NO_SUCH_IMAGE: [&str; 5] =
    ["manifest unknown", "name unknown", "repository name not known", "not found", "does not exist"];

const UNREACHABLE: [&str; 18] = [
    "connection refused",
    "connection reset",
    "no such host",
    "no route to host",
    "network is unreachable",
    "server misbehaving",
    "i/o timeout",
    "TLS handshake timeout",
    "Client.Timeout exceeded",
    "context deadline exceeded",
    "request canceled while waiting",
    "server gave HTTP response to HTTPS client",
    "x509:",
    "tls:",
    "proxyconnect",
    "toomanyrequests",
    "unexpected EOF",
    ": EOF",
];

const UNAVAILABLE_STATUS: &str = "received unexpected HTTP status: 5";

fn by_text(message: &str) -> Refusal {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if disk_full(message) {
        Refusal::DiskFull
    } else if says(&UNSUPPORTED) {
        Refusal::Unsupported
    } else if says(&UNREACHABLE) || message.contains(UNAVAILABLE_STATUS) {
        Refusal::Unreachable
    } else if says(&UNAUTHORISED) {
        Refusal::Unauthorised
    } else if says(&NO_SUCH_IMAGE) {
        Refusal::NoSuchImage
    } else {
        Refusal::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_words_and_what_they_mean() {
        use Refusal::*;
        for (status, message, expected) in [
            (Some(401), "errors:\nunauthorized: authentication required\n", Unauthorised),
            (Some(403), "errors:\ndenied: requested access to the resource is denied\n", Unauthorised),
            (Some(404), "manifest unknown: manifest unknown", NoSuchImage),
            (Some(404), "errors:\nmanifest unknown: manifest unknown\n", NoSuchImage),
            (
                Some(404),
                "pull access denied for acme/shop, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
                Unauthorised,
            ),
            (Some(404), "manifest for localhost:5000/a:b not found: manifest unknown: manifest unknown", NoSuchImage),
            (
                Some(404),
                "failed to resolve reference \"docker.io/acme/shop:x\": docker.io/acme/shop:x: not found",
                NoSuchImage,
            ),
            (Some(500), "Head \"http://127.0.0.1:5000/v2/a/manifests/b\": no basic auth credentials", Unauthorised),
            (
                Some(500),
                "Get \"https://registry.example/v2/\": unauthorized: incorrect username or password",
                Unauthorised,
            ),
            (
                Some(500),
                "failed to resolve reference \"r.example/a:b\": failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized: access denied",
                Unauthorised,
            ),
            (
                Some(500),
                "Get \"http://127.0.0.1:5000/v2/\": dial tcp 127.0.0.1:5000: connect: connection refused",
                Unreachable,
            ),
            (Some(500), "Get \"https://r.example/v2/\": dial tcp: lookup r.example: no such host", Unreachable),
            (
                Some(500),
                "Get \"https://r.example/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
                Unreachable,
            ),
            (Some(500), "Get \"https://r.example/v2/\": http: server gave HTTP response to HTTPS client", Unreachable),
            (Some(500), "Get \"https://r.example/v2/\": x509: certificate signed by unknown authority", Unreachable),
            (None, "received unexpected HTTP status: 503 Service Unavailable", Unreachable),
            (
                None,
                "toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating",
                Unreachable,
            ),
            (
                None,
                "failed to register layer: Error processing tar file(exit status 1): write /x: no space left on device",
                DiskFull,
            ),
            (Some(404), "no matching manifest for linux/amd64 in the manifest list entries", Unsupported),
            (None, "no matching manifest for linux/arm64/v8 in the manifest list entries", Unsupported),
            (Some(500), "something new", Other),
        ] {
            assert_eq!(classify(status, message), expected, "{status:?} {message}");
        }
    }
}
