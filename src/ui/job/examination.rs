//! The examination of the host, with the names of its apps looked up: what `doctor` and the console show.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::net::{UdpSocket, lookup_host};

use async_trait::async_trait;

use once_app::engine::EngineInfo;
use once_app::{Hostname, Installation, Looks, Lookup, Problem, Report, Resolver, examine};

/// A resolver that says nothing for this long has no answer.
const LOOKUP: Duration = Duration::from_secs(5);

/// Names that are looked up at the same time.
const LOOKUPS: usize = 16;

/// Examines a host, its hostnames too.
///
/// # Errors
/// As [`examine`].
pub async fn of_host(at: &Installation, looks: Looks, report: &Report<'_>) -> Result<(), Problem> {
    examine(at, looks, &SystemResolver, report).await
}

/// This machine's own.
struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn look_up(&self, hosts: Vec<Hostname>, info: &EngineInfo) -> Vec<Lookup> {
        let machine = Addresses::of(info).await;
        let asked = hosts.into_iter().map(|host| look_up(host, &machine));
        futures_util::stream::iter(asked).buffer_unordered(LOOKUPS).collect().await
    }
}

/// The addresses of the machine the engine runs on.
enum Addresses {
    /// Those of this machine: the kernel is asked for each.
    Own,
    /// Those that the way to the engine has.
    Of(Vec<IpAddr>),
    /// The way to it has no name: a forwarded socket.
    Unknown,
}

impl Addresses {
    async fn of(info: &EngineInfo) -> Self {
        if info.local {
            return Self::Own;
        }
        let Some(host) = host_of(&info.address) else { return Self::Unknown };
        match resolve(host).await {
            Ok(all) if !all.iter().any(IpAddr::is_loopback) => Self::Of(all),
            _ => Self::Unknown,
        }
    }

    async fn contains(&self, found: &[IpAddr]) -> Option<bool> {
        match self {
            Self::Unknown => None,
            Self::Of(all) => Some(found.iter().any(|ip| all.contains(ip))),
            Self::Own => {
                for ip in found {
                    if is_ours(*ip).await {
                        return Some(true);
                    }
                }
                Some(false)
            }
        }
    }
}

/// `ssh://deploy@web-1:22`, `tcp://192.0.2.1:2376`: the part that has an address.
fn host_of(address: &str) -> Option<&str> {
    let (scheme, rest) = address.split_once("://")?;
    if scheme == "unix" {
        return None;
    }
    let rest = rest.split('/').next()?;
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    match rest.strip_prefix('[') {
        Some(inside) => inside.split(']').next(),
        None => Some(rest.rsplit_once(':').map_or(rest, |(host, _)| host)),
    }
}

async fn resolve(host: &str) -> Result<Vec<IpAddr>, String> {
    match tokio::time::timeout(LOOKUP, lookup_host((host, 0))).await {
        Err(_) => Err("the resolver does not answer".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(addresses)) => Ok(addresses.map(|address| address.ip()).collect()),
    }
}

async fn look_up(host: Hostname, machine: &Addresses) -> Lookup {
    let found = resolve(host.as_str()).await;
    let here = match &found {
        Ok(addresses) => machine.contains(addresses).await,
        Err(_) => None,
    };
    Lookup { host, found, here }
}

/// Whether the kernel takes an address for this machine's own. Nothing is sent.
async fn is_ours(ip: IpAddr) -> bool {
    let any: SocketAddr = if ip.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let Ok(socket) = UdpSocket::bind(any).await else { return false };
    socket.connect((ip, 9)).await.is_ok() && socket.local_addr().is_ok_and(|local| local.ip() == ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_found_in_whatever_leads_to_an_engine() {
        for (address, host) in [
            ("unix:///var/run/docker.sock", None),
            ("ssh://deploy@web-1.example.com", Some("web-1.example.com")),
            ("ssh://deploy@web-1:2222", Some("web-1")),
            ("tcp://192.0.2.1:2376", Some("192.0.2.1")),
            ("tcp://[2001:db8::1]:2376", Some("2001:db8::1")),
            ("docker", None),
        ] {
            assert_eq!(host_of(address), host, "{address}");
        }
    }

    #[tokio::test]
    async fn addresses_are_compared_with_those_of_the_engines_machine_not_of_this_one() {
        let here: IpAddr = "127.0.0.1".parse().unwrap();
        let there: IpAddr = "192.0.2.7".parse().unwrap();
        for (machine, found, expected) in [
            (Addresses::Own, here, Some(true)),
            (Addresses::Own, there, Some(false)),
            (Addresses::Of(vec![there]), there, Some(true)),
            (Addresses::Of(vec![there]), here, Some(false)),
            (Addresses::Unknown, there, None),
        ] {
            assert_eq!(machine.contains(&[found]).await, expected);
        }
    }
}
