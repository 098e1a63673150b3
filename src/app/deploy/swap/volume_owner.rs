//! A fresh volume belongs to root, and an image that runs as somebody else could not write to it.

use super::candidate::Made;
use crate::deploy::context::Context;
use crate::ports::engine::{ContainerSpec, Engine, EngineError, MountSpec};

/// A list of users has a hundred bytes each.
const LIST_MOST: usize = 1 << 20;

impl Context<'_> {
    /// Gives the volumes that were made for this container to the user of its image. What the image itself has there has
    /// its owner already. The container runs all the same where it cannot be done.
    pub(in crate::deploy) async fn give_volumes(&self, id: &str, spec: &ContainerSpec, user: &str, made: &Made) {
        let engine = &*self.installation.engine;
        for volume in &made.volumes {
            let target = spec.mounts.iter().find_map(|mount| match mount {
                MountSpec::Volume { name, target } if name == volume => Some(target),
                _ => None,
            });
            let Some(target) = target else { continue };
            let given = match numbers(engine, id, user).await {
                Ok(None) => return,
                Ok(Some((user, group))) => engine.give(id, target, user, group).await.map(|_| ()),
                Err(error) => Err(error),
            };
            if let Err(error) = given {
                let text = format!("{target} may not be writable for the image's user {user}: {error}");
                self.journal.warn("volume-owner", text);
            }
        }
    }
}

/// The numbers of an image's user and group, looked up in the container's own lists; `None`: root, or nobody it knows.
async fn numbers(engine: &dyn Engine, container: &str, text: &str) -> Result<Option<(u32, u32)>, EngineError> {
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    if matches!(user, "" | "0" | "root") {
        return Ok(None);
    }
    let list = async |path: &str| {
        let bytes = engine.read_file(container, path, LIST_MOST).await?;
        Ok::<_, EngineError>(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
    };
    let users = list("/etc/passwd").await?;
    let known = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let known = known.into_iter().find(|parts| parts.first() == Some(&user) || parts.get(2) == Some(&user));
    let number = |at: usize| known.as_ref().and_then(|parts| parts.get(at)?.parse::<u32>().ok());
    let Some(uid) = user.parse().ok().or_else(|| number(2)) else { return Ok(None) };
    let gid = match group {
        None => number(3).unwrap_or(0),
        Some(group) => match group.parse() {
            Ok(gid) => gid,
            Err(_) => {
                let groups = list("/etc/group").await?;
                let mut lines = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
                let found = lines.find(|parts| parts.first() == Some(&group));
                found.and_then(|parts| parts.get(2)?.parse().ok()).unwrap_or(0)
            }
        },
    };
    Ok(Some((uid, gid)))
}
