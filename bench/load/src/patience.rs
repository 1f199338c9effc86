//! Callers who go away: which of them, and after how long.

use std::{cell::Cell, time::Duration};

/// About as long as an answer takes under load, so that callers leave before, during and just after the work for them.
const LONGEST_US: u64 = 8000;

/// Draws, call by call, whether it will be given up.
pub struct Patience {
    share: f64,
    state: Cell<u64>,
}

impl Patience {
    pub fn new(share: f64, seed: u64) -> Self {
        Self { share, state: Cell::new(seed) }
    }

    /// How long the next caller waits; none: to the end.
    pub fn next(&self) -> Option<Duration> {
        let gives_up = self.share > 0.0 && (draw(&self.state) as f64) < self.share * u64::MAX as f64;
        gives_up.then(|| Duration::from_micros(draw(&self.state) % LONGEST_US))
    }
}

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
pub fn draw(state: &Cell<u64>) -> u64 {
    let next = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    state.set(next);
    let mixed = (next ^ next >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_as_many_give_up_as_asked_and_at_different_times() {
        let patience = Patience::new(0.1, 7);
        let drawn: Vec<_> = (0..10_000).filter_map(|_| patience.next()).collect();
        assert!((900..1100).contains(&drawn.len()), "{}", drawn.len());
        assert!(drawn.iter().any(|wait| wait.as_micros() < 500) && drawn.iter().any(|wait| wait.as_micros() > 7500));
        assert!((0..10_000).all(|_| Patience::new(0.0, 7).next().is_none()));
    }
}
