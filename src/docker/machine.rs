//! The machine the engine runs on, where it is this one: who listens, and how large logs have grown. Read from `/proc`
//! and the engine's own directory; what this user may not read is left out.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use super::connect::Docker;
use crate::app::{Machine, Socket};

/// The kernel's number for a TCP socket that listens.
const LISTENING: &str = "0A";

impl Docker {
    pub(super) async fn look_at_machine(&self) -> Option<Machine> {
        let info = self.about().await.ok().filter(|info| info.local)?;
        let usage = self.measure_host().await;
        let root = info.root_dir.clone();
        let read = tokio::task::spawn_blocking(move || (sockets(), logs(Path::new(&root))));
        let (sockets, logs) = read.await.ok()?;
        Some(Machine { sockets, logs, usage })
    }
}

fn sockets() -> Vec<Socket> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let listening: Vec<(IpAddr, u16, u64)> = tables.iter().flat_map(|text| text.lines().filter_map(row)).collect();
    let owners = owners(Path::new("/proc"));
    let mut sockets: Vec<Socket> = listening
        .into_iter()
        .map(|(address, port, inode)| Socket { address, port, process: owners.get(&inode).cloned() })
        .collect();
    sockets.sort_by_key(|socket| (socket.port, socket.address));
    sockets
}

/// `0: 0100007F:1F90 00000000:0000 0A … inode`, as in proc(5).
fn row(line: &str) -> Option<(IpAddr, u16, u64)> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let (local, state, inode) = (words.get(1)?, words.get(3)?, words.get(9)?);
    if *state != LISTENING {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    Some((ip(address)?, u16::from_str_radix(port, 16).ok()?, inode.parse().ok()?))
}

/// Words of four bytes, each in the machine's own order.
fn ip(hex: &str) -> Option<IpAddr> {
    let words: Vec<[u8; 4]> = (0..hex.len() / 8)
        .map(|i| u32::from_str_radix(hex.get(i * 8..i * 8 + 8)?, 16).ok().map(u32::to_ne_bytes))
        .collect::<Option<_>>()?;
    match words.as_slice() {
        [one] => Some(Ipv4Addr::from(*one).into()),
        [_, _, _, _] => {
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Some(Ipv6Addr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

/// Which process holds which socket.
fn owners(proc: &Path) -> HashMap<u64, (String, u32)> {
    let mut owners = HashMap::new();
    for entry in fs::read_dir(proc).into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let descriptors = fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten();
        let held: Vec<u64> = descriptors
            .filter_map(|descriptor| {
                let target = fs::read_link(descriptor.path()).ok()?;
                target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
            })
            .collect();
        if held.is_empty() {
            continue;
        }
        let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default().trim().to_owned();
        owners.extend(held.into_iter().map(|inode| (inode, (name.clone(), pid))));
    }
    owners
}

/// Bytes of the log files below `containers/<id>/`, rotated ones included.
fn logs(root: &Path) -> BTreeMap<String, u64> {
    let mut sizes = BTreeMap::new();
    for container in fs::read_dir(root.join("containers")).into_iter().flatten().flatten() {
        let files = fs::read_dir(container.path()).into_iter().flatten().flatten();
        let logs = files.filter(|file| file.file_name().to_string_lossy().contains("-json.log"));
        let bytes: u64 = logs.filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum();
        sizes.insert(container.file_name().to_string_lossy().into_owned(), bytes);
    }
    sizes
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn finds_a_listening_socket_and_who_holds_it() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let here = listener.local_addr().unwrap();
            let found = sockets().into_iter().find(|s| s.port == here.port() && s.address == here.ip()).unwrap();
            assert_eq!(found.process.map(|(_, pid)| pid), Some(std::process::id()));
        }
    }

    #[test]
    fn a_socket_that_does_not_listen_is_none() {
        let established = "   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000 0 0 42 1";
        assert_eq!(row(established), None);
        assert_eq!(row("  sl  local_address rem_address   st"), None);
        assert_eq!(row(""), None);
    }

    #[test]
    fn sums_up_rotated_logs_by_container() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("containers").join("abc");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("abc-json.log"), [0; 10]).unwrap();
        fs::write(dir.join("abc-json.log.1"), [0; 5]).unwrap();
        fs::write(dir.join("config.v2.json"), [0; 100]).unwrap();
        assert_eq!(logs(root.path()), BTreeMap::from([("abc".to_owned(), 15)]));
        assert_eq!(logs(Path::new("/does/not/exist")), BTreeMap::new());
    }
}
