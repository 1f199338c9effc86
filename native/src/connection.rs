//! One HTTP/2 connection: its limits, its age, its end.

use std::{
    convert::Infallible,
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::{sleep, timeout},
};

use crate::{routes::Routes, traffic::Traffic};

/// Headers beyond this are refused; a call's metadata rarely has 1 KiB.
const HEADER_BYTES: u32 = 16 * 1024;

/// Few of our own, as the server's limit on calls is what should refuse, and tell the caller so.
const STREAMS_MIN: u32 = 256;

/// Beyond so many calls given up before we have looked at them, a client is taken for an attacker and loses its connection. One
/// that gives up after 50 ms and keeps to the limit on streams leaves these behind in 400 ms: a machine that is so far behind
/// must not make it worse by failing all of a client's calls.
const GIVEN_UP_PER_STREAM: usize = 8;

/// How long a stop waits for the calls of a connection before it says goodbye to the client: far more than an answer takes.
const DRAIN_WAIT: Duration = Duration::from_millis(250);

#[derive(Clone)]
pub struct Limits {
    pub streams: u32,
    /// After this a client is asked to connect anew, so that new replicas get their share; none: never.
    pub age: Option<Duration>,
    /// How long calls may go on after that.
    pub age_grace: Duration,
    /// Silence after which the server asks whether the client is still there; none: never.
    pub keepalive: Option<Duration>,
    pub keepalive_timeout: Duration,
}

impl Limits {
    /// A client may start this many calls at once; beyond it would wait by itself, and no one would know.
    pub fn streams_for(in_flight_limit: u64) -> u32 {
        u32::try_from(in_flight_limit.saturating_mul(2)).unwrap_or(u32::MAX).max(STREAMS_MIN)
    }
}

/// Serves until the peer goes, the age is reached or `stopping` says so; then lets the calls in progress end.
///
/// A stop refuses new calls and lets the others end before GOAWAY is sent. The HTTP/2 library takes WINDOW_UPDATE for a stream
/// that came after its last GOAWAY as an error of the whole connection, and gRPC's clients send it when a call began just
/// before they read GOAWAY (h2 0.4.20): all calls of that connection would fail with the server's work done. At the end of its
/// age a connection takes that risk, as a server that lives on should refuse nobody.
pub async fn serve<I>(
    io: I,
    routes: Arc<Routes>,
    limits: Limits,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), hyper::Error>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let traffic = Arc::new(Traffic::default());
    let service = {
        let traffic = Arc::clone(&traffic);
        service_fn(move |request| {
            let (routes, call) = (Arc::clone(&routes), traffic.begin());
            async move {
                let response = match &call {
                    Some(_) => routes.respond(request).await,
                    None => routes.refuse(&request),
                };
                Ok::<_, Infallible>(response.map(|body| body.during(call)))
            }
        })
    };
    let mut connection = std::pin::pin!(builder(&limits).serve_connection(TokioIo::new(io), service));
    let stops = tokio::select! {
        ended = &mut connection => return ended,
        () = aged(limits.age) => false,
        _ = stopping.wait_for(|stopping| *stopping) => true,
    };
    if stops {
        traffic.close();
        tokio::select! {
            // First, so that the last answer is on its way to the client when the others are looked at.
            biased;
            ended = &mut connection => return ended,
            () = traffic.ended() => {}
            () = sleep(DRAIN_WAIT) => {}
        }
    }
    connection.as_mut().graceful_shutdown();
    timeout(limits.age_grace, connection).await.unwrap_or(Ok(()))
}

fn builder(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_concurrent_streams(limits.streams)
        .max_pending_accept_reset_streams(limits.streams as usize * GIVEN_UP_PER_STREAM)
        .max_header_list_size(HEADER_BYTES)
        .keep_alive_interval(limits.keepalive)
        .keep_alive_timeout(limits.keepalive_timeout);
    builder
}

async fn aged(age: Option<Duration>) {
    match age {
        Some(age) => sleep(jittered(age, RandomState::new().hash_one(0))).await,
        None => std::future::pending().await,
    }
}

/// 90 to 110 % of `age`, so that the connections of one rollout do not all come back at once.
fn jittered(age: Duration, random: u64) -> Duration {
    age.mul_f64(0.9 + 0.2 * (random as f64 / u64::MAX as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_differ_by_a_tenth() {
        let age = Duration::from_secs(100);
        assert_eq!(jittered(age, 0).as_secs(), 90);
        assert_eq!(jittered(age, u64::MAX).as_secs(), 110);
    }

    #[test]
    fn streams_leave_room_for_refusals() {
        assert_eq!(Limits::streams_for(1), 256);
        assert_eq!(Limits::streams_for(1024), 2048);
        assert_eq!(Limits::streams_for(u64::MAX), u32::MAX);
    }
}
