//! What of the process's environment decides which engine is asked, and as whom.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The variables Docker's own command reads. Handed in, so that tests own it.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    passwd: PathBuf,
}

const READ: [&str; 10] = [
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "HOME",
    "SUDO_USER",
    "SUDO_UID",
    "SUDO_GID",
    "PATH",
];

impl Environment {
    /// This process's.
    #[must_use]
    pub fn of_process() -> Self {
        let variables = READ.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?))).collect();
        Self { variables, passwd: PathBuf::from("/etc/passwd") }
    }

    /// Exactly these variables, and the users of this file in the format of `/etc/passwd`.
    #[must_use]
    pub fn of(variables: &[(&str, &str)], passwd: &Path) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { variables, passwd: passwd.to_owned() }
    }

    /// A variable that is set and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Where Docker's command keeps its configuration.
    pub(super) fn docker_config(&self) -> Option<PathBuf> {
        match (self.get("DOCKER_CONFIG"), self.get("HOME")) {
            (Some(directory), _) => Some(PathBuf::from(directory)),
            (None, Some(home)) => Some(Path::new(home).join(".docker")),
            (None, None) => None,
        }
    }

    /// Who called `sudo`, where somebody did.
    pub(super) fn sudo_caller(&self) -> Option<SudoCaller> {
        let name = self.get("SUDO_USER")?;
        let users = std::fs::read_to_string(&self.passwd).ok()?;
        let home = users.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(name)).then(|| fields.nth(4).map(PathBuf::from)).flatten()
        })?;
        Some(SudoCaller { home, uid: self.get("SUDO_UID")?.parse().ok()?, gid: self.get("SUDO_GID")?.parse().ok()? })
    }
}

/// The user behind `sudo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SudoCaller {
    pub home: PathBuf,
    pub uid: u32,
    pub gid: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_configuration_where_dockers_command_does() {
        let none = Path::new("/dev/null");
        let of = |variables: &[(&str, &str)]| Environment::of(variables, none).docker_config();
        assert_eq!(of(&[("HOME", "/home/ana")]), Some("/home/ana/.docker".into()));
        assert_eq!(of(&[("HOME", "/home/ana"), ("DOCKER_CONFIG", "/etc/d")]), Some("/etc/d".into()));
        assert_eq!(of(&[("HOME", "/home/ana"), ("DOCKER_CONFIG", "")]), Some("/home/ana/.docker".into()));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn knows_who_called_sudo() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "root:x:0:0:root:/root:/bin/sh\nana:x:1000:1001:Ana:/home/ana:/bin/sh\n").unwrap();
        let environment =
            |user| Environment::of(&[("SUDO_USER", user), ("SUDO_UID", "1000"), ("SUDO_GID", "1001")], file.path());
        assert_eq!(
            environment("ana").sudo_caller(),
            Some(SudoCaller { home: "/home/ana".into(), uid: 1000, gid: 1001 })
        );
        assert_eq!(environment("bob").sudo_caller(), None);
        assert_eq!(Environment::of(&[], file.path()).sudo_caller(), None);
    }
}
