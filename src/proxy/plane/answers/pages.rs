//! What the proxy says by itself. Nothing here tells what else is hosted.

use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plane) enum Page {
    BadRequest,
    MethodNotAllowed,
    RequestTooSlow,
    TargetTooLong,
    HeadTooLarge,
    NotImplemented,
    NoPath,
    NoHost,
    BadGateway,
    Stopped,
    TooManyHeld,
    HeldTooLong,
    NoAnswer,
    Paused,
    Forbidden,
    Unauthorized,
    TooMany,
    TooLarge,
    /// Not a page: the answer to a health check from outside while requests are held.
    Alive,
}

const TEMPLATE: &str = include_str!("../../../../assets/pages/page.html");

static RENDERED: LazyLock<[(Bytes, HeaderValue); ALL.len()]> = LazyLock::new(|| ALL.map(render));

const ALL: [Page; 19] = [
    Page::BadRequest,
    Page::MethodNotAllowed,
    Page::RequestTooSlow,
    Page::TargetTooLong,
    Page::HeadTooLarge,
    Page::NotImplemented,
    Page::NoPath,
    Page::NoHost,
    Page::BadGateway,
    Page::Stopped,
    Page::TooManyHeld,
    Page::HeldTooLong,
    Page::NoAnswer,
    Page::Paused,
    Page::Forbidden,
    Page::Unauthorized,
    Page::TooMany,
    Page::TooLarge,
    Page::Alive,
];

impl Page {
    pub(in crate::plane) fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            Self::NoPath => StatusCode::NOT_FOUND,
            Self::NoHost => StatusCode::MISDIRECTED_REQUEST,
            Self::BadGateway => StatusCode::BAD_GATEWAY,
            Self::Stopped | Self::TooManyHeld | Self::Paused => StatusCode::SERVICE_UNAVAILABLE,
            Self::HeldTooLong | Self::NoAnswer => StatusCode::GATEWAY_TIMEOUT,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Alive => StatusCode::OK,
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::BadRequest => ("Bad request", "This request cannot be understood."),
            Self::MethodNotAllowed => ("Method not allowed", "This is not a forward proxy."),
            Self::RequestTooSlow => ("The request took too long", "It did not arrive as a whole."),
            Self::TargetTooLong => ("Address too long", "This address is longer than this server takes."),
            Self::HeadTooLarge => ("Request too large", "This request has more headers than this server takes."),
            Self::NotImplemented => ("Not implemented", "This request is coded in a way this server does not know."),
            Self::NoPath => ("Not found", "There is nothing at this address."),
            Self::NoHost => ("Nothing here", "This server does not answer to this name."),
            Self::BadGateway => ("The app does not answer", "Please try again in a moment."),
            Self::Stopped => ("Closed for now", "This app has been stopped. Please come back later."),
            Self::Paused => ("Back in a moment", "This app is paused. Please try again."),
            Self::TooManyHeld => ("Too busy", "Please try again in a moment."),
            Self::HeldTooLong | Self::NoAnswer => ("The app took too long", "Please try again in a moment."),
            Self::Forbidden => ("Not from here", "This app is not open to your address."),
            Self::Unauthorized => ("Password needed", "This app is only for people who have one."),
            Self::TooMany => ("Too many requests", "Please wait a moment."),
            Self::TooLarge => ("Too large", "The app does not take as much as that."),
            Self::Alive => ("", ""),
        }
    }

    fn retry_after(self) -> Option<HeaderValue> {
        match self {
            Self::Stopped => Some(HeaderValue::from_static("60")),
            Self::Paused => Some(HeaderValue::from_static("10")),
            Self::TooManyHeld | Self::BadGateway | Self::HeldTooLong => Some(HeaderValue::from_static("1")),
            _ => None,
        }
    }

    pub(in crate::plane) fn parts(self) -> (StatusCode, HeaderMap, Bytes) {
        let (body, length) = RENDERED[self as usize].clone();
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_LENGTH, length);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(after) = self.retry_after() {
            headers.insert(RETRY_AFTER, after);
        }
        (self.status(), headers, body)
    }
}

/// A page in the proxy's own looks; all three are HTML.
pub(in crate::plane) fn html(status: &str, title: &str, text: &str) -> String {
    // The text last: what looks like a place in it is none.
    TEMPLATE.replace("{status}", status).replace("{title}", title).replace("{text}", text)
}

fn render(page: Page) -> (Bytes, HeaderValue) {
    let (title, text) = page.words();
    let html = if title.is_empty() { String::new() } else { html(page.status().as_str(), title, text) };
    let length = HeaderValue::from(html.len());
    (Bytes::from(html), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_rendered_at_its_place() {
        for (i, page) in ALL.into_iter().enumerate() {
            assert_eq!(page as usize, i);
            let (status, headers, body) = page.parts();
            assert_eq!(headers[CONTENT_LENGTH], body.len().to_string());
            let html = String::from_utf8(body.to_vec()).unwrap();
            assert!(page == Page::Alive || html.contains(status.as_str()));
            assert!(!html.contains("{t") && !html.contains("{s"), "{html}");
        }
    }
}
