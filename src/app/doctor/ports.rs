//! Who has the ports for the web, and whether the proxy can have those it is to have. Pure.

use std::net::IpAddr;

use crate::doctor::finding::{Finding, Kind};
use crate::host::installation::{HTTP_PORT, HTTPS_PORT, ProxyPorts};
use crate::import::proxy_of_tool;
use crate::model::name::Namespace;
use crate::ports::engine::Socket;
use crate::ports::engine::{Container, Role};

/// What is to be said of the usual ports, and of those the proxy has or is to get.
pub(super) fn ports(
    sockets: &[Socket],
    containers: &[Container],
    namespace: &Namespace,
    proxy: ProxyPorts,
) -> Vec<Finding> {
    let ours = containers.iter().find(|c| proxy_of(c) == Some(namespace));
    let wanted = |port: u16| port == proxy.http || Some(port) == proxy.https;
    let mut all: Vec<u16> = [HTTP_PORT, HTTPS_PORT, proxy.http].into_iter().chain(proxy.https).collect();
    all.sort_unstable();
    all.dedup();
    let is_ours = |port: u16| ours.is_some_and(|c| c.running && c.ports.contains(&port));
    all.retain(|port| !is_ours(*port));
    all.into_iter().filter_map(|port| held(port, wanted(port), ours.is_some(), sockets, containers)).collect()
}

/// The namespace whose proxy a container is; `None`: it is no proxy of ours.
fn proxy_of(container: &Container) -> Option<&Namespace> {
    container.identity.as_ref().filter(|identity| identity.role == Role::Proxy).map(|identity| &identity.namespace)
}

fn held(port: u16, wanted: bool, proxy: bool, sockets: &[Socket], containers: &[Container]) -> Option<Finding> {
    let by_container = containers.iter().find(|c| c.running && c.ports.contains(&port));
    let socket = worst(sockets.iter().filter(|socket| socket.port == port));
    let neighbour = by_container.and_then(proxy_of);
    let holder = match (by_container, socket) {
        (Some(container), _) => match (neighbour, proxy_of_tool(container)) {
            (Some(namespace), _) => {
                format!("{}, the proxy of once's own installation in the namespace `{namespace}`", container.name)
            }
            (None, Some(tool)) => format!("the container {}, the proxy of {tool}", container.name),
            (None, None) => format!("the container {}", container.name),
        },
        (None, Some(Socket { process: Some((name, pid)), .. })) => format!("{name} (process {pid})"),
        (None, Some(_)) => "a process that this user may not see".to_owned(),
        (None, None) => return None,
    };
    let what = format!("port {port} is held by {holder}");
    let subject = port.to_string();
    let found = if wanted {
        let why = match proxy {
            true => "the proxy is to have it and cannot: visitors do not reach the apps there",
            false => "the proxy cannot have it: the first deploy would fail, or serve nothing there",
        };
        Finding::problem(Kind::Port, subject, what, why)
    } else {
        Finding::remark(Kind::Port, subject, what, "the proxy has other ports, and could not have this one")
    };
    let freed = match neighbour {
        // Both are meant; what it serves is somebody's production.
        Some(_) => Vec::new(),
        None => leave(by_container, socket, port, proxy),
    };
    let elsewhere = wanted.then(|| match proxy {
        true => "once proxy configure --http-port PORT, to serve on another one".to_owned(),
        false => "ONCE_HTTP_PORT=PORT once deploy IMAGE, to serve on another one".to_owned(),
    });
    Some(freed.into_iter().chain(elsewhere).fold(found, Finding::mend))
}

/// Of several, the one that everybody reaches.
fn worst<'a>(sockets: impl Iterator<Item = &'a Socket>) -> Option<&'a Socket> {
    sockets.max_by_key(|socket| (socket.process.is_some(), !is_loopback(socket.address)))
}

fn is_loopback(address: IpAddr) -> bool {
    address.is_loopback()
}

/// The commands that make it free.
fn leave(container: Option<&Container>, socket: Option<&Socket>, port: u16, proxy: bool) -> Vec<String> {
    match (container, socket.and_then(|s| s.process.as_ref())) {
        (Some(container), _) if proxy || proxy_of_tool(container).is_some() => {
            let first = "ONCE_HTTP_PORT=8080 once adopt --all, to take its apps over beside it first".to_owned();
            let then = format!(
                "once proxy takeover {}, which stops it and serves the apps taken over in its place (--dry-run says more)",
                container.name
            );
            (!proxy).then_some(first).into_iter().chain([then]).collect()
        }
        (Some(container), _) => vec![format!("docker stop {}", container.name)],
        (None, Some((name, _))) => vec![format!("systemctl disable --now {name}")],
        (None, None) => vec![format!("sudo ss -ltnp 'sport = :{port}'")],
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::container;
    use super::*;
    use crate::doctor::finding::Severity;
    use crate::ports::engine::Identity;

    const USUAL: ProxyPorts = ProxyPorts { http: 80, https: Some(443), metrics: None };

    fn listens(port: u16, process: Option<&str>) -> Socket {
        let process = process.map(|name| (name.to_owned(), 7));
        Socket { address: "0.0.0.0".parse().unwrap(), port, process, engine: false }
    }

    fn holding(name: &str, ports: &[u16]) -> Container {
        Container { ports: ports.to_vec(), ..container(name, &[]) }
    }

    fn proxy(ports: &[u16]) -> Container {
        proxy_in("once", ports)
    }

    fn proxy_in(namespace: &str, ports: &[u16]) -> Container {
        let name = format!("{namespace}-proxy");
        let namespace = namespace.parse().unwrap();
        let identity = Identity { namespace, role: Role::Proxy, app: None, id: None, release: None };
        Container { identity: Some(identity), ..holding(&name, ports) }
    }

    fn said(sockets: &[Socket], containers: &[Container], wanted: ProxyPorts) -> Vec<(Severity, String, String)> {
        let found = ports(sockets, containers, &"once".parse().unwrap(), wanted);
        found.into_iter().map(|f| (f.severity, f.what, f.mend.join("; "))).collect()
    }

    #[test]
    fn the_proxys_own_ports_are_no_finding() {
        let both = [listens(80, Some("docker-proxy")), listens(443, Some("docker-proxy"))];
        assert_eq!(said(&both, &[proxy(&[80, 443])], USUAL), []);
        assert_eq!(said(&[], &[], USUAL), [], "nobody holds them");
    }

    #[test]
    fn whoever_holds_a_port_that_the_proxy_is_to_have_is_named_with_what_makes_it_free() {
        for (sockets, containers, holder, mend) in [
            (vec![listens(80, Some("nginx"))], vec![], "nginx (process 7)", "systemctl disable --now nginx"),
            (vec![listens(80, None)], vec![], "this user may not see", "sudo ss -ltnp 'sport = :80'"),
            (vec![listens(80, Some("docker-proxy"))], vec![holding("web", &[80])], "container web", "docker stop web"),
            (vec![], vec![holding("web", &[80])], "container web", "docker stop web"),
            // Its container is there and does not run: somebody was quicker.
            (
                vec![listens(80, None)],
                vec![Container { running: false, ..proxy(&[]) }, holding("kamal-proxy", &[80])],
                "container kamal-proxy",
                "once proxy takeover kamal-proxy",
            ),
        ] {
            let found = said(&sockets, &containers, USUAL);
            let [(severity, what, command)] = &found[..] else { panic!("{found:?}") };
            assert_eq!(*severity, Severity::Problem, "{what}");
            assert!(what.contains("port 80") && what.contains(holder) && command.contains(mend), "{what} / {command}");
        }
    }

    #[test]
    fn the_proxy_of_another_installation_is_named_as_such_and_no_command_is_aimed_at_it() {
        let mine = || -> Namespace { "two".parse().unwrap() };
        for (containers, sockets) in [
            (vec![proxy(&[80, 443])], vec![]),
            (vec![proxy(&[80, 443]), Container { running: false, ..proxy_in("two", &[]) }], vec![listens(80, None)]),
        ] {
            let found = ports(&sockets, &containers, &mine(), USUAL);
            assert_eq!(found.len(), 2, "{found:?}");
            for finding in found {
                let said = format!("{} {} {:?}", finding.what, finding.why, finding.mend);
                assert!(finding.what.contains("once's own installation in the namespace `once`"), "{said}");
                assert!(!said.contains("docker stop") && !said.contains("takeover"), "{said}");
                assert!(finding.mend.iter().any(|command| command.contains("another one")), "{said}");
            }
        }
    }

    #[test]
    fn a_proxy_that_serves_apps_of_another_tool_is_taken_over_and_never_just_stopped() {
        let of_once =
            Container { labels: [("once".to_owned(), "{}".to_owned())].into(), ..holding("once-proxy", &[80]) };
        for (container, tool) in [(holding("kamal-proxy", &[80]), "Kamal"), (of_once, "ONCE")] {
            let name = container.name.clone();
            let found = said(&[], &[container], USUAL);
            let [(severity, what, commands)] = &found[..] else { panic!("{found:?}") };
            assert_eq!(*severity, Severity::Problem);
            assert!(what.contains(&format!("the proxy of {tool}")), "{what}");
            assert!(commands.contains(&format!("once proxy takeover {name}")) && commands.contains("once adopt --all"));
            assert!(!commands.contains("docker stop"), "{commands}");
        }
    }

    #[test]
    fn one_port_of_two_is_said_although_the_proxy_has_the_other() {
        let sockets = [listens(80, Some("docker-proxy")), listens(443, Some("nginx"))];
        let found = said(&sockets, &[proxy(&[80])], ProxyPorts { https: None, ..USUAL });
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == Severity::Remark && found[0].1.contains("443 is held by nginx"), "{found:?}");
    }

    #[test]
    fn a_proxy_on_other_ports_is_looked_at_there() {
        let other = ProxyPorts { http: 8080, https: None, metrics: None };
        let found = said(&[listens(8080, Some("java")), listens(80, Some("nginx"))], &[], other);
        let severities: Vec<_> = found.iter().map(|f| (f.0, f.1.contains("8080"))).collect();
        assert_eq!(severities, [(Severity::Remark, false), (Severity::Problem, true)], "{found:?}");
    }
}
