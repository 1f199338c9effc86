//! The command line: `TARGET PATH closed|open AMOUNT`, then `name=value`.

use std::{net::SocketAddr, path::PathBuf};

pub const USAGE: &str = "TARGET PATH closed IN_FLIGHT | open PER_SECOND, then bodies=FILE [seconds=2] [connections=1] \
                         [deadline_ms=0] [warm_up=300] [seed=0]";

#[derive(Debug, PartialEq)]
pub enum Shape {
    /// So many calls in flight, each followed by the next.
    Closed { in_flight: usize },
    /// Calls at fixed times, whatever happens.
    Open { per_second: f64 },
}

#[derive(Debug)]
pub struct Options {
    pub target: SocketAddr,
    pub path: String,
    pub shape: Shape,
    pub bodies: PathBuf,
    pub seconds: f64,
    pub connections: usize,
    /// 0: calls have no deadline.
    pub deadline_ms: u64,
    /// Calls that are made first and not counted.
    pub warm_up: u64,
    /// Says which body comes first and what the request ids begin with.
    pub seed: u64,
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
                "open" => Shape::Open { per_second: number("PER_SECOND", amount)? },
                other => return Err(format!("{other} is no shape; usage: interlude-load {USAGE}")),
            },
            bodies: PathBuf::new(),
            seconds: 2.0,
            connections: 1,
            deadline_ms: 0,
            warm_up: 300,
            seed: 0,
        };
        named.iter().try_for_each(|argument| options.set(argument))?;
        options.checked()
    }

    fn set(&mut self, argument: &str) -> Result<(), String> {
        let (name, value) = argument.split_once('=').ok_or_else(|| format!("{argument} is not name=value"))?;
        match name {
            "bodies" => self.bodies = PathBuf::from(value),
            "seconds" => self.seconds = number(name, value)?,
            "connections" => self.connections = number(name, value)?,
            "deadline_ms" => self.deadline_ms = number(name, value)?,
            "warm_up" => self.warm_up = number(name, value)?,
            "seed" => self.seed = number(name, value)?,
            _ => return Err(format!("{name} is no option; usage: interlude-load {USAGE}")),
        }
        Ok(())
    }

    fn checked(self) -> Result<Self, String> {
        let amount = match self.shape {
            Shape::Closed { in_flight } => in_flight as f64,
            Shape::Open { per_second } => per_second,
        };
        // Written so that what is not a number is refused too.
        let positive = amount > 0.0 && self.seconds > 0.0 && self.connections > 0;
        if positive && amount.is_finite() && self.seconds.is_finite() {
            Ok(self)
        } else {
            Err("the amount, seconds and connections have to be greater than 0".into())
        }
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name} cannot be {value}"))
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
            "127.0.0.1:1 /a.B/C open 5 colour=red",
            "127.0.0.1:1 /a.B/C open 5 seconds",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
