//! Workers that were relieved and still finish what they had under way. Each listens on a socket of its own; what changes
//! for an app's requests is told to them too, and a drain asks them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_core::stream::BoxStream;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::client::Client;
use once_app::proxy::{DrainLimits, DrainProgress, Proxy, ProxyError, WorkerView};
use once_app::{AppId, ReleaseNumber, Route};

/// Such a worker does not serve, so it is not waited for long.
const PATIENCE: Duration = Duration::from_secs(3);

/// What changes for an app's requests.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RouteChange {
    Set(Box<Route>),
    Remove(AppId),
    Hold(AppId, Duration),
    Resume(AppId),
}

/// The relieved workers of a state directory.
pub(super) struct Relieved {
    dir: PathBuf,
}

/// Where a process listens once it is relieved.
fn file_name(pid: u32) -> String {
    format!("relieved-{pid}.sock")
}

impl Relieved {
    pub(super) fn of(state: &Path) -> Self {
        Self { dir: state.join("workers") }
    }

    /// This process's own socket, to be bound when it is relieved.
    pub(super) fn own(&self) -> PathBuf {
        self.dir.join(file_name(std::process::id()))
    }

    /// All sockets but our own; those of ended workers among them.
    fn sockets(&self) -> Vec<PathBuf> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(dir = %self.dir.display(), %error, "relieved workers cannot be looked for");
                }
                return Vec::new();
            }
        };
        let own = self.own();
        let is_socket = |path: &PathBuf| path.extension().is_some_and(|e| e == "sock") && *path != own;
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_socket).collect()
    }

    /// Tells them of a change, so that a request that still reaches one of them goes where all others go.
    pub(super) async fn tell(&self, change: &RouteChange) {
        let told = self.sockets().into_iter().map(|path| {
            let client = Client::connect_unix(&path);
            async move { answer(&path, client.mirror(change)).await }
        });
        join_all(told).await;
    }

    pub(super) async fn views(&self) -> Vec<WorkerView> {
        let views = self.sockets().into_iter().map(|path| {
            let client = Client::connect_unix(&path);
            async move { answer(&path, client.processes()).await }
        });
        join_all(views).await.into_iter().flatten().flat_map(|processes| processes.workers).collect()
    }

    /// What this process drains, and the same in all of them, as one.
    pub(super) fn drain(
        &self,
        ours: BoxStream<'static, DrainProgress>,
        app: &AppId,
        release: ReleaseNumber,
        limits: DrainLimits,
    ) -> BoxStream<'static, DrainProgress> {
        let theirs = self.sockets().into_iter().map(|path| {
            let progress = Client::connect_unix(path).drain(app, release, limits);
            // One that ends has nothing under way any more.
            progress.filter_map(|progress| std::future::ready(progress.ok())).boxed()
        });
        let all: Vec<_> = std::iter::once(ours).chain(theirs).collect();
        if all.len() == 1 {
            return stream::iter(all).flatten().boxed();
        }
        sum(all)
    }
}

/// What one says; `None`: it is gone, or does not do as asked.
async fn answer<T>(path: &Path, asked: impl Future<Output = Result<T, ProxyError>>) -> Option<T> {
    match timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) => return Some(answer),
        // Its process is gone, and left this behind.
        Ok(Err(ProxyError::Unreachable { .. })) => drop(fs::remove_file(path)),
        Ok(Err(error)) => tracing::warn!(%error, "a relieved worker does not do as asked"),
        Err(_) => tracing::warn!(path = %path.display(), "a relieved worker does not answer"),
    }
    None
}

/// The sum of the last words of each; the last item comes when all have ended.
fn sum(all: Vec<BoxStream<'static, DrainProgress>>) -> BoxStream<'static, DrainProgress> {
    let last = vec![DrainProgress::default(); all.len()];
    let numbered = all.into_iter().enumerate().map(|(i, s)| s.map(move |progress| (i, progress)).boxed());
    let merged = stream::select_all(numbered).map(Some).chain(stream::iter([None]));
    merged
        .scan(last, |last, item| {
            let over = item.is_none();
            if let Some((i, progress)) = item {
                last[i] = progress;
            }
            let total = last.iter().fold(nothing_at(over), |sum, one| DrainProgress {
                requests: sum.requests + one.requests,
                streams: sum.streams + one.streams,
                upgraded: sum.upgraded + one.upgraded,
                cut: sum.cut.map(|cut| cut + one.cut.unwrap_or(0)),
            });
            std::future::ready(Some(total))
        })
        .boxed()
}

fn nothing_at(end: bool) -> DrainProgress {
    DrainProgress { cut: end.then_some(0), ..DrainProgress::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_drain_over_several_workers_ends_with_the_last() {
        let at = |requests, upgraded, cut| DrainProgress { requests, streams: requests, upgraded, cut };
        let one = stream::iter([at(3, 1, None), at(0, 0, Some(1))]).boxed();
        let two = stream::iter([at(2, 0, None), at(1, 0, None), at(1, 0, Some(2))]).boxed();
        // One that ended without a last word.
        let gone = stream::iter([]).boxed();
        let seen: Vec<_> = sum(vec![one, two, gone]).collect().await;
        assert_eq!(seen.last(), Some(&at(1, 0, Some(3))));
        assert!(seen[..seen.len() - 1].iter().all(|progress| progress.cut.is_none()), "{seen:?}");
        assert!(seen.iter().any(|progress| progress.requests >= 3));
    }
}
