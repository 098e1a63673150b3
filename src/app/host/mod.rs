//! One server: its installation, the apps on it and how they are, its proxy.

pub(crate) mod address;
pub(crate) mod configure;
pub mod export;
pub(crate) mod installation;
pub(crate) mod inventory;
pub(crate) mod manual_lock;
pub(crate) mod port_handover;
pub(crate) mod proxy_config;
pub(crate) mod proxy_name;
pub(crate) mod proxy_upgrade;
pub(crate) mod standing;
pub(crate) mod teardown;
