//! The last numbers of something, for sparklines and peaks.

use std::collections::VecDeque;

use once_app::engine::Usage;

/// Samples kept: two minutes at one a second.
const SAMPLES: usize = 120;

/// The last [`SAMPLES`] values, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Series {
    values: VecDeque<f64>,
}

impl Series {
    /// Takes one more.
    pub(crate) fn push(&mut self, value: f64) {
        if self.values.len() == SAMPLES {
            self.values.pop_front();
        }
        self.values.push_back(value);
    }

    /// The newest.
    pub(crate) fn last(&self) -> Option<f64> {
        self.values.back().copied()
    }

    /// The highest of those kept.
    pub(crate) fn peak(&self) -> f64 {
        self.values.iter().copied().fold(0.0, f64::max)
    }

    /// The newest `n`, oldest first.
    pub(crate) fn tail(&self, n: usize) -> Vec<f64> {
        self.values.iter().skip(self.values.len().saturating_sub(n)).copied().collect()
    }
}

/// What a container used lately.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct UsageSeries {
    /// Share of one core.
    pub cpu: Series,
    /// Bytes.
    pub memory: Series,
    /// Bytes; 0: none.
    pub limit: u64,
}

impl UsageSeries {
    /// Takes one sample in.
    pub(crate) fn push(&mut self, usage: &Usage) {
        self.cpu.push(usage.cpu);
        self.memory.push(usage.memory as f64);
        self.limit = usage.memory_limit;
    }
}
