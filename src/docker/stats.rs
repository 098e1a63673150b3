//! What a container uses, as the engine measures it once a second.

use bollard::models::ContainerStatsResponse;
use bollard::query_parameters::StatsOptionsBuilder;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, future, stream};
use jiff::Timestamp;

use super::call::{Call, Client};
use super::inspect::instant;
use once_app::engine::{EngineError, Usage};

pub(super) fn usages(client: Client, container: &str) -> BoxStream<'static, Result<Usage, EngineError>> {
    let call = Call::new("measure", format!("container {container}"));
    let options = StatsOptionsBuilder::new().stream(true).build();
    let answers = client.api.stats(container, Some(options)).boxed();
    let about = Call::new("tell", "about itself");
    stream::once(async move {
        let info = client.ask(about, client.api.info()).await?;
        let meter = Meter { host_memory: info.mem_total.and_then(|bytes| bytes.try_into().ok()), last: None };
        let usages = answers
            .map_err(move |cause| client.explain(&call, cause))
            .scan(meter, |meter, answer| future::ready(Some(answer.map(|answer| meter.read(&answer)).transpose())));
        Ok::<_, EngineError>(usages.filter_map(future::ready))
    })
    .try_flatten()
    .boxed()
}

/// Turns counters into shares.
#[derive(Debug, Default)]
struct Meter {
    last: Option<(Timestamp, u64)>,
    /// What the engine reports as the limit where there is none.
    host_memory: Option<u64>,
}

impl Meter {
    /// `None` for the first answer: a share needs two.
    fn read(&mut self, answer: &ContainerStatsResponse) -> Option<Usage> {
        let Some(now) = instant(answer.read.as_deref()) else {
            // One that does not run is answered with nothing in it.
            self.last = None;
            return Some(Usage::default());
        };
        let total = answer.cpu_stats.as_ref()?.cpu_usage.as_ref()?.total_usage?;
        let (before, earlier) = self.last.replace((now, total))?;
        let nanoseconds = now.duration_since(before).as_nanos();
        if nanoseconds <= 0 {
            return None;
        }
        let (memory, limit) = memory(answer);
        let memory_limit = if self.host_memory.is_some_and(|all| limit >= all) { 0 } else { limit };
        Some(Usage { cpu: total.saturating_sub(earlier) as f64 / nanoseconds as f64, memory, memory_limit })
    }
}

fn memory(answer: &ContainerStatsResponse) -> (u64, u64) {
    let Some(memory) = &answer.memory_stats else { return (0, 0) };
    let stat = |key| memory.stats.as_ref().and_then(|stats| stats.get(key)).copied();
    // Cgroup v1 counts the whole tree under `total_…`; v2 has only `inactive_file`.
    let cache = stat("total_inactive_file").or_else(|| stat("inactive_file")).unwrap_or(0);
    (memory.usage.unwrap_or(0).saturating_sub(cache), memory.limit.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> ContainerStatsResponse {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_share_is_the_difference_of_two_answers() {
        let mut meter = Meter { host_memory: Some(6000), last: None };
        let first = answer(
            r#"{"read":"2026-08-01T10:00:00Z","cpu_stats":{"cpu_usage":{"total_usage":1000000000}},"memory_stats":{}}"#,
        );
        assert_eq!(meter.read(&first), None);
        let second = answer(
            r#"{"read":"2026-08-01T10:00:02Z","cpu_stats":{"cpu_usage":{"total_usage":4000000000}},
               "memory_stats":{"usage":1000,"limit":5000,"stats":{"total_inactive_file":300,"inactive_file":200}}}"#,
        );
        let usage = Usage { cpu: 1.5, memory: 700, memory_limit: 5000 };
        assert_eq!(meter.read(&second), Some(usage));
        let unlimited = Usage { memory_limit: 0, ..usage };
        let last = instant(first.read.as_deref()).map(|at| (at, 1_000_000_000));
        assert_eq!(Meter { host_memory: Some(5000), last }.read(&second), Some(unlimited));
    }

    #[test]
    fn the_second_cgroup_version_names_its_cache_otherwise() {
        let found = answer(r#"{"memory_stats":{"usage":1000,"limit":5000,"stats":{"inactive_file":200,"file":900}}}"#);
        assert_eq!(memory(&found), (800, 5000));
    }

    #[test]
    fn one_that_does_not_run_uses_nothing() {
        let stopped = answer(r#"{"read":"0001-01-01T00:00:00Z","cpu_stats":{"cpu_usage":{"total_usage":0}}}"#);
        assert_eq!(Meter::default().read(&stopped), Some(Usage::default()));
    }
}
