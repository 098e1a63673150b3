//! PostgreSQL of Debian's packages, whose image declares `VOLUME /var/lib/postgresql/data`. The version before has it in an
//! anonymous volume, and would lose all rows with the next release.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::before::{Theirs, Upgraded, volume_at};
use crate::host::{docker, run};
use crate::support::probe;

const DATA: &str = "/var/lib/postgresql/data";
/// Where Debian installs it, in a folder of its version.
const INSTALLED: &str = "/usr/lib/postgresql";
/// The user that it runs as; it does not run as root.
const USER: u64 = 999;

/// Begins the database, then answers on port 8080. It writes down on the volume when it begins and ends, so that two at a
/// time show.
const ENTRYPOINT: &str = r#"#!/bin/sh
D=/var/lib/postgresql/data
end() {
    [ -z "$web" ] || kill "$web"
    $B/pg_ctl -D $D -m fast -w stop && echo "end $HOSTNAME" >>$D/runs
    exit 0
}
trap end TERM INT
[ -s $D/PG_VERSION ] || $B/initdb -D $D -U postgres -A trust --no-locale -E UTF8 || exit 1
echo "begin $HOSTNAME" >>$D/runs
$B/pg_ctl -D $D -l $D/log -w start || exit 1
/probe http 8080 &
web=$!
wait $web
"#;

/// The folder of its programs.
fn bin() -> PathBuf {
    let versions = std::fs::read_dir(INSTALLED).into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    versions.filter(|bin| bin.join("postgres").exists()).max().expect("PostgreSQL is installed; bin/setup does it")
}

/// The image as a tar archive.
fn archive() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |path: &str, kind: tar::EntryType, mode: u32, owner: u64, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(owner);
        header.set_gid(owner);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, path.trim_start_matches('/'), content).unwrap();
    };
    for (path, mode, owner) in [("/tmp", 0o1777, 0), ("/var/run/postgresql", 0o755, USER), (DATA, 0o700, USER)] {
        add(path, tar::EntryType::Directory, mode, owner, &[]);
    }
    let passwd = format!("root:x:0:0::/:/bin/sh\npostgres:x:{USER}:{USER}::/tmp:/bin/sh\n");
    add("/etc/passwd", tar::EntryType::Regular, 0o644, 0, passwd.as_bytes());
    add("/entrypoint", tar::EntryType::Regular, 0o755, 0, ENTRYPOINT.as_bytes());
    add("/probe", tar::EntryType::Regular, 0o755, 0, &std::fs::read(probe::path()).unwrap());
    let bin = bin();
    let programs = ["postgres", "initdb", "pg_ctl", "psql"].map(|name| bin.join(name));
    let modules = ["plpgsql.so", "dict_snowball.so"].map(|name| bin.with_file_name("lib").join(name));
    let mut files: BTreeSet<PathBuf> = programs.into_iter().chain(modules).chain(["/bin/sh".into()]).collect();
    let needed: Vec<_> = files.iter().flat_map(|file| libraries(file)).collect();
    files.extend(needed);
    let version = bin.parent().and_then(Path::file_name).unwrap();
    collect(&Path::new("/usr/share/postgresql").join(version), &mut files);
    for file in files {
        let content = std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        add(file.to_str().unwrap(), tar::EntryType::Regular, 0o755, 0, &content);
    }
    archive.into_inner().unwrap()
}

/// The shared libraries of a program, and what loads them.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().filter(|word| word.starts_with('/')).map(|word| word.trim_end_matches(':').into()).collect()
}

fn collect(folder: &Path, files: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { collect(&path, files) } else { files.insert(path).then_some(()).unwrap() }
    }
}

fn import(tag: &str) {
    let changes = [
        &format!("VOLUME {DATA}"),
        &format!("USER {USER}:{USER}"),
        "EXPOSE 8080",
        &format!("ENV B={}", bin().display()),
        "ENTRYPOINT [\"/bin/sh\", \"/entrypoint\"]",
    ];
    let mut import = Command::new("docker");
    import.arg("import").args(changes.iter().flat_map(|change| ["--change", change])).args(["-", tag]);
    let mut import = import.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    import.stdin.take().unwrap().write_all(&archive()).unwrap();
    assert!(import.wait().unwrap().success());
}

fn sql(container: &str, text: &str) -> String {
    let psql = bin().join("psql").display().to_string();
    let mut command = Command::new("docker");
    command.args([
        "exec",
        container,
        &psql,
        "-h",
        "/var/run/postgresql",
        "-U",
        "postgres",
        "-v",
        "ON_ERROR_STOP=1",
        "-Atc",
        text,
    ]);
    let said = run(command);
    assert_eq!(said.code, 0, "{said:#?}");
    said.stdout.trim().to_owned()
}

/// A file of the database's volume.
fn file(container: &str, name: &str) -> String {
    docker(&["exec", container, "/bin/sh", "-c", &format!("while read -r l; do echo \"$l\"; done <{DATA}/{name}")])
}

#[test]
fn all_rows_of_a_database_come_along_and_never_two_run_on_one_directory() {
    let on = Upgraded::new();
    let image = format!("{}-postgres:15", on.host.namespace);
    on.host.adopt_image(&image);
    import(&image);
    let deploy = ["deploy", &image, "--name", "db", "--stop-timeout", "60s", "--keep-containers", "2"];
    on.before(&deploy).expect(0, "created");
    let first = on.serving("db");
    let volume = volume_at(&first, DATA);
    let _theirs = Theirs { containers: vec![], volumes: vec![volume.clone()] };
    assert_eq!(volume.len(), 64, "an anonymous one: {volume}");
    sql(&first, "create table notes (id serial primary key, text text not null)");
    sql(&first, "insert into notes (text) select md5(i::text) from generate_series(1, 2000) i");
    let digest = "select md5(string_agg(text, ',' order by id)) from notes where id <= 2000";
    let written = sql(&first, digest);

    let mut more = 0;
    let mut all_there = |name: &str, what: &str| {
        let container = on.serving(name);
        assert_eq!(volume_at(&container, DATA), volume, "{what}: that very volume");
        assert_eq!(sql(&container, digest), written, "{what}");
        let count: u32 = sql(&container, "select count(*) from notes").parse().unwrap();
        assert_eq!(count, 2000 + more, "{what}");
        sql(&container, &format!("insert into notes (text) values ('{what}')"));
        more += 1;
        let runs = file(&container, "runs");
        let begun: Vec<&str> = runs.lines().collect();
        let expected = |at: usize| if at.is_multiple_of(2) { "begin " } else { "end " };
        assert!(
            begun.iter().enumerate().all(|(at, line)| line.starts_with(expected(at))),
            "{what}: two at a time: {runs}"
        );
        let log = file(&container, "log");
        for sign in ["was interrupted", "not properly shut down", "lock file", "PANIC", "corrupt"] {
            assert!(!log.contains(sign), "{what}: {sign}: {log}");
        }
    };
    assert_eq!(on.listed(), [("db".to_owned(), "running".to_owned())]);
    all_there("db", "as it was");
    let said = on.host.json(&["deploy", "--name", "db", "-e", "ROUND=2"]);
    said.expect(0, "updated");
    assert!(said.stdout.contains("\"volumes-unrecorded\""), "the proxy of before leaves it out: {said:#?}");
    all_there("db", "a deploy");
    on.host.json(&["deploy", "--name", "db", "-e", "ROUND=3"]).expect(0, "updated");
    all_there("db", "another deploy");
    on.host
        .json(&[
            "deploy",
            "--name",
            "db",
            "--health-path",
            "/up",
            "-e",
            "ROUND=4",
            "--port",
            "9",
            "--health-timeout",
            "2s",
        ])
        .expect(5, "failed");
    all_there("db", "a deploy that failed");
    on.host.json(&["rollback", "db"]).expect(0, "updated");
    all_there("db", "a rollback");
    on.host.json(&["restart", "db"]).expect(0, "updated");
    all_there("db", "a restart");
    on.host.json(&["rename", "db", "base"]).expect(0, "updated");

    // The proxy is still the one of before. It would forget the volume, so the app may not go.
    let refused = on.host.json(&["remove", "base", "--yes"]).expect(7, "refused");
    assert_eq!(refused["code"], "volumes-unrecorded", "{refused:#}");
    assert!(refused.to_string().contains("once proxy upgrade"), "{refused:#}");
    all_there("base", "a removal that was refused");
    let upgraded = on.host.once(&["proxy", "upgrade", "--json"]);
    assert_eq!(upgraded.code, 0, "{upgraded:#?}");
    on.host.json(&["remove", "base", "--yes"]).expect(0, "updated");
    assert_eq!(docker(&["volume", "ls", "-q", "--filter", &format!("name=^{volume}$")]).trim(), volume);
    on.host.json(&["deploy", &image, "--name", "base", "--stop-timeout", "60s"]).expect(0, "created");
    all_there("base", "back after a removal");
    on.host.json(&["rollback", "base"]).expect(0, "updated");
    all_there("base", "a rollback to before the removal");
}
