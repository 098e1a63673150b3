//! Who is measured. All of them end with this process's [`Servers`].

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use once::app::{AppId, ReleaseNumber, Route, RouteState, Target, Tls, UrlPath, Web};
use once::proxy::plane::{AccessLog, Plane, PlaneOptions};
use tokio_util::sync::CancellationToken;

pub struct Server {
    pub name: &'static str,
    pub address: SocketAddr,
    pub pids: Vec<u32>,
    /// Those of the upstream, too, which works for all.
    pub all_pids: Vec<u32>,
}

pub struct Servers {
    servers: Vec<Server>,
    children: Vec<Child>,
    folder: PathBuf,
}

/// Static files from one worker. Its logs and temporary files stay in the folder.
const UPSTREAM: &str = "
daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.err;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 300s;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server { listen {address} backlog=4096; root {folder}; }
}";

/// A worker a core, as the plane has a thread a core, and a comparable line a request in its log.
const PROXY: &str = "
daemon off; worker_processes auto; pid {folder}/{name}.pid; error_log {folder}/{name}.err;
events { worker_connections 4096; }
http {
  keepalive_requests 1000000000; keepalive_timeout 300s;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  log_format line escape=json '{\"time\":\"$time_iso8601\",\"host\":\"$http_host\",\"path\":\"$uri\",'
    '\"request_id\":\"$request_id\",\"status\":$status,\"target\":\"$upstream_addr\",\"duration\":\"$request_time\",'
    '\"method\":\"$request_method\",\"resp_content_length\":$body_bytes_sent,\"client_addr\":\"$remote_addr\",'
    '\"client_port\":\"$remote_port\",\"user_agent\":\"$http_user_agent\",\"query\":\"$args\"}';
  access_log {folder}/nginx.log line buffer=32k flush=1s;
  upstream app { server {upstream}; keepalive 512; keepalive_requests 1000000000; }
  server {
    listen {address} backlog=4096;
    location / {
      proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Request-ID $request_id;
      proxy_set_header X-Request-Start \"t=$msec\";
    }
  }
}";

impl Servers {
    pub fn start() -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("once-bench-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("1k"), [b'x'; 1024])?;
        let mut all = Self { servers: Vec::new(), children: Vec::new(), folder };
        let upstream = all.nginx("upstream", UPSTREAM, None)?;
        all.plane("once", upstream, true)?;
        all.plane("once, log off", upstream, false)?;
        all.nginx("nginx", PROXY, Some(upstream))?;
        let pids = all.servers[0].pids.clone();
        for server in &mut all.servers {
            server.all_pids = server.pids.clone();
            if server.name != "upstream" {
                server.all_pids.extend(&pids);
            }
        }
        Ok(all)
    }

    pub fn get(&self, which: usize) -> &Server {
        &self.servers[which]
    }

    fn nginx(&mut self, name: &'static str, config: &str, upstream: Option<SocketAddr>) -> io::Result<SocketAddr> {
        let address = free()?;
        let upstream = upstream.map(|u| u.to_string()).unwrap_or_default();
        let config = config
            .replace("{folder}", &self.folder.to_string_lossy())
            .replace("{name}", name)
            .replace("{address}", &address.to_string())
            .replace("{upstream}", &upstream);
        let file = self.folder.join(format!("{name}.conf"));
        fs::write(&file, config)?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&self.folder).arg("-c").arg(&file).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| io::Error::new(error.kind(), format!("nginx: {error}")))?;
        let master = child.id();
        self.children.push(child);
        reachable(address)?;
        // It listens before it has workers, and theirs is the CPU time.
        let workers = if upstream.is_empty() { 1 } else { std::thread::available_parallelism()?.get() };
        let mut pids = vec![master];
        while pids.len() < 1 + workers {
            std::thread::yield_now();
            pids = std::iter::once(master).chain(children(master)).collect();
        }
        self.servers.push(Server { name, address, pids, all_pids: Vec::new() });
        Ok(address)
    }

    /// In a process of its own, so that its CPU time can be told from the load's.
    fn plane(&mut self, name: &'static str, upstream: SocketAddr, log: bool) -> io::Result<()> {
        let log = if log { self.folder.join("once.log") } else { PathBuf::from("off") };
        let mut child = Command::new(std::env::current_exe()?)
            .arg("plane")
            .arg(upstream.to_string())
            .arg(log)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let pids = vec![child.id()];
        self.children.push(child);
        let address = line.trim().parse().map_err(io::Error::other)?;
        self.servers.push(Server { name, address, pids, all_pids: Vec::new() });
        Ok(())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.children {
            // nginx' master takes its workers with it only when it is asked.
            if let Some(pid) = rustix::process::Pid::from_raw(child.id().cast_signed()) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            }
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn free() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

fn reachable(address: SocketAddr) -> io::Result<()> {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        match TcpStream::connect(address) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > end => return Err(error),
            Err(_) => std::thread::yield_now(),
        }
    }
}

fn children(pid: u32) -> Vec<u32> {
    let list = Path::new("/proc").join(pid.to_string()).join("task").join(pid.to_string()).join("children");
    fs::read_to_string(list).unwrap_or_default().split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// `plane <upstream> <log file or off>`: says its address and serves until SIGTERM.
pub fn plane(arguments: &[String]) -> io::Result<()> {
    let [upstream, log] = arguments else { return Err(io::Error::other("plane <upstream> <log file or off>")) };
    let access_log = if log == "off" {
        AccessLog::Off
    } else {
        let file = fs::File::create(log)?;
        AccessLog::To(std::sync::Arc::new(move |block| {
            use std::io::Write;
            let _ = (&file).write_all(block);
        }))
    };
    let plane = Plane::new(PlaneOptions { access_log, ..PlaneOptions::default() });
    let named = |error: &dyn std::error::Error| io::Error::other(error.to_string());
    plane.set_route(Route {
        app: AppId("0".to_owned()),
        name: "bench".parse().map_err(|e| named(&e))?,
        hosts: vec!["bench.test".parse().map_err(|e| named(&e))?],
        path_prefix: None,
        tls: Tls::default(),
        web: Web::default(),
        target: Target { release: ReleaseNumber(1), address: upstream.clone() },
        state: RouteState::Serving,
        health_path: UrlPath::up(),
    });
    let serving = plane.serve(TcpListener::bind("127.0.0.1:0")?, CancellationToken::new())?;
    {
        use std::io::Write;
        writeln!(io::stdout(), "{}", serving.local_addr())?;
    }
    loop {
        std::thread::park();
    }
}
