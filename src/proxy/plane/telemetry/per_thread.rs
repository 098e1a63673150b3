//! Something for each worker thread, so that they do not share cache lines. Made when the thread first needs it: most of
//! many apps are asleep.

use std::sync::OnceLock;

pub(in crate::plane) struct Lanes<T>(Box<[OnceLock<Box<Padded<T>>>]>);

#[derive(Default)]
#[repr(align(128))]
struct Padded<T>(T);

impl<T: Default> Lanes<T> {
    pub(in crate::plane) fn new(count: usize) -> Self {
        Self((0..count.max(1)).map(|_| OnceLock::new()).collect())
    }

    pub(in crate::plane) fn len(&self) -> usize {
        self.0.len()
    }

    pub(in crate::plane) fn of(&self, lane: usize) -> &T {
        &self.0[lane % self.0.len()].get_or_init(Box::default).0
    }

    pub(in crate::plane) fn used(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter_map(OnceLock::get).map(|padded| &padded.0)
    }
}
