//! What is to be said of the machine the engine runs on. Pure.

use std::collections::HashMap;

use crate::doctor::finding::{Finding, Kind};
use crate::model::units::ByteSize;
use crate::ports::engine::{Container, EngineInfo, HostUsage, Machine, Role, Usage};

/// Share of memory in use.
const MEMORY_FULL: f64 = 0.95;

/// Containers that are named where memory runs short.
const LARGEST: usize = 5;

/// A log this large was written without rotation, or with a bound nobody meant. Bytes.
const LOG_LARGE: u64 = 1 << 30;

/// What is to be said of a machine; `used` is what containers use, by id.
pub(super) fn of_machine(
    machine: &Machine,
    containers: &[Container],
    info: &EngineInfo,
    used: &HashMap<String, Usage>,
) -> Vec<Finding> {
    let mut found = exposed(machine, info);
    found.extend(machine.usage.and_then(|usage| memory(usage, containers, info, used)));
    found.extend(containers.iter().filter_map(|container| log(container, *machine.logs.get(&container.id)?)));
    if machine.synchronised == Some(false) {
        let what = format!("no service keeps the clock of {} right, as its system tells", info.name);
        let why = "certificates and sign-ins fail once it is wrong; fine where the machine's host keeps it right";
        found.push(Finding::remark(Kind::Clock, &info.name, what, why).mend("timedatectl set-ntp true"));
    }
    if !machine.unread.is_empty() {
        let what = format!("this user may not read {}: not looked at", machine.unread.join(", "));
        let why = "what is wrong there is not told";
        found.push(Finding::remark(Kind::Unseen, &info.name, what, why).mend("sudo once doctor"));
    }
    found
}

/// The machine is another one.
pub(super) fn elsewhere(info: &EngineInfo) -> Finding {
    let what =
        format!("{} is another machine: its ports, memory, logs and clock service were not looked at", info.name);
    let why = "what is wrong there is not told";
    Finding::remark(Kind::Unseen, &info.name, what, why).mend(format!("once doctor, on {}", info.name))
}

fn exposed(machine: &Machine, info: &EngineInfo) -> Vec<Finding> {
    let mut found = Vec::new();
    for socket in machine.sockets.iter().filter(|s| s.engine && !s.address.is_loopback()) {
        let what = format!("the engine answers on {}:{} without encryption", socket.address, socket.port);
        let why = "whoever reaches this port is root on this machine";
        let subject = socket.port.to_string();
        found.push(
            Finding::problem(Kind::EngineExposed, subject, what, why)
                .mend("remove `-H tcp://` from the engine's start, or \"hosts\" from /etc/docker/daemon.json")
                .mend("reach it by ssh instead: once --on ssh://USER@HOST list"),
        );
    }
    if machine.open_socket {
        let path = info.address.trim_start_matches("unix://");
        let what = format!("every user of {} may write to {path}", info.name);
        let why = "whoever may talk to the engine is root on this machine";
        found.push(
            Finding::problem(Kind::Permissions, path, what, why)
                .mend(format!("chmod 660 {path}"))
                .mend("usermod -aG docker USER, for those who are meant"),
        );
    }
    found
}

fn memory(
    usage: HostUsage,
    containers: &[Container],
    info: &EngineInfo,
    used: &HashMap<String, Usage>,
) -> Option<Finding> {
    if usage.memory_total == 0 || usage.memory as f64 / (usage.memory_total as f64) <= MEMORY_FULL {
        return None;
    }
    let mut largest: Vec<(u64, String)> =
        containers.iter().filter_map(|c| Some((used.get(&c.id)?.memory, owner(c)))).collect();
    largest.sort_by(|one, other| other.cmp(one));
    let what = format!("{} of memory are left", ByteSize(usage.memory_total.saturating_sub(usage.memory)).about());
    let why = "the kernel ends the largest process when none is left";
    let found = Finding::problem(Kind::Memory, &info.name, what, why)
        .detail(largest.into_iter().take(LARGEST).map(|(bytes, who)| format!("{who}: {}", ByteSize(bytes).about())));
    Some(found.mend("once set APP --memory SIZE, to bound one").mend("once stop APP"))
}

/// The app a container is of, else itself.
fn owner(container: &Container) -> String {
    let app = container.identity.as_ref().and_then(|i| i.app.as_ref());
    app.map_or_else(|| container.name.clone(), ToString::to_string)
}

fn log(container: &Container, bytes: u64) -> Option<Finding> {
    if bytes <= LOG_LARGE {
        return None;
    }
    let what = format!("the log of {} has {}", container.name, ByteSize(bytes).about());
    let found = Finding::problem(Kind::Log, &container.name, what, "it grows until the disk is full");
    let web = container.identity.as_ref().filter(|i| i.role == Role::Web);
    Some(match web.and_then(|identity| identity.app.as_ref()) {
        Some(app) => found.of(app).mend(format!("once set {app} --log-max-size 10m")),
        None => found.mend("make it again with --log-opt max-size=10m --log-opt max-file=3"),
    })
}
