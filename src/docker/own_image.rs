//! Images made of this binary alone.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use bollard::query_parameters::ImportImageOptionsBuilder;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::call::{Call, DEED};
use super::connect::Docker;
use super::image_archive::{self, Archive};
use once_app::engine::{EngineError, OwnImage};

type Result<T> = std::result::Result<T, EngineError>;

/// Long enough that two binaries never meet, short enough for a tag people read.
const HASH_DIGITS: usize = 12;

/// Pieces of the archive on their way to the engine.
const PIECE: usize = 256 * 1024;
const PIECES_AHEAD: usize = 4;

/// How often an image is sent. When somebody removes another image of the same content while one is loaded, the engine
/// takes the new one away with it (seen with Docker 20.10).
const LOADS: usize = 3;

impl Docker {
    pub(super) async fn binary_hash(&self) -> Result<String> {
        let mut hash = self.binary_digest().await?;
        hash.truncate(HASH_DIGITS);
        Ok(hash)
    }

    pub(super) async fn binary_digest(&self) -> Result<String> {
        let hash = self.own_hash.get_or_try_init(|| async {
            let binary = self.binary.clone();
            apart(move || image_archive::hash(&binary)).await.map_err(|cause| unreadable(&cause))
        });
        Ok(hash.await?.clone())
    }

    pub(super) async fn binary_bytes(&self, offset: u64, most: usize) -> Result<Vec<u8>> {
        let binary = self.binary.clone();
        let read = apart(move || {
            let mut file = File::open(binary)?;
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = Vec::with_capacity(most);
            file.take(most as u64).read_to_end(&mut bytes)?;
            Ok(bytes)
        });
        read.await.map_err(|cause| unreadable(&cause))
    }

    pub(super) async fn check_platform(&self) -> Result<()> {
        let info = self.about().await?;
        let ours = go_arch(std::env::consts::ARCH);
        if info.os == "linux" && info.arch == ours {
            return Ok(());
        }
        Err(EngineError::Unsupported {
            message: format!("this binary is made for linux/{ours}, the engine runs {}/{}", info.os, info.arch),
        })
    }

    pub(super) async fn load_binary(&self, image: &OwnImage) -> Result<()> {
        self.check_platform().await?;
        let ours = go_arch(std::env::consts::ARCH);
        if self.image_named(&image.tag).await?.is_some() {
            return Ok(());
        }
        let call = Call::new("load", format!("image {}", image.tag));
        for _ in 0..LOADS {
            self.send_binary(image, ours, &call).await?;
            if self.image_named(&image.tag).await?.is_some() {
                return Ok(());
            }
        }
        Err(EngineError::Failed { what: call.what(), message: "it took it, but has no such image".into() })
    }

    async fn send_binary(&self, image: &OwnImage, arch: &'static str, call: &Call) -> Result<()> {
        let (pieces, failure) = self.archive(image.clone(), arch);
        let options = ImportImageOptionsBuilder::new().quiet(true).build();
        let mut answers = std::pin::pin!(self.client.api.import_image(options, bollard::body_try_stream(pieces), None));
        let loading = async {
            while let Some(answer) = answers.next().await {
                answer?;
            }
            Ok(())
        };
        let loaded = self.client.within(DEED, call.clone(), loading).await;
        // A binary that cannot be read reaches the engine as a broken upload; say which it was.
        if let Ok(Err(cause)) = failure.await {
            return Err(unreadable(&cause));
        }
        loaded
    }

    fn archive(
        &self,
        image: OwnImage,
        arch: &'static str,
    ) -> (ReceiverStream<io::Result<Bytes>>, tokio::task::JoinHandle<io::Result<()>>) {
        let binary: PathBuf = self.binary.clone();
        let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
        let writing = tokio::task::spawn_blocking(move || {
            let pieces = Pieces { sender: sender.clone() };
            let written =
                Archive { image: &image, binary: &binary, arch }.write(io::BufWriter::with_capacity(PIECE, pieces));
            match written {
                // The engine hung up: its own answer says why.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                Err(error) => {
                    let _ = sender.blocking_send(Err(io::Error::from(error.kind())));
                    Err(error)
                }
                Ok(()) => Ok(()),
            }
        });
        (ReceiverStream::new(receiver), writing)
    }
}

struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
}

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sender.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn apart<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn unreadable(cause: &io::Error) -> EngineError {
    EngineError::Failed { what: "read this binary".into(), message: cause.to_string() }
}

/// Rust and Go name processors differently.
pub(super) fn go_arch(rust: &'static str) -> &'static str {
    match rust {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}
