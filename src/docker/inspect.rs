//! What the engine says about containers, in the port's types.

use std::collections::BTreeMap;

use bollard::models::{
    ContainerInspectResponse, ContainerState, ContainerSummary, ContainerSummaryStateEnum, MountPoint, PortMap,
    RestartPolicyNameEnum,
};
use jiff::Timestamp;

use super::call::{Call, required};
use super::labels;
use once_app::engine::{Container, ContainerDetail, EngineError, Restart};

pub(super) fn listed(summary: ContainerSummary, call: &Call) -> Result<Container, EngineError> {
    let labels: BTreeMap<_, _> = summary.labels.unwrap_or_default().into_iter().collect();
    let bindings = summary.ports.unwrap_or_default();
    let sorted = |mut ports: Vec<u16>| {
        ports.sort_unstable();
        ports.dedup();
        ports
    };
    let ports = sorted(bindings.iter().filter_map(|port| port.public_port).collect());
    let reachable = bindings.iter().filter(|port| port.public_port.is_some() && !is_loopback(port.ip.as_deref()));
    let open = sorted(reachable.map(|port| port.private_port).collect());
    let created = required(summary.created, "Created", call)?;
    let status = summary.status.unwrap_or_default();
    Ok(Container {
        // The list says it in this text only: `Up 5 minutes (unhealthy)`.
        unhealthy: status.ends_with("(unhealthy)"),
        memory_kills: None,
        id: required(summary.id, "Id", call)?,
        name: own_name(&required(summary.names, "Names", call)?),
        identity: labels::identity(&labels),
        image: summary.image.unwrap_or_default(),
        image_id: summary.image_id.unwrap_or_default(),
        running: summary.state == Some(ContainerSummaryStateEnum::RUNNING),
        state: summary.state.map(|state| state.to_string()).unwrap_or_default(),
        status,
        created_at: required(Timestamp::from_second(created).ok(), "Created", call)?,
        labels,
        ports,
        open,
    })
}

fn is_loopback(address: Option<&str>) -> bool {
    address.and_then(|text| text.parse::<std::net::IpAddr>().ok()).is_some_and(|ip| ip.is_loopback())
}

/// Links give a container further names, with a slash inside.
fn own_name(names: &[String]) -> String {
    let bare = |name: &String| name.strip_prefix('/').unwrap_or(name).to_owned();
    names.iter().map(bare).find(|name| !name.contains('/')).unwrap_or_default()
}

pub(super) fn detailed(found: ContainerInspectResponse, call: &Call) -> Result<ContainerDetail, EngineError> {
    let state = required(found.state, "State", call)?;
    let config = required(found.config, "Config", call)?;
    let settings = found.network_settings.unwrap_or_default();
    let host = found.host_config.unwrap_or_default();
    let bindings = host.port_bindings.unwrap_or_default();
    let restart = match host.restart_policy.and_then(|policy| policy.name) {
        Some(RestartPolicyNameEnum::UNLESS_STOPPED | RestartPolicyNameEnum::ALWAYS) => Restart::UnlessStopped,
        _ => Restart::No,
    };
    let mut ports = host_ports(&bindings);
    ports.extend(host_ports(&settings.ports.unwrap_or_default()));
    Ok(ContainerDetail {
        id: required(found.id, "Id", call)?,
        name: own_name(&[required(found.name, "Name", call)?]),
        running: runs(&state),
        restarting: state.restarting == Some(true),
        exit_code: exit_code(&state),
        out_of_memory: state.oom_killed == Some(true),
        started_at: instant(state.started_at.as_deref()),
        error: state.error.unwrap_or_default(),
        restarts: found.restart_count.and_then(|count| count.try_into().ok()).unwrap_or_default(),
        image_id: found.image.unwrap_or_default(),
        networks: settings
            .networks
            .unwrap_or_default()
            .into_iter()
            .map(|(name, endpoint)| (name, endpoint.ip_address.unwrap_or_default()))
            .collect(),
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        env: config.env.unwrap_or_default(),
        volumes: volumes(found.mounts.unwrap_or_default()),
        ports,
        memory: host.memory.and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes > 0),
        nano_cpus: host.nano_cpus.filter(|nanos| *nanos > 0),
        restart,
    })
}

fn volumes(points: Vec<MountPoint>) -> BTreeMap<String, String> {
    let of_engine = points.into_iter().filter(|point| point.typ.as_deref() == Some("volume"));
    of_engine.filter_map(|point| point.destination.zip(point.name)).collect()
}

/// The engine calls a container that waits for its next restart running as well.
fn runs(state: &ContainerState) -> bool {
    state.running == Some(true) && state.restarting != Some(true)
}

fn exit_code(state: &ContainerState) -> Option<i64> {
    let ended = instant(state.finished_at.as_deref()).is_some();
    let failed_to_start = state.error.as_deref().is_some_and(|error| !error.is_empty());
    if runs(state) || !(ended || failed_to_start) { None } else { state.exit_code }
}

/// The engine writes the year 1 for "never".
pub(super) fn instant(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok().filter(|at: &Timestamp| *at > Timestamp::UNIX_EPOCH)
}

fn host_ports(map: &PortMap) -> BTreeMap<u16, u16> {
    map.iter()
        .filter_map(|(inside, bindings)| {
            let inside = inside.strip_suffix("/tcp").unwrap_or(inside).parse().ok()?;
            let outside = bindings.iter().flatten().find_map(|binding| binding.host_port.as_deref()?.parse().ok())?;
            Some((inside, outside))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(running: bool, restarting: bool, code: i64, finished: &str, error: &str) -> ContainerState {
        ContainerState {
            running: Some(running),
            restarting: Some(restarting),
            exit_code: Some(code),
            finished_at: Some(finished.to_owned()),
            error: Some(error.to_owned()),
            ..ContainerState::default()
        }
    }

    #[test]
    fn an_exit_code_is_only_one_after_the_end() {
        const NEVER: &str = "0001-01-01T00:00:00Z";
        const ONCE: &str = "2026-08-01T10:00:00.123456789Z";
        assert_eq!(exit_code(&state(false, false, 0, NEVER, "")), None, "created");
        assert_eq!(exit_code(&state(true, false, 0, ONCE, "")), None, "running again");
        assert_eq!(exit_code(&state(false, false, 0, ONCE, "")), Some(0), "ended well");
        assert_eq!(exit_code(&state(true, true, 3, ONCE, "")), Some(3), "waiting for its restart");
        assert_eq!(exit_code(&state(false, false, 127, NEVER, "no such file")), Some(127), "never came up");
    }

    #[test]
    fn a_container_waiting_for_its_restart_does_not_run() {
        assert!(!runs(&state(true, true, 1, "", "")));
        assert!(runs(&state(true, false, 0, "", "")));
    }

    #[test]
    fn takes_the_name_without_links() {
        assert_eq!(own_name(&["/web/db".into(), "/db".into()]), "db");
    }
}
