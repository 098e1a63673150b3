//! Whole journeys: the real command, a real engine, a real load.

mod deploys;
mod host;
