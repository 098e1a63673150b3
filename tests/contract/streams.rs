//! What goes on by itself: events and figures.

use futures_util::StreamExt;
use once_app::engine::ContainerSpec;

use crate::ground::{GRACE, Ground};
use crate::support::eventually;

pub async fn events_tell_a_life_and_only_ones_own(on: Ground<'_>) {
    let mut events = on.engine.events(on.namespace);
    let life = async {
        let stranger = ContainerSpec { labels: [].into(), ..on.spec("stranger", "exit 0") };
        // The stream has no beginning that can be waited for: make containers until one is seen.
        for number in 0.. {
            let stranger = ContainerSpec { name: on.name(&format!("s{number}")), ..stranger.clone() };
            on.engine.start(&on.engine.create(&stranger).await.unwrap()).await.unwrap();
            let id = on.started(&format!("a{number}"), "wait").await;
            on.engine.stop(&id, GRACE).await.unwrap();
            on.engine.remove(&id).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    let watching = async {
        let mut seen: Vec<(String, String)> = Vec::new();
        loop {
            let event = events.next().await.unwrap().unwrap();
            seen.push((event.container, event.action));
            let (last, _) = seen.last().unwrap();
            let life: Vec<_> = seen.iter().filter(|(id, _)| id == last).map(|(_, action)| action.as_str()).collect();
            let whole = ["create", "start", "die", "stop", "destroy"];
            if whole.iter().all(|action| life.contains(action)) {
                return seen;
            }
        }
    };
    let seen = tokio::select! { () = life => unreachable!(), seen = watching => seen };
    for container in on.engine.all_containers().await.unwrap() {
        let stranger = container.name.starts_with(&on.name("s"));
        assert!(!stranger || seen.iter().all(|(id, _)| *id != container.id), "a stranger was seen: {seen:?}");
    }
}

pub async fn stats_measure_a_running_container(on: Ground<'_>) {
    let limit = 64 << 20;
    let spec = ContainerSpec { memory: Some(limit), ..on.spec("a", "burn") };
    let id = on.engine.create(&spec).await.unwrap();
    on.engine.start(&id).await.unwrap();
    let usage = on.engine.stats(&id).next().await.unwrap().unwrap();
    assert!(usage.cpu > 0.05 && usage.cpu < 2.0, "{usage:?}");
    assert!(usage.memory > 0 && usage.memory < limit && usage.memory_limit == limit, "{usage:?}");
    let free = on.started("b", "wait").await;
    assert_eq!(on.engine.stats(&free).next().await.unwrap().unwrap().memory_limit, 0);
}

pub async fn usage_is_read_where_the_engine_is_local(on: Ground<'_>) {
    let busy = on.started("a", "burn").await;
    let stopped = on.ended("b", "exit 0").await;
    let ids = [busy.clone(), stopped, "f".repeat(64)];
    let usage = eventually("work", || async {
        let usage = on.engine.usage(&ids).await;
        usage.get(&busy).is_some_and(|usage| usage.cpu > 0.05).then_some(usage)
    })
    .await;
    assert_eq!(usage.len(), 1, "those that do not run are left out: {usage:?}");
    assert!(usage[&busy].cpu < 2.0 && usage[&busy].memory > 0 && usage[&busy].memory_limit == 0, "{usage:?}");
}

pub async fn the_host_is_measured_where_the_engine_is_local(on: Ground<'_>) {
    let cpus = f64::from(on.engine.info().await.unwrap().cpus);
    let host = on.engine.host_usage().await.unwrap();
    assert!((0.0..=cpus).contains(&host.cpu), "{host:?}");
    assert!(host.memory > 0 && host.memory < host.memory_total, "{host:?}");
    assert!(host.disk > 0 && host.disk < host.disk_total, "{host:?}");
}
