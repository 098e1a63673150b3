//! Keys through `update`, then sentences about the state: what a person does and what comes of it.

mod activity;
mod anything;
mod asking;
mod deploys;
mod forms;
mod mending;
mod moving;
mod reading;
mod releases;

use once_app::Ask;

use super::console::ConsoleOptions;
use super::model::Model;
use super::msg::Effect;
use super::sample;
use super::screen;
use super::snapshots::text;

/// The sample host on a wide terminal.
pub(super) fn host() -> Model {
    sample::host(120, 36, ConsoleOptions::default())
}

/// The changes that were asked for.
pub(super) fn asked(effects: &[Effect]) -> Vec<&Ask> {
    effects.iter().filter_map(|e| if let Effect::Run(job) = e { Some(&job.ask) } else { None }).collect()
}

/// What is on the screen.
pub(super) fn shown(m: &Model) -> String {
    text(&screen::draw(m))
}
