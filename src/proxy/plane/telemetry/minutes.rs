//! Requests by the minute for an hour, by ten minutes for a day.

use once_app::traffic::Series;

/// One thread's counts.
pub(in crate::plane) struct Minutes {
    hour: Ring<60>,
    day: Ring<144>,
}

const HOUR_STEP: u32 = 60;
const DAY_STEP: u32 = 600;

struct Ring<const N: usize>([Step; N]);

#[derive(Clone, Copy, Default)]
struct Step {
    /// Which step since the process's start, from 1. 0: unused.
    number: u32,
    requests: u32,
    errors: u32,
}

impl Minutes {
    pub(in crate::plane) fn new() -> Self {
        Self { hour: Ring([Step::default(); 60]), day: Ring([Step::default(); 144]) }
    }

    /// `second` as [`clock::second`](crate::plane::clock::second) gives it.
    pub(in crate::plane) fn record(&mut self, second: u32, error: bool) {
        self.hour.record(second / HOUR_STEP + 1, error);
        self.day.record(second / DAY_STEP + 1, error);
    }

    pub(in crate::plane) fn add_to(&self, second: u32, hour: &mut Series, day: &mut Series) {
        self.hour.add_to(second / HOUR_STEP + 1, hour);
        self.day.add_to(second / DAY_STEP + 1, day);
    }
}

/// Series to add to: of an hour and of a day.
pub(in crate::plane) fn series() -> (Series, Series) {
    let empty = |step, len| Series { step, requests: vec![0; len], errors: vec![0; len] };
    (empty(HOUR_STEP, 60), empty(DAY_STEP, 144))
}

impl<const N: usize> Ring<N> {
    fn record(&mut self, number: u32, error: bool) {
        let step = &mut self.0[number as usize % N];
        if step.number != number {
            *step = Step { number, ..Step::default() };
        }
        step.requests += 1;
        step.errors += u32::from(error);
    }

    fn add_to(&self, now: u32, series: &mut Series) {
        for step in &self.0 {
            let age = now.wrapping_sub(step.number) as usize;
            if step.number != 0 && age < N {
                series.requests[N - 1 - age] += step.requests;
                series.errors[N - 1 - age] += step.errors;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_where_they_belong() {
        let mut minutes = Minutes::new();
        for second in [1, 59, 60, 61, 599, 600, 3599, 3600] {
            minutes.record(second, second == 61);
        }
        let at = |second| {
            let (mut hour, mut day) = series();
            minutes.add_to(second, &mut hour, &mut day);
            (hour, day)
        };
        let (hour, day) = at(3601);
        assert_eq!((hour.requests.len(), hour.step, day.requests.len(), day.step), (60, 60, 144, 600));
        assert_eq!(hour.requests[59], 1, "the current minute");
        assert_eq!(hour.requests[58], 1);
        assert_eq!((hour.requests[0], hour.errors[0]), (2, 1), "an hour ago");
        assert_eq!(hour.requests.iter().sum::<u32>(), 6, "the first minute is over an hour old");
        assert_eq!((day.requests[143], day.requests[142], day.requests[137]), (1, 1, 5));
        assert_eq!(day.requests.iter().sum::<u32>(), 8);
        let (hour, day) = at(3600 + 86_400);
        assert_eq!((hour.requests.iter().sum::<u32>(), day.requests.iter().sum::<u32>()), (0, 0));
    }
}
