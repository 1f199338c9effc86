//! One connection, made anew when it fails, as gRPC clients do.

use std::{
    cell::{Cell, RefCell},
    error::Error,
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use tokio::{net::TcpStream, task::spawn_local, time::sleep};

/// More than all answers in flight take together: the load is no slow reader.
const WINDOW_BYTES: u32 = 16 << 20;

/// Calls that were given up and may still be answered: those of a second of more load than any server takes.
const REMEMBERED_RESETS: usize = 100_000;

/// As our own client's.
const BACKOFF: Duration = Duration::from_millis(100);

#[derive(Clone)]
pub struct Connection {
    target: SocketAddr,
    sender: Rc<RefCell<SendRequest<Bytes>>>,
    renewing: Rc<Cell<bool>>,
}

impl Connection {
    pub async fn open(target: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let sender = connect(target).await?;
        Ok(Self { target, sender: Rc::new(RefCell::new(sender)), renewing: Rc::default() })
    }

    pub fn sender(&self) -> SendRequest<Bytes> {
        self.sender.borrow().clone()
    }

    /// Connects again, behind the back of the calls, which fail meanwhile.
    pub fn renew(&self) {
        if self.renewing.replace(true) {
            return;
        }
        let this = self.clone();
        spawn_local(async move {
            loop {
                sleep(BACKOFF).await;
                if let Ok(sender) = connect(this.target).await {
                    this.sender.replace(sender);
                    this.renewing.set(false);
                    return;
                }
            }
        });
    }
}

async fn connect(target: SocketAddr) -> Result<SendRequest<Bytes>, Box<dyn Error>> {
    let stream = TcpStream::connect(target).await?;
    stream.set_nodelay(true)?;
    let mut builder = Builder::new();
    builder
        .initial_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_concurrent_reset_streams(REMEMBERED_RESETS)
        // Late answers to what was given up are the load's own doing, and no attack.
        .max_local_error_reset_streams(None);
    let (sender, connection) = builder.handshake(stream).await?;
    // An error of the connection is one of each call on it, and counted there.
    spawn_local(async { drop(connection.await) });
    Ok(sender)
}
