//! When calls are made.

use std::{
    io,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{task::spawn_local, time::timeout};

use crate::{call::Load, timer::Timer};

/// How long the last calls of an open loop may take; those without an answer then are broken.
const PATIENCE: Duration = Duration::from_secs(5);

/// One call after the other.
pub async fn warm_up(load: &Load, calls: u64) -> Result<(), h2::Error> {
    for number in 0..calls {
        load.ask(load.sender(number as usize), None).await?;
    }
    Ok(())
}

/// `in_flight` callers, each asking again as soon as it is answered. Returns the seconds until the last answer.
pub async fn closed(load: &Rc<Load>, in_flight: usize, seconds: f64) -> f64 {
    let started = Instant::now();
    let end = started + Duration::from_secs_f64(seconds);
    let callers: Vec<_> = (0..in_flight).map(|number| spawn_local(caller(Rc::clone(load), number, end))).collect();
    for caller in callers {
        // A caller does not panic and is not cancelled.
        let _ = caller.await;
    }
    started.elapsed().as_secs_f64()
}

async fn caller(load: Rc<Load>, number: usize, end: Instant) {
    let mut sender = load.sender(number);
    while Instant::now() < end {
        match load.ask(sender, None).await {
            Ok(ready) => sender = ready,
            Err(_) => return,
        }
    }
}

/// `per_second` calls at fixed times. Latencies count from the intended time, so that a slow answer cannot hide the calls that
/// it delayed.
pub async fn open(load: &Rc<Load>, per_second: f64, seconds: f64) -> io::Result<f64> {
    let timer = Timer::new()?;
    let started = Instant::now();
    let total = (per_second * seconds) as usize;
    for number in 0..total {
        let intended = started + Duration::from_secs_f64(number as f64 / per_second);
        timer.until(intended).await?;
        let load = Rc::clone(load);
        spawn_local(async move {
            // An error was counted.
            let _ = load.ask(load.sender(number), Some(intended)).await;
        });
    }
    // What the schedule took: waiting for the last answers would only blur the rate.
    let took_s = started.elapsed().as_secs_f64();
    let all = timeout(PATIENCE, async {
        while load.tally.borrow().ended() < total as u64 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    if all.await.is_err() {
        let missing = total as u64 - load.tally.borrow().ended();
        (0..missing).for_each(|_| load.tally.borrow_mut().count_broken());
    }
    Ok(took_s)
}
