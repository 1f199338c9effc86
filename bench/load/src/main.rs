//! Load on one unary gRPC method over plain HTTP/2, from one thread; prints one JSON object. `README.md` says how to call it.
//!
//! `options` reads the command line, `bodies` the messages; `call` makes one call, `shapes` says when, `tally` counts.

mod bodies;
mod call;
mod options;
mod shapes;
mod tally;
mod timer;

use std::{error::Error, fs, process::ExitCode, rc::Rc};

use bodies::Bodies;
use call::Load;
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
    let bodies = Bodies::read(&options.bodies, options.seed)?;
    let load = Rc::new(Load::connect(options, bodies).await?);
    shapes::warm_up(&load, options.warm_up).await?;
    load.tally.borrow_mut().clear();
    let cpu_before_s = cpu_s();
    let took_s = match options.shape {
        Shape::Closed { in_flight } => shapes::closed(&load, in_flight, options.seconds).await,
        Shape::Open { per_second } => shapes::open(&load, per_second, options.seconds).await?,
    };
    Ok(load.tally.borrow().json(took_s, cpu_s() - cpu_before_s))
}

/// Processor seconds of this thread, which is the only one; 0 where the system does not say.
fn cpu_s() -> f64 {
    let said = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    said.split(' ').next().and_then(|nanoseconds| nanoseconds.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}
