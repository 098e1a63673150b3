//! The proxy's access log, one app's lines of it, for people.

use serde::Deserialize;

use once_app::AppName;
use once_app::engine::LogLine;

use super::super::format;

/// The fields that are shown; the log has more.
#[derive(Deserialize)]
struct Entry {
    service: String,
    method: String,
    path: String,
    status: u16,
    /// Nanoseconds.
    duration: u64,
    resp_content_length: u64,
    remote_addr: String,
    #[serde(default)]
    release: Option<u64>,
}

/// A line of this app as `200  GET /orders  12ms  4K  10.0.0.7`; `None`: another app's, or no request.
pub(super) fn readable(line: &LogLine, app: &AppName) -> Option<LogLine> {
    let entry: Entry = serde_json::from_str(&line.text).ok()?;
    if entry.service != app.as_str() {
        return None;
    }
    // Bad answers are marked as errors are in any log, so that they get the colour of those.
    let level = match entry.status {
        500.. => "ERROR ",
        400.. => "WARN ",
        _ => "",
    };
    let release = entry.release.map(|n| format!("  release {n}")).unwrap_or_default();
    let text = format!(
        "{level}{} {} {}  {}  {}  {}{release}",
        entry.status,
        entry.method,
        entry.path,
        format::millis(entry.duration as f64 / 1e6),
        format::bytes(entry.resp_content_length),
        entry.remote_addr,
    );
    Some(LogLine { at: line.at, stderr: false, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_app_are_made_readable_and_others_left_out() {
        let line = |text: &str| LogLine { at: None, stderr: false, text: text.into() };
        let own = r#"{"time":"x","level":"INFO","msg":"Request","host":"shop","port":80,"path":"/a","status":500,
            "service":"shop","target":"t","release":13,"duration":12000000,"method":"GET","resp_content_length":4096,
            "remote_addr":"10.0.0.7"}"#;
        let app: AppName = "shop".parse().unwrap();
        assert_eq!(readable(&line(own), &app).unwrap().text, "ERROR 500 GET /a  12ms  4K  10.0.0.7  release 13");
        assert!(readable(&line(own), &"blog".parse().unwrap()).is_none());
        assert!(readable(&line("not json"), &app).is_none());
    }
}
