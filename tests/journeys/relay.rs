//! Ways to the engine that are counted, or lead over TCP.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Where the engine of these tests listens.
const ENGINE: &str = "/var/run/docker.sock";

/// A socket of its own that leads to the engine; counts what is asked of it.
pub struct Relay {
    /// As `DOCKER_HOST` wants it.
    pub address: String,
    asked: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
    wake: Box<dyn Fn() + Send>,
    _directory: Option<tempfile::TempDir>,
}

impl Relay {
    pub fn unix() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("engine.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let (asked, ended) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, end) = (Arc::clone(&asked), Arc::clone(&ended));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let back = client.try_clone().unwrap();
                let shut = client.try_clone().unwrap();
                carry(client, back, move || drop(shut.shutdown(Shutdown::Write)), Arc::clone(&count));
            }
        });
        let address = format!("unix://{}", path.display());
        let wake = Box::new(move || drop(UnixStream::connect(&path)));
        Self { address, asked, ended, wake, _directory: Some(directory) }
    }

    pub fn tcp() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap();
        let (asked, ended) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, end) = (Arc::clone(&asked), Arc::clone(&ended));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                client.set_nodelay(true).unwrap();
                let back = client.try_clone().unwrap();
                let shut = client.try_clone().unwrap();
                carry(client, back, move || drop(shut.shutdown(Shutdown::Write)), Arc::clone(&count));
            }
        });
        let wake = Box::new(move || drop(std::net::TcpStream::connect(own)));
        Self { address: format!("tcp://{own}"), asked, ended, wake, _directory: None }
    }

    /// How many requests it carried since the last time it was asked.
    pub fn requests(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        (self.wake)();
    }
}

/// Both ways, each to its own end: an exec closes them one after the other.
fn carry(
    mut client: impl Read + Send + 'static,
    mut back: impl Write + Send + 'static,
    closed: impl FnOnce() + Send + 'static,
    asked: Arc<AtomicUsize>,
) {
    let mut engine = UnixStream::connect(ENGINE).unwrap();
    let mut answers = engine.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = client.read(&mut buffer) {
            // A head is sent in one piece; what an exec carries later holds no such line.
            let lines = buffer[..count].windows(11).filter(|w| *w == b" HTTP/1.1\r\n").count();
            asked.fetch_add(lines, Ordering::SeqCst);
            if engine.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = engine.shutdown(Shutdown::Write);
    });
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut back);
        closed();
    });
}
