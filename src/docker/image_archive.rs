//! An image FROM scratch with one file in it, in the format of `docker save`. The same input gives the same bytes, so
//! that the same binary is the same image wherever it is made.

use std::fs::File;
use std::io::{self, Cursor, Read, Write};
use std::path::Path;

use serde_json::json;
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

use super::address::hex;
use once_app::engine::OwnImage;

/// The unit of the tar format.
const BLOCK: u64 = 512;
const END: [u8; 1024] = [0; 1024];

/// A recipe for the archive; the binary is read twice, never held.
pub(super) struct Archive<'a> {
    pub image: &'a OwnImage,
    pub binary: &'a Path,
    /// As Go spells it.
    pub arch: &'a str,
}

impl Archive<'_> {
    /// Writes the whole archive.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        let (layer_size, layer_digest) = measure(self.layer()?)?;
        let layer_name = format!("{layer_digest}.tar");
        let config = self.config(&layer_digest).to_string();
        let config_name = format!("{}.json", hex(&Sha256::digest(&config)));
        let manifest =
            json!([{ "Config": config_name, "RepoTags": [self.image.tag], "Layers": [layer_name] }]).to_string();
        for (name, text) in [(&config_name, config.as_bytes()), (&"manifest.json".to_owned(), manifest.as_bytes())] {
            out.write_all(&header(name, text.len() as u64, EntryType::Regular, 0o644, 0)?)?;
            out.write_all(text)?;
            out.write_all(&padding(text.len() as u64))?;
        }
        out.write_all(&header(&layer_name, layer_size, EntryType::Regular, 0o644, 0)?)?;
        io::copy(&mut self.layer()?, &mut out)?;
        out.write_all(&padding(layer_size))?;
        out.write_all(&END)?;
        out.flush()
    }

    fn layer(&self) -> io::Result<impl Read> {
        let file = File::open(self.binary)?;
        let size = file.metadata()?.len();
        let mut head = Vec::new();
        let owner = self.image.user.unwrap_or(0);
        for directory in &self.image.directories {
            let name = format!("{}/", directory.trim_matches('/'));
            head.extend(header(&name, 0, EntryType::Directory, 0o755, owner)?);
        }
        head.extend(header("once", size, EntryType::Regular, 0o755, 0)?);
        let tail = [padding(size).as_slice(), &END].concat();
        Ok(Cursor::new(head).chain(file.take(size)).chain(Cursor::new(tail)))
    }

    fn config(&self, layer_digest: &str) -> serde_json::Value {
        let image = self.image;
        let exposed: serde_json::Map<_, _> =
            image.exposed.iter().map(|port| (format!("{port}/tcp"), json!({}))).collect();
        let env: Vec<_> = image.env.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let volumes: serde_json::Map<_, _> = image.volumes.iter().map(|path| (path.clone(), json!({}))).collect();
        json!({
            "architecture": self.arch,
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {
                "Entrypoint": ["/once"],
                "Cmd": image.args,
                "Env": env,
                "Labels": image.labels,
                "ExposedPorts": exposed,
                "User": image.user.map(|user| format!("{user}:{user}")).unwrap_or_default(),
                "WorkingDir": "/",
                "Volumes": volumes,
            },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer_digest}")] },
            "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "once" }],
        })
    }
}

fn header(name: &str, size: u64, kind: EntryType, mode: u32, owner: u32) -> io::Result<[u8; BLOCK as usize]> {
    let mut header = Header::new_ustar();
    header.set_path(name)?;
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(owner.into());
    header.set_gid(owner.into());
    header.set_mtime(0);
    header.set_cksum();
    Ok(*header.as_bytes())
}

fn padding(size: u64) -> Vec<u8> {
    let surplus = size % BLOCK;
    let missing = if surplus == 0 { 0 } else { BLOCK - surplus };
    vec![0; usize::try_from(missing).unwrap_or_default()]
}

fn measure(mut source: impl Read) -> io::Result<(u64, String)> {
    let mut sum = Sha256::new();
    let size = copy_into(&mut source, |bytes| sum.update(bytes))?;
    Ok((size, hex(&sum.finalize())))
}

/// The SHA-256 of a file, in hex.
pub(super) fn hash(path: &Path) -> io::Result<String> {
    let mut sum = Sha256::new();
    copy_into(&mut File::open(path)?, |bytes| sum.update(bytes))?;
    Ok(hex(&sum.finalize()))
}

fn copy_into(source: &mut impl Read, mut sink: impl FnMut(&[u8])) -> io::Result<u64> {
    let mut buffer = vec![0; 256 * 1024];
    let mut total = 0;
    loop {
        match source.read(&mut buffer)? {
            0 => return Ok(total),
            count => {
                sink(&buffer[..count]);
                total += count as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn image() -> OwnImage {
        OwnImage {
            tag: "once-proxy:abc".into(),
            args: vec!["proxy".into(), "run".into()],
            env: vec![("A".into(), "b".into())],
            labels: BTreeMap::from([("once.role".into(), "proxy".into())]),
            exposed: vec![80],
            directories: vec!["/var/lib/once".into()],
            user: Some(65532),
            volumes: vec![],
        }
    }

    fn archive(image: &OwnImage, content: &[u8]) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let mut bytes = Vec::new();
        Archive { image, binary: file.path(), arch: "amd64" }.write(&mut bytes).unwrap();
        bytes
    }

    fn entries(bytes: &[u8]) -> BTreeMap<String, (Vec<u8>, Header)> {
        tar::Archive::new(bytes)
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                (entry.path().unwrap().display().to_string(), (content, entry.header().clone()))
            })
            .collect()
    }

    #[test]
    fn names_agree_with_contents() {
        let outer = entries(&archive(&image(), b"binary"));
        let manifest: serde_json::Value = serde_json::from_slice(&outer["manifest.json"].0).unwrap();
        assert_eq!(manifest[0]["RepoTags"][0], "once-proxy:abc");
        let config_name = manifest[0]["Config"].as_str().unwrap();
        let layer_name = manifest[0]["Layers"][0].as_str().unwrap();
        assert_eq!(config_name, format!("{}.json", hex(&Sha256::digest(&outer[config_name].0))));
        let config: serde_json::Value = serde_json::from_slice(&outer[config_name].0).unwrap();
        let layer_digest = hex(&Sha256::digest(&outer[layer_name].0));
        assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{layer_digest}"));
        assert_eq!(config["config"]["Entrypoint"][0], "/once");
        assert_eq!(config["config"]["User"], "65532:65532");
    }

    #[test]
    fn the_layer_holds_the_binary_and_owned_directories() {
        let outer = entries(&archive(&image(), b"binary"));
        let (layer, _) = outer.iter().find_map(|(name, entry)| name.ends_with(".tar").then_some(entry)).unwrap();
        let inner = entries(layer);
        let (content, header) = &inner["once"];
        assert_eq!((content.as_slice(), header.mode().unwrap(), header.uid().unwrap()), (&b"binary"[..], 0o755, 0));
        assert_eq!(inner["var/lib/once/"].1.uid().unwrap(), 65532);
    }

    #[test]
    fn the_same_input_gives_the_same_bytes() {
        assert_eq!(archive(&image(), b"binary"), archive(&image(), b"binary"));
        assert_ne!(archive(&image(), b"binary"), archive(&image(), b"other binary"));
        for length in [0, 1, 511, 512, 513] {
            assert_eq!(archive(&image(), &vec![7; length]).len() % 512, 0);
        }
    }
}
