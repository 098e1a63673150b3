//! What an examination of the host finds.

use once_app::{Finding, Fix, Kind};

use super::super::model::Examined;

/// Nothing is wrong.
pub(crate) fn clean() -> Examined {
    Examined::default()
}

/// One of each sort: what can be mended, what needs a person, and what is only worth knowing.
pub(crate) fn examined() -> Examined {
    let shop = "shop".parse().unwrap();
    let findings = vec![
        Finding::problem(
            Kind::Orphan,
            "once-lost-2",
            "the container once-lost-2 runs for the app lost, which the ledger does not know",
            "it runs, and nobody can deploy, stop or roll it back",
        )
        .mend("once adopt once-lost-2")
        .mend("docker rm -f once-lost-2")
        .fix(Fix::Adopt { container: "once-lost-2".into() }),
        Finding::problem(
            Kind::Ghost,
            "once-shop-12",
            "release 12 of shop serves by the ledger, and its container is gone",
            "visitors get errors",
        )
        .of(&shop)
        .mend("once restart shop")
        .fix(Fix::Restart { app: shop.clone() }),
        Finding::problem(
            Kind::LostVolume,
            "once-shop",
            "the data volume of shop is not there",
            "what the app kept is gone, or is in a volume that carries another app's labels",
        )
        .of(&shop)
        .mend("docker volume ls"),
        Finding::remark(
            Kind::Foreign,
            "kamal-proxy",
            "the container kamal-proxy holds a web port of this host",
            "it is not ours, and is left alone",
        ),
    ];
    Examined { findings, processes: None }
}
