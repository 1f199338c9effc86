//! The Python class: puts the parts together, and starts and ends the network's thread.

use std::{
    net::TcpListener,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::Bytes;
use pyo3::{
    exceptions::{PyOSError, PyRuntimeError, PyValueError},
    prelude::*,
    types::PyDict,
};
use tokio::sync::{mpsc, oneshot};

use crate::{
    answer::framed,
    batch::Handler,
    call::Calls,
    certificates::Certificates,
    health::{self, Health},
    options::{self, Numbers},
    queue::Queue,
    reflection,
    routes::Routes,
    server::Server,
    worker::{Delivery, Worker},
};

/// See `batchfront.pyi` for the interface in Python's words.
#[pyclass(frozen, module = "batchfront")]
pub struct Front {
    #[pyo3(get)]
    port: u16,
    calls: Arc<Calls>,
    handler: Handler,
    health: Arc<Health>,
    deliveries: mpsc::UnboundedSender<Vec<Delivery>>,
    broken: Arc<AtomicBool>,
    stage: Mutex<Stage>,
}

enum Stage {
    Bound(Box<Server>),
    Running { thread: JoinHandle<()>, stop: oneshot::Sender<Duration> },
    Ended,
}

#[pymethods]
impl Front {
    #[new]
    #[pyo3(signature = (
        listen, methods, handle, *, echoes=None, descriptor_set=vec![], batch_limit=64, in_flight_limit=1024,
        queue_limit_ms=20, retry_after_ms=100, message_bytes_limit=262_144, connection_age_ms=1_800_000,
        connection_age_grace_ms=30_000, keepalive_interval_ms=60_000, keepalive_timeout_ms=20_000, spin_us=50,
        certificate_file="", key_file="", client_ca_file="", reuse_port=false,
    ))]
    #[allow(clippy::too_many_arguments)] // keyword arguments in Python
    fn new(
        py: Python<'_>,
        listen: &str,
        methods: Vec<String>,
        handle: Py<PyAny>,
        echoes: Option<Bound<'_, PyAny>>,
        descriptor_set: Vec<u8>,
        batch_limit: i64,
        in_flight_limit: i64,
        queue_limit_ms: i64,
        retry_after_ms: i64,
        message_bytes_limit: i64,
        connection_age_ms: i64,
        connection_age_grace_ms: i64,
        keepalive_interval_ms: i64,
        keepalive_timeout_ms: i64,
        spin_us: i64,
        certificate_file: &str,
        key_file: &str,
        client_ca_file: &str,
        reuse_port: bool,
    ) -> PyResult<Self> {
        let numbers = Numbers {
            batch_limit,
            in_flight_limit,
            queue_limit_ms,
            retry_after_ms,
            message_bytes_limit,
            connection_age_ms,
            connection_age_grace_ms,
            keepalive_interval_ms,
            keepalive_timeout_ms,
            spin_us,
        };
        let echoes = frames(py, echoes)?;
        let mut problems = numbers.problems();
        if !handle.bind(py).is_callable() {
            problems.push("handle cannot be called".into());
        }
        let paths: Vec<String> = methods.iter().chain(echoes.iter().map(|(path, _)| path)).cloned().collect();
        let reserved = [health::SERVICE, reflection::SERVICE_V1, reflection::SERVICE_V1ALPHA];
        problems.extend(options::path_problems(&paths, &reserved));
        let address = kept(&mut problems, options::address(listen));
        let reflection = reflection::services(&descriptor_set).map_err(|error| format!("descriptor_set: {error}"));
        let reflection = kept(&mut problems, reflection);
        let files = kept(&mut problems, options::tls_files(certificate_file, key_file, client_ca_file)).flatten();
        let certificates = files.and_then(|files| kept(&mut problems, Certificates::load(files))).map(Arc::new);
        let (Some(address), Some(mut services), true) = (address, reflection, problems.is_empty()) else {
            return Err(PyValueError::new_err(problems.join("; ")));
        };
        let listener = bind(listen, address, reuse_port)?;

        let calls = Arc::new(Calls {
            queue: Queue::new(
                methods.len(),
                batch_limit as usize,
                options::milliseconds(queue_limit_ms),
                Duration::from_micros(spin_us as u64),
            ),
            counters: Arc::default(),
            in_flight_limit: in_flight_limit as u64,
            message_bytes_limit: message_bytes_limit as usize,
            retry_after: options::milliseconds(retry_after_ms),
        });
        let (health, health_service) = Health::new();
        services.push((health::SERVICE, health_service));
        let health = Arc::new(health);
        let (deliveries, delivered) = mpsc::unbounded_channel();
        let port = listener.local_addr()?.port();
        let server = Server {
            listener,
            calls: Arc::clone(&calls),
            routes: Arc::new(Routes::new(Arc::clone(&calls), &methods, echoes, services)),
            health: Arc::clone(&health),
            certificates,
            limits: numbers.limits(),
            deliveries: delivered,
        };
        let handler = Handler::new(py, handle, &methods);
        let stage = Mutex::new(Stage::Bound(Box::new(server)));
        Ok(Self { port, calls, handler, health, deliveries, broken: Arc::default(), stage })
    }

    fn start(&self) -> PyResult<()> {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *stage, Stage::Ended) {
            Stage::Bound(server) => {
                let (stop, stopped) = oneshot::channel();
                let (calls, broken) = (Arc::clone(&self.calls), Arc::clone(&self.broken));
                let thread = thread::Builder::new().name("batchfront".into()).spawn(move || {
                    if !served(*server, stopped) {
                        broken.store(true, Relaxed);
                    }
                    calls.queue.close();
                })?;
                *stage = Stage::Running { thread, stop };
                Ok(())
            }
            other => {
                *stage = other;
                Err(PyRuntimeError::new_err("the front can be started once"))
            }
        }
    }

    fn work(&self, py: Python<'_>) -> PyResult<()> {
        let worker = Worker { calls: &self.calls, handler: &self.handler, deliveries: &self.deliveries };
        worker.work(py)?;
        if self.broken.load(Relaxed) {
            return Err(PyRuntimeError::new_err("the network's thread has failed"));
        }
        Ok(())
    }

    fn set_serving(&self, py: Python<'_>, service: &str, serving: bool) -> PyResult<()> {
        Ok(py.detach(|| self.health.set(service, serving))?)
    }

    fn stop(&self, py: Python<'_>, grace_seconds: f64) -> PyResult<()> {
        let grace = Duration::try_from_secs_f64(grace_seconds)
            .map_err(|_| PyValueError::new_err(format!("grace_seconds={grace_seconds} is no time")))?;
        py.detach(|| self.end(grace));
        Ok(())
    }

    fn counters(&self, py: Python<'_>) -> PyResult<Py<PyDict>> {
        let counters = PyDict::new(py);
        for (name, value) in self.calls.counters.all() {
            counters.set_item(name, value)?;
        }
        Ok(counters.unbind())
    }
}

impl Front {
    fn end(&self, grace: Duration) {
        let stage = {
            let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *stage, Stage::Ended)
        };
        if let Stage::Running { thread, stop } = stage {
            // Both fail only if the thread has ended already.
            let _ = stop.send(grace);
            let _ = thread.join();
        }
        self.calls.queue.close();
    }
}

/// Runs the server to its end on this thread. A panic or an error here ends the front, not the process.
fn served(server: Server, stop: oneshot::Receiver<Duration>) -> bool {
    let run = || -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let ended = runtime.block_on(server.run(stop));
        runtime.shutdown_background();
        ended
    };
    matches!(catch_unwind(AssertUnwindSafe(run)), Ok(Ok(())))
}

/// A mapping's paths and responses, the latter with their frames.
fn frames(py: Python<'_>, echoes: Option<Bound<'_, PyAny>>) -> PyResult<Vec<(String, Bytes)>> {
    let Some(echoes) = echoes else { return Ok(vec![]) };
    let echoes = py.get_type::<PyDict>().call1((echoes,))?.cast_into::<PyDict>()?;
    let framed_echo = |(path, response): (Bound<'_, PyAny>, Bound<'_, PyAny>)| -> PyResult<(String, Bytes)> {
        Ok((path.extract()?, framed(response.extract()?)))
    };
    echoes.iter().map(framed_echo).collect()
}

fn bind(listen: &str, address: std::net::SocketAddr, reuse_port: bool) -> PyResult<TcpListener> {
    options::bind(address, reuse_port).map_err(|error| {
        let text = format!("cannot listen on {listen}: {error}");
        error
            .raw_os_error()
            .map_or_else(|| PyOSError::new_err(text.clone()), |code| PyOSError::new_err((code, text.clone())))
    })
}

fn kept<T>(problems: &mut Vec<String>, outcome: Result<T, String>) -> Option<T> {
    outcome.map_err(|problem| problems.push(problem)).ok()
}
