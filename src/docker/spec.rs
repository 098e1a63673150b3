//! A container to be, in the engine's words.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, HostConfigLogConfig, Mount, MountType, NetworkingConfig,
    PortBinding, RestartPolicy, RestartPolicyNameEnum,
};

use once_app::engine::{ContainerSpec, MountSpec, Restart};

const LOG_FILES: u32 = 3;

pub(super) fn body(spec: &ContainerSpec) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        cmd: spec.command.clone(),
        entrypoint: spec.entrypoint.clone(),
        env: Some(spec.env.iter().map(|(key, value)| format!("{key}={value}")).collect()),
        labels: Some(spec.labels.clone().into_iter().collect()),
        user: spec.user.clone(),
        exposed_ports: Some(
            spec.publish.iter().chain(&spec.publish_local).map(|(_, inside)| format!("{inside}/tcp")).collect(),
        ),
        stop_timeout: Some(saturate(spec.stop_timeout)),
        host_config: Some(host_config(spec)),
        networking_config: spec.networks.first().map(|first| NetworkingConfig {
            endpoints_config: Some(HashMap::from([(first.clone(), EndpointSettings::default())])),
        }),
        ..ContainerCreateBody::default()
    }
}

fn host_config(spec: &ContainerSpec) -> HostConfig {
    let memory = spec.memory.map(saturate);
    HostConfig {
        init: Some(spec.init),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        cap_drop: spec.drop_capabilities.then(|| vec!["ALL".to_owned()]),
        readonly_rootfs: Some(spec.read_only),
        memory,
        // Equal: no swap beside it, so that the limit is one.
        memory_swap: memory,
        nano_cpus: spec.nano_cpus,
        pids_limit: spec.pids.map(i64::from),
        restart_policy: Some(RestartPolicy {
            name: Some(match spec.restart {
                Restart::No => RestartPolicyNameEnum::NO,
                Restart::UnlessStopped => RestartPolicyNameEnum::UNLESS_STOPPED,
            }),
            maximum_retry_count: None,
        }),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(HashMap::from([
                ("max-size".to_owned(), spec.log_max_size.to_string()),
                ("max-file".to_owned(), LOG_FILES.to_string()),
            ])),
        }),
        network_mode: spec.networks.first().cloned(),
        port_bindings: Some(
            (spec.publish.iter().map(|ports| (None, ports)))
                .chain(spec.publish_local.iter().map(|ports| (Some("127.0.0.1".to_owned()), ports)))
                .map(|(host_ip, (outside, inside))| {
                    let binding = PortBinding { host_ip, host_port: Some(outside.to_string()) };
                    (format!("{inside}/tcp"), Some(vec![binding]))
                })
                .collect(),
        ),
        mounts: Some(spec.mounts.iter().map(mount).collect()),
        ..HostConfig::default()
    }
}

fn mount(mount: &MountSpec) -> Mount {
    let (typ, source, target, read_only) = match mount {
        MountSpec::Volume { name, target } => (MountType::VOLUME, name, target, false),
        MountSpec::Bind { path, target, read_only } => (MountType::BIND, path, target, *read_only),
    };
    Mount {
        typ: Some(typ),
        source: Some(source.clone()),
        target: Some(target.clone()),
        read_only: Some(read_only),
        ..Mount::default()
    }
}

fn saturate(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
