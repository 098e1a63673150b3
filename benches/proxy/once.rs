//! The proxy that is measured: supervisor and worker of the release binary, with apps in its state directory.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::bed::{Bed, HOST, Server, binary, free, with_children};

/// The hostname of an app by its number; the first one's is [`HOST`].
pub fn host(number: usize) -> String {
    if number == 0 { HOST.to_owned() } else { format!("app-{number}.test") }
}

/// A new state directory with so many apps that are all at one address. The first one is served over HTTP and HTTPS.
pub fn state(bed: &Bed, name: &str, apps: usize, app: SocketAddr) -> io::Result<PathBuf> {
    let state = bed.folder.join(name);
    fs::create_dir_all(state.join("apps"))?;
    let epoch = "2026-01-01T00:00:00Z";
    for number in 0..apps {
        let id = format!("{number:016}");
        let tls = if number == 0 { "custom" } else { "off" };
        let record = json!({
            "schema": 1, "id": id, "name": format!("app-{number}"), "revision": 1, "state": { "state": "running" },
            "serving": 1, "next_release": 2, "created_at": epoch,
            "generated": { "secret_key_base": "0", "vapid_public_key": "0", "vapid_private_key": "0" },
            "releases": [{
                "number": 1, "op": "0", "image": { "digest": null, "id": "sha256:1" },
                "settings": { "image": "bench", "hosts": [host(number)], "tls": tls, "web": { "tls_redirect": false } },
                "container": app.ip().to_string(), "port": app.port(), "created_at": epoch,
                "by": { "user": "bench", "host": "bench", "command": "deploy" }, "status": { "status": "serving" },
            }],
        });
        fs::write(state.join("apps").join(format!("{id}.json")), record.to_string())?;
    }
    let (chain, key) = &bed.pair;
    let certificate = json!({
        "schema": 1, "name": HOST, "source": "custom", "obtained_at": epoch, "chain": chain, "key": key,
    });
    fs::create_dir_all(state.join("certs"))?;
    fs::write(state.join("certs").join(format!("{HOST}.json")), certificate.to_string())?;
    Ok(state)
}

/// Leaves the access log out.
pub fn silence(state: &Path) -> io::Result<()> {
    fs::write(state.join("proxy.json"), json!({ "schema": 1, "access_log": false }).to_string())
}

/// Lets the first app's answers be compressed.
pub fn compress(state: &Path) -> io::Result<()> {
    let path = state.join("apps").join(format!("{:016}.json", 0));
    let mut record: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
    record["releases"][0]["settings"]["web"]["compress"] = json!(true);
    fs::write(path, record.to_string())
}

/// Starts it; its socket listens at once, and is answered when the worker is ready.
pub fn start(bed: &mut Bed, state: &Path, beside: &[u32]) -> io::Result<Server> {
    // Several run at a time: each needs both of its ports for itself.
    let (http, https) = (free()?, free()?);
    let mut command = bed.command(binary()?, true);
    command.args(["proxy", "run", "--state"]).arg(state);
    command.arg("--http").arg(http.port().to_string()).arg("--https").arg(https.port().to_string());
    let pid = bed.spawn(command, "once.log")?;
    let pids = with_children(pid, 1)?;
    Ok(Server { name: "once", http, https: Some(https), pids, beside: beside.to_vec() })
}
