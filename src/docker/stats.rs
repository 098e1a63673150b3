//! What a container uses, as the engine measures it once a second.

use bollard::models::ContainerStatsResponse;
use bollard::query_parameters::StatsOptionsBuilder;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use super::call::{Call, Client};
use super::inspect::instant;
use crate::app::engine::{EngineError, Usage};

pub(super) fn usages(client: Client, container: &str) -> BoxStream<'static, Result<Usage, EngineError>> {
    let call = Call::new("measure", format!("container {container}"));
    let options = StatsOptionsBuilder::new().stream(true).build();
    let answers = client.api.stats(container, Some(options)).boxed();
    stream::unfold((answers, Meter::default(), false), move |(mut answers, mut meter, ended)| {
        let (client, call) = (client.clone(), call.clone());
        async move {
            if ended {
                return None;
            }
            loop {
                match answers.next().await? {
                    Ok(answer) => {
                        if let Some(usage) = meter.read(&answer) {
                            return Some((Ok(usage), (answers, meter, false)));
                        }
                    }
                    Err(cause) => return Some((Err(client.explain(&call, cause)), (answers, meter, true))),
                }
            }
        }
    })
    .boxed()
}

/// Turns counters into shares.
#[derive(Debug, Default)]
struct Meter {
    last: Option<(Timestamp, u64)>,
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
        let (memory, memory_limit) = memory(answer);
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
        let mut meter = Meter::default();
        let first = answer(
            r#"{"read":"2026-08-01T10:00:00Z","cpu_stats":{"cpu_usage":{"total_usage":1000000000}},"memory_stats":{}}"#,
        );
        assert_eq!(meter.read(&first), None);
        let second = answer(
            r#"{"read":"2026-08-01T10:00:02Z","cpu_stats":{"cpu_usage":{"total_usage":4000000000}},
               "memory_stats":{"usage":1000,"limit":5000,"stats":{"total_inactive_file":300,"inactive_file":200}}}"#,
        );
        assert_eq!(meter.read(&second), Some(Usage { cpu: 1.5, memory: 700, memory_limit: 5000 }));
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
