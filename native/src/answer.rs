//! What becomes of a call, and how it is written to the wire: no codec, one frame, one trailer.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, header::CONTENT_TYPE};
use http_body::{Body, Frame, SizeHint};
use tonic::{Code, Status};

/// A response message with its five bytes of frame before it, or the status that the call ends with.
pub type Answer = Result<Bytes, Status>;

/// A client refuses headers beyond 8 KiB, and a message may grow threefold when it is percent-encoded.
const STATUS_MESSAGE_BYTES: usize = 2048;

/// Puts gRPC's frame before a message: one allocation and one copy for the whole way out.
pub fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.put_slice(message);
    frame.freeze()
}

/// A status as a handler may give it: an error code of gRPC's and a text of reasonable length.
pub fn status(code: i32, message: &str) -> Option<Status> {
    if !(1..=16).contains(&code) {
        return None;
    }
    let end = message.floor_char_boundary(STATUS_MESSAGE_BYTES);
    Some(Status::new(Code::from_i32(code), &message[..end]))
}

/// The HTTP/2 response for an answer.
pub fn response(answer: Answer) -> Response<AnswerBody> {
    match answer {
        Ok(frame) => {
            let mut response = Response::new(AnswerBody::Frame(frame));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            response
        }
        Err(status) => status.into_http(),
    }
}

/// One frame and the trailers that end it, nothing at all, or what tonic's own services write.
#[derive(Default)]
pub enum AnswerBody {
    Frame(Bytes),
    Trailers,
    #[default]
    Empty,
    Tonic(tonic::body::Body),
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let AnswerBody::Tonic(body) = &mut *self {
            return Pin::new(body).poll_frame(context);
        }
        match std::mem::take(&mut *self) {
            AnswerBody::Frame(frame) => {
                *self = AnswerBody::Trailers;
                Poll::Ready(Some(Ok(Frame::data(frame))))
            }
            AnswerBody::Trailers => {
                let mut trailers = HeaderMap::with_capacity(1);
                trailers.insert("grpc-status", HeaderValue::from_static("0"));
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            _ => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            AnswerBody::Empty => true,
            AnswerBody::Tonic(body) => body.is_end_stream(),
            _ => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_its_length_before_it() {
        assert_eq!(&framed(b"abc")[..], b"\0\0\0\0\x03abc");
        assert_eq!(&framed(b"")[..], b"\0\0\0\0\0");
    }

    #[test]
    fn only_error_codes_are_statuses() {
        assert!(status(0, "").is_none());
        assert!(status(17, "").is_none());
        assert!(status(-1, "").is_none());
        assert_eq!(status(3, "no").unwrap().code(), Code::InvalidArgument);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = "é".repeat(STATUS_MESSAGE_BYTES);
        let cut = status(3, &format!("x{text}")).unwrap();
        assert_eq!(cut.message().len(), STATUS_MESSAGE_BYTES - 1);
    }

    #[test]
    fn a_status_is_percent_encoded() {
        let response = response(Err(Status::new(Code::InvalidArgument, "50 % é\n")));
        assert_eq!(response.headers()["grpc-message"], "50%20%25%20%C3%A9%0A");
    }
}
