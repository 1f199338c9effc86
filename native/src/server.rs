//! The network's thread: accepts, serves, and ends in order.

use std::{net::TcpListener as BoundListener, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot, watch},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    call::Calls,
    certificates::Certificates,
    connection::{self, Limits},
    counters::Counters,
    health::Health,
    routes::Routes,
    worker::{Delivery, deliver},
};

const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);
/// Out of file descriptors, most likely: trying again at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// For the last refusals to leave when the grace is over.
const FLUSH_WAIT: Duration = Duration::from_millis(100);

pub struct Server {
    pub listener: BoundListener,
    pub calls: Arc<Calls>,
    pub routes: Arc<Routes>,
    pub health: Arc<Health>,
    pub certificates: Option<Arc<Certificates>>,
    pub limits: Limits,
    pub deliveries: mpsc::UnboundedReceiver<Vec<Delivery>>,
}

impl Server {
    /// Serves until `stop` says how long calls in progress may still take.
    pub async fn run(self, stop: oneshot::Receiver<Duration>) -> std::io::Result<()> {
        let listener = TcpListener::from_std(self.listener)?;
        let (stopping, told) = watch::channel(false);
        let (open, mut all_closed) = mpsc::channel::<()>(1);
        let counters = Arc::clone(&self.calls.counters);
        tokio::spawn(deliver(self.deliveries, Arc::clone(&counters)));
        if let Some(certificates) = &self.certificates {
            tokio::spawn(Arc::clone(certificates).watch(Arc::clone(&counters)));
        }
        let door = Door { counters, routes: self.routes, certificates: self.certificates, limits: self.limits, told };
        let grace = tokio::select! {
            grace = stop => grace.unwrap_or_default(),
            never = door.admit_all(&listener, open) => match never {},
        };
        drop(listener);
        drop(door);
        self.health.end().await;
        stopping.send_replace(true);
        if timeout(grace, all_closed.recv()).await.is_err() {
            self.calls.queue.close();
            let _ = timeout(FLUSH_WAIT, all_closed.recv()).await;
        }
        Ok(())
    }
}

struct Door {
    counters: Arc<Counters>,
    routes: Arc<Routes>,
    certificates: Option<Arc<Certificates>>,
    limits: Limits,
    told: watch::Receiver<bool>,
}

impl Door {
    /// Each connection holds a clone of `open` until it has ended.
    async fn admit_all(&self, listener: &TcpListener, open: mpsc::Sender<()>) -> std::convert::Infallible {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => self.admit(stream, open.clone()),
                Err(_) => sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    fn admit(&self, stream: TcpStream, open: mpsc::Sender<()>) {
        let counted = Open::new(Arc::clone(&self.counters));
        let (routes, limits, told) = (Arc::clone(&self.routes), self.limits.clone(), self.told.clone());
        let tls = self.certificates.as_ref().map(|certificates| TlsAcceptor::from(certificates.current()));
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let ended = match tls {
                None => spoken(&stream).await && connection::serve(stream, routes, limits, told).await.is_ok(),
                Some(tls) => match timeout(HANDSHAKE_WAIT, tls.accept(stream)).await {
                    Ok(Ok(stream)) => connection::serve(stream, routes, limits, told).await.is_ok(),
                    _ => false,
                },
            };
            if !ended {
                counted.counters.connections_failed.one();
            }
            drop(open);
        });
    }
}

/// Whether the peer says anything at all: HTTP/2 itself would wait for its first bytes for ever.
async fn spoken(stream: &TcpStream) -> bool {
    matches!(timeout(HANDSHAKE_WAIT, stream.peek(&mut [0])).await, Ok(Ok(1)))
}

/// Counts a connection for as long as it is open, also when its task panics.
struct Open {
    counters: Arc<Counters>,
}

impl Open {
    fn new(counters: Arc<Counters>) -> Self {
        counters.connections.one();
        counters.connections_open.one();
        Self { counters }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.counters.connections_open.less_one();
    }
}
