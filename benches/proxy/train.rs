//! No measurement: work for a binary that counts what it runs (`bin/release`). A bit of all that many requests do, for what
//! is never done here is taken for rare and built small.

use std::io::{self, Write};
use std::process::Command;
use std::time::Duration;

use crate::bed::{Bed, FILES, HOST, Server};
use crate::wrk::{Load, run};
use crate::{Options, memory, once, peers, tail};

/// WebSockets opened.
const WEBSOCKETS: usize = 20;

/// A proxy starts, answers once over HTTP and once over HTTPS, and has nothing more to do.
pub fn rest(options: &Options, out: &mut impl Write) -> io::Result<()> {
    let mut bed = Bed::new(options.pinned)?;
    let files = peers::upstream(&mut bed)?;
    let server = memory::proxy(&mut bed, "rest", files.http)?;
    curl(&bed, &server, &[], "1k")?;
    memory::settled(&server.pids)?;
    writeln!(out, "a proxy at rest")
}

pub fn train(options: &Options, out: &mut impl Write) -> io::Result<()> {
    let mut bed = Bed::new(options.pinned)?;
    let files = peers::upstream(&mut bed)?;
    let state = once::state(&bed, "files", 1, files.http)?;
    let server = once::start(&mut bed, &state, &files.pids)?;
    for https in [false, true] {
        for (file, _) in FILES {
            let load = Load { https, file, connections: 64, seconds: options.seconds, script: None };
            let requests = run(&bed, &server, &load)?.requests;
            writeln!(out, "{} {file}: {requests} requests", if https { "https" } else { "http" })?;
        }
    }
    tail::load(server.http, Duration::from_secs(options.seconds))?;
    curl(&bed, &server, &[], "1k?[1-400]")?;
    curl(&bed, &server, &["--parallel"], "64k?[1-400]")?;

    let app = memory::demo_app(&mut bed)?;
    let state = once::state(&bed, "app", 1, app)?;
    once::compress(&state)?;
    let server = once::start(&mut bed, &state, &[])?;
    // The app says what it was asked: enough to be worth a coding.
    let filler = format!("x-filler: {}", "words and more words ".repeat(200));
    for coding in ["gzip", "br", "zstd"] {
        let coding = format!("accept-encoding: {coding}");
        curl(&bed, &server, &["--header", &coding, "--header", &filler], "headers?[1-100]")?;
    }
    let upload = format!("@{}", bed.folder.join(FILES[1].0).display());
    curl(&bed, &server, &["--data-binary", &upload], "upload?[1-100]")?;
    curl(&bed, &server, &["--http1.1", "--data-binary", &upload], "upload?[1-100]")?;
    let sockets = (0..WEBSOCKETS).map(|_| memory::websocket(server.http)).collect::<io::Result<Vec<_>>>()?;
    writeln!(out, "HTTP/2, codings, uploads, {} WebSockets", sockets.len())
}

/// Asks over HTTPS, in HTTP/2 unless told otherwise, and over few connections. The path may have a range, as `[1-400]`.
fn curl(bed: &Bed, server: &Server, arguments: &[&str], path: &str) -> io::Result<()> {
    let port = server.https.map_or(0, |https| https.port());
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--insecure", "--fail", "--max-time", "120", "--output", "/dev/null"]);
    command.args(arguments).arg(format!("https://{HOST}:{port}/{path}")).current_dir(&bed.folder);
    let output = command.output().map_err(|error| io::Error::new(error.kind(), format!("curl: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("curl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr))))
}
