//! The statuses that the server gives of its own accord. None repeats anything that the caller sent.

use std::time::Duration;

use prost::Message;
use prost_types::Any;
use tonic::{Code, Status};

/// `google.rpc.Status`, which `grpc-status-details-bin` carries.
#[derive(Clone, PartialEq, Message)]
struct RichStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<prost_types::Duration>,
}

/// RESOURCE_EXHAUSTED that says when to come back.
pub fn overloaded(message: &str, retry_after: Duration) -> Status {
    let info = RetryInfo { retry_delay: retry_after.try_into().ok() };
    let rich = RichStatus {
        code: Code::ResourceExhausted.into(),
        message: message.into(),
        details: vec![Any { type_url: "type.googleapis.com/google.rpc.RetryInfo".into(), value: info.encode_to_vec() }],
    };
    Status::with_details(Code::ResourceExhausted, message, rich.encode_to_vec().into())
}

pub fn deadline_exceeded() -> Status {
    Status::deadline_exceeded("deadline exceeded")
}

pub fn stopping() -> Status {
    Status::unavailable("the server is stopping")
}

/// What went wrong is in the log, not in the answer.
pub fn internal() -> Status {
    Status::internal("internal error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_details_say_when_to_retry() {
        let status = overloaded("full", Duration::from_millis(1250));
        let rich = RichStatus::decode(status.details()).unwrap();
        assert_eq!((rich.code, rich.message.as_str()), (8, "full"));
        let info = RetryInfo::decode(rich.details[0].value.as_slice()).unwrap();
        assert_eq!(info.retry_delay, Some(prost_types::Duration { seconds: 1, nanos: 250_000_000 }));
    }
}
