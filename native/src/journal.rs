//! Log lines, through Python's `logging`. They name methods, types and code, never what a request or an exception says:
//! an exception's text may repeat the request, and with it whatever it knows about a person.

use pyo3::{
    create_exception,
    exceptions::PyException,
    prelude::*,
    types::{PyString, PyTraceback},
};

const LOGGER: &str = "batchfront";

create_exception!(batchfront, Misbehaved, PyException, "The handler's result is not what its interface says.");

/// A batch ended as INTERNAL.
pub fn batch_failed(py: Python<'_>, method: &Bound<'_, PyString>, requests: usize, error: &PyErr) {
    let why = if error.is_instance_of::<Misbehaved>(py) {
        error.value(py).to_string()
    } else {
        format!("the handler raised {}{}", type_name(error.value(py)), place(py, error))
    };
    write(py, "error", &format!("{method}: a batch of {requests} failed: {why}"));
}

/// One answer in a batch was neither bytes nor a status.
pub fn answer_failed(method: &Bound<'_, PyString>, given: &Bound<'_, PyAny>) {
    let why = format!("an answer is {}, not bytes or (error code, text)", type_name(given));
    write(method.py(), "error", &format!("{method}: {why}"));
}

/// Says something about the server itself, from a thread that does not hold the GIL.
pub fn note(level: &str, text: &str) {
    Python::try_attach(|py| write(py, level, text));
}

fn type_name(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "?".into(), |name| name.to_string())
}

/// File and line of each frame, without the source that `traceback` would add.
fn place(py: Python<'_>, error: &PyErr) -> String {
    let mut text = String::new();
    let mut next = error.traceback(py).map(Bound::into_any);
    while let Some(step) = next {
        let frame = (|| -> PyResult<String> {
            let code = step.getattr("tb_frame")?.getattr("f_code")?;
            let (file, function) = (code.getattr("co_filename")?, code.getattr("co_name")?);
            Ok(format!("\n  {file}:{} in {function}", step.getattr("tb_lineno")?))
        })();
        text.push_str(frame.as_deref().unwrap_or(""));
        next = step.getattr("tb_next").ok().filter(|step| step.is_instance_of::<PyTraceback>());
    }
    text
}

/// Logging that fails must not fail a call.
fn write(py: Python<'_>, level: &str, text: &str) {
    let logged = py
        .import("logging")
        .and_then(|logging| logging.call_method1("getLogger", (LOGGER,)))
        .and_then(|logger| logger.call_method1(level, ("%s", text)));
    if let Err(error) = logged {
        error.write_unraisable(py, None);
    }
}
