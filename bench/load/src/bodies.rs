//! The messages to send: a file of them, each preceded by its length (4 bytes, little-endian) and with a place for a number.

use std::{cell::Cell, fs, io, path::Path};

use bytes::Bytes;

/// Stands in a message where its request id belongs; overwritten by as many hex digits, other ones in every call.
pub const MARK: &[u8; 16] = b"<request-number>";

/// gRPC's own: not compressed, then the length, big-endian.
const PREFIX_BYTES: usize = 5;

struct Body {
    framed: Vec<u8>,
    mark_at: Option<usize>,
}

/// Goes round and round. No two bodies of one run, or of runs with different seeds below 65,536, have the same number.
pub struct Bodies {
    bodies: Vec<Body>,
    first: u64,
    asked: Cell<u64>,
    seed: u64,
}

impl Bodies {
    pub fn read(path: &Path, seed: u64) -> io::Result<Self> {
        Self::new(&fs::read(path)?, seed).map_err(|problem| io::Error::new(io::ErrorKind::InvalidData, problem))
    }

    fn new(mut file: &[u8], seed: u64) -> Result<Self, &'static str> {
        let mut bodies = Vec::new();
        while let Some((length, rest)) = file.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            let (message, rest) = rest.split_at_checked(length).ok_or("the last body is cut off")?;
            bodies.push(Body::new(message));
            file = rest;
        }
        match (file, bodies.len() as u64) {
            ([], 0) => Err("there is no body"),
            // Far apart, so that runs after one another do not ask the same.
            ([], count) => Ok(Self { first: seed.wrapping_mul(7919) % count, bodies, asked: Cell::new(0), seed }),
            _ => Err("the last length is cut off"),
        }
    }

    /// The next message with gRPC's prefix.
    pub fn next(&self) -> Bytes {
        let number = self.asked.get();
        self.asked.set(number + 1);
        let body = &self.bodies[((self.first + number) % self.bodies.len() as u64) as usize];
        let mut framed = body.framed.clone();
        if let Some(at) = body.mark_at {
            write_hex(&mut framed[at..at + MARK.len()], self.seed << 48 | number);
        }
        Bytes::from(framed)
    }
}

impl Body {
    fn new(message: &[u8]) -> Self {
        let mut framed = Vec::with_capacity(PREFIX_BYTES + message.len());
        framed.push(0);
        framed.extend((message.len() as u32).to_be_bytes());
        framed.extend(message);
        let mark_at = framed.windows(MARK.len()).position(|window| window == MARK);
        Self { framed, mark_at }
    }
}

fn write_hex(place: &mut [u8], number: u64) {
    for (digit, shift) in place.iter_mut().zip((0..16).rev()) {
        *digit = b"0123456789abcdef"[(number >> (4 * shift)) as usize & 15];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(messages: &[&[u8]]) -> Vec<u8> {
        messages.iter().flat_map(|message| [&(message.len() as u32).to_le_bytes(), *message].concat()).collect()
    }

    #[test]
    fn each_call_has_its_own_number_in_place_of_the_mark() {
        let bodies = Bodies::new(&file(&[b"a<request-number>z", b"plain"]), 2).unwrap();
        assert_eq!(&bodies.next()[..], b"\0\0\0\0\x12a0002000000000000z");
        assert_eq!(&bodies.next()[..], b"\0\0\0\0\x05plain");
        assert_eq!(&bodies.next()[..], b"\0\0\0\0\x12a0002000000000002z");
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let whole = file(&[b"abc"]);
        for damaged in [&whole[..0], &whole[..2], &whole[..6]] {
            assert!(Bodies::new(damaged, 0).is_err());
        }
    }
}
