//! Pieces several screens draw: charts, tables, key lines, text fields.

pub(crate) mod chart;
pub(crate) mod field;
pub(crate) mod keys;
