//! What the apps take on the disk: images, volumes, logs, by app.

use std::collections::{BTreeMap, BTreeSet};

use super::look::Look;
use crate::doctor::finding::{Finding, Kind};
use crate::host::inventory::{AppView, Inventory};
use crate::ledger::AppRecord;
use crate::model::units::ByteSize;
use crate::ports::engine::Machine;
use crate::ports::engine::{Engine, EngineError, HostUsage, Stored, Volume};
use crate::settings::MountSource;

/// Share of the disk in use from which on it is said; the last tenth goes fast.
const DISK_FULL: f64 = 0.9;

/// Apps that are told one by one, the largest first.
const LARGEST: usize = 10;

/// What one app takes. `None`: it could not be counted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Share {
    images: Option<u64>,
    data: Option<u64>,
    logs: Option<u64>,
    written: Option<u64>,
}

impl Share {
    fn sum(&self) -> u64 {
        self.parts().map(|(_, bytes)| bytes.unwrap_or_default()).iter().sum()
    }

    fn parts(&self) -> [(&'static str, Option<u64>); 4] {
        [("images", self.images), ("data", self.data), ("logs", self.logs), ("written beside", self.written)]
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = self.parts().map(|(what, bytes)| match bytes {
            Some(bytes) => format!("{what} {}", ByteSize(bytes).about()),
            None => format!("{what} not counted"),
        });
        f.write_str(&words.join(", "))
    }
}

/// What was counted; `None`: it could not be.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counted<'a> {
    /// By the engine.
    pub(super) stored: Option<&'a Stored>,
    /// Bytes in volumes, by name.
    pub(super) sizes: Option<&'a BTreeMap<String, u64>>,
    /// The machine.
    pub(super) machine: Option<&'a Machine>,
}

/// Lets the engine count images and containers; `None`: it could not, and that is reported.
pub(super) async fn stored(engine: &dyn Engine, look: &Look<'_>) -> Option<Stored> {
    let what = "the sizes of images and containers";
    let said = match look.timed(what, async { Ok::<_, EngineError>(engine.stored().await) }).await {
        Ok(Some(Ok(stored))) => return Some(stored),
        Ok(Some(Err(EngineError::Busy { .. }))) => {
            format!("{what}: the engine counts them for somebody else already, and does so once at a time")
        }
        Ok(Some(Err(error))) => format!("{what}: {error}"),
        Ok(None) | Err(_) => format!("{}; the engine goes on counting", look.late(what)),
    };
    look.found([uncounted(what, said)]);
    None
}

/// Bytes in each volume, where their files can be read.
pub(super) async fn sizes(engine: &dyn Engine, look: &Look<'_>) -> Option<BTreeMap<String, u64>> {
    let what = "the sizes of volumes";
    let counted = look.timed(what, async { Ok::<_, EngineError>(engine.volume_sizes().await) }).await;
    let Ok(Some(sizes)) = counted else {
        look.found([uncounted(what, look.late(what))]);
        return None;
    };
    sizes
}

fn uncounted(what: &str, said: String) -> Finding {
    let why = "how much of the disk each app takes is not known";
    Finding::remark(Kind::Unseen, what, said, why)
        .mend("once doctor, in a few minutes")
        .mend("once doctor --no-disk, to leave it out")
}

/// How much room is left; `None`: nothing is known of the machine's disk.
pub(super) fn room(machine: &Machine) -> Option<Finding> {
    let usage = machine.usage.filter(|usage| usage.disk_total > 0)?;
    let left = ByteSize(usage.disk_total.saturating_sub(usage.disk)).about();
    Some(graded(format!("{left} are left where the engine keeps its data"), Some(usage)))
}

/// One finding: how much room is left, and which app takes how much of what.
pub(super) fn of_apps(inventory: &Inventory, volumes: &[Volume], counted: Counted<'_>) -> Finding {
    let Counted { stored, machine, .. } = counted;
    let mut shares: Vec<(&AppView, Share)> =
        inventory.apps.iter().map(|app| (app, share(app, inventory, volumes, counted))).collect();
    shares.sort_by(|(one, a), (other, b)| b.sum().cmp(&a.sum()).then(one.record.name.cmp(&other.record.name)));
    let lines = shares.iter().take(LARGEST).map(|(app, share)| format!("{}: {share}", app.record.name));
    let more = shares.len().saturating_sub(LARGEST);
    let more = (more > 0).then(|| format!("and {more} smaller ones"));
    let details: Vec<String> = lines.chain(more).collect();
    let usage = machine.and_then(|m| m.usage).filter(|usage| usage.disk_total > 0);
    let left = usage.map(|usage| ByteSize(usage.disk_total.saturating_sub(usage.disk)).about());
    let all = all_images(inventory, stored);
    let apps = match all {
        Some(bytes) => format!("the images of all releases that are kept have {}", ByteSize(bytes).about()),
        None => "the images could not be counted".to_owned(),
    };
    let what = match left {
        Some(left) => format!("{left} are left where the engine keeps its data; {apps}"),
        None => apps,
    };
    graded(what, usage).detail(details)
}

/// It is a problem once the disk is nearly full.
fn graded(what: String, usage: Option<HostUsage>) -> Finding {
    let why = "a full disk stops deploys, logs and databases";
    let full = usage.is_some_and(|usage| usage.disk as f64 / usage.disk_total as f64 > DISK_FULL);
    match full {
        true => Finding::problem(Kind::Disk, "disk", what, why)
            .mend("docker system df -v")
            .mend("docker image prune")
            .mend("once set APP --keep-images 1 --keep-containers 0, then deploy it"),
        false => Finding::remark(Kind::Disk, "disk", what, why),
    }
}

/// Volumes that containers of earlier releases had and nothing uses now: data that nobody else would find again.
pub(super) fn kept(inventory: &Inventory, sizes: Option<&BTreeMap<String, u64>>) -> Vec<Finding> {
    let mut found = Vec::new();
    for app in &inventory.apps {
        let (record, name) = (&app.record, &app.record.name);
        let used = record.serving_release().map(|r| (&r.declared_volumes, &r.settings));
        let in_use = |volume: &str| {
            used.is_some_and(|(declared, settings)| {
                let external =
                    |source: &MountSource| matches!(source, MountSource::External { name } if name == volume);
                declared.values().any(|name| name == volume) || settings.volumes.values().any(external)
            })
        };
        for volume in record.owned_volumes.iter().filter(|volume| !in_use(&volume.name)) {
            let size = sizes.and_then(|sizes| sizes.get(&volume.name));
            // Where sizes are known, one that is not listed is gone.
            let size = match (sizes, size) {
                (Some(_), None) => continue,
                (_, Some(bytes)) => format!(", {}", ByteSize(*bytes).about()),
                (None, None) => String::new(),
            };
            let (path, release) = (&volume.path, volume.release);
            let what =
                format!("release {release} of {name} had {path} in a volume without a name, which is kept{size}");
            let why =
                "it may be the only copy of what that release wrote; it goes with `remove --data` and never before";
            found.push(Finding::remark(Kind::KeptVolume, &volume.name, what, why).of(name));
        }
    }
    found
}

fn share(app: &AppView, inventory: &Inventory, volumes: &[Volume], counted: Counted<'_>) -> Share {
    let Counted { stored, sizes, machine } = counted;
    let id = Some(&app.record.id);
    let containers: Vec<_> =
        inventory.containers.iter().filter(|c| c.identity.as_ref().is_some_and(|i| i.id.as_ref() == id)).collect();
    let images = images(app);
    let labelled = volumes.iter().filter(|v| v.identity.as_ref().is_some_and(|i| i.id.as_ref() == id));
    let mut data: BTreeSet<&str> = labelled.map(|v| v.name.as_str()).collect();
    data.extend(unlabelled(&app.record));
    Share {
        images: stored.map(|s| images.iter().filter_map(|image| s.images.get(*image)).sum()),
        written: stored.map(|s| containers.iter().filter_map(|c| s.containers.get(&c.id)).sum()),
        logs: machine
            .filter(|m| containers.is_empty() || containers.iter().any(|c| m.logs.contains_key(&c.id)))
            .map(|m| containers.iter().filter_map(|c| m.logs.get(&c.id)).sum()),
        // One volume that could not be counted makes the sum a guess.
        data: sizes.and_then(|sizes| data.iter().map(|volume| sizes.get(*volume).copied()).sum()),
    }
}

/// Volumes that carry no label of the app and hold its data all the same: taken over ones, and those without a name.
fn unlabelled(record: &AppRecord) -> impl Iterator<Item = &str> {
    let owned = record.owned_volumes.iter().map(|volume| volume.name.as_str());
    let external = record.settings().into_iter().flat_map(|s| s.volumes.values()).filter_map(|source| match source {
        MountSource::External { name } => Some(name.as_str()),
        _ => None,
    });
    owned.chain(external)
}

/// Of the releases that can be gone back to. An image that is not on the engine any more takes nothing.
fn images(app: &AppView) -> BTreeSet<&str> {
    app.record.releases.iter().map(|release| release.image.id.as_str()).collect()
}

/// Each image once, whoever has it.
fn all_images(inventory: &Inventory, stored: Option<&Stored>) -> Option<u64> {
    let all: BTreeSet<&str> = inventory.apps.iter().flat_map(images).collect();
    Some(all.into_iter().filter_map(|image| stored?.images.get(image)).sum()).filter(|_| stored.is_some())
}

#[cfg(test)]
mod tests {
    use super::super::tests::container;
    use super::*;
    use crate::doctor::finding::Severity;
    use crate::ports::engine::{Container, Identity, Role};

    fn identity(app: &AppView, role: Role) -> Option<Identity> {
        let (name, id) = (Some(app.record.name.clone()), Some(app.record.id.clone()));
        Some(Identity { namespace: "once".parse().unwrap(), role, app: name, id, release: None })
    }

    /// Two apps with a container, a volume and an image each; the first one's are larger.
    fn scene() -> (Inventory, Vec<Volume>, Stored, Machine, BTreeMap<String, u64>) {
        let apps = ["shop", "blog"].map(|name| crate::doctor::reconcile::tests::view(name, &["x.test"]));
        let (mut containers, mut volumes, mut stored, mut machine) =
            (Vec::new(), Vec::new(), Stored::default(), Machine::default());
        let mut sizes = BTreeMap::new();
        for (n, app) in apps.iter().enumerate() {
            let (name, size) = (app.record.name.to_string(), if n == 0 { 3 << 30 } else { 1 << 20 });
            containers.push(Container { identity: identity(app, Role::Web), ..container(&name, &[]) });
            let labels = BTreeMap::new();
            let role = identity(app, Role::Data);
            volumes.push(Volume { name: name.clone(), identity: role, mountpoint: String::new(), labels });
            for image in images(app) {
                stored.images.insert(image.to_owned(), 5 << 20);
            }
            stored.containers.insert(format!("id-{name}"), 1 << 10);
            sizes.insert(name.clone(), size);
            machine.logs.insert(format!("id-{name}"), 2 << 20);
        }
        let inventory = Inventory { apps: apps.into(), snapshot: None, proxy: None, strays: Vec::new(), containers };
        (inventory, volumes, stored, machine, sizes)
    }

    fn counted<'a>(stored: &'a Stored, machine: &'a Machine, sizes: &'a BTreeMap<String, u64>) -> Counted<'a> {
        Counted { stored: Some(stored), sizes: Some(sizes), machine: Some(machine) }
    }

    #[test]
    fn each_app_is_told_with_its_images_data_and_logs_the_largest_first() {
        let (inventory, volumes, stored, machine, sizes) = scene();
        let found = of_apps(&inventory, &volumes, counted(&stored, &machine, &sizes));
        assert_eq!(found.severity, Severity::Remark);
        assert_eq!(
            found.details,
            [
                "shop: images 5 MiB, data 3 GiB, logs 2 MiB, written beside 1 KiB",
                "blog: images 5 MiB, data 1 MiB, logs 2 MiB, written beside 1 KiB"
            ]
        );
    }

    #[test]
    fn what_was_taken_over_counts_as_its_data() {
        let (mut inventory, volumes, stored, machine, mut sizes) = scene();
        let record = &mut inventory.apps[1].record;
        let serving = record.serving;
        let release = record.releases.iter_mut().find(|r| Some(r.number) == serving).unwrap();
        release.settings.volumes.insert("/pages".parse().unwrap(), MountSource::External { name: "pages".into() });
        let (name, path) = ("ab".repeat(32), "/data".to_owned());
        let owned = crate::model::volumes::OwnedVolume { name: name.clone(), path, release: serving.unwrap() };
        record.owned_volumes.push(owned);
        sizes.extend([("pages".to_owned(), 2 << 20), (name, 4 << 20)]);
        let found = of_apps(&inventory, &volumes, counted(&stored, &machine, &sizes));
        assert!(found.details[1].contains("data 7 MiB"), "{found:?}");
    }

    #[test]
    fn a_full_disk_is_a_problem_and_still_says_who_fills_it() {
        let (inventory, volumes, stored, mut machine, sizes) = scene();
        for (disk, severity) in [(95, Severity::Problem), (50, Severity::Remark)] {
            machine.usage = Some(HostUsage { cpu: 0.0, memory: 1, memory_total: 2, disk, disk_total: 100 });
            let found = of_apps(&inventory, &volumes, counted(&stored, &machine, &sizes));
            assert_eq!((found.severity, found.details.len()), (severity, 2), "{found:?}");
        }
    }

    #[test]
    fn what_could_not_be_counted_is_not_told_as_nothing() {
        let (inventory, volumes, stored, mut machine, mut sizes) = scene();
        sizes.remove("shop");
        machine.logs.clear();
        let found = of_apps(&inventory, &volumes, counted(&stored, &machine, &sizes));
        let shop = found.details.iter().find(|line| line.starts_with("shop")).unwrap();
        assert!(shop.contains("data not counted") && shop.contains("logs not counted"), "{shop}");
        let found = of_apps(&inventory, &volumes, Counted::default());
        assert!(found.what.contains("could not be counted"), "{found:?}");
        assert!(found.details[0].contains("images not counted, data not counted"), "{found:?}");
    }
}
