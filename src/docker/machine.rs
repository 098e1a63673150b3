//! The machine the engine runs on, where it is this one: who listens, how large logs and volumes have grown, who keeps
//! the clock. Read from `/proc` and the engine's own directory; what this user may not read is left out, and named.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::connect::Docker;
use super::disk;
use once_app::{Machine, Socket};

/// The kernel's number for a TCP socket that listens.
const LISTENING: &str = "0A";

/// For a program or a port that does not answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The engine's usual ports, without and with TLS; its own process is known by its name too.
const ENGINE_PORTS: [u16; 2] = [2375, 2376];

/// The engine's process.
const ENGINE: &str = "dockerd";

impl Docker {
    pub(super) async fn look_at_machine(&self) -> Option<Machine> {
        let info = self.about().await.ok().filter(|info| info.local)?;
        let usage = self.measure_host().await;
        let root = info.root_dir.clone();
        let read = tokio::task::spawn_blocking(move || {
            let root = Path::new(&root);
            (sockets(), logs(root), fs::read_dir(root.join("volumes")).is_ok())
        });
        let (mut sockets, logs, volumes_are_readable) = read.await.ok()?;
        let (synchronised, ()) = tokio::join!(synchronised(), find_engines(&mut sockets));
        let mut unread = Vec::new();
        let root = &info.root_dir;
        let user = rustix::process::geteuid();
        if !user.is_root() && sockets.iter().any(|socket| socket.process.is_none()) {
            unread.push("whose some of the open ports are".to_owned());
        }
        if logs.is_none() {
            unread.push(format!("the sizes of logs ({root}/containers)"));
        }
        if !volumes_are_readable {
            unread.push(format!("the sizes of volumes ({root}/volumes)"));
        }
        let open_socket = info.address.strip_prefix("unix://").is_some_and(|path| is_open(Path::new(path)));
        Some(Machine { sockets, logs: logs.unwrap_or_default(), usage, synchronised, open_socket, unread })
    }

    /// Bytes in each volume; `None`: the engine is elsewhere, or this user may not see them.
    pub(super) async fn measure_volumes(&self) -> Option<BTreeMap<String, u64>> {
        let info = self.about().await.ok().filter(|info| info.local)?;
        let root = info.root_dir.clone();
        tokio::task::spawn_blocking(move || disk::volumes(Path::new(&root))).await.ok()?
    }
}

/// Whether everybody may write to it. Directories above may still keep people out, so these count too.
fn is_open(path: &Path) -> bool {
    let mode = |path: &Path| fs::metadata(path).map(|meta| meta.permissions().mode());
    let passable = |path: &Path| mode(path).is_ok_and(|mode| mode & 0o001 != 0);
    let Ok(path) = fs::canonicalize(path) else { return false };
    mode(&path).is_ok_and(|mode| mode & 0o002 != 0) && path.ancestors().skip(1).all(passable)
}

/// Whether a service keeps the clock right, by systemd's word, which has it from the kernel.
async fn synchronised() -> Option<bool> {
    let mut command = tokio::process::Command::new("timedatectl");
    command.args(["show", "-p", "NTPSynchronized", "--value"]).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok().filter(|o| o.status.success())?;
    match output.stdout.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

/// Asks those that may be an engine whether they are one. Only the answer is a proof.
async fn find_engines(sockets: &mut [Socket]) {
    let likely = |socket: &&mut Socket| {
        let is_engine = socket.process.as_ref().is_some_and(|(name, _)| name == ENGINE);
        !socket.address.is_loopback() && (is_engine || ENGINE_PORTS.contains(&socket.port))
    };
    let asked = sockets.iter_mut().filter(likely).map(|socket| async {
        socket.engine = answers_as_engine(socket.address, socket.port).await;
    });
    futures_util::future::join_all(asked).await;
}

async fn answers_as_engine(address: IpAddr, port: u16) -> bool {
    let at = match address {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    };
    let asked = async {
        let mut stream = tokio::net::TcpStream::connect((at, port)).await.ok()?;
        stream.write_all(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n").await.ok()?;
        let mut answer = Vec::new();
        stream.take(4096).read_to_end(&mut answer).await.ok()?;
        let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        Some(text.starts_with("http/1.") && text.contains("\r\napi-version:"))
    };
    tokio::time::timeout(PATIENCE, asked).await.ok().flatten().unwrap_or(false)
}

fn sockets() -> Vec<Socket> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let listening: Vec<(IpAddr, u16, u64)> = tables.iter().flat_map(|text| text.lines().filter_map(row)).collect();
    let owners = owners(Path::new("/proc"));
    let mut sockets: Vec<Socket> = listening
        .into_iter()
        .map(|(address, port, inode)| Socket { address, port, process: owners.get(&inode).cloned(), engine: false })
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

/// Bytes of the log files below `containers/<id>/`, rotated ones included, in the files of both drivers that write any.
/// `None`: this user may not look.
fn logs(root: &Path) -> Option<BTreeMap<String, u64>> {
    let mut sizes = BTreeMap::new();
    for container in fs::read_dir(root.join("containers")).ok()?.flatten() {
        let own = fs::read_dir(container.path()).into_iter().flatten().flatten();
        let own = own.filter(|file| file.file_name().to_string_lossy().contains("-json.log"));
        let local = fs::read_dir(container.path().join("local-logs")).into_iter().flatten().flatten();
        let bytes: u64 = own.chain(local).filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum();
        sizes.insert(container.file_name().to_string_lossy().into_owned(), bytes);
    }
    Some(sizes)
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
        fs::create_dir(dir.join("local-logs")).unwrap();
        fs::write(dir.join("local-logs").join("container.log"), [0; 7]).unwrap();
        assert_eq!(logs(root.path()), Some(BTreeMap::from([("abc".to_owned(), 22)])));
        assert_eq!(logs(Path::new("/does/not/exist")), None);
    }

    #[test]
    fn a_socket_is_open_to_everybody_only_where_its_directories_are() {
        let root = tempfile::tempdir_in("/tmp").unwrap();
        let path = root.path().join("docker.sock");
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        for (directory, socket, expected) in
            [(0o755, 0o660, false), (0o755, 0o666, true), (0o700, 0o666, false), (0o755, 0o777, true)]
        {
            set(root.path(), directory);
            set(&path, socket);
            assert_eq!(is_open(&path), expected, "{directory:o} {socket:o}");
        }
        assert!(!is_open(Path::new("/does/not/exist")));
    }

    /// Something that listens on all addresses and gives everybody this answer.
    async fn listener(answer: &'static str) -> Socket {
        let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut question = [0; 256];
                let _ = stream.read(&mut question).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let process = Some((ENGINE.to_owned(), 7));
        Socket { address: at.ip(), port: at.port(), process, engine: false }
    }

    #[tokio::test]
    async fn only_what_answers_as_an_engine_is_one() {
        let engine = listener("HTTP/1.0 200 OK\r\nApi-Version: 1.41\r\nServer: Docker\r\n\r\nOK").await;
        let other = listener("HTTP/1.0 200 OK\r\nServer: nginx\r\n\r\nOK").await;
        // With TLS a plain question gets an alert, or a sentence.
        let tls = listener("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n").await;
        let unasked = Socket { process: Some(("java".into(), 8)), ..engine.clone() };
        let mut all = [engine, other, tls, unasked];
        find_engines(&mut all).await;
        assert_eq!(all.map(|socket| socket.engine), [true, false, false, false]);
    }
}
