//! `Expect: 100-continue`: it is for the app to say whether a body is sent (RFC 9110, 10.1.1).
//!
//! The client's server is told to go on when the body is first asked for, so the body is not asked for before the app has
//! said so itself. An answer that comes instead goes to the client with nothing of its body read.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::EXPECT;
use http::{HeaderValue, Request, StatusCode, Version};
use hyper::body::Body;
use tokio_util::sync::CancellationToken;

const GO_ON: &str = "100-continue";

/// What a body waits for. Nobody ever locks it: requests are lent out, which asks for `Sync`.
pub(in crate::plane) struct GoAhead(Mutex<Pin<Box<dyn Future<Output = ()> + Send>>>);

/// Whether the client waits to be told. Over HTTP/2 it cannot be told here, and goes on by itself after a while.
pub(in crate::plane) fn is_awaited<B: Body>(request: &Request<B>) -> bool {
    let asked =
        request.headers().get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(GO_ON.as_bytes()));
    asked && request.version() == Version::HTTP_11 && !request.body().is_end_stream()
}

impl GoAhead {
    /// Asks the app. `limit`: an app that says nothing for so long may know nothing of all this, and gets the body.
    pub(in crate::plane) fn ask<B>(request: &mut Request<B>, limit: Duration) -> Self {
        request.headers_mut().insert(EXPECT, HeaderValue::from_static(GO_ON));
        let said = CancellationToken::new();
        let say = said.clone();
        hyper::ext::on_informational(request, move |answer| {
            if answer.status() == StatusCode::CONTINUE {
                say.cancel();
            }
        });
        Self(Mutex::new(Box::pin(async move {
            let _ = tokio::time::timeout(limit, said.cancelled()).await;
        })))
    }

    pub(in crate::plane) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().poll(cx)
    }
}
