//! The one place that calls Python: a batch in, one answer for each request out, whatever the handler does.

use std::time::Instant;

use pyo3::{
    exceptions::PyException,
    prelude::*,
    types::{PyBytes, PyFloat, PyList, PyString, PyTuple},
};

use crate::{
    answer::{self, Answer},
    counters::Counters,
    journal,
    queue::Waiting,
    refusal,
};

pub struct Handler {
    handle: Py<PyAny>,
    methods: Vec<Py<PyString>>,
}

/// What came of a batch; `fatal` is an exception that is meant to end the thread, such as SystemExit.
pub struct Outcome {
    pub answers: Vec<Answer>,
    pub fatal: Option<PyErr>,
}

impl Handler {
    pub fn new(py: Python<'_>, handle: Py<PyAny>, methods: &[String]) -> Self {
        Self { handle, methods: methods.iter().map(|method| PyString::new(py, method).unbind()).collect() }
    }

    /// One answer for each request of `batch`, in order.
    pub fn answers(
        &self,
        py: Python<'_>,
        counters: &Counters,
        method: usize,
        batch: &[Waiting],
        now: Instant,
    ) -> Outcome {
        let name = self.methods[method].bind(py);
        let given = self.call(name, batch, now).and_then(|given| checked(given, batch.len()));
        match given {
            Ok(given) => {
                Outcome { answers: given.iter().map(|item| one(counters, name, &item)).collect(), fatal: None }
            }
            Err(error) => {
                counters.failed_batches.one();
                counters.failed.add(batch.len() as u64);
                journal::batch_failed(py, name, batch.len(), &error);
                let answers = batch.iter().map(|_| Err(refusal::internal())).collect();
                Outcome { answers, fatal: (!error.is_instance_of::<PyException>(py)).then_some(error) }
            }
        }
    }

    fn call<'py>(&self, name: &Bound<'py, PyString>, batch: &[Waiting], now: Instant) -> PyResult<Bound<'py, PyAny>> {
        let py = name.py();
        let bodies = PyList::new(py, batch.iter().map(|waiting| PyBytes::new(py, &waiting.body)))?;
        let remaining = PyList::new(py, batch.iter().map(|waiting| PyFloat::new(py, remaining_s(waiting, now))))?;
        self.handle.bind(py).call1((name, bodies, remaining))
    }
}

fn remaining_s(waiting: &Waiting, now: Instant) -> f64 {
    waiting.deadline.map_or(f64::INFINITY, |deadline| deadline.saturating_duration_since(now).as_secs_f64())
}

/// With a wrong number of answers nobody can say whose they are, so nobody gets one.
fn checked(given: Bound<'_, PyAny>, expected: usize) -> PyResult<Bound<'_, PyList>> {
    let Ok(given) = given.cast_into::<PyList>() else {
        return Err(journal::Misbehaved::new_err("the handler did not return a list"));
    };
    match given.len() {
        length if length == expected => Ok(given),
        length => {
            Err(journal::Misbehaved::new_err(format!("the handler returned {length} answers for {expected} requests")))
        }
    }
}

/// Bytes, or a status; anything else fails this request alone.
fn one(counters: &Counters, method: &Bound<'_, PyString>, given: &Bound<'_, PyAny>) -> Answer {
    if let Ok(message) = given.cast::<PyBytes>() {
        let message = message.as_bytes();
        if u32::try_from(message.len()).is_ok() {
            return Ok(answer::framed(message));
        }
    } else if let Some(status) = status(given) {
        return Err(status);
    }
    counters.failed.one();
    journal::answer_failed(method, given);
    Err(refusal::internal())
}

fn status(given: &Bound<'_, PyAny>) -> Option<tonic::Status> {
    let (code, message) = given.cast::<PyTuple>().ok()?.extract::<(i32, String)>().ok()?;
    answer::status(code, &message)
}
