//! The arguments of the proxy's own processes, read without the grammar of the commands: the parts of the binary that it
//! touches would stay in the memory of processes that run for months.

use std::ffi::OsString;

use lexopt::{Arg, Parser, ValueExt as _};

use super::Part;
use super::args::ProxyArgs;
use once_app::PROXY_HTTPS_PORT;

/// The process of the proxy that is asked for. `None`: it is none, or [`parse`](super::parse) has to say what is wrong with
/// it.
#[must_use]
pub fn proxy_process(args: &[OsString]) -> Option<Part> {
    let [_, proxy, process, rest @ ..] = args else { return None };
    let part = match (proxy.to_str()?, process.to_str()?) {
        ("proxy", "run") => Part::Supervisor,
        ("proxy", "worker") => Part::Worker,
        _ => return None,
    };
    let mut own = ProxyArgs::default();
    if let Some(port) = std::env::var_os(PROXY_HTTPS_PORT) {
        own.public_https = Some(port.parse().ok()?);
    }
    let mut words = Parser::from_args(rest);
    while let Some(word) = words.next().ok()? {
        match word {
            Arg::Long("state") => own.state = words.value().ok()?.into(),
            Arg::Long("http") => own.http = words.value().ok()?.parse().ok()?,
            Arg::Long("https") => own.https = words.value().ok()?.parse().ok()?,
            Arg::Long("public-https") => own.public_https = Some(words.value().ok()?.parse().ok()?),
            _ => return None,
        }
    }
    Some(part(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_the_grammar_of_all_commands_reads() {
        for line in [
            "once proxy run",
            "once proxy worker --state /tmp/x",
            "once proxy run --state=/tmp/x --http 81 --https=444 --public-https 4443",
            "/proc/self/exe proxy worker --state /state",
        ] {
            let args: Vec<OsString> = line.split(' ').map(Into::into).collect();
            let known = super::super::parse(&args).unwrap().part();
            assert!(known.is_some());
            assert_eq!(proxy_process(&args), known, "{line}");
        }
    }

    #[test]
    fn what_is_not_quite_right_is_left_to_that() {
        for line in [
            "once",
            "once proxy",
            "once proxy ctl",
            "once proxy status",
            "once list",
            "once -v proxy run",
            "once proxy run --help",
            "once proxy run x",
            "once proxy run --http",
            "once proxy run --http 65536",
            "once proxy run --stat /x",
            "once proxy run -s /x",
        ] {
            let args: Vec<OsString> = line.split(' ').map(Into::into).collect();
            assert_eq!(proxy_process(&args), None, "{line}");
        }
    }
}
