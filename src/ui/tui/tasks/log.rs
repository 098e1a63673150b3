//! The log on the screen: the lines that are there, then what comes, over swaps and restarts.

use std::sync::Arc;

use futures_util::StreamExt as _;
use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use once_app::engine::LogLine;
use once_app::{Installation, LogFilter, LogItem, LogOf, LogRequest as Wanted, read_log};

use super::super::format;
use super::super::model::LogSource;
use super::super::msg::{LogRequest, Msg};
use super::access;

/// Lines of a log that are shown at once when it is opened.
const TAIL: usize = 1_000;

/// Lines that come in as one message at most.
const LINES: usize = 500;

/// Reads until nobody looks any more, or the log ends.
pub(super) async fn follow(tx: mpsc::Sender<Msg>, at: Installation, request: LogRequest) {
    let LogRequest { generation, app, source } = request;
    let access = source == LogSource::Access;
    let of = match source {
        // The usual name is not always the proxy's.
        LogSource::Access => {
            let proxy = at.proxy_container().await.ok().flatten();
            LogOf::Container(proxy.map_or_else(|| at.namespace.proxy(), |container| container.name))
        }
        LogSource::App => LogOf::App(app.clone()),
        LogSource::Before => LogOf::Previous(app.clone()),
    };
    let of_app = app.clone();
    let filter: LogFilter = Arc::new(move |line: &LogLine| access::readable(line, &of_app).is_some());
    // Nobody writes to the log of a run that is over.
    let follow = source != LogSource::Before;
    let wanted = Wanted { follow, last: Some(TAIL), filter: access.then_some(filter), ..Wanted::all(of) };
    let mut items = read_log(at, wanted).ready_chunks(LINES);
    let mut problem = None;
    while let Some(chunk) = items.next().await {
        let mut lines = Vec::with_capacity(chunk.len());
        for item in chunk {
            match item {
                Ok(LogItem::Line { line, .. }) if access => lines.extend(access::readable(&line, &app)),
                Ok(LogItem::Line { line, .. }) => lines.push(line),
                Ok(LogItem::Break(between)) => {
                    let text = format!("── {between} · {} ──", format::second(between.at, &TimeZone::system()));
                    lines.push(LogLine { at: Some(between.at), stderr: false, text });
                }
                Ok(LogItem::Away(why)) => {
                    let text = format!("── {}; trying again ──", why.message);
                    lines.push(LogLine { at: None, stderr: false, text });
                }
                Err(why) => problem = Some(why),
            }
        }
        if !lines.is_empty() && tx.send(Msg::Log(generation, lines)).await.is_err() {
            return;
        }
    }
    let _ = tx.send(Msg::LogEnded(generation, problem)).await;
}
