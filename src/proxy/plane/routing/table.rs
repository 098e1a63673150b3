//! The routing table: immutable, replaced as a whole.

use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::sync::Arc;

use super::app::App;
use once_app::{RouteState, Tls, normalised_path};

/// Host and path to app.
#[derive(Default)]
pub(in crate::plane) struct Table {
    exact: HashMap<String, Vec<Entry>>,
    /// By what follows `*.`.
    wildcard: HashMap<String, Vec<Entry>>,
    /// For hostnames nobody serves.
    default: Option<Entry>,
}

struct Entry {
    /// Empty: every path.
    prefix: String,
    app: Arc<App>,
}

/// What a look-up came to.
pub(in crate::plane) enum Found<'a> {
    App(&'a Arc<App>),
    /// The host is known, the path belongs to none of its apps.
    NoPath,
    NoHost,
}

impl Table {
    /// Of several apps with the same host and prefix the last one wins.
    pub(in crate::plane) fn new(apps: impl IntoIterator<Item = Arc<App>>) -> Self {
        let mut table = Self::default();
        for app in apps {
            let live = app.live();
            let prefix = live.route.path_prefix.as_ref().map_or("", |p| p.as_str());
            let prefix = normalised_path(prefix.trim_end_matches('/'));
            if live.route.web.default_app {
                table.default = Some(Entry { prefix: prefix.clone(), app: Arc::clone(&app) });
            }
            for host in &live.route.hosts {
                let entries = match host.as_str().strip_prefix("*.") {
                    Some(rest) => table.wildcard.entry(rest.to_owned()).or_default(),
                    None => table.exact.entry(host.as_str().to_owned()).or_default(),
                };
                entries.retain(|entry| entry.prefix != prefix);
                entries.push(Entry { prefix: prefix.clone(), app: Arc::clone(&app) });
                entries.sort_by_key(|entry| std::cmp::Reverse(entry.prefix.len()));
            }
        }
        table
    }

    /// `host` as [`fold_host`] made it. Exact names win over wildcards, closer wildcards over wider ones; a name none
    /// of whose apps takes the path leaves the request to the next. The default app gets names that nobody serves, and
    /// no paths that are left over from others.
    pub(in crate::plane) fn find(&self, host: &str, path: &str) -> Found<'_> {
        let decoded;
        let path = if path.contains('%') {
            decoded = normalised_path(path);
            decoded.as_str()
        } else {
            path
        };
        let mut known = false;
        if let Some(entries) = self.exact.get(host) {
            known = true;
            if let Some(app) = longest(entries, path) {
                return Found::App(app);
            }
        }
        let mut rest = host;
        while !self.wildcard.is_empty()
            && let Some((_, parent)) = rest.split_once('.')
        {
            if let Some(entries) = self.wildcard.get(parent) {
                known = true;
                if let Some(app) = longest(entries, path) {
                    return Found::App(app);
                }
            }
            rest = parent;
        }
        match &self.default {
            _ if known => Found::NoPath,
            Some(entry) if under(&entry.prefix, path) => Found::App(&entry.app),
            _ => Found::NoHost,
        }
    }

    /// The app that gets the requests of a name nobody was given, and wants to be asked whether it may have a
    /// certificate. Of several below one wildcard the one with the longest prefix that wants it.
    pub(in crate::plane) fn on_demand(&self, host: &str) -> Option<&Arc<App>> {
        if self.exact.contains_key(host) {
            return None;
        }
        let wants = |app: &Arc<App>| {
            let live = app.live();
            let (route, web) = (&live.route, &live.route.web);
            web.tls_on_demand.is_some() && route.tls == Tls::Auto && route.state != RouteState::Stopped
        };
        let mut rest = host;
        while let Some((_, parent)) = rest.split_once('.') {
            if let Some(entries) = self.wildcard.get(parent) {
                return entries.iter().map(|entry| &entry.app).find(|app| wants(app));
            }
            rest = parent;
        }
        self.default.as_ref().map(|entry| &entry.app).filter(|app| wants(app))
    }
}

fn longest<'a>(entries: &'a [Entry], path: &str) -> Option<&'a Arc<App>> {
    entries.iter().find(|entry| under(&entry.prefix, path)).map(|entry| &entry.app)
}

pub(in crate::plane) fn under(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| prefix.is_empty() || rest.is_empty() || rest.starts_with('/'))
}

/// The part of an authority that routes look at: lower-case, without port, final dot and brackets. The port is given
/// beside it. `None`: this is no authority.
pub(in crate::plane) fn fold_host(authority: &str) -> Option<(FoldedHost, Option<&str>)> {
    let address;
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        // As routes have it: `0:0::1` is `::1`. Nothing but an address stands in brackets.
        address = host.parse::<Ipv6Addr>().ok()?.to_string();
        match after.strip_prefix(':') {
            Some(port) => (address.as_str(), Some(port)),
            None if after.is_empty() => (address.as_str(), None),
            None => return None,
        }
    } else {
        match authority.split_once(':') {
            Some((_, port)) if port.contains(':') => return None,
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    if port.is_some_and(|p| !p.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':');
    if host.is_empty() || !host.bytes().all(fine) {
        return None;
    }
    let mut folded = FoldedHost { bytes: [0; 255], len: host.len() };
    let space = folded.bytes.get_mut(..host.len())?;
    space.copy_from_slice(host.as_bytes());
    space.make_ascii_lowercase();
    Some((folded, port.filter(|p| !p.is_empty())))
}

/// A folded host on the stack: this runs for each request.
pub(in crate::plane) struct FoldedHost {
    bytes: [u8; 255],
    len: usize,
}

impl FoldedHost {
    pub(in crate::plane) fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use once_app::{AppId, ReleaseNumber, Route, RouteState, Target, Tls, UrlPath, Web};

    fn app(name: &str, hosts: &[&str], prefix: Option<&str>) -> Arc<App> {
        let route = Route {
            app: AppId(name.into()),
            name: name.parse().unwrap(),
            hosts: hosts.iter().map(|h| h.parse().unwrap()).collect(),
            path_prefix: prefix.map(|p| p.parse().unwrap()),
            tls: Tls::default(),
            web: Web::default(),
            target: Target { release: ReleaseNumber(1), address: "127.0.0.1:1".into() },
            state: RouteState::Serving,
            health_path: UrlPath::up(),
            canary: None,
        };
        Arc::new(App::new(route, 1))
    }

    fn look(table: &Table, authority: &str, path: &str) -> String {
        let Some((host, _)) = fold_host(authority) else { return "bad".into() };
        match table.find(host.as_str(), path) {
            Found::App(app) => app.id.0.clone(),
            Found::NoPath => "no path".into(),
            Found::NoHost => "no host".into(),
        }
    }

    #[test]
    fn finds_by_host_and_longest_prefix() {
        let table = Table::new([
            app("shop", &["shop.example.com"], None),
            app("api", &["shop.example.com"], Some("/api")),
            app("v2", &["shop.example.com"], Some("/api/v2/")),
            app("wild", &["*.example.com"], None),
            app("deep", &["*.eu.example.com"], None),
            app("six", &["::1", "10.0.0.1"], None),
            app("only", &["only.test"], Some("/app")),
            app("slash", &["enc.test"], Some("/%61%2fb")),
        ]);
        for (host, path, expected) in [
            ("shop.example.com", "/", "shop"),
            ("SHOP.Example.COM", "/x", "shop"),
            ("shop.example.com.", "/", "shop"),
            ("shop.example.com:8080", "/", "shop"),
            ("shop.example.com.:8080", "/", "shop"),
            ("shop.example.com:", "/", "shop"),
            ("shop.example.com", "/api", "api"),
            ("shop.example.com", "/api/", "api"),
            ("shop.example.com", "/api/x", "api"),
            ("shop.example.com", "/%61pi/x", "api"),
            ("shop.example.com", "/api%2Fx", "shop"),
            ("enc.test", "/a%2fb/x", "slash"),
            ("enc.test", "/%61%2Fb", "slash"),
            ("enc.test", "/a/b", "no path"),
            ("shop.example.com", "/apix", "shop"),
            ("shop.example.com", "/API", "shop"),
            ("shop.example.com", "/api/v2", "v2"),
            ("shop.example.com", "/api/v2/x", "v2"),
            ("shop.example.com", "/api/v22", "api"),
            ("shop.example.com", "*", "shop"),
            ("shop.example.com", "/%", "shop"),
            ("shop.example.com", "/%zz%4", "shop"),
            ("other.example.com", "/", "wild"),
            ("a.b.example.com", "/", "wild"),
            ("a.eu.example.com", "/", "deep"),
            ("eu.example.com", "/", "wild"),
            ("example.com", "/", "no host"),
            ("[::1]", "/", "six"),
            ("[::1]:80", "/", "six"),
            ("[0:0::0001]", "/", "six"),
            ("[shop.example.com]", "/", "bad"),
            ("[10.0.0.1]:80", "/", "bad"),
            ("10.0.0.1:80", "/", "six"),
            ("only.test", "/app/x", "only"),
            ("only.test", "/", "no path"),
            ("nobody.test", "/", "no host"),
            ("::1", "/", "bad"),
            ("[::1", "/", "bad"),
            ("[::1]x", "/", "bad"),
            ("a b", "/", "bad"),
            ("a:b", "/", "bad"),
            ("user@shop.example.com", "/", "bad"),
            ("", "/", "bad"),
            (&"a".repeat(300), "/", "bad"),
        ] {
            assert_eq!(look(&table, host, path), expected, "{host}{path}");
        }
    }

    #[test]
    fn the_default_app_gets_what_nobody_serves() {
        let default = |prefix: Option<&str>| {
            let mut route = app("main", &["main.test"], prefix).live().route.clone();
            route.web.default_app = true;
            Arc::new(App::new(route, 1))
        };
        let table = Table::new([default(None), app("api", &["api.test"], Some("/v1")), app("w", &["*.w.test"], None)]);
        for (host, path, expected) in [
            ("nobody.test", "/x", "main"),
            ("192.0.2.7", "/", "main"),
            ("[2001:db8::1]:8080", "/", "main"),
            ("main.test", "/", "main"),
            ("api.test", "/v1/x", "api"),
            ("api.test", "/v2", "no path"),
            ("a.w.test", "/", "w"),
            ("w.test", "/", "main"),
            ("a b", "/", "bad"),
        ] {
            assert_eq!(look(&table, host, path), expected, "{host}{path}");
        }
        let table = Table::new([default(Some("/app"))]);
        assert_eq!(look(&table, "nobody.test", "/app/x"), "main");
        assert_eq!(look(&table, "nobody.test", "/x"), "no host");
    }

    #[test]
    fn the_empty_table_knows_nobody() {
        assert_eq!(look(&Table::default(), "shop.example.com", "/"), "no host");
    }
}
