//! The command line: `TARGET PATH closed|open AMOUNT`, then `name=value`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

pub const USAGE: &str = "TARGET PATH closed IN_FLIGHT | open PER_SECOND[,PER_SECOND...], then bodies=FILE [seconds=2[,2...]] \
                         [connections=1] [deadline_ms=0] [warm_up=300] [seed=0] [calls=0] [cancel=0] [give_up=no] \
                         [throttle=no] [window_ms=0] [decisions=no] [scores=FILE] [stdin=no]";

#[derive(Debug, PartialEq)]
pub enum Shape {
    /// So many calls in flight, each followed by the next.
    Closed { in_flight: usize },
    /// Calls at fixed times, whatever happens; one rate after the other.
    Open { per_second: Vec<f64> },
}

#[derive(Debug)]
pub struct Options {
    pub target: SocketAddr,
    pub path: String,
    pub shape: Shape,
    pub bodies: PathBuf,
    /// One length for each rate.
    pub seconds: Vec<Duration>,
    pub connections: usize,
    /// 0: calls have no deadline.
    pub deadline_ms: u64,
    /// Calls that are made first and not counted.
    pub warm_up: u64,
    /// Says which body comes first and what the request ids begin with.
    pub seed: u64,
    /// A closed loop ends after so many; 0: only after its time.
    pub calls: u64,
    /// Share of the calls that are given up within some milliseconds, if they have no answer by then.
    pub cancel: f64,
    /// Calls end at their deadline, whoever is late: as with every gRPC client.
    pub give_up: bool,
    /// Calls are held back while too many are refused, as our own clients do.
    pub throttle: bool,
    /// Length of the windows that are counted by themselves; 0: none.
    pub window_ms: u64,
    /// Messages are those of Decide: read them.
    pub decisions: bool,
    /// What decisions have to be scored with: a float (little-endian) for each body.
    pub scores: Option<PathBuf>,
    /// The load ends when standard input does.
    pub stdin: bool,
}

impl Options {
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let arguments: Vec<String> = arguments.collect();
        let [target, path, shape, amount, named @ ..] = arguments.as_slice() else {
            return Err(format!("usage: interlude-load {USAGE}"));
        };
        let mut options = Self {
            target: number("TARGET", target)?,
            path: path.clone(),
            shape: match shape.as_str() {
                "closed" => Shape::Closed { in_flight: number("IN_FLIGHT", amount)? },
                "open" => Shape::Open { per_second: numbers("PER_SECOND", amount)? },
                other => return Err(format!("{other} is no shape; usage: interlude-load {USAGE}")),
            },
            bodies: PathBuf::new(),
            seconds: vec![Duration::from_secs(2)],
            connections: 1,
            deadline_ms: 0,
            warm_up: 300,
            seed: 0,
            calls: 0,
            cancel: 0.0,
            give_up: false,
            throttle: false,
            window_ms: 0,
            decisions: false,
            scores: None,
            stdin: false,
        };
        named.iter().try_for_each(|argument| options.set(argument))?;
        options.checked()
    }

    fn set(&mut self, argument: &str) -> Result<(), String> {
        let (name, value) = argument.split_once('=').ok_or_else(|| format!("{argument} is not name=value"))?;
        match name {
            "bodies" => self.bodies = PathBuf::from(value),
            "seconds" => self.seconds = durations(name, value)?,
            "connections" => self.connections = number(name, value)?,
            "deadline_ms" => self.deadline_ms = number(name, value)?,
            "warm_up" => self.warm_up = number(name, value)?,
            "seed" => self.seed = number(name, value)?,
            "calls" => self.calls = number(name, value)?,
            "cancel" => self.cancel = number(name, value)?,
            "give_up" => self.give_up = yes_or_no(name, value)?,
            "throttle" => self.throttle = yes_or_no(name, value)?,
            "window_ms" => self.window_ms = number(name, value)?,
            "decisions" => self.decisions = yes_or_no(name, value)?,
            "scores" => self.scores = Some(PathBuf::from(value)),
            "stdin" => self.stdin = yes_or_no(name, value)?,
            _ => return Err(format!("{name} is no option; usage: interlude-load {USAGE}")),
        }
        Ok(())
    }

    fn checked(self) -> Result<Self, String> {
        let amounts = match &self.shape {
            Shape::Closed { in_flight } => vec![*in_flight as f64],
            Shape::Open { per_second } => per_second.clone(),
        };
        if amounts.len() != self.seconds.len() {
            return Err("each rate needs its seconds".into());
        }
        if self.give_up && self.deadline_ms == 0 {
            return Err("without a deadline there is nothing to give up at".into());
        }
        if !(0.0..=1.0).contains(&self.cancel) {
            return Err("cancel is a share, from 0 to 1".into());
        }
        let positive = amounts.iter().all(|amount| *amount > 0.0 && amount.is_finite());
        if positive && self.connections > 0 && self.seconds.iter().all(|length| !length.is_zero()) {
            Ok(self)
        } else {
            Err("the amount, seconds and connections have to be greater than 0".into())
        }
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name} cannot be {value}"))
}

fn numbers(name: &str, values: &str) -> Result<Vec<f64>, String> {
    values.split(',').map(|value| number(name, value)).collect()
}

fn durations(name: &str, values: &str) -> Result<Vec<Duration>, String> {
    let duration = |seconds| Duration::try_from_secs_f64(seconds).map_err(|_| format!("{name} cannot be {seconds}"));
    numbers(name, values)?.into_iter().map(duration).collect()
}

fn yes_or_no(name: &str, value: &str) -> Result<bool, String> {
    match value {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(format!("{name} is yes or no")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split(' ').map(String::from))
    }

    #[test]
    fn reads_what_is_named_and_fills_in_the_rest() {
        let options = parse("127.0.0.1:50051 /a.B/C closed 8 bodies=x connections=4 seed=7").unwrap();
        assert_eq!(options.shape, Shape::Closed { in_flight: 8 });
        assert_eq!((options.connections, options.seed, options.warm_up, options.deadline_ms), (4, 7, 300, 0));
        assert_eq!(options.bodies, PathBuf::from("x"));
        assert!(!options.decisions && !options.stdin);
    }

    #[test]
    fn rates_follow_one_another() {
        let options = parse("127.0.0.1:50051 /a.B/C open 100,20.5 seconds=1,0.5 decisions=yes").unwrap();
        assert_eq!(options.shape, Shape::Open { per_second: vec![100.0, 20.5] });
        assert_eq!(options.seconds, [Duration::from_secs(1), Duration::from_millis(500)]);
        assert!(options.decisions);
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        for line in [
            "127.0.0.1:1 /a.B/C closed",
            "localhost /a.B/C closed 1",
            "127.0.0.1:1 /a.B/C sideways 1",
            "127.0.0.1:1 /a.B/C closed 0",
            "127.0.0.1:1 /a.B/C open NaN",
            "127.0.0.1:1 /a.B/C open inf",
            "127.0.0.1:1 /a.B/C open 5 seconds=-1",
            "127.0.0.1:1 /a.B/C open 5 seconds=0",
            "127.0.0.1:1 /a.B/C open 5,6 seconds=1",
            "127.0.0.1:1 /a.B/C open 5 colour=red",
            "127.0.0.1:1 /a.B/C open 5 seconds",
            "127.0.0.1:1 /a.B/C open 5 cancel=1.5",
            "127.0.0.1:1 /a.B/C open 5 decisions=perhaps",
            "127.0.0.1:1 /a.B/C open 5 give_up=yes",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
