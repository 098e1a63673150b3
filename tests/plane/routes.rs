use once_app::RouteState;

use crate::support::{Demo, House, app, route, route_of};

#[tokio::test(flavor = "multi_thread")]
async fn requests_find_their_app_by_host_and_path() {
    let (one, two, three) = (Demo::start("one").await, Demo::start("two").await, Demo::start("three").await);
    let house = House::new();
    house.plane.publish(vec![
        route_of("one", "one.test", None, 1, &one.address.to_string()),
        route_of("two", "one.test", Some("/version"), 1, &two.address.to_string()),
        route_of("three", "*.wild.test", None, 1, &three.address.to_string()),
    ]);
    for (host, target, version) in [
        ("one.test", "/up", "one"),
        ("ONE.test:8080", "/up", "one"),
        ("one.test.", "/up", "one"),
        ("one.test", "/version", "two"),
        ("one.test", "/version?x=/up", "two"),
        ("a.b.wild.test", "/up", "three"),
    ] {
        let reply = house.get(host, target).await;
        assert_eq!((reply.status, reply.header("x-version")), (200, Some(version)), "{host}{target}");
    }
    house.plane.remove_route(&once_app::AppId("two".into()));
    assert_eq!(house.get("one.test", "/version").await.text(), "one");
    house.plane.publish(vec![]);
    assert_eq!(house.get("one.test", "/up").await.status, 421);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_hosts_learn_nothing() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route_of("secret", "secret-name.test", Some("/shop"), 1, &demo.address.to_string()));
    let reply = house.get("other.test", "/").await;
    assert_eq!(reply.status, 421);
    assert!(!reply.text().contains("secret") && !reply.head.contains("secret"), "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(house.get("secret-name.test", "/").await.status, 404);
    assert_eq!(house.get("127.0.0.1", "/").await.status, 421);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_app_says_so() {
    let demo = Demo::start("1").await;
    let house = House::new();
    let serving = route(1, demo.address);
    house.plane.set_route(once_app::Route { state: RouteState::Stopped, ..serving.clone() });
    let reply = house.get("app.test", "/").await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("60")));
    assert!(reply.text().contains("stopped"));
    house.plane.set_route(serving);
    assert_eq!(house.get("app.test", "/version").await.text(), "1");
    let traffic = house.plane.traffic(&app());
    assert_eq!((traffic.requests, traffic.failed, traffic.classes), (2, 0, [0, 1, 0, 0, 1]));
    assert_eq!(traffic.own, Some(1), "the page of a stopped app is no failure");
    assert_eq!(traffic.by_release, [(once_app::ReleaseNumber(1), 1, 0)]);
}
