//! Callers who hold back: as our own clients do (`interlude/client/throttling.py`, which says why, and whose numbers these are).

use std::{
    cell::{Cell, RefCell},
    mem,
    time::{Duration, Instant},
};

use crate::patience::draw;

const HEADROOM: f64 = 1.1;
const WINDOW: Duration = Duration::from_millis(250);
const HELD_BACK_LIMIT: f64 = 0.9;

/// Decides of each call whether it is made.
pub struct Throttle {
    began: Instant,
    window: Cell<u128>,
    now: RefCell<Counts>,
    before: RefCell<Counts>,
    state: Cell<u64>,
}

/// Of one window: what was asked for, and what of it was refused or held back.
#[derive(Default)]
struct Counts {
    requests: u64,
    refused: u64,
}

impl Throttle {
    pub fn new(seed: u64) -> Self {
        Self {
            began: Instant::now(),
            window: Cell::new(0),
            now: RefCell::default(),
            before: RefCell::default(),
            state: Cell::new(seed),
        }
    }

    /// Whether the next call, which is counted, is not to be made.
    pub fn holds_back(&self, at: Instant) -> bool {
        self.turn(at);
        let (mut now, before) = (self.now.borrow_mut(), self.before.borrow());
        let (requests, refused) = ((now.requests + before.requests) as f64, (now.refused + before.refused) as f64);
        now.requests += 1;
        let share = (requests - HEADROOM * (requests - refused)) / (requests + 1.0);
        let held_back = refused > 0.0 && (draw(&self.state) as f64) < share.min(HELD_BACK_LIMIT) * u64::MAX as f64;
        now.refused += u64::from(held_back);
        held_back
    }

    /// A call that was made was refused.
    pub fn refused(&self, at: Instant) {
        self.turn(at);
        self.now.borrow_mut().refused += 1;
    }

    fn turn(&self, at: Instant) {
        let window = at.saturating_duration_since(self.began).as_nanos() / WINDOW.as_nanos();
        let last = self.window.replace(window);
        if window != last {
            let counts = mem::take(&mut *self.now.borrow_mut());
            self.before.replace(if window == last + 1 { counts } else { Counts::default() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share that is made of `asked` calls every millisecond, of which the server takes `taken`.
    fn made(throttle: &Throttle, seconds: u64, asked: u64, taken: u64) -> f64 {
        let (begin, mut made) = (throttle.began, 0);
        for ms in 0..1000 * seconds {
            let at = begin + Duration::from_millis(ms);
            let through = (0..asked).filter(|_| !throttle.holds_back(at)).count() as u64;
            (taken..through).for_each(|_| throttle.refused(at));
            made += through;
        }
        made as f64 / (1000 * seconds * asked) as f64
    }

    #[test]
    fn little_more_is_asked_for_than_is_taken() {
        let share = made(&Throttle::new(7), 10, 20, 10);
        assert!((0.5..0.62).contains(&share), "{share}");
    }

    #[test]
    fn where_nothing_is_refused_nothing_is_held_back() {
        assert_eq!(made(&Throttle::new(7), 1, 20, 20), 1.0);
    }

    #[test]
    fn what_was_refused_is_forgotten_after_two_windows() {
        let throttle = Throttle::new(7);
        let begin = throttle.began;
        (0..100).for_each(|_| {
            throttle.holds_back(begin);
            throttle.refused(begin);
        });
        assert!((0..100).any(|_| throttle.holds_back(begin)));
        let later = begin + 3 * WINDOW;
        assert!((0..100).all(|_| !throttle.holds_back(later)));
    }
}
