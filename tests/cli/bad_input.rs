//! A table of mistakes. Each ends with exit code 2 before any engine is asked (there is none here: it would be 3), says
//! what is wrong and with what, never repeats a secret, and gives scripts the same in the `finished` line.

use super::support::{Once, Ran};

/// Stands for whatever must never be seen again.
const SECRET: &str = "hunter2";

/// What is typed, and what has to be said about it.
type Case = (&'static [&'static str], &'static [&'static str]);

const IMAGES: &[Case] = &[
    (&["deploy", ""], &["image", "it is empty"]),
    (&["deploy", "Acme/Shop"], &["invalid image `Acme/Shop`", "lower-case"]),
    (&["deploy", "https://ghcr.io/acme/shop"], &["it is a URL", "did you mean `ghcr.io/acme/shop`?"]),
    (&["deploy", "acme//shop"], &["not a valid repository"]),
    (&["deploy", "acme/shop:"], &["not a valid tag"]),
    (&["deploy", "acme/shop:a b"], &["`a b` is not a valid tag"]),
    (&["deploy", "acme/shop@sha256:12"], &["is not a digest", "64 hex digits"]),
    (&["deploy", "acme/shop\u{1b}[31m"], &["invalid image", r"\u{1b}"]),
    (&["deploy", LONG], &["256 characters", "at most 255"]),
    (&["deploy", "a", "b"], &["unexpected argument 'b'"]),
];

/// 256 letters.
const LONG: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

const NAMES: &[Case] = &[
    (&["deploy", "a", "--name", "Shop"], &["`S` is not allowed; use a-z"]),
    (&["deploy", "a", "--name", "my_app"], &["`_` is not allowed"]),
    (&["deploy", "a", "--name", "proxy"], &["`proxy` is reserved"]),
    (&["deploy", "a", "--name", "a.b.c"], &["only one `.`"]),
    (&["deploy", "a", "--name=-a"], &["must start and end with a letter or digit"]),
    (&["deploy", "a", "--name", ""], &["--name"]),
    (&["deploy", "a", "--name", "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddx"], &["41 characters; at most 40"]),
    (&["--namespace", "Prod", "list"], &["`P` is not allowed"]),
    (&["--namespace", "aaaaaaaaaabbbbbbx", "list"], &["17 characters; at most 16"]),
];

const HOSTS: &[Case] = &[
    (&["deploy", "a", "--host", "https://shop.example.com/x"], &["it is a URL", "did you mean `shop.example.com`?"]),
    (&["deploy", "a", "--host", "shop.example.com:8080"], &["it has a port", "did you mean `shop.example.com`?"]),
    (&["deploy", "a", "--host", "größe.example.com"], &["is not ASCII", "punycode form (`xn--gre-6ka8i.example.com`)"]),
    (&["deploy", "a", "--host", "shop$1.example.com"], &["`$` is not allowed in a hostname"]),
    (&["deploy", "a", "--host=-shop.example.com"], &["`-shop` is not a valid part"]),
    (&["deploy", "a", "--host", "shop..example.com"], &["is not a valid part"]),
    (&["deploy", "a", "--host", "*"], &["wildcard"]),
    (&["deploy", "a", "--host", "*.com"], &["at least two parts"]),
    (&["deploy", "a", "--host", "a.*.example.com"], &["wildcard"]),
    (&["deploy", "a", "--host", "999.1.1.1"], &["looks like an IP address and is none"]),
    (&["deploy", "a", "--host", "a b.localhost"], &["invalid host `a b.localhost`", "no spaces"]),
    (&["deploy", "a", "--host", ""], &["at least one hostname"]),
    (&["deploy", "a", "--host", "a\u{202e}b.com"], &["invalid host", r"`\u{202e}` is not ASCII"]),
    (&["deploy", "a", "--drop-host", "http://x.com"], &["it is a URL"]),
    (&["deploy", "a", "--host", "x.example.com", "--drop-host", "x.example.com"], &["both given and dropped"]),
];

const SETTINGS: &[Case] = &[
    (&["deploy", "a", "--memory", "1x"], &["invalid memory `1x`", "as in `512m`"]),
    (&["deploy", "a", "--memory=-1m"], &["invalid memory `-1m`"]),
    (&["deploy", "a", "--memory", "1m"], &["at least 6m"]),
    (&["deploy", "a", "--memory", ""], &["invalid memory"]),
    (&["deploy", "a", "--log-max-size", "big"], &["invalid log-max-size `big`"]),
    (&["deploy", "a", "--cpus", "0"], &["invalid cpus `0`", "above 0"]),
    (&["deploy", "a", "--cpus", "-1"], &["invalid cpus `-1`"]),
    (&["deploy", "a", "--cpus", "0.0001"], &["three decimals"]),
    (&["deploy", "a", "--cpus", "0.001"], &["invalid cpus `0.001`", "the engine needs at least 0.01"]),
    (&["deploy", "a", "-e", "A=1", "-e", "A=2"], &["invalid env `A`", "given twice"]),
    (&["set", "a", "A=1", "-e", "A=1"], &["invalid env `A`", "given twice"]),
    (&["deploy", "a", "--volume", "a:/data", "--volume", "b:/data"], &["mounted at /data already"]),
    (&["deploy", "a", "--cpus", "many"], &["invalid cpus `many`"]),
    (&["deploy", "a", "--port", "0"], &["1 to 65535"]),
    (&["deploy", "a", "--port", "65536"], &["1 to 65535"]),
    (&["deploy", "a", "--port", "http"], &["invalid port `http`"]),
    (&["deploy", "a", "--smtp-port", "0"], &["invalid smtp-port `0`"]),
    (&["deploy", "a", "--smtp-server", "a b"], &["smtp-server", "a space"]),
    (&["deploy", "a", "--health-path", "up"], &["a path starts with `/`"]),
    (&["deploy", "a", "--health-path", "/a/../b"], &["invalid health-path"]),
    (&["deploy", "a", "--path-prefix", "/a b"], &["invalid path-prefix"]),
    (&["deploy", "a", "--health-timeout", "0"], &["longer than 0"]),
    (&["deploy", "a", "--health-timeout", "1d"], &["invalid health-timeout `1d`", "`2m`"]),
    (&["deploy", "a", "--drain-timeout", "25h"], &["between 0s and 24h"]),
    (&["deploy", "a", "--stop-timeout", "-1"], &["invalid stop-timeout `-1`"]),
    (&["deploy", "a", "--swap", "blue"], &["overlap, handover"]),
    (&["deploy", "a", "--tls", "yes"], &["auto, off, custom"]),
    (&["deploy", "a", "--auto-update", "maybe"], &["on, off, notify"]),
    (&["deploy", "a", "--volume", "cache"], &["NAME:/path or /host/path:/path[:ro]"]),
    (&["deploy", "a", "--volume", "cache:/storage"], &["/storage is taken"]),
    (&["deploy", "a", "--volume", "Cache:/c"], &["`Cache` is not a volume's name"]),
    (&["deploy", "a", "--volume", "cache:/c:ro"], &["only host paths"]),
    (&["deploy", "a", "--network", "host"], &["invalid network `host`"]),
    (&["deploy", "a", "--network", "a b"], &["invalid network `a b`"]),
    (&["deploy", "a", "--label", "novalue"], &["KEY=VALUE"]),
    (&["deploy", "a", "--label", "once.app=x"], &["belong to once itself"]),
    (&["deploy", "a", "--label", "=x"], &["invalid label"]),
    (&["deploy", "a", "--note", ""], &["invalid note", "it is empty"]),
    (&["deploy", "a", "--release-command", " "], &["invalid release-command"]),
    (&["deploy", "a", "-e", "1A=x"], &["`1A` is not a variable's name"]),
    (&["deploy", "a", "-e", "A B=x"], &["`A B` is not a variable's name"]),
    (&["deploy", "a", "--strip-prefix", "yes"], &["invalid strip-prefix `yes`", "on, off"]),
    (&["deploy", "a", "--canonical-host", "*.example.com"], &["a wildcard names no host to redirect to"]),
    (&["deploy", "a", "--canonical-host", "https://x.com"], &["it is a URL", "did you mean `x.com`?"]),
    (&["deploy", "a", "--default-app", "1"], &["invalid default-app `1`", "on, off"]),
    (&["deploy", "a", "--tls-redirect", ""], &["invalid tls-redirect", "on, off"]),
    (&["deploy", "a", "--hsts", "1y"], &["invalid hsts `1y`", "as in `365d`"]),
    (&["deploy", "a", "--hsts", "-1"], &["invalid hsts `-1`"]),
    (&["deploy", "a", "--tls-on-demand", "ask"], &["a path of the app", "http:// or https://"]),
    (&["deploy", "a", "--upstream", "h2"], &["http1, h2c"]),
    (&["deploy", "a", "--response-timeout", "0"], &["invalid response-timeout `0`", "longer than 0"]),
    (&["deploy", "a", "--stream-timeout", "25h"], &["between 0s and 24h"]),
    (&["deploy", "a", "--watch-time", "soon"], &["invalid watch-time `soon`"]),
    (&["deploy", "a", "--max-body", "0"], &["larger than 0"]),
    (&["deploy", "a", "--max-body", "big"], &["invalid max-body `big`", "as in `512m`"]),
    (&["deploy", "a", "--allow-ip", "10.0.0.0/33"], &["invalid allow-ip `10.0.0.0/33`", "as in `10.0.0.0/8`"]),
    (&["deploy", "a", "--allow-ip", "10.1.2.3/8"], &["did you mean `10.0.0.0/8`?"]),
    (&["deploy", "a", "--allow-ip", ""], &["at least one range"]),
    (&["deploy", "a", "--rate-limit", "0"], &["invalid rate-limit `0`", "as in `100` or `100/s`"]),
    (&["deploy", "a", "--rate-limit", "10/m"], &["invalid rate-limit `10/m`"]),
    (&["deploy", "a", "--compress", "gzip"], &["invalid compress `gzip`", "on, off"]),
    (&["deploy", "a", "--hsts", "1d", "--unset", "hsts"], &["hsts is both given and unset"]),
    (&["deploy", "a", "--basic-auth", "ann=@token", "--unset", "basic-auth.ann"], &["both given and unset"]),
    (&["set", "shop", "rate-limit=5"], &["is the name of a setting", "--rate-limit 5"]),
    (&["deploy", "a", "--unset", "memroy"], &["no setting `memroy`", "did you mean `memory`?"]),
    (&["deploy", "a", "--unset", "memory.x"], &["`memory` is a single value"]),
    (&["deploy", "a", "--unset", "image"], &["cannot be unset"]),
    (&["deploy", "a", "--memory", "1g", "--unset", "memory"], &["memory is both given and unset"]),
    (&["deploy", "a", "-e", "A=1", "--unset", "env.A"], &["env.A is both given and unset"]),
    (&["deploy", "a", "--memory", "x", "--cpus", "y"], &["2 settings are wrong", "memory `x`", "cpus `y`"]),
    (&["set", "shop", "--memory", "x"], &["invalid memory `x`"]),
    (&["plan", "a", "--port", "x"], &["invalid port `x`"]),
];

/// The environment has `EMPTY=` and nothing else; the files are made by [`once`].
const SECRETS: &[Case] = &[
    (&["deploy", "a", "--secret", "KEY=hunter2"], &["--secret KEY", "everybody on the machine", "KEY=@FILE"]),
    (&["deploy", "a", "--secret", "my key=hunter2"], &["does not begin with a variable's name"]),
    (&["deploy", "a", "--secret", "hunter2-token"], &["does not begin with a variable's name"]),
    (&["deploy", "a", "--secret", "KEY", "hunter2"], &["not repeated", "--secret KEY=@FILE"]),
    (&["deploy", "a", "--secret", "KEY", "b", "hunter2"], &["not repeated"]),
    (&["set", "shop", "hunter2"], &["a variable is given as KEY=VALUE", "--secret"]),
    (&["deploy", "a", "-e", "hunter2"], &["a variable is given as KEY=VALUE", "--secret"]),
    (&["deploy", "a", "--secret", "MISSING"], &["MISSING is not set", "export MISSING"]),
    (&["deploy", "a", "--secret", "EMPTY"], &["EMPTY is empty", "--allow-empty"]),
    (&["deploy", "a", "--secret", "K=@gone"], &["value of K cannot be read", "the file gone", "No such file"]),
    (&["deploy", "a", "--secret", "K=@blank"], &["K is empty"]),
    (&["deploy", "a", "--secret", "K=@binary"], &["not UTF-8"]),
    (&["deploy", "a", "--secret", "K=@huge"], &["larger than 1 MiB"]),
    (&["deploy", "a", "--secret", "K=@"], &["value of K cannot be read"]),
    (&["deploy", "a", "--secret", "A=-", "--secret", "B=-"], &["only one secret", "A and B both want it"]),
    (&["deploy", "a", "--secret", "A=-", "--smtp-password", "-"], &["A and --smtp-password both want it"]),
    (&["deploy", "a", "--smtp-password", "hunter2"], &["--smtp-password", "everybody on the machine", "@FILE"]),
    (&["deploy", "a", "--smtp-password", "@gone"], &["--smtp-password", "the file gone"]),
    (&["deploy", "a", "-e", "K=1", "--secret", "K=@token"], &["K is given twice"]),
    (&["deploy", "a", "--basic-auth", "ann=hunter2"], &["--basic-auth ann", "everybody on the machine", "USER=@FILE"]),
    (&["deploy", "a", "--basic-auth", "ann:hunter2"], &["does not begin with a user's name", "USER=@FILE"]),
    (&["deploy", "a", "--basic-auth", "MISSING"], &["the password of MISSING is not set", "MISSING=@FILE"]),
    (&["deploy", "a", "--basic-auth", "EMPTY"], &["the password of EMPTY is empty"]),
    (&["deploy", "a", "--basic-auth", "ann=@gone"], &["--basic-auth ann", "the file gone", "No such file"]),
    (&["deploy", "a", "--basic-auth", "ann=@blank"], &["--basic-auth ann is empty"]),
    (&["deploy", "a", "--basic-auth", "ann=@lines"], &["no control characters"]),
    (&["deploy", "a", "--secret", "A=-", "--basic-auth", "ann=-"], &["only one secret", "A and ann both want it"]),
    (&["set", "shop", "basic-auth=hunter2"], &["is the name of a setting", "--basic-auth USER=@FILE"]),
];

const ENV_FILES: &[Case] = &[
    (&["deploy", "a", "--env-file", "gone"], &["the env file gone cannot be read", "No such file"]),
    (&["deploy", "a", "--env-file", "."], &["cannot be read"]),
    (&["deploy", "a", "--env-file", "binary"], &["cannot be read", "UTF-8"]),
    (&["deploy", "a", "--env-file", "noequals.env"], &["noequals.env:2: it has no `=`"]),
    (&["deploy", "a", "--env-file", "badname.env"], &["badname.env:1: the name before `=`"]),
    (&["deploy", "a", "--env-file", "open.env"], &["open.env:3: the `\"` is never closed"]),
    (&["deploy", "a", "--env-file", "behind.env"], &["behind.env:1: there is something behind the closing quote"]),
    (&["deploy", "a", "--env-file", "nul.env"], &["nul.env:1:", "NUL"]),
];

const PROXY: &[Case] = &[
    (&["proxy", "configure", "--http-port", "0"], &["invalid http-port `0`", "1 to 65535"]),
    (&["proxy", "configure", "--https-port", "x"], &["invalid https-port `x`"]),
    (&["proxy", "configure", "--metrics-port", "65536"], &["invalid metrics-port `65536`"]),
    (&["proxy", "configure", "--acme-directory", "http://x.com"], &["invalid acme-directory", "https://"]),
    (&["proxy", "configure", "--acme-contact", "ops"], &["invalid acme-contact `ops`", "a mail address"]),
    (&["proxy", "configure", "--acme-eab-kid", "a b"], &["invalid acme-eab-kid", "one word"]),
    (&["proxy", "configure", "--acme-eab-key", "hunter2"], &["--acme-eab-key", "everybody on the machine", "@FILE"]),
    (&["proxy", "configure", "--acme-eab-key", "@token"], &["invalid acme-eab-key", "base64url"]),
    (&["proxy", "configure", "--acme-eab-key", "@gone"], &["--acme-eab-key", "the file gone"]),
    (&["proxy", "configure", "--acme-root", "gone"], &["the certificate gone cannot be read", "No such file"]),
    (&["proxy", "configure", "--acme-root", "noequals.env"], &["invalid acme-root", "BEGIN CERTIFICATE"]),
    (&["proxy", "configure", "--trusted-proxy", "lb"], &["invalid trusted-proxy `lb`", "as in `10.0.0.0/8`"]),
    (&["proxy", "configure", "--trusted-proxy", "10.1.0.0/8"], &["did you mean `10.0.0.0/8`?"]),
    (&["proxy", "configure", "--proxy-protocol-from", ""], &["at least one range"]),
    (&["proxy", "configure", "--connections-per-address", "0"], &["at least 1"]),
    (&["proxy", "configure", "--connections-per-address", "-1"], &["invalid connections-per-address `-1`"]),
    (&["proxy", "configure", "--access-log", "maybe"], &["on, off"]),
    (&["proxy", "configure", "--unset", "colour"], &["no setting `colour` of the proxy"]),
    (&["proxy", "configure", "--unset", "http-port.1"], &["`http-port` is a single value"]),
];

const FLAGS: &[Case] = &[
    (&["deplyo"], &["unrecognized subcommand 'deplyo'", "'deploy'"]),
    (&["deploy", "a", "--memry", "1g"], &["'--memry'", "'--memory'"]),
    (&["deploy", "a", "--wait=-1"], &["--wait"]),
    (&["deploy", "a", "--wait", "soon"], &["'soon'", "--wait"]),
    (&["deploy", "a", "--wait", "86401"], &["86401"]),
    (&["deploy", "a", "--sequence", "x"], &["'x'", "--sequence"]),
    (&["deploy", "a", "--pull", "sometimes"], &["'sometimes'", "never"]),
    (&["deploy", "a", "--host"], &["--host", "value"]),
    (&["list", "-q", "-v"], &["cannot be used with"]),
    (&["list", "--color", "pink"], &["'pink'", "never"]),
    (&["logs", "shop", "--access", "--release", "1"], &["cannot be used with"]),
    (&["logs", "shop", "--grep", "("], &["no regular expression", "unclosed group"]),
    (&["logs", "shop", "--since", "yesterday"], &["invalid time `yesterday`", "10m"]),
    (&["logs", "shop", "-n", "x"], &["'x'"]),
    (&["logs"], &["<APP>"]),
    (&["exec", "shop"], &["<CMD>"]),
    (&["start"], &["<APP>"]),
    (&["rollback", "shop", "x"], &["'x'"]),
    (&["activity", "-n", "0"], &["'0'"]),
    (&["completions", "tcsh"], &["'tcsh'", "bash"]),
    (&["proxy", "stauts"], &["'stauts'", "'status'"]),
    (&["maintenance", "shop", "--message", ""], &["invalid message: it is empty"]),
    (&["maintenance", "shop", "--message", "a\nb"], &["invalid message", "control characters"]),
    (&["maintenance", "shop", "--message", "a", "--off"], &["cannot be used with"]),
    (&["maintenance", "shop", "--page", "gone"], &["the page gone cannot be read", "No such file"]),
    (&["maintenance", "shop", "--page", "huge"], &["larger than 64 KiB"]),
    (&["maintenance", "shop", "--page", "binary"], &["cannot be read", "UTF-8"]),
    (&["pause", "shop", "--max-wait", "0"], &["invalid max-wait", "longer than 0"]),
    (&["pause", "shop", "--max-wait", "long"], &["invalid max-wait `long`"]),
    (&["lock", "shop", "-m", "a\nb"], &["control characters"]),
    (&[], &["no command was given", "once --help"]),
];

fn once() -> Once {
    Once::new()
        .env("EMPTY", "")
        .file("blank", b"\n")
        .file("token", b"hunter2\n")
        .file("lines", b"hunter2\nhunter2\n")
        .file("binary", b"\xff\xfe hunter2")
        .file("huge", "hunter2".repeat(200_000).as_bytes())
        .file("noequals.env", b"A=1\nhunter2\n")
        .file("badname.env", b"1A=hunter2\n")
        .file("open.env", b"A=1\n# why\nB=\"hunter2\nC=3\n")
        .file("behind.env", b"A=\"hunter2\" hunter2\n")
        .file("nul.env", b"A=hunter2\0\n")
}

fn check(cases: &[Case]) {
    let once = once();
    let mut wrong = Vec::new();
    for (args, says) in cases {
        let human = once.run(args);
        let mut with_json = vec!["--json"];
        with_json.extend(*args);
        let json = once.run(&with_json);
        wrong.extend(judge(&human, &json, says).into_iter().map(|w| format!("{args:?}: {w}\n  {human:?}\n  {json:?}")));
    }
    assert!(wrong.is_empty(), "{} mistakes are badly told:\n{}", wrong.len(), wrong.join("\n"));
}

fn judge(human: &Ran, json: &Ran, says: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    if (human.code, json.code) != (2, 2) {
        wrong.push(format!("exit codes {} and {}", human.code, json.code));
        return wrong;
    }
    if !human.stdout.is_empty() || !human.stderr.starts_with("error: ") {
        wrong.push("people are told by an error on standard error alone".into());
    }
    let finished = json.finished();
    if json.stdout.lines().count() != 1 || finished["outcome"] != "rejected" || finished["retryable"] != false {
        wrong.push("scripts get one line, rejected, not retryable".into());
    }
    let code = finished["code"].as_str().unwrap_or_default();
    if code.is_empty() || code.bytes().any(|b| !b.is_ascii_lowercase() && b != b'-') {
        wrong.push(format!("the code is `{code}`"));
    }
    let told =
        ["message", "causes", "hints"].map(|k| finished[k].to_string().replace("\\\"", "\"").replace("\\\\", "\\"));
    for text in says {
        if !human.stderr.contains(text) {
            wrong.push(format!("people are not told `{text}`"));
        }
        if !told.concat().contains(text) {
            wrong.push(format!("scripts are not told `{text}`"));
        }
    }
    for text in [&human.stdout, &human.stderr, &json.stdout, &json.stderr] {
        if text.contains(SECRET) {
            wrong.push("the secret is repeated".into());
        }
        if text.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}') {
            wrong.push("control characters are passed on".into());
        }
    }
    wrong
}

#[test]
fn images() {
    check(IMAGES);
}

#[test]
fn names() {
    check(NAMES);
}

#[test]
fn hosts() {
    check(HOSTS);
}

#[test]
fn settings() {
    check(SETTINGS);
}

#[test]
fn secrets() {
    check(SECRETS);
}

#[test]
fn env_files() {
    check(ENV_FILES);
}

#[test]
fn the_proxy() {
    check(PROXY);
}

#[test]
fn flags() {
    check(FLAGS);
}

#[test]
fn the_environment() {
    for (key, value, says) in [
        ("ONCE_NAMESPACE", "Bad_Name", "`B` is not allowed"),
        ("ONCE_HTTP_PORT", "http", "ONCE_HTTP_PORT is `http`: a port is a number"),
        ("ONCE_HTTP_PORT", "0", "ONCE_HTTP_PORT is `0`"),
    ] {
        let ran = Once::new().env(key, value).run(&["list"]);
        assert_eq!(ran.code, 2, "{key}={value}: {ran:?}");
        assert!(ran.stderr.contains(says), "{key}={value}: {ran:?}");
    }
}

#[test]
fn a_good_command_gets_as_far_as_the_engine() {
    // The control of all the tables: the same shapes, right, end with 3, for there is no engine.
    let once = once().env("KEY", SECRET).stdin(b"hunter2\n").file("good.env", b"# c\nexport A='1'\nB=\"2\" # two\n");
    let args = [
        "deploy",
        "ghcr.io/acme/shop:1.5.0",
        "--name",
        "shop.staging",
        "--host",
        "shop.example.com",
        "--host",
        "*.shop.example.com",
        "--memory",
        "512m",
        "--cpus",
        "0.5",
        "--port",
        "3000",
        "--health-path",
        "/up",
        "--health-timeout",
        "90",
        "--volume",
        "cache:/cache",
        "--volume",
        "/srv/a:/a:ro",
        "-e",
        "C=3",
        "--env-file",
        "good.env",
        "--secret",
        "KEY",
        "--secret",
        "T=@token",
        "--smtp-server",
        "mail.example.com",
        "--smtp-password",
        "-",
        "--label",
        "team=web",
        "--unset",
        "note",
        "--swap",
        "handover",
        "--path-prefix",
        "/shop",
        "--strip-prefix",
        "on",
        "--canonical-host",
        "shop.example.com",
        "--hsts",
        "365d",
        "--basic-auth",
        "ann=@token",
        "--basic-auth",
        "KEY",
        "--allow-ip",
        "10.0.0.0/8",
        "--rate-limit",
        "100/s",
        "--max-body",
        "50m",
        "--release-command",
        "-x y",
        "--wait",
        "0",
    ];
    let ran = once.run(&args);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(!format!("{ran:?}").contains(SECRET), "{ran:?}");
}
