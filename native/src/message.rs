//! Reads the one message of a unary call from its HTTP/2 body.

use std::{future::poll_fn, io::Read, pin::pin};

use bytes::{Buf, Bytes, BytesMut};
use flate2::read::GzDecoder;
use http::HeaderMap;
use http_body::Body;
use tonic::Status;

const FRAME_BYTES: usize = 5;

/// How the messages of a call are compressed, as its headers say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    /// What `grpc-encoding` names; UNIMPLEMENTED and the list of what would do if that is neither.
    pub fn of(headers: &HeaderMap) -> Result<Self, Status> {
        match headers.get("grpc-encoding").map(|value| value.as_bytes()) {
            None | Some(b"identity") => Ok(Self::Identity),
            Some(b"gzip") => Ok(Self::Gzip),
            Some(_) => {
                let mut status = Status::unimplemented("the message's encoding is not supported");
                let accepted = tonic::metadata::MetadataValue::from_static("identity,gzip");
                status.metadata_mut().insert("grpc-accept-encoding", accepted);
                Err(status)
            }
        }
    }
}

/// The call's message, of at most `bytes_limit` bytes when it is unpacked.
///
/// A body that is no single message ends with a status that blames the caller: never INTERNAL.
pub async fn read<B>(body: B, encoding: Encoding, bytes_limit: usize) -> Result<Bytes, Status>
where
    B: Body<Data = Bytes>,
{
    let mut body = pin!(body);
    let mut received = Bytes::new();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let frame = frame.map_err(|_| Status::cancelled("the request was cut off"))?;
        if let Ok(data) = frame.into_data() {
            received = joined(received, data);
            check_length(&received, bytes_limit)?;
        }
    }
    unpacked(received, encoding, bytes_limit)
}

/// Nearly every request comes in one piece and is passed on without a copy.
fn joined(received: Bytes, data: Bytes) -> Bytes {
    if received.is_empty() {
        return data;
    }
    let mut whole = received.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    whole.extend_from_slice(&data);
    whole.freeze()
}

/// Refuses a message as soon as its length is known, and a body that goes on after its message.
fn check_length(received: &Bytes, bytes_limit: usize) -> Result<(), Status> {
    let Some(length) = announced_bytes(received) else { return Ok(()) };
    if length > bytes_limit {
        return Err(too_large(bytes_limit));
    }
    if received.len() > FRAME_BYTES + length {
        return Err(Status::unimplemented("a unary call has exactly one message"));
    }
    Ok(())
}

fn announced_bytes(received: &[u8]) -> Option<usize> {
    let length = received.get(1..FRAME_BYTES)?;
    Some(u32::from_be_bytes(length.try_into().ok()?) as usize)
}

fn unpacked(mut received: Bytes, encoding: Encoding, bytes_limit: usize) -> Result<Bytes, Status> {
    let Some(length) = announced_bytes(&received) else {
        return Err(match received.len() {
            0 => Status::unimplemented("a unary call has exactly one message"),
            _ => Status::invalid_argument("the message's frame is incomplete"),
        });
    };
    let flag = received[0];
    received.advance(FRAME_BYTES);
    if received.len() != length {
        return Err(Status::invalid_argument("the message is shorter than its frame says"));
    }
    match (flag, encoding) {
        (0, _) => Ok(received),
        (1, Encoding::Gzip) => gunzipped(&received, bytes_limit),
        (1, Encoding::Identity) => Err(Status::invalid_argument("a compressed message without its grpc-encoding")),
        _ => Err(Status::invalid_argument("the message's frame has an unknown flag")),
    }
}

fn gunzipped(packed: &[u8], bytes_limit: usize) -> Result<Bytes, Status> {
    let mut message = Vec::new();
    GzDecoder::new(packed)
        .take(bytes_limit as u64 + 1)
        .read_to_end(&mut message)
        .map_err(|_| Status::invalid_argument("the message cannot be decompressed"))?;
    if message.len() > bytes_limit {
        return Err(too_large(bytes_limit));
    }
    Ok(message.into())
}

fn too_large(bytes_limit: usize) -> Status {
    Status::resource_exhausted(format!("the message is larger than {bytes_limit} bytes"))
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        convert::Infallible,
        io::Write,
        pin::Pin,
        task::{Context, Poll},
    };

    use super::*;
    use crate::answer::framed;
    use http_body::Frame;
    use tonic::Code;

    struct Pieces(VecDeque<Bytes>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
        }
    }

    fn read_all(pieces: &[&[u8]], encoding: Encoding) -> Result<Bytes, Code> {
        let body = Pieces(pieces.iter().map(|piece| Bytes::copy_from_slice(piece)).collect());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(read(body, encoding, 100)).map_err(|status| status.code())
    }

    fn gzip(message: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(message).unwrap();
        let mut frame = framed(&encoder.finish().unwrap()).to_vec();
        frame[0] = 1;
        frame
    }

    #[test]
    fn a_message_is_read_in_any_number_of_pieces() {
        let frame = framed(b"hello");
        let single: Vec<&[u8]> = frame.chunks(1).collect();
        assert_eq!(read_all(&[&frame], Encoding::Identity).unwrap(), "hello");
        assert_eq!(read_all(&single, Encoding::Identity).unwrap(), "hello");
        assert_eq!(read_all(&[&framed(b"")], Encoding::Gzip).unwrap(), "");
    }

    #[test]
    fn a_body_that_is_not_one_message_blames_the_caller() {
        let two = [framed(b"a"), framed(b"b")].concat();
        assert_eq!(read_all(&[], Encoding::Identity), Err(Code::Unimplemented));
        assert_eq!(read_all(&[&two], Encoding::Identity), Err(Code::Unimplemented));
        assert_eq!(read_all(&[b"\0\0"], Encoding::Identity), Err(Code::InvalidArgument));
        assert_eq!(read_all(&[b"\0\0\0\0\x09abc"], Encoding::Identity), Err(Code::InvalidArgument));
        assert_eq!(read_all(&[b"\x07\0\0\0\x01a"], Encoding::Identity), Err(Code::InvalidArgument));
        assert_eq!(read_all(&[b"\x01\0\0\0\x01a"], Encoding::Identity), Err(Code::InvalidArgument));
        assert_eq!(read_all(&[b"\x01\0\0\0\x01a"], Encoding::Gzip), Err(Code::InvalidArgument));
    }

    #[test]
    fn too_large_is_told_by_the_frame_alone_and_after_unpacking() {
        assert_eq!(read_all(&[b"\0\xff\xff\xff\xff"], Encoding::Identity), Err(Code::ResourceExhausted));
        assert_eq!(read_all(&[&gzip(&[7; 100])], Encoding::Gzip).unwrap().len(), 100);
        assert_eq!(read_all(&[&gzip(&[7; 101])], Encoding::Gzip), Err(Code::ResourceExhausted));
    }

    #[test]
    fn an_unknown_encoding_is_answered_with_the_known_ones() {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-encoding", "snappy".parse().unwrap());
        let status = Encoding::of(&headers).unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
        assert_eq!(status.metadata().get("grpc-accept-encoding").unwrap(), "identity,gzip");
    }
}
