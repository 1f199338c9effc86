//! A gRPC server for Python that speaks HTTP/2 in Rust and asks Python once per batch.
//!
//! One thread runs tokio: it reads and writes, judges deadlines and limits, answers health and reflection, and never
//! takes the GIL. Python threads call [`front::Front::work`]: each takes what has gathered while it was busy.
//! `queue` is what lies between them, `call` is the way of one request, `batch` the one place that calls Python.

mod answer;
mod batch;
mod call;
mod certificates;
mod connection;
mod counters;
mod deadline;
mod front;
mod health;
mod journal;
mod message;
mod options;
mod queue;
mod reflection;
mod refusal;
mod routes;
mod server;
mod traffic;
mod worker;

use pyo3::{prelude::*, types::PyDict};

#[pymodule]
fn batchfront(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<front::Front>()?;
    let py = module.py();
    let scope = PyDict::new(py);
    scope.set_item("Callable", py.import("collections.abc")?.getattr("Callable")?)?;
    scope.set_item("Answer", py.eval(c"bytes | tuple[int, str]", None, None)?)?;
    module.add("Answer", scope.get_item("Answer")?)?;
    module.add("Handler", py.eval(c"Callable[[str, list[bytes], list[float]], list[Answer]]", Some(&scope), None)?)
}
