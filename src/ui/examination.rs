//! The examination of a host with the names its apps go by, which take a resolver: `doctor` and the console show the same.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{UdpSocket, lookup_host};

use crate::app::{Finding, Hostname, Installation, Lookup, Problem, examine, names, public_names};

/// A resolver that says nothing for this long has no answer.
const LOOKUP: Duration = Duration::from_secs(5);

/// Everything that somebody should know, what is wrong first.
///
/// # Errors
/// The engine or the proxy does not answer. What could not be read is never taken for clean.
pub(crate) async fn findings(at: &Installation) -> Result<Vec<Finding>, Problem> {
    let (inventory, mut findings) = examine(at).await?;
    let lookups = futures_util::future::join_all(public_names(&inventory).into_iter().map(look_up)).await;
    findings.extend(names(&inventory, &lookups));
    findings.sort_by_key(|f| f.severity);
    Ok(findings)
}

async fn look_up(host: Hostname) -> Lookup {
    let asked = tokio::time::timeout(LOOKUP, lookup_host((host.to_string(), 0))).await;
    let found = match asked {
        Err(_) => Err("the resolver does not answer".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(addresses)) => {
            let mut all = Vec::new();
            for ip in addresses.map(|address| address.ip()) {
                all.push((ip, is_ours(ip).await));
            }
            Ok(all)
        }
    };
    Lookup { host, found }
}

/// Whether the kernel takes an address for this machine's own. Nothing is sent.
async fn is_ours(ip: IpAddr) -> bool {
    let any: SocketAddr = if ip.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let Ok(socket) = UdpSocket::bind(any).await else { return false };
    socket.connect((ip, 9)).await.is_ok() && socket.local_addr().is_ok_and(|local| local.ip() == ip)
}
