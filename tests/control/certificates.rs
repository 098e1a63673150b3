//! Certificates on disk: what survives, what is set aside, who may read them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use once_app::proxy::Proxy;
use once_app::{CertificateFailure, CertificateFlaw, CertificatePair, CertificateSource, Hostname, Secret};
use once_proxy::service::Service;
use once_proxy::tls::{Certificates, InstallError};

use crate::support::FakeRoutes;

fn host(name: &str) -> Hostname {
    name.parse().unwrap()
}

fn pair(names: &[&str]) -> CertificatePair {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    CertificatePair { chain: made.cert.pem(), key: Secret::new(made.signing_key.serialize_pem()) }
}

fn load(dir: &Path) -> (Certificates, Vec<(String, String)>) {
    let certificates = Certificates::default();
    let set_aside = certificates.load(&dir.join("certs")).unwrap();
    (certificates, set_aside)
}

fn fingerprint(certificates: &Certificates, name: &str) -> Option<String> {
    certificates.find(name).map(|certificate| certificate.facts.fingerprint.clone())
}

#[test]
fn what_is_installed_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (certificates, _) = load(dir.path());
    let names = [host("a.test"), host("*.b.test")];
    let installed =
        certificates.install(&names, &pair(&["a.test", "*.b.test", "c.test"]), CertificateSource::Custom).unwrap();
    let (again, set_aside) = load(dir.path());
    assert_eq!(set_aside, []);
    let found = again.find("a.test").unwrap();
    assert_eq!(found.facts, installed.facts);
    assert_eq!(found.facts.names, ["a.test", "*.b.test", "c.test"]);
    assert_eq!(found.key.cert, installed.key.cert);
    assert_eq!(fingerprint(&again, "x.b.test"), Some(installed.facts.fingerprint.clone()));
    for not in ["b.test", "x.y.b.test", "c.test", "test", ""] {
        assert!(again.find(not).is_none(), "{not}");
    }
    let shown: Vec<_> = again.all().into_iter().map(|view| view.name.to_string()).collect();
    assert_eq!(shown, ["*.b.test", "a.test"]);
}

#[test]
fn only_their_owner_may_read_them() {
    let dir = tempfile::tempdir().unwrap();
    let (certificates, _) = load(dir.path());
    certificates.install(&[host("a.test")], &pair(&["a.test"]), CertificateSource::Acme).unwrap();
    let mode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("certs"), mode("certs/a.test.json"), mode("certs/set-aside")), (0o700, 0o600, 0o700));
}

#[test]
fn an_own_name_wins_over_a_wildcard_and_a_new_certificate_over_the_old() {
    let certificates = Certificates::default();
    let wild = certificates.install(&[host("*.b.test")], &pair(&["*.b.test"]), CertificateSource::Acme).unwrap();
    let own = certificates.install(&[host("a.b.test")], &pair(&["*.b.test"]), CertificateSource::Custom).unwrap();
    assert_eq!(fingerprint(&certificates, "a.b.test"), Some(own.facts.fingerprint.clone()));
    assert_eq!(fingerprint(&certificates, "z.b.test"), Some(wild.facts.fingerprint.clone()));
    let new = certificates.install(&[host("a.b.test")], &pair(&["a.b.test"]), CertificateSource::Acme).unwrap();
    assert_eq!(fingerprint(&certificates, "a.b.test"), Some(new.facts.fingerprint.clone()));
    assert_eq!(certificates.find("a.b.test").unwrap().facts.source, CertificateSource::Acme);
}

#[test]
fn what_is_turned_down_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (certificates, _) = load(dir.path());
    let good = certificates.install(&[host("a.test")], &pair(&["a.test"]), CertificateSource::Acme).unwrap();
    let mixed = CertificatePair { key: pair(&["a.test"]).key, ..pair(&["a.test"]) };
    let refused = certificates.install(&[host("a.test")], &mixed, CertificateSource::Acme).unwrap_err();
    assert!(matches!(refused, InstallError::Flaw(CertificateFlaw::KeyMismatch)), "{refused}");
    let names = [host("a.test"), host("b.test")];
    let refused = certificates.install(&names, &pair(&["a.test"]), CertificateSource::Acme).unwrap_err();
    assert!(matches!(refused, InstallError::Flaw(CertificateFlaw::Uncovered { .. })), "{refused}");
    // The directory is gone: nothing can be kept.
    fs::remove_dir_all(dir.path().join("certs")).unwrap();
    let refused = certificates.install(&[host("a.test")], &pair(&["a.test"]), CertificateSource::Acme).unwrap_err();
    assert!(matches!(refused, InstallError::Store(_)), "{refused}");
    assert_eq!(fingerprint(&certificates, "a.test"), Some(good.facts.fingerprint.clone()));
}

#[tokio::test]
async fn a_broken_file_costs_its_own_name_and_is_shown() {
    let edited = |change: fn(&mut serde_json::Value)| {
        move |whole: &[u8]| {
            let mut value = serde_json::from_slice(whole).unwrap();
            change(&mut value);
            serde_json::to_vec(&value).unwrap()
        }
    };
    type Damage = Box<dyn Fn(&[u8]) -> Vec<u8>>;
    let cases: [(&str, Damage, &str); 8] = [
        ("empty", Box::new(|_| Vec::new()), "damaged"),
        ("cut", Box::new(|whole| whole[..whole.len() / 2].to_vec()), "damaged"),
        ("not UTF-8", Box::new(|_| vec![0xff; 99]), "damaged"),
        ("a newer schema", Box::new(edited(|v| v["schema"] = 9.into())), "schema 9"),
        ("another's name", Box::new(edited(|v| v["name"] = "good.test".into())), "certificate of good.test"),
        ("no key", Box::new(edited(|v| v["key"] = "".into())), "no private key"),
        ("no chain", Box::new(edited(|v| v["chain"] = "".into())), "no certificate"),
        ("a name that is none", Box::new(edited(|v| v["name"] = "../x".into())), "damaged"),
    ];
    for (what, damage, why) in cases {
        let dir = tempfile::tempdir().unwrap();
        let (certificates, _) = load(dir.path());
        for name in ["bad.test", "good.test"] {
            certificates.install(&[host(name)], &pair(&[name]), CertificateSource::Acme).unwrap();
        }
        let file = dir.path().join("certs/bad.test.json");
        let whole = fs::read(&file).unwrap();
        fs::write(&file, damage(&whole)).unwrap();
        // A half-written one of a process that died.
        fs::write(dir.path().join("certs/good.test.tmp"), b"half").unwrap();
        for _ in 0..2 {
            let service = Service::open(dir.path(), Arc::new(FakeRoutes::default())).unwrap();
            let snapshot = service.snapshot().await.unwrap();
            let [(name, reason)] = &snapshot.info.set_aside[..] else { panic!("{what}: {:?}", snapshot.info) };
            assert_eq!(name, "certs/bad.test.json.1", "{what}");
            assert!(reason.contains(why) && !reason.contains("PRIVATE KEY-----\n"), "{what}: {reason}");
            let names: Vec<_> = snapshot.certificates.iter().map(|view| view.name.as_str()).collect();
            assert_eq!(names, ["good.test"], "{what}");
        }
        assert!(!dir.path().join("certs/good.test.tmp").exists());
    }
}

#[test]
fn a_name_longer_than_a_file_name_is_kept_too() {
    let dir = tempfile::tempdir().unwrap();
    let label = "a".repeat(61);
    let long = format!("{label}.{label}.{label}.{label}.test");
    let (certificates, _) = load(dir.path());
    certificates.install(&[host(&long)], &pair(&[&long]), CertificateSource::Acme).unwrap();
    assert!(load(dir.path()).0.find(&long).is_some());
}

#[test]
fn a_failure_is_shown_until_a_certificate_comes() {
    let certificates = Certificates::default();
    let failure = CertificateFailure { at: jiff::Timestamp::UNIX_EPOCH, message: "no".into(), next_try: None };
    certificates.set_failure(&host("a.test"), failure.clone());
    assert_eq!(certificates.all()[0].last_error, Some(failure));
    certificates.install(&[host("a.test")], &pair(&["a.test"]), CertificateSource::Acme).unwrap();
    let [view] = &certificates.all()[..] else { panic!("one name") };
    assert!(view.last_error.is_none() && view.certificate.is_some());
}

#[test]
fn http_challenges_are_answered_while_they_are_set() {
    let certificates = Certificates::default();
    certificates.set_http_challenge("tok", "tok.auth");
    certificates.set_http_challenge("other", "other.auth");
    let at = |path: &str| certificates.http_challenge(path);
    assert_eq!(at("/.well-known/acme-challenge/tok").as_deref(), Some("tok.auth"));
    for not in
        ["/.well-known/acme-challenge/", "/.well-known/acme-challenge/tok/", "/tok", "/.well-known/acme-challenge/tok2"]
    {
        assert_eq!(at(not), None, "{not}");
    }
    certificates.clear_http_challenge("tok");
    assert_eq!(at("/.well-known/acme-challenge/tok"), None);
    assert!(at("/.well-known/acme-challenge/other").is_some());
}
