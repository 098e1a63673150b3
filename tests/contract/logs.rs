//! Logs.

use futures_util::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use once_app::engine::{EngineError, LogLine, LogQuery};

use crate::ground::{GRACE, Ground};

async fn all(on: &Ground<'_>, container: &str, query: LogQuery) -> Vec<LogLine> {
    on.engine.logs(container, query).try_collect().await.unwrap()
}

fn texts(lines: &[LogLine]) -> Vec<&str> {
    lines.iter().map(|line| line.text.as_str()).collect()
}

pub async fn lines_come_in_order_with_their_stream_and_time(on: Ground<'_>) {
    let before = Timestamp::now();
    let id = on.ended("a", "say one two three").await;
    let lines = all(&on, &id, LogQuery::default()).await;
    assert_eq!(texts(&lines), ["one", "two", "three"]);
    for line in &lines {
        let age = line.at.unwrap().duration_since(before);
        assert!(!line.stderr && age.as_secs().abs() < 60, "{line:?}");
    }
    let id = on.ended("b", "say 2:oh").await;
    let lines = all(&on, &id, LogQuery::default()).await;
    assert_eq!((texts(&lines).as_slice(), lines[0].stderr), (["oh"].as_slice(), true));
}

pub async fn the_tail_is_the_end(on: Ground<'_>) {
    let id = on.ended("a", "say one two three").await;
    assert_eq!(texts(&all(&on, &id, LogQuery { tail: Some(2), ..LogQuery::default() }).await), ["two", "three"]);
    assert!(all(&on, &id, LogQuery { tail: Some(0), ..LogQuery::default() }).await.is_empty());
}

pub async fn since_leaves_out_what_was_before(on: Ground<'_>) {
    let id = on.ended("a", "say early").await;
    let early = all(&on, &id, LogQuery::default()).await[0].at.unwrap();
    let after = early + jiff::SignedDuration::from_nanos(1);
    assert_eq!(all(&on, &id, LogQuery { since: Some(after), ..LogQuery::default() }).await, []);
    assert_eq!(all(&on, &id, LogQuery { since: Some(early), ..LogQuery::default() }).await.len(), 1);
}

pub async fn a_followed_log_goes_on_and_ends_with_its_container(on: Ground<'_>) {
    let id = on.started("a", "tick").await;
    let mut lines = on.engine.logs(&id, LogQuery { follow: true, ..LogQuery::default() });
    for number in 0..5 {
        assert_eq!(lines.next().await.unwrap().unwrap().text, format!("tick {number}"));
    }
    on.engine.stop(&id, GRACE).await.unwrap();
    while let Some(line) = lines.next().await {
        assert!(line.unwrap().text.starts_with("tick "));
    }
}

pub async fn a_long_line_stays_one(on: Ground<'_>) {
    let id = on.ended("a", "long 50000").await;
    let lines = all(&on, &id, LogQuery::default()).await;
    assert_eq!(lines.iter().map(|line| line.text.len()).collect::<Vec<_>>(), [50_000]);
}

pub async fn an_absent_container_has_no_log(on: Ground<'_>) {
    let found: Result<Vec<_>, _> = on.engine.logs(&on.name("nobody"), LogQuery::default()).try_collect().await;
    let error = found.unwrap_err();
    assert!(matches!(error, EngineError::Absent { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("the engine has no container {}", on.name("nobody")));
}
