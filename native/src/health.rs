//! `grpc.health.v1.Health`, Check and Watch: tonic's, with names that are known at run time.

use std::{
    collections::HashSet,
    io,
    sync::{Mutex, PoisonError},
};

use tonic_health::{
    ServingStatus::{NotServing, Serving},
    server::{HealthReporter, health_reporter},
};

use crate::routes::{InRust, in_rust};

pub const SERVICE: &str = "grpc.health.v1.Health";

pub struct Health {
    reporter: HealthReporter,
    named: Mutex<HashSet<String>>,
}

impl Health {
    /// The switch, and the service that it switches. The server as a whole (the empty name) serves from the start.
    pub fn new() -> (Self, InRust) {
        let (reporter, service) = health_reporter();
        (Self { reporter, named: Mutex::new(HashSet::from([String::new()])) }, in_rust(service))
    }

    /// For threads outside tokio.
    pub fn set(&self, service: &str, serving: bool) -> io::Result<()> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner).insert(service.to_owned());
        let status = if serving { Serving } else { NotServing };
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(self.reporter.set_service_status(service, status));
        Ok(())
    }

    /// Tells every watcher that it is over and ends its stream, which would keep its connection open.
    pub async fn end(&self) {
        let named: Vec<String> = self.named.lock().unwrap_or_else(PoisonError::into_inner).drain().collect();
        let mut reporter = self.reporter.clone();
        for service in named {
            reporter.set_service_status(&service, NotServing).await;
            reporter.clear_service_status(&service).await;
        }
    }
}
