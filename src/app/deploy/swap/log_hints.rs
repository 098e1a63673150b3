//! What the last lines of an app's log suggest to do. Programs write what they like: this is advice beside an error that
//! was recognised otherwise, and never decides what the error is. Pure.

/// Words in a line, in lower case, and the advice that goes with them.
const ADVICE: [(&[&str], &str); 3] = [
    (
        &[
            "could not translate host name",
            "enotfound",
            "eai_again",
            "name or service not known",
            "temporary failure in name resolution",
            "no such host",
            "nodename nor servname",
            "unknownhostexception",
            "failed to lookup address",
            "getaddrinfo failed",
            "php_network_getaddresses",
        ],
        "the app's log speaks of a hostname that it cannot resolve: containers find each other by name only in a network \
         that both are in; `--network NAME` joins one more",
    ),
    (
        &[
            "unable to open database file",
            "attempt to write a readonly database",
            "permission denied",
            "eacces",
            "read-only file system",
        ],
        "the app's log speaks of a file that its user may not write: a directory or volume belongs to another user; let the \
         image make the directory and `chown` it to the user it runs as, or change the owner of what the volume holds",
    ),
    (
        &["[::1]", "://::1", "[::]:", "listening on :::"],
        "the app's log names an IPv6 address: the proxy reaches it over IPv4, so it has to listen on 0.0.0.0 as well",
    ),
];

/// Advice for what the lines speak of, each once; `listens`: something answers on the app's port, so its address is right.
pub(in crate::deploy) fn hints(lines: &[String], listens: bool) -> Vec<&'static str> {
    let lines: Vec<String> = lines.iter().map(|line| line.to_lowercase()).collect();
    let spoken = |words: &[&str]| lines.iter().any(|line| words.iter().any(|word| line.contains(word)));
    let about_address = ADVICE.len() - 1;
    let fits = ADVICE.iter().enumerate().filter(|(i, (words, _))| !(listens && *i == about_address) && spoken(words));
    fits.map(|(_, (_, advice))| *advice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_known_programs_lead_to_advice() {
        for (line, word) in [
            (r#"psycopg2.OperationalError: could not translate host name "db" to address"#, "--network"),
            ("Error: getaddrinfo ENOTFOUND postgres", "--network"),
            ("dial tcp: lookup db on 127.0.0.11:53: no such host", "--network"),
            ("SQLite3::CantOpenException: unable to open database file", "chown"),
            ("Error: EACCES: permission denied, mkdir '/storage/x'", "chown"),
            ("Listening on http://[::1]:3000", "0.0.0.0"),
        ] {
            let found = hints(&["boot".to_owned(), line.to_owned()], false);
            assert!(found.len() == 1 && found[0].contains(word), "{line}: {found:?}");
        }
        assert!(hints(&["Listening on http://[::1]:3000".to_owned()], true).is_empty());
        assert!(hints(&["Listening on 0.0.0.0:80".to_owned(), "GET /up 404".to_owned()], false).is_empty());
    }
}
