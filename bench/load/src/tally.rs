//! What is counted, in all, by phase and by window of time, and the JSON made of it.

use std::{collections::BTreeMap, fmt::Display, time::Duration};

use hdrhistogram::Histogram;

use crate::decision::Decision;

const DEADLINE_EXCEEDED: u16 = 4;
/// RESOURCE_EXHAUSTED, and CANCELLED, which is how grpcio's core refuses what we have not given up.
const REFUSED: [u16; 2] = [8, 1];
const LONGEST_NS: u64 = 60_000_000_000;

/// Significant digits of latencies, and the shortest that is told apart, in ns: windows are many and small.
const OF_ALL: (u8, u64) = (3, 1);
const OF_A_WINDOW: (u8, u64) = (2, 1000);

/// How a call ended.
#[derive(Debug, PartialEq)]
pub enum End {
    Replied(Reply),
    /// Given up by us, at the deadline.
    GivenUp,
    /// Given up by us, at some other time.
    Cancelled,
    /// Never made, because too many are refused.
    HeldBack,
    /// Its connection failed.
    Broken,
}

impl End {
    /// Whether the server refused the call for overload.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Replied(reply) if REFUSED.contains(&reply.status))
    }
}

/// What came back, and how long after the intended time; the call was made `lag` after that.
#[derive(Debug, PartialEq)]
pub struct Reply {
    /// gRPC's.
    pub status: u16,
    /// The first two bytes of the message, which tell apart kinds of answers.
    pub kind: [u8; 2],
    pub decision: Option<Decision>,
    pub latency: Duration,
    pub lag: Duration,
}

pub struct Tally {
    all: Counts,
    phases: Vec<Counts>,
    windows: Vec<Counts>,
    window: Duration,
    deadline: Option<Duration>,
}

impl Tally {
    /// With 0 there is no deadline, or there are no windows.
    pub fn new(deadline_ms: u64, window_ms: u64) -> Self {
        Self {
            all: Counts::new(OF_ALL),
            phases: vec![],
            windows: vec![],
            window: Duration::from_millis(window_ms),
            deadline: (deadline_ms > 0).then(|| Duration::from_millis(deadline_ms)),
        }
    }

    pub fn clear(&mut self) {
        self.all = Counts::new(OF_ALL);
        self.phases.clear();
        self.windows.clear();
    }

    /// Counts a call of that phase, intended `since_start`.
    pub fn count(&mut self, phase: usize, since_start: Duration, end: &End) {
        self.all.count(end, self.deadline);
        at(&mut self.phases, phase, OF_ALL).count(end, self.deadline);
        if !self.window.is_zero() {
            let window = (since_start.as_nanos() / self.window.as_nanos()) as usize;
            at(&mut self.windows, window, OF_A_WINDOW).count(end, self.deadline);
        }
    }

    /// Calls that have no answer and will get none.
    pub fn count_missing(&mut self, calls: u64) {
        self.all.broken += calls;
    }

    /// Calls that have ended, one way or another.
    pub fn ended(&self) -> u64 {
        self.all.ended()
    }

    /// One object: what is counted in all, and, where there are any, `phases` and `windows`; `seconds` are those of the phases.
    pub fn json(&self, seconds: &[f64], started_unix_s: f64, cpu_seconds: f64) -> String {
        let phases = self.phases.iter().zip(seconds).map(|(counts, seconds)| counts.json(*seconds));
        let window_s = self.window.as_secs_f64();
        let windows = self.windows.iter().map(|counts| counts.json(window_s));
        format!(
            "{{{}, \"started_unix_s\": {started_unix_s}, \"cpu_seconds\": {cpu_seconds}, \"window_seconds\": {window_s}, \
             \"phases\": {}, \"windows\": {}}}",
            self.all.members(seconds.iter().sum()),
            list(phases),
            list(windows),
        )
    }
}

fn at(counts: &mut Vec<Counts>, place: usize, precision: (u8, u64)) -> &mut Counts {
    while counts.len() <= place {
        counts.push(Counts::new(precision));
    }
    &mut counts[place]
}

struct Counts {
    /// Of answers with status 0, in ns.
    latencies: Histogram<u64>,
    /// Of those that were refused for overload.
    refusals: Histogram<u64>,
    /// How long after its time a call was made: what the load itself is to blame for.
    lags: Histogram<u64>,
    kinds: BTreeMap<[u8; 2], u64>,
    /// Calls that ended otherwise, by status.
    statuses: BTreeMap<u16, u64>,
    /// Answers by the model that they were made with.
    versions: BTreeMap<String, u64>,
    degraded: u64,
    foreign: u64,
    in_time: u64,
    given_up: u64,
    cancelled: u64,
    held_back: u64,
    broken: u64,
}

impl Counts {
    fn new((digits, shortest_ns): (u8, u64)) -> Self {
        let histogram = || Histogram::new_with_bounds(shortest_ns, LONGEST_NS, digits).expect("the bounds are valid");
        Self {
            latencies: histogram(),
            refusals: histogram(),
            lags: histogram(),
            kinds: BTreeMap::new(),
            statuses: BTreeMap::new(),
            versions: BTreeMap::new(),
            degraded: 0,
            foreign: 0,
            in_time: 0,
            given_up: 0,
            cancelled: 0,
            held_back: 0,
            broken: 0,
        }
    }

    fn count(&mut self, end: &End, deadline: Option<Duration>) {
        match end {
            End::Replied(reply) => {
                self.lags.saturating_record(reply.lag.as_nanos() as u64);
                if reply.status == 0 {
                    self.count_answer(reply, deadline);
                } else {
                    *self.statuses.entry(reply.status).or_default() += 1;
                    if REFUSED.contains(&reply.status) {
                        self.refusals.saturating_record(reply.latency.as_nanos() as u64);
                    }
                }
            }
            End::GivenUp => self.given_up += 1,
            End::Cancelled => self.cancelled += 1,
            End::HeldBack => self.held_back += 1,
            End::Broken => self.broken += 1,
        }
    }

    fn count_answer(&mut self, reply: &Reply, deadline: Option<Duration>) {
        self.latencies.saturating_record(reply.latency.as_nanos() as u64);
        *self.kinds.entry(reply.kind).or_default() += 1;
        self.in_time += u64::from(deadline.is_none_or(|deadline| reply.latency <= deadline));
        if let Some(decision) = &reply.decision {
            self.degraded += u64::from(decision.degraded);
            self.foreign += u64::from(decision.foreign);
            match self.versions.get_mut(&decision.model_version) {
                Some(count) => *count += 1,
                None => drop(self.versions.insert(decision.model_version.clone(), 1)),
            }
        }
    }

    fn ended(&self) -> u64 {
        let without_answer = self.given_up + self.cancelled + self.held_back + self.broken;
        self.latencies.len() + self.statuses.values().sum::<u64>() + without_answer
    }

    fn json(&self, seconds: f64) -> String {
        format!("{{{}}}", self.members(seconds))
    }

    /// `late` are answers after the deadline and calls that the server or we ended for it; `failed` all others that got no answer.
    fn members(&self, seconds: f64) -> String {
        let calls = self.latencies.len();
        let per_second = calls as f64 / seconds;
        let expired = self.statuses.get(&DEADLINE_EXCEEDED).copied().unwrap_or(0);
        let late = calls - self.in_time + expired + self.given_up;
        let failed = self.statuses.values().sum::<u64>() - expired + self.broken;
        let kinds =
            object(self.kinds.iter().map(|([first, second], count)| (format!("{first:02x}{second:02x}"), count)));
        let counts = [
            ("calls", calls),
            ("ended", self.ended()),
            ("in_time", self.in_time),
            ("late", late),
            ("failed", failed),
            ("given_up", self.given_up),
            ("cancelled", self.cancelled),
            ("held_back", self.held_back),
            ("broken", self.broken),
            ("degraded", self.degraded),
            ("foreign", self.foreign),
        ];
        let latencies = [
            ("p50_ms", ms(&self.latencies, 0.5)),
            ("p99_ms", ms(&self.latencies, 0.99)),
            ("p999_ms", ms(&self.latencies, 0.999)),
            ("max_ms", ms(&self.latencies, 1.0)),
            ("refused_p50_ms", ms(&self.refusals, 0.5)),
            ("refused_p99_ms", ms(&self.refusals, 0.99)),
            ("lag_p50_ms", ms(&self.lags, 0.5)),
            ("lag_p99_ms", ms(&self.lags, 0.99)),
        ];
        format!(
            "{}, \"seconds\": {seconds}, \"per_second\": {per_second}, {}, \"statuses\": {}, \"kinds\": {kinds}, \
             \"versions\": {}",
            pairs(counts),
            pairs(latencies),
            object(&self.statuses),
            object(&self.versions),
        )
    }
}

fn ms(latencies: &Histogram<u64>, quantile: f64) -> f64 {
    latencies.value_at_quantile(quantile) as f64 / 1e6
}

fn object(entries: impl IntoIterator<Item = (impl Display, impl Display)>) -> String {
    format!("{{{}}}", pairs(entries))
}

fn pairs(entries: impl IntoIterator<Item = (impl Display, impl Display)>) -> String {
    let entries: Vec<_> = entries.into_iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
    entries.join(", ")
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, latency_ms: u64) -> End {
        let latency = Duration::from_millis(latency_ms);
        End::Replied(Reply { status, kind: [8, 1], decision: None, latency, lag: Duration::ZERO })
    }

    fn decided(degraded: bool, foreign: bool) -> End {
        let decision = Some(Decision { degraded, foreign, model_version: "v7".into() });
        let (latency, lag) = (Duration::from_millis(1), Duration::ZERO);
        End::Replied(Reply { status: 0, kind: [8, 1], decision, latency, lag })
    }

    fn count_all(tally: &mut Tally, ends: &[End]) {
        ends.iter().for_each(|end| tally.count(0, Duration::ZERO, end));
    }

    fn assert_has(json: &str, parts: &[&str]) {
        for part in parts {
            assert!(json.contains(part), "{part} in {json}");
        }
    }

    #[test]
    fn late_and_failed_are_told_apart() {
        let mut tally = Tally::new(50, 0);
        count_all(&mut tally, &[reply(0, 10), reply(0, 60), reply(4, 50), reply(8, 1), End::Cancelled, End::Broken]);
        tally.count(0, Duration::ZERO, &End::GivenUp);
        assert_eq!(tally.ended(), 7);
        let json = tally.json(&[2.0], 7.0, 0.5);
        assert_has(
            &json,
            &["\"calls\": 2,", "\"per_second\": 1,", "\"in_time\": 1,", "\"late\": 3,", "\"failed\": 2,"],
        );
        assert_has(
            &json,
            &["\"given_up\": 1,", "\"cancelled\": 1,", "\"broken\": 1,", "\"statuses\": {\"4\": 1, \"8\": 1}"],
        );
        assert_has(&json, &["\"kinds\": {\"0801\": 2}", "\"started_unix_s\": 7,", "\"cpu_seconds\": 0.5,"]);
        assert_has(&json, &["\"refused_p50_ms\": 1.0", "\"windows\": []}"]);
    }

    #[test]
    fn what_decisions_say_is_counted() {
        let mut tally = Tally::new(0, 0);
        count_all(&mut tally, &[decided(true, false), decided(false, true), decided(true, false)]);
        let json = tally.json(&[1.0], 0.0, 0.0);
        assert_has(&json, &["\"degraded\": 2,", "\"foreign\": 1,", "\"versions\": {\"v7\": 3}"]);
    }

    #[test]
    fn phases_and_windows_are_counted_by_themselves() {
        let mut tally = Tally::new(0, 100);
        tally.count(0, Duration::from_millis(99), &reply(0, 1));
        tally.count(1, Duration::from_millis(200), &reply(0, 1));
        tally.count(1, Duration::from_millis(299), &reply(8, 1));
        let json = tally.json(&[0.2, 0.1], 0.0, 0.0);
        let [phases, windows] = ["phases", "windows"].map(|name| {
            let (_, rest) = json.split_once(&format!("\"{name}\": [")).unwrap();
            let ended = |object: &str| object.split("\"ended\": ").nth(1).map(|rest| rest[..1].to_string());
            rest.split_once(']')
                .unwrap()
                .0
                .split("}, {\"calls\"")
                .map(|object| ended(object).unwrap())
                .collect::<Vec<_>>()
        });
        assert_eq!(phases, ["1", "2"]);
        assert_eq!(windows, ["1", "0", "2"]);
    }

    #[test]
    fn clearing_keeps_the_deadline() {
        let mut tally = Tally::new(1, 0);
        count_all(&mut tally, &[reply(0, 2)]);
        tally.clear();
        assert_eq!(tally.ended(), 0);
        count_all(&mut tally, &[reply(0, 2)]);
        assert_has(&tally.json(&[1.0], 0.0, 0.0), &["\"late\": 1,"]);
    }
}
