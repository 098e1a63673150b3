//! `workers/` in the state directory: newer programs for the worker, each named by its SHA-256, and which of them serves.
//! Blocking.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The directory's name.
const DIR: &str = "workers";
/// Names the program that serves, and the one of the image it was put in place of.
const CURRENT: &str = "current";
/// What a program that is not complete ends in.
const PART: &str = "part";
/// No program is larger: the whole of it would have to fit beside the apps.
const LARGEST: u64 = 1 << 30;
const HEX_DIGITS: usize = 64;

/// The programs in one state directory.
#[derive(Debug, Clone)]
pub struct Binaries {
    dir: PathBuf,
}

/// A SHA-256 in lower-case hex, as it comes from outside.
fn is_hash(text: &str) -> bool {
    text.len() == HEX_DIGITS && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn checked(hash: &str) -> io::Result<&str> {
    if is_hash(hash) { Ok(hash) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "that is no SHA-256")) }
}

/// The SHA-256 of a file, in hex.
///
/// # Errors
/// It cannot be read.
pub fn hash_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let (mut sum, mut buffer) = (Sha256::new(), vec![0; 256 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => sum.update(&buffer[..read]),
        }
    }
}

impl Binaries {
    /// Of a state directory.
    #[must_use]
    pub fn of(state: &Path) -> Self {
        Self { dir: state.join(DIR) }
    }

    /// Where the program of this hash is, or would be.
    #[must_use]
    pub fn path(&self, hash: &str) -> PathBuf {
        self.dir.join(hash)
    }

    fn part(&self, hash: &str) -> PathBuf {
        self.dir.join(hash).with_extension(PART)
    }

    /// Puts a piece of a program in its place; a piece may come twice.
    ///
    /// # Errors
    /// The hash is none, the program too large, or the disk does not take it.
    pub fn put(&self, hash: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        checked(hash)?;
        if offset.saturating_add(bytes.len() as u64) > LARGEST {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "that is no program of ours"));
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let path = self.part(hash);
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o700).open(path)?;
        if offset == 0 {
            file.set_len(0)?;
        }
        file.write_all_at(bytes, offset)
    }

    /// Makes what was put a program that may be run; false: its bytes are others than its name says, and it is gone.
    ///
    /// # Errors
    /// The disk's.
    pub fn complete(&self, hash: &str) -> io::Result<bool> {
        let part = self.part(checked(hash)?);
        if hash_of(&part)? != hash {
            fs::remove_file(&part)?;
            return Ok(false);
        }
        File::open(&part)?.sync_all()?;
        fs::rename(&part, self.path(hash))?;
        File::open(&self.dir)?.sync_all()?;
        Ok(true)
    }

    /// The program of this hash, after another look at its bytes.
    ///
    /// # Errors
    /// There is none, or it is not what its name says.
    pub fn verified(&self, hash: &str) -> io::Result<PathBuf> {
        let path = self.path(checked(hash)?);
        match hash_of(&path)? {
            found if found == hash => Ok(path),
            found => Err(io::Error::new(io::ErrorKind::InvalidData, format!("its SHA-256 is {found}"))),
        }
    }

    /// The program that was last put in charge over the image's own, whose hash is asked for only if there is one. `None`:
    /// the image's own serves, as it does after the container was made anew from another image.
    ///
    /// # Errors
    /// The disk's, or there is no own hash.
    pub fn current(&self, own: impl FnOnce() -> io::Result<String>) -> io::Result<Option<String>> {
        let text = match fs::read_to_string(self.dir.join(CURRENT)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        let mut words = text.split_whitespace();
        Ok(match (words.next(), words.next()) {
            (Some(hash), Some(base)) if is_hash(hash) && base == own()? => Some(hash.to_owned()),
            _ => None,
        })
    }

    /// Puts a program in charge, also for the next start.
    ///
    /// # Errors
    /// The disk's; the one before is still in charge.
    pub fn put_in_charge(&self, hash: &str, own: &str) -> io::Result<()> {
        let path = self.dir.join(CURRENT);
        let new = path.with_extension("tmp");
        let mut file = File::create(&new)?;
        file.write_all(format!("{hash} {own}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(new, path)?;
        File::open(&self.dir)?.sync_all()
    }

    /// Whether there has ever been a program.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.dir.exists()
    }

    /// Removes all programs but one, complete or not. Those that run go on.
    ///
    /// # Errors
    /// The disk's.
    pub fn keep_only(&self, hash: Option<&str>) -> io::Result<()> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let is_program = is_hash(name.strip_suffix(&format!(".{PART}")).unwrap_or(&name));
            if is_program && Some(name.as_str()) != hash {
                fs::remove_file(self.dir.join(&name))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(bytes: &[u8]) -> String {
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_program_is_what_its_name_says_or_gone() {
        let dir = tempfile::tempdir().unwrap();
        let binaries = Binaries::of(dir.path());
        let good = hash(b"program");
        // A piece that is sent twice, and one that an earlier try left behind.
        for (offset, bytes) in [(0, &b"rubbish, longer"[..]), (0, b"pro"), (3, b"gram"), (3, b"gram")] {
            binaries.put(&good, offset, bytes).unwrap();
        }
        assert!(binaries.complete(&good).unwrap());
        assert_eq!(fs::read(binaries.verified(&good).unwrap()).unwrap(), b"program");

        let bad = hash(b"another");
        binaries.put(&bad, 0, b"anither").unwrap();
        assert!(!binaries.complete(&bad).unwrap());
        assert!(binaries.verified(&bad).is_err());

        fs::write(binaries.path(&good), b"tampered").unwrap();
        assert_eq!(binaries.verified(&good).unwrap_err().kind(), io::ErrorKind::InvalidData);
        for not_a_hash in ["", "../../etc/passwd", &good[1..], &good.to_uppercase()] {
            assert!(binaries.put(not_a_hash, 0, b"x").is_err());
            assert!(binaries.verified(not_a_hash).is_err());
        }
        assert!(binaries.put(&good, LARGEST, b"x").is_err());
    }

    #[test]
    fn the_one_in_charge_is_of_this_image() {
        let dir = tempfile::tempdir().unwrap();
        let binaries = Binaries::of(dir.path());
        let (one, two) = (hash(b"one"), hash(b"two"));
        let current = |own: &str| binaries.current(|| Ok(own.to_owned())).unwrap();
        assert_eq!(current("own"), None);
        for bytes in [b"one", b"two"] {
            binaries.put(&hash(bytes), 0, bytes).unwrap();
            binaries.complete(&hash(bytes)).unwrap();
        }
        binaries.put(&hash(b"half"), 0, b"ha").unwrap();
        binaries.put_in_charge(&one, "own").unwrap();
        binaries.put_in_charge(&two, "own").unwrap();
        assert_eq!(current("own"), Some(two.clone()));
        assert_eq!(current("another image's"), None);
        binaries.keep_only(Some(&two)).unwrap();
        let mut left: Vec<_> = fs::read_dir(dir.path().join(DIR)).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        let mut wanted = vec![std::ffi::OsString::from(CURRENT), two.into()];
        wanted.sort();
        assert_eq!(left, wanted);
        fs::write(dir.path().join(DIR).join(CURRENT), "torn").unwrap();
        assert_eq!(current("own"), None);
    }
}
