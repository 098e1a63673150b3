//! All the console knows, owned by one place. Changed only by [`update`](super::update), drawn by
//! [`screen`](super::screen) from `&Model`.

mod apps;
mod deploys;
mod form;
mod history;
mod host;
mod link;
mod logs;
mod overlay;
mod place;
mod series;
mod settled;
mod state;

pub(crate) use apps::{RowKey, sides_of, word};
pub(crate) use deploys::{Deploys, Watched};
pub(crate) use form::{Form, FormKind, Row, RowKind, Stage, text_of};
pub(crate) use host::{Examined, HostView, Mending, Progress};
pub(crate) use link::Link;
pub(crate) use logs::{Level, LogEntry, LogSource, LogView, Matcher};
pub(crate) use once_app::AppView;
pub(crate) use overlay::{Confirm, Menu, MenuItem, Overlay, Palette, PaletteItem, Then};
pub(crate) use place::{Pane, Sort, Tab, View};
pub(crate) use series::{Series, UsageSeries};
pub(crate) use settled::Settled;
pub(crate) use state::{Model, Seen, is_bad};
