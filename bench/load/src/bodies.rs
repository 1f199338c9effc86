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
    scores: Vec<f32>,
    first: u64,
    asked: Cell<u64>,
    seed: u64,
}

/// One message to send.
pub struct Message {
    /// With gRPC's prefix.
    pub framed: Bytes,
    /// What its answer has to be scored with, where that was given.
    pub score: Option<f32>,
}

impl Message {
    /// Without the prefix.
    pub fn body(&self) -> &[u8] {
        &self.framed[PREFIX_BYTES..]
    }
}

impl Bodies {
    pub fn read(path: &Path, scores: Option<&Path>, seed: u64) -> io::Result<Self> {
        let scores = scores.map_or(Ok(vec![]), fs::read)?;
        Self::new(&fs::read(path)?, &scores, seed)
            .map_err(|problem| io::Error::new(io::ErrorKind::InvalidData, problem))
    }

    fn new(mut file: &[u8], scores: &[u8], seed: u64) -> Result<Self, &'static str> {
        let mut bodies = Vec::new();
        while let Some((length, rest)) = file.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            let (message, rest) = rest.split_at_checked(length).ok_or("the last body is cut off")?;
            bodies.push(Body::new(message));
            file = rest;
        }
        let scores: Vec<f32> =
            scores.chunks(4).filter_map(|four| four.try_into().ok()).map(f32::from_le_bytes).collect();
        if !scores.is_empty() && scores.len() != bodies.len() {
            return Err("there is not one score for each body");
        }
        match (file, bodies.len() as u64) {
            ([], 0) => Err("there is no body"),
            ([], count) => {
                // Far apart, so that runs after one another do not ask the same.
                let first = seed.wrapping_mul(7919) % count;
                Ok(Self { bodies, scores, first, asked: Cell::new(0), seed })
            }
            _ => Err("the last length is cut off"),
        }
    }

    pub fn next(&self) -> Message {
        let number = self.asked.get();
        self.asked.set(number + 1);
        let place = ((self.first + number) % self.bodies.len() as u64) as usize;
        let body = &self.bodies[place];
        let mut framed = body.framed.clone();
        if let Some(at) = body.mark_at {
            write_hex(&mut framed[at..at + MARK.len()], self.seed << 48 | number);
        }
        Message { framed: Bytes::from(framed), score: self.scores.get(place).copied() }
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
        let bodies = Bodies::new(&file(&[b"a<request-number>z", b"plain"]), &[], 2).unwrap();
        assert_eq!(&bodies.next().framed[..], b"\0\0\0\0\x12a0002000000000000z");
        assert_eq!(&bodies.next().framed[..], b"\0\0\0\0\x05plain");
        assert_eq!(bodies.next().body(), b"a0002000000000002z");
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let whole = file(&[b"abc"]);
        for damaged in [&whole[..0], &whole[..2], &whole[..6]] {
            assert!(Bodies::new(damaged, &[], 0).is_err());
        }
    }

    #[test]
    fn each_body_comes_with_its_score() {
        let scores = [0.25_f32, 0.5].map(f32::to_le_bytes).concat();
        let bodies = Bodies::new(&file(&[b"a", b"b"]), &scores, 1).unwrap();
        let next = || bodies.next();
        let taken = [next(), next()].map(|message| (message.body().to_vec(), message.score));
        assert_eq!(taken, [(b"b".to_vec(), Some(0.5)), (b"a".to_vec(), Some(0.25))]);
        assert!(Bodies::new(&file(&[b"a", b"b"]), &scores[..4], 0).is_err());
    }
}
