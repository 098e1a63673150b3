//! Text into single values, with a sentence about what is wrong with it.

use super::FieldError;
use crate::model::units::{ByteSize, Cpus, Span};
use crate::settings::field::Field;

pub(super) fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(field: Field, text: &str) -> Result<T, FieldError> {
    text.parse().map_err(|reason: T::Err| wrong(field, text, reason.to_string()))
}

pub(super) fn positive(field: Field, text: &str) -> Result<Span, FieldError> {
    let span: Span = parse(field, text)?;
    if span.duration().is_zero() { Err(wrong(field, text, "it must be longer than 0")) } else { Ok(span) }
}

/// Bytes a value may have. The kernel takes 128 KiB a variable, and every list of apps carries all values.
pub const LONGEST_VALUE: usize = 64 << 10;

/// Whether a value is short enough.
pub fn within_bounds(text: &str) -> Result<(), String> {
    match text.len() {
        0..=LONGEST_VALUE => Ok(()),
        length => Err(format!("it has {length} bytes; at most {LONGEST_VALUE} are taken")),
    }
}

/// As given, without the value: it may be long, or secret.
pub(super) fn bounded(field: Field, name: &str, text: &str) -> Result<(), FieldError> {
    within_bounds(text).map_err(|reason| wrong(field, name, reason))
}

/// The engine refuses shares below a hundredth of a processor.
pub(super) fn cpus(text: &str) -> Result<Cpus, FieldError> {
    let cpus: Cpus = parse(Field::Cpus, text)?;
    if cpus.nanos() < 10_000_000 {
        return Err(wrong(Field::Cpus, text, "the engine needs at least 0.01"));
    }
    Ok(cpus)
}

/// The engine refuses limits below 6 MiB; saying so here costs no half-made container.
pub(super) fn memory(text: &str) -> Result<ByteSize, FieldError> {
    let size: ByteSize = parse(Field::Memory, text)?;
    if size < ByteSize(6 << 20) {
        return Err(wrong(Field::Memory, text, "the engine needs at least 6m"));
    }
    Ok(size)
}

pub(super) fn line(field: Field, text: &str) -> Result<String, FieldError> {
    if text.trim().is_empty() {
        return Err(wrong(field, text, "it is empty"));
    }
    if text.chars().any(char::is_control) {
        return Err(wrong(field, text, "it holds control characters"));
    }
    within_bounds(text).map_err(|reason| missing(field, &reason))?;
    Ok(text.to_owned())
}

pub(super) fn word(field: Field, text: &str) -> Result<String, FieldError> {
    let text = line(field, text)?;
    if text.contains(char::is_whitespace) { Err(wrong(field, &text, "it holds a space")) } else { Ok(text) }
}

pub(super) fn wrong(field: Field, value: &str, reason: impl Into<String>) -> FieldError {
    FieldError { field, value: Some(value.to_owned()), reason: reason.into() }
}

pub(super) fn missing(field: Field, reason: &str) -> FieldError {
    FieldError { field, value: None, reason: reason.into() }
}
