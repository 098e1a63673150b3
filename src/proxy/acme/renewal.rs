//! When the authority would like its certificates to be renewed (ARI, RFC 9773), where it says so: in particular at once,
//! where it has to revoke them.

use instant_acme::{CertificateIdentifier, Error};
use jiff::Timestamp;

use super::desk::Desk;
use crate::tls::Certificates;
use once_app::CertificateSource;

/// Asks for each name that has one of its certificates. It is a wish: what goes wrong changes nothing.
pub(super) async fn ask(desk: &Desk, certificates: &Certificates) {
    let names = desk.schedule(|schedule| schedule.wanted());
    let of_acme = |name: &once_app::Hostname| {
        let found = certificates.find(name.as_str());
        found.filter(|c| c.facts.source == CertificateSource::Acme)
    };
    let held: Vec<_> = names.into_iter().filter_map(|name| Some((of_acme(&name)?, name))).collect();
    if held.is_empty() {
        return;
    }
    let account = match desk.known_account().await {
        Ok(Some(account)) => account,
        Ok(None) => return,
        Err(fault) => return tracing::debug!("renewals are not asked about: {}", fault.message),
    };
    for (certificate, name) in held {
        let identifier = certificate.key.cert.first().map(CertificateIdentifier::try_from);
        let Some(Ok(identifier)) = identifier else { continue };
        match account.renewal_info(&identifier).await {
            Ok((info, _)) => {
                let (start, end) = (info.suggested_window.start, info.suggested_window.end);
                let at = |time: i64| Timestamp::from_second(time).ok();
                if let (Some(start), Some(end)) = (at(start.unix_timestamp()), at(end.unix_timestamp())) {
                    desk.schedule(|schedule| schedule.renew_within(&name, (start, end)));
                }
            }
            Err(Error::Unsupported(_)) => return,
            Err(error) => tracing::debug!(%name, %error, "the authority does not say when it would like the renewal"),
        }
    }
}
