//! One call on one of the connections, and what came of it.

use std::{cell::RefCell, error::Error, future::poll_fn, time::Instant};

use bytes::{BufMut, Bytes, BytesMut};
use h2::{
    RecvStream,
    client::{Builder, SendRequest},
};
use http::{HeaderMap, Method, Request, header};
use tokio::{net::TcpStream, task::spawn_local};

use crate::{bodies::Bodies, options::Options, tally::Tally};

/// More than all answers in flight take together: the load is no slow reader.
const WINDOW_BYTES: u32 = 16 << 20;

pub struct Load {
    pub tally: RefCell<Tally>,
    senders: Vec<SendRequest<Bytes>>,
    request: Request<()>,
    bodies: Bodies,
}

/// How a call ended: gRPC's status, and the first two bytes of the message, which tell apart kinds of answers.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    pub status: u16,
    pub kind: [u8; 2],
}

/// As in gRPC: what ends without a status.
const UNKNOWN: u16 = 2;

impl Load {
    pub async fn connect(options: &Options, bodies: Bodies) -> Result<Self, Box<dyn Error>> {
        let mut senders = Vec::new();
        for _ in 0..options.connections {
            let stream = TcpStream::connect(options.target).await?;
            stream.set_nodelay(true)?;
            let mut builder = Builder::new();
            builder.initial_window_size(WINDOW_BYTES).initial_connection_window_size(WINDOW_BYTES);
            let (sender, connection) = builder.handshake(stream).await?;
            // An error of the connection is one of each call on it, and counted there.
            spawn_local(async { drop(connection.await) });
            senders.push(sender);
        }
        let tally = RefCell::new(Tally::new(options.deadline_ms));
        Ok(Self { tally, senders, request: request(options)?, bodies })
    }

    /// The connections in turn.
    pub fn sender(&self, number: usize) -> SendRequest<Bytes> {
        self.senders[number % self.senders.len()].clone()
    }

    /// Makes one call and counts it, its latency from `intended`. An error is one of the connection, which is then of no
    /// more use.
    pub async fn ask(
        &self,
        sender: SendRequest<Bytes>,
        intended: Option<Instant>,
    ) -> Result<SendRequest<Bytes>, h2::Error> {
        let asked = async {
            let mut sender = sender.ready().await?;
            let started = intended.unwrap_or_else(Instant::now);
            let (response, mut stream) = sender.send_request(self.request.clone(), false)?;
            stream.send_data(self.bodies.next(), true)?;
            let outcome = outcome(response.await?).await?;
            Ok((sender, outcome, started.elapsed()))
        };
        match asked.await {
            Ok((sender, outcome, latency)) => {
                self.tally.borrow_mut().count(&outcome, latency);
                Ok(sender)
            }
            Err(error) => {
                self.tally.borrow_mut().count_broken();
                Err(error)
            }
        }
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

async fn outcome(response: http::Response<RecvStream>) -> Result<Outcome, h2::Error> {
    let (head, mut body) = response.into_parts();
    let mut answer = BytesMut::new();
    while let Some(chunk) = poll_fn(|context| body.poll_data(context)).await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        answer.put(chunk);
    }
    let trailers = body.trailers().await?;
    let status = trailers.as_ref().and_then(status).or_else(|| status(&head.headers));
    Ok(Outcome { status: status.unwrap_or(UNKNOWN), kind: kind(&answer) })
}

fn status(headers: &HeaderMap) -> Option<u16> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

/// Of the message behind gRPC's prefix; zeros where it is shorter.
fn kind(answer: &[u8]) -> [u8; 2] {
    let mut bytes = answer.iter().skip(5).copied();
    [bytes.next().unwrap_or(0), bytes.next().unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_how_the_message_begins() {
        assert_eq!(kind(b"\0\0\0\0\x03\x08\x01\x10"), [8, 1]);
        assert_eq!(kind(b"\0\0\0\0\0"), [0, 0]);
    }

    #[test]
    fn a_status_is_a_number_or_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(status(&headers), None);
        headers.insert("grpc-status", "14".parse().unwrap());
        assert_eq!(status(&headers), Some(14));
    }
}
