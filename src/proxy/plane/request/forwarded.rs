//! What is known of the client behind a peer, and what the app is told of it (`X-Forwarded-*`).
//!
//! A peer that nobody named is the client, and its own words about others are replaced. A named one is believed: the
//! client is then the right-most address that is not named itself, for everybody can write what stands left of it.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use http::header::{HOST, HeaderName};
use http::{HeaderMap, HeaderValue};

use crate::plane::telemetry::record::Peer;
use once_app::{Cidr, Port};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
pub(in crate::plane) const PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// What is told, and by nobody but this proxy or one that is named.
pub(in crate::plane) const ALL: [HeaderName; 5] = [FOR, PROTO, FORWARDED_HOST, PORT, PREFIX];

/// Whether an address is among those named.
pub(in crate::plane) fn is_named(ranges: &BTreeSet<Cidr>, address: IpAddr) -> bool {
    ranges.iter().any(|range| range.contains(address))
}

/// The peer as one request shows it: whose request it is, and how the client spoke to the first proxy.
pub(in crate::plane) fn told(peer: &Peer, headers: &HeaderMap, trusted: &BTreeSet<Cidr>) -> Peer {
    let scheme = match single(headers, &PROTO).map(HeaderValue::as_bytes) {
        Some(proto) if proto.eq_ignore_ascii_case(b"https") => "https",
        Some(proto) if proto.eq_ignore_ascii_case(b"http") => "http",
        _ => peer.scheme,
    };
    Peer { client: client(peer.client, headers, trusted), scheme, ..peer.clone() }
}

fn client(peer: IpAddr, headers: &HeaderMap, trusted: &BTreeSet<Cidr>) -> IpAddr {
    let mut client = peer;
    let values = headers.get_all(FOR).iter().rev();
    for hop in values.flat_map(|value| value.to_str().unwrap_or("?").rsplit(',')) {
        // What stands left of something that is no address was not written by anybody who is believed.
        let Some(address) = address(hop.trim()) else { break };
        client = address;
        if !is_named(trusted, address) {
            break;
        }
    }
    client
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    let parsed = bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|a| a.ip()));
    parsed.ok().map(|address| address.to_canonical())
}

/// Tells the app: replaces what a stranger said, goes on where a named peer was.
pub(in crate::plane) fn tell(headers: &mut HeaderMap, peer: &Peer, port: Option<&str>, prefix: Option<&str>) {
    let hops = if peer.trusted { joined(headers) } else { None };
    let hops = match hops {
        Some(before) => HeaderValue::try_from(format!("{before}, {}", peer.ip.to_str().unwrap_or("unknown"))),
        None => Ok(peer.ip.clone()),
    };
    headers.insert(FOR, hops.unwrap_or_else(|_| peer.ip.clone()));
    // A named peer's word on this is in the scheme already.
    headers.insert(PROTO, HeaderValue::from_static(peer.scheme));
    let kept =
        |headers: &HeaderMap, name: &HeaderName| if peer.trusted { single(headers, name).cloned() } else { None };
    if let Some(host) = kept(headers, &FORWARDED_HOST).or_else(|| headers.get(HOST).cloned()) {
        headers.insert(FORWARDED_HOST, host);
    }
    // Written anew: a number may have zeros before it.
    let said = kept(headers, &PORT).and_then(|port| port.to_str().ok()?.parse::<Port>().ok());
    let said = said.map(|port| HeaderValue::from(port.get()));
    let port = said.unwrap_or_else(|| match port {
        None if peer.scheme == "https" => HeaderValue::from_static("443"),
        None => HeaderValue::from_static("80"),
        Some(port) => HeaderValue::from_str(port).unwrap_or(HeaderValue::from_static("80")),
    });
    headers.insert(PORT, port);
    let before = kept(headers, &PREFIX);
    match (before, prefix) {
        (None, None) => drop(headers.remove(PREFIX)),
        (Some(_), None) => {}
        (before, Some(prefix)) => {
            let before = before.as_ref().and_then(|b| b.to_str().ok()).unwrap_or("").trim_end_matches('/');
            if let Ok(value) = HeaderValue::try_from(format!("{before}{prefix}")) {
                headers.insert(PREFIX, value);
            }
        }
    }
}

/// `None`: it is not there, or more than once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

fn joined(headers: &HeaderMap) -> Option<String> {
    let hops: Vec<&str> = headers.get_all(FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    (!hops.is_empty()).then(|| hops.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_client_is_the_right_most_hop_nobody_named() {
        let trusted: BTreeSet<Cidr> = ["10.0.0.0/8", "2001:db8::/32"].map(|r| r.parse().unwrap()).into();
        for (values, expected) in [
            (&[][..], "10.0.0.1"),
            (&["192.0.2.7"], "192.0.2.7"),
            (&["6.6.6.6, 192.0.2.7"], "192.0.2.7"),
            (&["6.6.6.6, 192.0.2.7, 10.2.2.2"], "192.0.2.7"),
            (&["6.6.6.6", "192.0.2.7", "10.2.2.2"], "192.0.2.7"),
            (&["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
            (&["192.0.2.7:4711"], "192.0.2.7"),
            (&["[2001:dead::1]:4711, 2001:db8::5"], "2001:dead::1"),
            (&["[2001:dead::1]"], "2001:dead::1"),
            (&["::ffff:192.0.2.7"], "192.0.2.7"),
            (&["192.0.2.7, unknown, 10.2.2.2"], "10.2.2.2"),
            (&["192.0.2.7, , 10.2.2.2"], "10.2.2.2"),
            (&["\u{e4}"], "10.0.0.1"),
        ] {
            let list: Vec<(&'static str, &'static str)> = values.iter().map(|v| ("x-forwarded-for", *v)).collect();
            let found = client("10.0.0.1".parse().unwrap(), &headers_lossy(&list), &trusted);
            assert_eq!(found.to_string(), expected, "{values:?}");
        }
    }

    fn headers_lossy(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn peer(trusted: bool) -> Peer {
        Peer {
            address: "10.0.0.1:999".parse().unwrap(),
            client: "10.0.0.1".parse().unwrap(),
            trusted,
            ip: HeaderValue::from_static("10.0.0.1"),
            scheme: "http",
            local_port: 80,
            sni: None,
        }
    }

    fn pass(trusted: bool, list: &[(&'static str, &'static str)], prefix: Option<&str>) -> Vec<String> {
        let mut headers = headers(list);
        headers.insert(HOST, HeaderValue::from_static("shop.test"));
        let mut peer = peer(trusted);
        if trusted {
            peer = told(&peer, &headers, &["10.0.0.0/8".parse().unwrap()].into());
        }
        tell(&mut headers, &peer, None, prefix);
        [FOR, PROTO, FORWARDED_HOST, PORT, PREFIX]
            .iter()
            .map(|name| headers.get(name).map_or("-", |v| v.to_str().unwrap()).to_owned())
            .collect()
    }

    const SAID: &[(&str, &str)] = &[
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "www.test"),
        ("x-forwarded-port", "8443"),
        ("x-forwarded-prefix", "/outer"),
    ];

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(pass(false, SAID, None), ["10.0.0.1", "http", "shop.test", "80", "-"]);
        assert_eq!(pass(false, SAID, Some("/api")), ["10.0.0.1", "http", "shop.test", "80", "/api"]);
    }

    #[test]
    fn a_named_peer_is() {
        assert_eq!(pass(true, SAID, None), ["192.0.2.7, 10.0.0.1", "https", "www.test", "8443", "/outer"]);
        assert_eq!(pass(true, SAID, Some("/api"))[4], "/outer/api");
        assert_eq!(pass(true, &[], None), ["10.0.0.1", "http", "shop.test", "80", "-"]);
        assert_eq!(pass(true, &[("x-forwarded-proto", "https")], None)[3], "443");
        let odd = &[("x-forwarded-proto", "gopher"), ("x-forwarded-port", "0x50")];
        assert_eq!(pass(true, odd, None)[1..4], ["http", "shop.test", "80"]);
        for (said, told) in [("+8443", "80"), ("008443", "8443"), ("0", "80")] {
            assert_eq!(pass(true, &[("x-forwarded-port", said)], None)[3], told);
        }
        let twice = &[("x-forwarded-host", "a.test"), ("x-forwarded-host", "b.test")];
        assert_eq!(pass(true, twice, None)[2], "shop.test");
    }
}
