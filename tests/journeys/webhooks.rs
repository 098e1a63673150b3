//! The web hook from the proxy's container to a listener on this machine; one that was deaf is told of where people look.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::host::{Host, docker, eventually};

/// Everything that is posted from now on: the activity's text.
fn listener() -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
            let mut text = String::new();
            let mut piece = [0; 4096];
            let body = loop {
                let Ok(n @ 1..) = stream.read(&mut piece) else { break None };
                text.push_str(&String::from_utf8_lossy(&piece[..n]));
                let body = text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str::<Value>(body).ok());
                if body.is_some() {
                    break body;
                }
            };
            let _ = stream.write_all(b"HTTP/1.1 204 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let Some(body) = body else { continue };
            let text = body["activity"]["text"].as_str().unwrap_or_default().to_owned();
            if tell.send(text).is_err() {
                return;
            }
        }
    });
    (port, told)
}

#[track_caller]
fn hears(told: &mpsc::Receiver<String>, what: &str) {
    let mut heard = Vec::new();
    loop {
        match told.recv_timeout(Duration::from_secs(20)) {
            Ok(text) if text.starts_with(what) => return,
            Ok(text) => heard.push(text),
            Err(_) => panic!("`{what}` was not posted, only {heard:?}"),
        }
    }
}

#[test]
fn every_mutation_is_told_and_a_deaf_hook_is_shown_where_people_look() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let gateway = docker(&["network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", &host.namespace]);
    let (port, told) = listener();
    let url = format!("http://{}:{port}/hook", gateway.trim());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &url).unwrap();
    let at_file = format!("@{}", file.path().display());
    assert_eq!(host.once(&["proxy", "configure", "--webhook", &at_file]).code, 0);
    hears(&told, "proxy configure");

    // Nothing that changes something is left out.
    let deploy = ["deploy", &image, "--name", "app", "--canary", "10%", "-e", "A=1"];
    for (args, text) in [
        (&deploy[..], "deploy release 2"),
        (&["canary", "app", "--share", "20%"], "canary"),
        (&["promote", "app"], "promote release 2"),
        (&["deploy", "--name", "app", "--canary", "10%", "-e", "A=2"], "deploy release 3"),
        (&["abort", "app"], "abort release 3"),
        (&["pause", "app"], "pause"),
        (&["resume", "app"], "resume"),
        (&["maintenance", "app"], "maintenance"),
        (&["maintenance", "app", "--off"], "maintenance off"),
        (&["stop", "app"], "stop"),
        (&["start", "app"], "start"),
        (&["restart", "app"], "restart release 4"),
        (&["rollback", "app"], "rollback release 5"),
        (&["lock", "app"], "locked on purpose"),
        (&["unlock", "app"], "lock lifted"),
        (&["rename", "app", "store"], "rename"),
        (&["rename", "--drop-alias", "app"], "drop alias"),
    ] {
        let said = host.json(args);
        assert_eq!(said.code, 0, "{args:?}: {said:#?}");
        hears(&told, text);
    }

    // As it is after five minutes of trying in vain: the log says so, and the proxy reads it when it starts.
    let volume = docker(&["volume", "inspect", "-f", "{{.Mountpoint}}", &host.proxy()]);
    let log = std::path::Path::new(volume.trim()).join("activity.jsonl");
    docker(&["stop", &host.proxy()]);
    let lost = serde_json::json!({
        "at": "2026-01-31T12:00:00Z", "by": {"user": "", "host": "", "command": "webhook"}, "app": null, "op": null,
        "outcome": "failed", "text": "the web hook was not told of `restart release 4`: it answers 500",
    });
    let mut file = std::fs::OpenOptions::new().append(true).open(log).unwrap();
    writeln!(file, "{lost}").unwrap();
    docker(&["start", &host.proxy()]);
    eventually("it serves again", Duration::from_secs(30), || {
        (host.get("app.localhost", "/up").0 == 200).then_some(())
    });
    let webhook = || host.once(&["doctor", "--json"]).json().into_iter().find(|f| f["kind"] == "webhook");
    let finding = webhook().unwrap();
    assert!(finding["what"].as_str().unwrap().contains("1 entry") && finding["severity"] == "problem", "{finding:#}");
    let status = host.once(&["proxy", "status"]);
    assert!(status.code == 10 && status.stdout.contains("it answers 500"), "{status:#?}");
    let warned = host.json(&["set", "store", "B=1"]).expect(0, "updated");
    assert!(warned["warnings"].to_string().contains("not told of 1 entry"), "{warned:#}");
    // That was heard, so all is well again.
    hears(&told, "deploy release");
    eventually("it is told again", Duration::from_secs(20), || webhook().is_none().then_some(()));
    let activity = host.once(&["activity", "--json"]).stdout;
    assert!(activity.contains("the web hook is told again"), "{activity}");

    host.json(&["remove", "store", "--yes"]).expect(0, "updated");
    hears(&told, "remove");
    // The last thing is told before the proxy goes.
    host.json(&["teardown", "--yes"]).expect(0, "updated");
    hears(&told, "teardown");
}
