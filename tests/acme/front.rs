//! What answers on the public ports: the real data plane.

use std::net::{SocketAddr, TcpListener};

use once_proxy::plane::{Plane, PlaneOptions};
use once_proxy::tls::Certificates;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Both ports, on one address.
pub struct Front {
    pub http: u16,
    pub https: u16,
    pub plane: Plane,
    _stop: DropGuard,
}

impl Front {
    pub fn open() -> Self {
        Self::new(true)
    }

    /// Without anybody on port 80.
    pub fn secure_only() -> Self {
        Self::new(false)
    }

    fn new(plain: bool) -> Self {
        let (http, https) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
        let ports = (http.local_addr().unwrap().port(), https.local_addr().unwrap().port());
        let plane = Plane::new(PlaneOptions { threads: 1, ..PlaneOptions::default() });
        let stop = CancellationToken::new();
        if plain {
            plane.serve(http, stop.clone()).unwrap();
        }
        plane.serve_tls(https, stop.clone()).unwrap();
        Self { http: ports.0, https: ports.1, plane, _stop: stop.drop_guard() }
    }

    pub fn certificates(&self) -> Certificates {
        self.plane.certificates().clone()
    }
}

/// Somebody else's server on another address of the same port, until the guard is dropped.
pub fn stranger(address: SocketAddr) -> (Plane, DropGuard) {
    let plane = Plane::new(PlaneOptions { threads: 1, ..PlaneOptions::default() });
    let stop = CancellationToken::new();
    plane.serve(bind(&address.to_string()), stop.clone()).unwrap();
    (plane, stop.drop_guard())
}

fn bind(address: &str) -> TcpListener {
    TcpListener::bind(address).unwrap()
}
