//! A name server that answers as it is told, for pebble; the issuer under test is given the same names directly.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use once_proxy::acme::Names;
use tokio::net::UdpSocket;
use tokio_util::task::AbortOnDropHandle;

/// Where names lead. Clones are the same.
#[derive(Clone, Default)]
pub struct Zone {
    names: Arc<Mutex<HashMap<String, Ipv4Addr>>>,
}

impl Zone {
    pub fn point(&self, name: &str, to: [u8; 4]) {
        self.names.lock().unwrap().insert(name.to_owned(), to.into());
    }

    fn find(&self, name: &str) -> Option<Ipv4Addr> {
        self.names.lock().unwrap().get(&name.to_ascii_lowercase()).copied()
    }

    /// Answers on a port of its own until dropped.
    pub async fn serve(&self) -> (SocketAddr, AbortOnDropHandle<()>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let zone = self.clone();
        let task = tokio::spawn(async move {
            let mut packet = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                if let Some(answer) = zone.answer(&packet[..length]) {
                    socket.send_to(&answer, from).await.unwrap();
                }
            }
        });
        (address, AbortOnDropHandle::new(task))
    }

    /// RFC 1035, as little of it as one question needs.
    fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let mut labels = Vec::new();
        let mut at = 12;
        while let length @ 1.. = usize::from(*query.get(at)?) {
            labels.push(String::from_utf8(query.get(at + 1..=at + length)?.to_vec()).ok()?);
            at += length + 1;
        }
        let question = query.get(12..at + 5)?;
        let kind = u16::from_be_bytes([*query.get(at + 1)?, *query.get(at + 2)?]);
        let found = self.find(&labels.join("."));
        let record = found.filter(|_| kind == 1);
        let mut answer = query.get(..2)?.to_vec();
        // An authoritative answer; without the name there is none (NXDOMAIN).
        answer.extend([
            0x85,
            if found.is_some() { 0x80 } else { 0x83 },
            0,
            1,
            0,
            u8::from(record.is_some()),
            0,
            0,
            0,
            0,
        ]);
        answer.extend(question);
        if let Some(address) = record {
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
            answer.extend(address.octets());
        }
        Some(answer)
    }
}

#[async_trait]
impl Names for Zone {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        match self.find(name) {
            Some(address) => Ok(vec![address.into()]),
            None => Err(io::Error::other("no such name")),
        }
    }
}
