//! A log of the fake, read on.

use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use once_app::engine::{EngineError, LogLine, LogQuery};

use super::FakeEngine;
use super::state::Phase;

type Result<T> = std::result::Result<T, EngineError>;

/// The lines from the given one on.
pub fn follow(engine: FakeEngine, id: String, first: usize, query: &LogQuery) -> BoxStream<'static, Result<LogLine>> {
    let follows = query.follow;
    let since = query.since.unwrap_or(Timestamp::MIN);
    let lines = stream::unfold(first, move |next| {
        let (engine, id) = (engine.clone(), id.clone());
        async move {
            let line = engine
                .until(|state| match state.containers.get(&id) {
                    None => Some(None),
                    Some(held) => match held.log.get(next) {
                        Some(line) => Some(Some(line.clone())),
                        None if follows && matches!(held.phase, Phase::Running | Phase::Restarting) => None,
                        None => Some(None),
                    },
                })
                .await;
            line.map(|line| (line, next + 1))
        }
    });
    lines.filter(move |line| std::future::ready(line.at.is_none_or(|at| at >= since))).map(Ok).boxed()
}
