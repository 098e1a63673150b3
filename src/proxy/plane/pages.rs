//! What the proxy says by itself. Nothing here tells what else is hosted.

use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    BadRequest,
    MethodNotAllowed,
    RequestTooSlow,
    NoPath,
    NoHost,
    BadGateway,
    Stopped,
    TooManyHeld,
    HeldTooLong,
    NoAnswer,
    Forbidden,
    Unauthorized,
    TooMany,
    TooLarge,
    /// Not a page: the answer to a health check from outside while requests are held.
    Alive,
}

const TEMPLATE: &str = include_str!("../../../assets/pages/page.html");

static RENDERED: LazyLock<[(Bytes, HeaderValue); ALL.len()]> = LazyLock::new(|| ALL.map(render));

const ALL: [Page; 15] = [
    Page::BadRequest,
    Page::MethodNotAllowed,
    Page::RequestTooSlow,
    Page::NoPath,
    Page::NoHost,
    Page::BadGateway,
    Page::Stopped,
    Page::TooManyHeld,
    Page::HeldTooLong,
    Page::NoAnswer,
    Page::Forbidden,
    Page::Unauthorized,
    Page::TooMany,
    Page::TooLarge,
    Page::Alive,
];

impl Page {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NoPath => StatusCode::NOT_FOUND,
            Self::NoHost => StatusCode::MISDIRECTED_REQUEST,
            Self::BadGateway => StatusCode::BAD_GATEWAY,
            Self::Stopped | Self::TooManyHeld => StatusCode::SERVICE_UNAVAILABLE,
            Self::HeldTooLong | Self::NoAnswer => StatusCode::GATEWAY_TIMEOUT,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Alive => StatusCode::OK,
        }
    }

    /// Whether it counts as failed: 502, 503 and 504.
    pub(super) fn failed(self) -> bool {
        self.status().is_server_error()
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::BadRequest => ("Bad request", "This request cannot be understood."),
            Self::MethodNotAllowed => ("Method not allowed", "This is not a forward proxy."),
            Self::RequestTooSlow => ("The request took too long", "It did not arrive as a whole."),
            Self::NoPath => ("Not found", "There is nothing at this address."),
            Self::NoHost => ("Nothing here", "This server does not answer to this name."),
            Self::BadGateway => ("The app does not answer", "Please try again in a moment."),
            Self::Stopped => ("Closed for now", "This app has been stopped. Please come back later."),
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
            Self::TooManyHeld | Self::BadGateway | Self::HeldTooLong => Some(HeaderValue::from_static("1")),
            _ => None,
        }
    }

    pub(super) fn parts(self) -> (StatusCode, HeaderMap, Bytes) {
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

fn render(page: Page) -> (Bytes, HeaderValue) {
    let (title, text) = page.words();
    let html = if title.is_empty() {
        String::new()
    } else {
        TEMPLATE.replace("{status}", page.status().as_str()).replace("{title}", title).replace("{text}", text)
    };
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
