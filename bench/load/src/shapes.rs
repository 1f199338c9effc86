//! When calls are made.

use std::{
    cell::Cell,
    io,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    task::spawn_local,
    time::{sleep, timeout},
};

use crate::{
    call::{Load, Place},
    end::Ended,
    timer::Timer,
};

/// How long the last calls of an open loop may take; those without an answer then are broken.
const PATIENCE: Duration = Duration::from_secs(5);

/// Until a caller without a connection looks again.
const WITHOUT_CONNECTION: Duration = Duration::from_millis(10);

/// One call after the other, until a connection fails.
pub async fn warm_up(load: &Load, calls: u64) {
    let start = Instant::now();
    for number in 0..calls {
        if !load.ask(Place::now(number as usize, start)).await {
            return;
        }
    }
}

/// What ends a closed loop: its time, the number of calls that may still be made, or somebody.
struct Limits {
    end: Instant,
    left: Cell<u64>,
    ended: Ended,
}

impl Limits {
    fn one_more(&self) -> bool {
        let left = self.left.get();
        let more = left > 0 && Instant::now() < self.end && !self.ended.is();
        self.left.set(left - u64::from(more));
        more
    }
}

/// `in_flight` callers, each asking again as soon as it is answered. Returns the seconds until the last answer.
pub async fn closed(load: &Rc<Load>, in_flight: usize, length: Duration, calls: u64, ended: Ended) -> f64 {
    let start = Instant::now();
    let left = Cell::new(if calls == 0 { u64::MAX } else { calls });
    let limits = Rc::new(Limits { end: start + length, left, ended });
    let callers: Vec<_> =
        (0..in_flight).map(|number| spawn_local(caller(Rc::clone(load), number, start, Rc::clone(&limits)))).collect();
    for caller in callers {
        // A caller does not panic and is not cancelled.
        let _ = caller.await;
    }
    start.elapsed().as_secs_f64()
}

async fn caller(load: Rc<Load>, number: usize, start: Instant, limits: Rc<Limits>) {
    while limits.one_more() {
        if !load.ask(Place::now(number, start)).await {
            sleep(WITHOUT_CONNECTION).await;
        }
    }
}

/// So many calls a second at fixed times, then so many for as long as that, and so on. Latencies count from the intended time,
/// so that a slow answer cannot hide the calls that it delayed. Returns the seconds that each rate took.
pub async fn open(load: &Rc<Load>, phases: &[(f64, Duration)], ended: Ended) -> io::Result<Vec<f64>> {
    let (timer, start) = (Timer::new()?, Instant::now());
    let (mut asked, mut begin, mut took_s) = (0, Duration::ZERO, vec![]);
    for (phase, (per_second, length)) in phases.iter().enumerate() {
        for number in 0..(per_second * length.as_secs_f64()) as usize {
            let place = Place::at(asked, phase, start, begin + Duration::from_secs_f64(number as f64 / per_second));
            timer.until(place.intended).await?;
            if ended.is() {
                break;
            }
            asked += 1;
            let load = Rc::clone(load);
            spawn_local(async move { load.ask(place).await });
        }
        // What the schedule took: waiting for the last answers would only blur the rate.
        took_s.push(start.elapsed().saturating_sub(begin).as_secs_f64());
        begin += *length;
    }
    await_all(load, asked as u64).await;
    Ok(took_s)
}

async fn await_all(load: &Load, asked: u64) {
    let all = timeout(PATIENCE, async {
        while load.tally.borrow().ended() < asked {
            sleep(Duration::from_millis(1)).await;
        }
    });
    if all.await.is_err() {
        let missing = asked - load.tally.borrow().ended();
        load.tally.borrow_mut().count_missing(missing);
    }
}
