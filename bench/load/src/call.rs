//! One call on one of the connections, and what came of it.

use std::{
    cell::RefCell,
    error::Error,
    future::poll_fn,
    time::{Duration, Instant},
};

use bytes::{BufMut, BytesMut};
use h2::RecvStream;
use http::{HeaderMap, Method, Request, header};
use tokio::time::{timeout, timeout_at};

use crate::{
    bodies::Bodies,
    connection::Connection,
    decision::{Asked, Decision},
    options::Options,
    patience::Patience,
    tally::{End, Reply, Tally},
    throttle::Throttle,
};

pub struct Load {
    pub tally: RefCell<Tally>,
    connections: Vec<Connection>,
    request: Request<()>,
    bodies: Bodies,
    patience: Patience,
    /// None: every call is made.
    throttle: Option<Throttle>,
    /// At which calls are given up.
    deadline: Option<Duration>,
    decisions: bool,
}

/// Which call: its number, the phase that it belongs to, when that load began, and the time at which it was to be made.
#[derive(Clone, Copy)]
pub struct Place {
    pub number: usize,
    pub phase: usize,
    pub start: Instant,
    pub intended: Instant,
}

/// As in gRPC: what ends without a status.
const UNKNOWN: u16 = 2;

impl Load {
    pub async fn connect(options: &Options, bodies: Bodies) -> Result<Self, Box<dyn Error>> {
        let mut connections = Vec::new();
        for _ in 0..options.connections {
            connections.push(Connection::open(options.target).await?);
        }
        Ok(Self {
            tally: RefCell::new(Tally::new(options.deadline_ms, options.window_ms)),
            connections,
            request: request(options)?,
            bodies,
            patience: Patience::new(options.cancel, options.seed),
            throttle: options.throttle.then(|| Throttle::new(options.seed)),
            deadline: options.give_up.then(|| Duration::from_millis(options.deadline_ms)),
            decisions: options.decisions,
        })
    }

    /// Makes one call, on the connections in turn, and counts it, its latency from the intended time. False: its connection
    /// failed, and is made anew.
    pub async fn ask(&self, place: Place) -> bool {
        let since_start = place.intended.saturating_duration_since(place.start);
        if self.throttle.as_ref().is_some_and(|throttle| throttle.holds_back(place.intended)) {
            self.tally.borrow_mut().count(place.phase, since_start, &End::HeldBack);
            return true;
        }
        let call = async { self.reply(place).await.map_or(End::Broken, End::Replied) };
        let end = match (self.patience.next(), self.deadline) {
            (Some(patience), _) => timeout(patience, call).await.unwrap_or(End::Cancelled),
            (None, Some(deadline)) => {
                let deadline = place.intended + deadline;
                timeout_at(deadline.into(), call).await.unwrap_or(End::GivenUp)
            }
            (None, None) => call.await,
        };
        if let Some(throttle) = self.throttle.as_ref().filter(|_| end.is_refusal()) {
            throttle.refused(Instant::now());
        }
        self.tally.borrow_mut().count(place.phase, since_start, &end);
        if end == End::Broken {
            self.connection(place).renew();
        }
        end != End::Broken
    }

    fn connection(&self, place: Place) -> &Connection {
        &self.connections[place.number % self.connections.len()]
    }

    /// Dropped on the way, it resets its stream: the server sees a caller who has gone.
    async fn reply(&self, place: Place) -> Result<Reply, h2::Error> {
        let mut sender = self.connection(place).sender().ready().await?;
        let message = self.bodies.next();
        let lag = place.intended.elapsed();
        let (response, mut stream) = sender.send_request(self.request.clone(), false)?;
        stream.send_data(message.framed.clone(), true)?;
        let (status, answer) = answer(response.await?).await?;
        let latency = place.intended.elapsed();
        let decision = (self.decisions && status == 0)
            .then(|| Decision::read(unframed(&answer), &Asked::new(message.body(), message.score)));
        Ok(Reply { status, kind: kind(&answer), decision, latency, lag })
    }
}

fn request(options: &Options) -> Result<Request<()>, http::Error> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{}{}", options.target, options.path))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers");
    if options.deadline_ms > 0 {
        request = request.header("grpc-timeout", format!("{}m", options.deadline_ms));
    }
    request.body(())
}

/// gRPC's status, and the message with its prefix.
async fn answer(response: http::Response<RecvStream>) -> Result<(u16, BytesMut), h2::Error> {
    let (head, mut body) = response.into_parts();
    let mut answer = BytesMut::new();
    while let Some(chunk) = poll_fn(|context| body.poll_data(context)).await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        answer.put(chunk);
    }
    let trailers = body.trailers().await?;
    let status = trailers.as_ref().and_then(status).or_else(|| status(&head.headers));
    Ok((status.unwrap_or(UNKNOWN), answer))
}

fn status(headers: &HeaderMap) -> Option<u16> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

/// The message behind gRPC's prefix; empty where there is none.
fn unframed(answer: &[u8]) -> &[u8] {
    answer.get(5..).unwrap_or_default()
}

/// How the message begins; zeros where it is shorter.
fn kind(answer: &[u8]) -> [u8; 2] {
    let mut bytes = unframed(answer).iter().copied();
    [bytes.next().unwrap_or(0), bytes.next().unwrap_or(0)]
}

impl Place {
    /// A call that is to be made now, `number`th of a load that began at `start`.
    pub fn now(number: usize, start: Instant) -> Self {
        Self { number, phase: 0, start, intended: Instant::now() }
    }

    /// One of an open loop: `since_start` after its beginning.
    pub fn at(number: usize, phase: usize, start: Instant, since_start: Duration) -> Self {
        Self { number, phase, start, intended: start + since_start }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_how_the_message_begins() {
        assert_eq!(kind(b"\0\0\0\0\x03\x08\x01\x10"), [8, 1]);
        assert_eq!(kind(b"\0\0\0\0\0"), [0, 0]);
        assert_eq!(kind(b""), [0, 0]);
    }

    #[test]
    fn a_status_is_a_number_or_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(status(&headers), None);
        headers.insert("grpc-status", "14".parse().unwrap());
        assert_eq!(status(&headers), Some(14));
    }
}
