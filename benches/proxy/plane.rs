//! The data plane in a process of its own, with HTTP and HTTPS: as the worker runs it, without the rest of the worker.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use once::app::{CertificatePair, CertificateSource, Route, Secret};

use once::proxy::plane::{AccessLog, Plane, PlaneOptions};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::bed::{Bed, HOST, Server};

/// Starts this program once more, as [`run`].
pub fn start(bed: &mut Bed, upstream: &Server) -> io::Result<Server> {
    begin(bed, upstream, "once", LOGGING)
}

/// The same, without an access log.
pub fn start_silent(bed: &mut Bed, upstream: &Server) -> io::Result<Server> {
    begin(bed, upstream, "once, no log", SILENT)
}

const LOGGING: &str = "logging";
const SILENT: &str = "silent";

fn begin(bed: &mut Bed, upstream: &Server, name: &'static str, logging: &str) -> io::Result<Server> {
    let mut command = bed.command(std::env::current_exe()?, true);
    command.arg("plane").arg(upstream.http.to_string()).arg(&bed.folder).arg(logging);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let pid = child.id();
    let out = child.stdout.take();
    bed.keep(child);
    let mut lines = BufReader::new(out.ok_or_else(|| io::Error::other("no output"))?).lines();
    let mut address = || {
        let line = lines.next().ok_or_else(|| io::Error::other("the plane has ended"))??;
        line.parse().map_err(io::Error::other)
    };
    let (http, https) = (address()?, address()?);
    Ok(Server { name, http, https: Some(https), pids: vec![pid], beside: upstream.pids.clone() })
}

/// `plane <upstream> <folder> <logging>`: says where it listens, and serves until SIGTERM.
pub fn run(arguments: &[String]) -> io::Result<()> {
    let [upstream, folder, logging] = arguments else {
        return Err(io::Error::other("plane <upstream> <folder> logging|silent"));
    };
    let folder = Path::new(folder);
    let access_log = if logging == SILENT {
        AccessLog::Off
    } else {
        let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("once.log"))?;
        AccessLog::To(std::sync::Arc::new(move |block| {
            let _ = (&log).write_all(block);
        }))
    };
    let plane = Plane::new(PlaneOptions { access_log, ..PlaneOptions::default() });
    let route: Route = serde_json::from_value(json!({
        "app": "0", "name": "bench", "hosts": [HOST], "target": { "release": 1, "address": upstream },
        "state": { "state": "serving" }, "health_path": "/up", "tls": "custom", "web": { "tls_redirect": false },
    }))?;
    let pair = CertificatePair {
        chain: fs::read_to_string(folder.join("cert.pem"))?,
        key: Secret::new(fs::read_to_string(folder.join("key.pem"))?),
    };
    plane.certificates().install(&route.hosts, &pair, CertificateSource::Custom).map_err(io::Error::other)?;
    plane.set_route(route);
    let stop = CancellationToken::new();
    let http = plane.serve(TcpListener::bind("127.0.0.1:0")?, stop.clone())?;
    let https = plane.serve_tls(TcpListener::bind("127.0.0.1:0")?, stop)?;
    writeln!(io::stdout(), "{}\n{}", http.local_addr(), https.local_addr())?;
    loop {
        std::thread::park();
    }
}
