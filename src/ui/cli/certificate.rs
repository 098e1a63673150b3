//! `--tls-cert` and `--tls-key`: files of this machine, read here and carried along with the job.

use std::io::Read as _;
use std::path::Path;

use once_app::{CertificatePair, Draft, Problem, Secret, Tls};

use super::args::SettingsArgs;

/// More than this is no certificate.
const MAX_BYTES: u64 = 1 << 20;

/// The certificate that was given, if one was; the app is then one with a certificate of its own.
pub(crate) fn read(args: &SettingsArgs, draft: &mut Draft) -> Result<Option<CertificatePair>, Problem> {
    let (Some(chain), Some(key)) = (&args.tls_cert, &args.tls_key) else { return Ok(None) };
    match draft.tls {
        None | Some(Tls::Custom) => draft.tls = Some(Tls::Custom),
        Some(other) => {
            let message = format!("`--tls-cert` and `--tls {other}` are at odds");
            return Err(Problem::rejected("unused-certificate", message).hint("`--tls custom` serves the certificate"));
        }
    }
    let chain = text("certificate", chain)?;
    let key = Secret::new(text("private key", key)?);
    Ok(Some(CertificatePair { chain, key }))
}

fn text(what: &str, path: &Path) -> Result<String, Problem> {
    let unreadable = |error: std::io::Error| {
        Problem::rejected("unreadable-file", format!("the {what} {} cannot be read", path.display())).because(&error)
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        let message = format!("the {what} {} is larger than 1 MiB", path.display());
        return Err(Problem::rejected("bad-certificate", message));
    }
    // The error would carry the bytes along.
    String::from_utf8(bytes).map_err(|_| {
        let message = format!("the {what} {} is not in PEM form", path.display());
        Problem::rejected("bad-certificate", message)
            .hint("`openssl x509 -inform der` or `openssl pkey -inform der` turn DER into PEM")
    })
}
