//! Networks.

use once_app::engine::{ContainerSpec, EngineError};

use crate::ground::Ground;

pub async fn a_network_is_made_once(on: Ground<'_>) {
    let name = on.name("net");
    assert!(!on.engine.has_network(&name).await.unwrap());
    on.engine.ensure_network(&name, &on.labels("web", &[])).await.unwrap();
    on.engine.ensure_network(&name, &on.labels("web", &[])).await.unwrap();
    assert!(on.engine.has_network(&name).await.unwrap());
    assert!(!on.engine.has_network(&on.name("ne")).await.unwrap(), "a part of a name is another name");
}

pub async fn of_many_who_make_a_network_at_once_all_can_use_it(on: Ground<'_>) {
    let on = &on;
    for round in 0..5 {
        let (name, labels) = (on.name(&format!("net{round}")), on.labels("web", &[]));
        let at_once = (0..6).map(|n| {
            let (name, labels) = (&name, &labels);
            async move {
                let spec = ContainerSpec { networks: vec![name.clone()], ..on.spec(&format!("c{round}{n}"), "wait") };
                on.engine.ensure_network(name, labels).await.unwrap();
                let id = on.engine.create(&spec).await.unwrap();
                on.engine.start(&id).await.unwrap();
                assert_eq!(on.engine.container(&id).await.unwrap().unwrap().networks.len(), 1);
            }
        });
        futures_util::future::join_all(at_once).await;
    }
}

pub async fn an_absent_network_is_told(on: Ground<'_>) {
    let spec = ContainerSpec { networks: vec![on.name("nothing")], ..on.spec("a", "wait") };
    let id = on.engine.create(&spec).await.unwrap();
    let error = on.engine.start(&id).await.unwrap_err();
    assert!(matches!(&error, EngineError::Absent { what } if what.contains("nothing")), "{error:?}");
}

pub async fn removing_a_network_twice_is_fine(on: Ground<'_>) {
    let name = on.name("net");
    on.engine.ensure_network(&name, &on.labels("web", &[])).await.unwrap();
    on.engine.remove_network(&name).await.unwrap();
    on.engine.remove_network(&name).await.unwrap();
    assert!(!on.engine.has_network(&name).await.unwrap());
}

pub async fn a_network_in_use_is_a_conflict(on: Ground<'_>) {
    let name = on.name("net");
    on.engine.ensure_network(&name, &on.labels("web", &[])).await.unwrap();
    let id = on.engine.create(&ContainerSpec { networks: vec![name.clone()], ..on.spec("a", "wait") }).await.unwrap();
    on.engine.start(&id).await.unwrap();
    let error = on.engine.remove_network(&name).await.unwrap_err();
    assert!(matches!(error, EngineError::Conflict { .. }), "{error:?}");
}

pub async fn a_container_joins_all_its_networks(on: Ground<'_>) {
    let names = [on.name("one"), on.name("two")];
    for name in &names {
        on.engine.ensure_network(name, &on.labels("web", &[])).await.unwrap();
    }
    let id = on.engine.create(&ContainerSpec { networks: names.to_vec(), ..on.spec("a", "wait") }).await.unwrap();
    on.engine.start(&id).await.unwrap();
    let networks = on.engine.container(&id).await.unwrap().unwrap().networks;
    assert_eq!(networks.keys().collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
    for address in networks.values() {
        address.parse::<std::net::Ipv4Addr>().unwrap();
    }
}

pub async fn a_container_joins_later_and_twice(on: Ground<'_>) {
    let names = [on.name("one"), on.name("two")];
    for name in &names {
        on.engine.ensure_network(name, &on.labels("web", &[])).await.unwrap();
    }
    let spec = ContainerSpec { networks: vec![names[0].clone()], ..on.spec("a", "wait") };
    let id = on.engine.create(&spec).await.unwrap();
    on.engine.start(&id).await.unwrap();
    on.engine.join_network(&names[1], &id).await.unwrap();
    on.engine.join_network(&names[1], &id).await.unwrap();
    assert_eq!(on.engine.container(&id).await.unwrap().unwrap().networks.len(), 2);
    let error = on.engine.join_network(&on.name("nothing"), &id).await.unwrap_err();
    assert!(matches!(error, EngineError::Absent { .. }), "{error:?}");
}
