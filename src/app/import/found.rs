//! What is known of a container of others, and what the tool that made it says.

use crate::ledger::Generated;
use crate::model::name::Namespace;
use crate::ports::engine::{Image, Origin, Volume};
use crate::settings::{AutoUpdate, Smtp, Tls};

/// Everything that is known of a container.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sighting<'a> {
    pub(crate) namespace: &'a Namespace,
    pub(crate) origin: &'a Origin,
    pub(crate) image: &'a Image,
    /// What is mounted at `/storage`, where ONCE keeps an app's generated secrets in a label.
    pub(crate) data: Option<&'a Volume>,
    /// The state file of a proxy of Kamal's beside it, as it is written.
    pub(crate) routes: Option<&'a [u8]>,
    /// Other containers with the same `service` and `destination`: name and role.
    pub(crate) siblings: &'a [(String, String)],
}

/// What the tool that made a container says of it.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// For people: `ONCE`, `Kamal`; empty: nobody known.
    pub(super) tool: &'static str,
    pub(super) name: Option<String>,
    /// The name is the app's own, and not that of its image, which several apps may have.
    pub(super) name_is_its_own: bool,
    pub(super) hosts: Vec<String>,
    pub(super) path_prefix: Option<String>,
    pub(super) tls: Option<Tls>,
    pub(super) smtp: Option<Smtp>,
    pub(super) auto_update: AutoUpdate,
    pub(super) port: Option<u16>,
    pub(super) health_path: Option<String>,
    pub(super) generated: Option<Generated>,
    /// Variables that follow from something else, and are none of the app's own.
    pub(super) implied: Vec<&'static str>,
    pub(super) remarks: Vec<String>,
    pub(super) left: Vec<String>,
}
