//! What the engine keeps on the disk. Its own count of everything (`/system/df`) has another shape from version to
//! version, so each list is asked for by itself; volumes are counted where their files can be read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bollard::query_parameters::{ListContainersOptionsBuilder, ListImagesOptionsBuilder};

use super::call::Call;
use super::connect::Docker;
use once_app::engine::{EngineError, Stored};

type Result<T> = std::result::Result<T, EngineError>;

/// For all volumes together: a host with millions of small files is not to hold up who looks at it.
const PATIENCE: Duration = Duration::from_secs(5);

impl Docker {
    pub(super) async fn count(&self) -> Result<Stored> {
        let images = self.client.api.list_images(Some(ListImagesOptionsBuilder::new().all(false).build()));
        let images = self.client.order(Call::new("list", "the images"), images).await?;
        let options = ListContainersOptionsBuilder::new().all(true).size(true).build();
        let containers = self.client.api.list_containers(Some(options));
        let containers = self.client.order(Call::new("list", "the containers with their sizes"), containers).await?;
        let bytes = |size: i64| u64::try_from(size).ok();
        // The engine leaves out the size of what has written nothing.
        Ok(Stored {
            images: images.into_iter().filter_map(|image| Some((image.id, bytes(image.size)?))).collect(),
            containers: containers
                .into_iter()
                .filter_map(|c| Some((c.id?, bytes(c.size_rw.unwrap_or_default())?)))
                .collect(),
        })
    }
}

/// Bytes in each volume of the engine; those that were not counted in time, or whose files are not all to be read, are
/// left out. `None`: this user may not see volumes at all.
pub(super) fn volumes(root: &Path) -> Option<BTreeMap<String, u64>> {
    let limit = Instant::now() + PATIENCE;
    let mut sizes = BTreeMap::new();
    for entry in fs::read_dir(root.join("volumes")).ok()?.flatten() {
        let data = entry.path().join("_data");
        if data.is_dir()
            && let Some(bytes) = below(data, limit)
        {
            sizes.insert(entry.file_name().to_string_lossy().into_owned(), bytes);
        }
    }
    Some(sizes)
}

/// What the files below a directory take; links are not followed.
fn below(directory: PathBuf, limit: Instant) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let (mut sum, mut open) = (0_u64, vec![directory]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).ok()? {
            let entry = entry.ok()?;
            if Instant::now() >= limit {
                return None;
            }
            // What was removed meanwhile takes nothing.
            let Ok(meta) = entry.metadata() else { continue };
            // As the disk counts: holes take no room. In units of 512 bytes, whatever the file system's own are.
            sum = sum.saturating_add(meta.blocks().saturating_mul(512));
            if meta.is_dir() {
                open.push(entry.path());
            }
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("volumes/shop/_data/deep/er");
        fs::create_dir_all(&data).unwrap();
        fs::write(data.join("file"), vec![1; 1 << 20]).unwrap();
        std::os::unix::fs::symlink("/", data.join("everything")).unwrap();
        fs::create_dir_all(root.path().join("volumes/empty/_data")).unwrap();
        fs::write(root.path().join("volumes/metadata.db"), [0; 10]).unwrap();
        root
    }

    #[test]
    fn a_volume_is_counted_to_its_depth_and_no_further() {
        let root = tree();
        let sizes = volumes(root.path()).unwrap();
        assert_eq!(sizes.keys().map(String::as_str).collect::<Vec<_>>(), ["empty", "shop"]);
        assert!((1 << 20..2 << 20).contains(&sizes["shop"]), "{sizes:?}");
        assert!(sizes["empty"] < 1 << 16, "{sizes:?}");
        assert_eq!(volumes(Path::new("/does/not/exist")), None);
    }

    #[test]
    fn what_is_not_counted_in_time_is_left_out() {
        let root = tree();
        assert_eq!(below(root.path().join("volumes/shop"), Instant::now()), None);
    }
}
