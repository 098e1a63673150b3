//! What visitors of an app get that does not serve on purpose: stopped, or under maintenance.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};

use super::pages;
use once_app::{Notice, RouteState};

const TITLE: &str = "Closed for now";
const STOPPED: &str = "This app has been stopped. Please come back later.";
const MAINTENANCE: &str = "This app is being worked on. Please come back in a moment.";

/// Stands in an own page where the message goes.
const PLACE: &str = "{message}";

/// Headers and body of the 503.
pub(in crate::plane) fn answer(state: &RouteState, json: bool) -> (HeaderMap, Bytes) {
    let (text, page) = match state {
        RouteState::Maintenance(Notice { message, page }) => {
            (message.as_deref().unwrap_or(MAINTENANCE), page.as_deref())
        }
        _ => (STOPPED, None),
    };
    let (kind, body) = match page {
        _ if json => ("application/json", document(text)),
        Some(page) => ("text/html; charset=utf-8", page.replace(PLACE, &escaped(text))),
        None => ("text/html; charset=utf-8", pages::html("503", TITLE, &escaped(text))),
    };
    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(RETRY_AFTER, HeaderValue::from_static("60"));
    (headers, body.into())
}

/// Whether a client would rather have JSON than HTML: a program, as a rule.
pub(in crate::plane) fn wants_json(accept: Option<&HeaderValue>) -> bool {
    let Some(accept) = accept.and_then(|value| value.to_str().ok()) else { return false };
    let mut json = false;
    for kind in accept.split(',').map(|range| range.split(';').next().unwrap_or_default().trim()) {
        if kind.eq_ignore_ascii_case("text/html") {
            return false;
        }
        json |= kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json");
    }
    json
}

fn document(text: &str) -> String {
    serde_json::json!({ "status": 503, "error": TITLE, "message": text }).to_string()
}

pub(in crate::plane) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_json() {
        for (accept, json) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/problem+json, */*", true),
            ("text/html, application/json", false),
            ("application/json, text/html;q=0.9", false),
            ("*/*", false),
            ("", false),
        ] {
            assert_eq!(wants_json(Some(&HeaderValue::from_static(accept))), json, "{accept}");
        }
        assert!(!wants_json(None));
    }

    #[test]
    fn a_message_is_text_and_an_own_page_is_not() {
        let notice = |page: Option<&str>| {
            RouteState::Maintenance(Notice { message: Some("<b> & \"'".into()), page: page.map(str::to_owned) })
        };
        let body = |state: &RouteState, json| String::from_utf8(answer(state, json).1.to_vec()).unwrap();
        assert!(body(&notice(None), false).contains("&lt;b&gt; &amp; &quot;&#39;"));
        assert_eq!(body(&notice(Some("<i>{message}</i>")), false), "<i>&lt;b&gt; &amp; &quot;&#39;</i>");
        let json: serde_json::Value = serde_json::from_str(&body(&notice(Some("<i>")), true)).unwrap();
        assert_eq!(json["message"], "<b> & \"'");
        assert!(body(&RouteState::Stopped, false).contains("has been stopped"));
    }
}
