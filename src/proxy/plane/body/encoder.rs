//! Compresses a body piece by piece. What has been put in comes out at the next flush, so streams keep flowing.

use async_compression::Level;
use async_compression::brotli::EncoderParams;
use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use async_compression::zstd::CParameter;
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::compress::Coding;

/// Windows of 256 KiB: a stream takes at most about 1 MiB of memory, however long it is.
const WINDOW: u8 = 18;

/// Their output is a vector, which takes everything at once: none of their futures ever waits.
pub(in crate::plane) enum Encoder {
    Zstd(ZstdEncoder<Vec<u8>>),
    Brotli(Box<BrotliEncoder<Vec<u8>>>),
    Gzip(GzipEncoder<Vec<u8>>),
}

/// The encoder refused its input; it never does.
#[derive(Debug, thiserror::Error)]
#[error("the answer could not be compressed")]
pub(in crate::plane) struct EncodeError;

impl Encoder {
    pub(in crate::plane) fn new(coding: Coding) -> Self {
        match coding {
            Coding::Zstd => {
                let window = CParameter::window_log(WINDOW.into());
                Self::Zstd(ZstdEncoder::with_quality_and_params(Vec::new(), Level::Precise(3), &[window]))
            }
            Coding::Brotli => {
                let params = EncoderParams::default().quality(Level::Precise(4)).window_size(WINDOW.into());
                Self::Brotli(Box::new(BrotliEncoder::with_params(Vec::new(), params)))
            }
            Coding::Gzip => Self::Gzip(GzipEncoder::with_quality(Vec::new(), Level::Precise(5))),
        }
    }

    /// Takes a piece; gives what is ready, which may be nothing.
    pub(in crate::plane) fn put(&mut self, data: &[u8]) -> Result<Bytes, EncodeError> {
        done(self.writer().write_all(data).now_or_never())?;
        Ok(self.take())
    }

    /// Gives everything that was put in so far.
    pub(in crate::plane) fn flush(&mut self) -> Result<Bytes, EncodeError> {
        done(self.writer().flush().now_or_never())?;
        Ok(self.take())
    }

    /// Gives the rest; nothing is put in afterwards.
    pub(in crate::plane) fn finish(&mut self) -> Result<Bytes, EncodeError> {
        done(self.writer().shutdown().now_or_never())?;
        Ok(self.take())
    }

    fn writer(&mut self) -> &mut (dyn AsyncWrite + Send + Unpin) {
        match self {
            Self::Zstd(encoder) => encoder,
            Self::Brotli(encoder) => encoder,
            Self::Gzip(encoder) => encoder,
        }
    }

    fn take(&mut self) -> Bytes {
        let out = match self {
            Self::Zstd(encoder) => encoder.get_mut(),
            Self::Brotli(encoder) => encoder.get_mut(),
            Self::Gzip(encoder) => encoder.get_mut(),
        };
        std::mem::take(out).into()
    }
}

fn done(result: Option<std::io::Result<()>>) -> Result<(), EncodeError> {
    result.and_then(Result::ok).ok_or(EncodeError)
}

#[cfg(test)]
mod tests {
    use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn decode(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        // What is there before the end is read too, so the error of an early end is no matter.
        let _ = match coding {
            Coding::Zstd => ZstdDecoder::new(bytes).read_to_end(&mut out).await,
            Coding::Brotli => BrotliDecoder::new(bytes).read_to_end(&mut out).await,
            Coding::Gzip => GzipDecoder::new(bytes).read_to_end(&mut out).await,
        };
        out
    }

    #[tokio::test]
    async fn comes_out_as_it_went_in() {
        let text = "the same words again and again, ".repeat(20_000);
        for coding in [Coding::Zstd, Coding::Brotli, Coding::Gzip] {
            let mut encoder = Encoder::new(coding);
            let mut out = Vec::new();
            for piece in text.as_bytes().chunks(7001) {
                out.extend_from_slice(&encoder.put(piece).unwrap());
            }
            out.extend_from_slice(&encoder.finish().unwrap());
            assert!(out.len() < text.len() / 20, "{coding:?}: {}", out.len());
            assert_eq!(decode(coding, &out).await, text.as_bytes(), "{coding:?}");
        }
    }

    #[tokio::test]
    async fn a_flush_brings_everything_out() {
        for coding in [Coding::Zstd, Coding::Brotli, Coding::Gzip] {
            let mut encoder = Encoder::new(coding);
            let mut out = encoder.put(b"first line\n").unwrap().to_vec();
            out.extend_from_slice(&encoder.flush().unwrap());
            assert_eq!(decode(coding, &out).await, b"first line\n", "{coding:?}");
            out.extend_from_slice(&encoder.put(b"second line\n").unwrap());
            out.extend_from_slice(&encoder.flush().unwrap());
            assert_eq!(decode(coding, &out).await, b"first line\nsecond line\n", "{coding:?}");
        }
    }
}
