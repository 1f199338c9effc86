//! Load on one unary gRPC method over plain HTTP/2, from one thread; prints one JSON object. `README.md` says how to call it.
//!
//! `options` reads the command line, `bodies` the messages; `call` makes one call on a `connection`, `shapes` says when,
//! `patience` and `end` when no more, `throttle` when not at all, `decision` reads what decisions say, `tally` counts.

mod bodies;
mod call;
mod connection;
mod decision;
mod end;
mod options;
mod patience;
mod shapes;
mod tally;
mod throttle;
mod timer;

use std::{
    error::Error,
    fs,
    process::ExitCode,
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

use bodies::Bodies;
use call::Load;
use end::Ended;
use options::{Options, Shape};
use tokio::task::LocalSet;

fn main() -> ExitCode {
    let measured = Options::parse(std::env::args().skip(1)).map_err(Into::into).and_then(|options| measure(&options));
    match measured {
        Ok(json) => {
            println!("{json}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("interlude-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Result<String, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(run(options)))
}

async fn run(options: &Options) -> Result<String, Box<dyn Error>> {
    let bodies = Bodies::read(&options.bodies, options.scores.as_deref(), options.seed)?;
    let load = Rc::new(Load::connect(options, bodies).await?);
    let ended = if options.stdin { Ended::with_input() } else { Ended::default() };
    shapes::warm_up(&load, options.warm_up).await;
    load.tally.borrow_mut().clear();
    let started_unix_s = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    let cpu_before_s = cpu_s();
    let took_s = match &options.shape {
        Shape::Closed { in_flight } => {
            vec![shapes::closed(&load, *in_flight, options.seconds[0], options.calls, ended).await]
        }
        Shape::Open { per_second } => {
            let phases: Vec<_> = per_second.iter().copied().zip(options.seconds.iter().copied()).collect();
            shapes::open(&load, &phases, ended).await?
        }
    };
    Ok(load.tally.borrow().json(&took_s, started_unix_s, cpu_s() - cpu_before_s))
}

/// Processor seconds of this thread, which does all the work; 0 where the system does not say.
fn cpu_s() -> f64 {
    let said = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    said.split(' ').next().and_then(|nanoseconds| nanoseconds.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}
