//! What a decision says, from its bytes: whom it is for, and how it was made. The one place that knows messages.

use blake2::{Blake2b, Digest, digest::consts::U16};

/// Scores are computed twice, by the service and by who wrote down what to expect.
const SCORE_TOLERANCE: f32 = 1e-5;

/// Numbers of fields in `interlude.v1.DecideRequest` and `DecideResponse`.
mod field {
    pub const REQUEST_ID: u64 = 1;
    pub const CUSTOMER_ID: u64 = 2;
    pub const DECISION_ID: u64 = 3;
    pub const SCORE: u64 = 5;
    pub const MODEL_VERSION: u64 = 8;
    pub const DEGRADED: u64 = 11;
}

/// What an answer must say.
pub struct Asked {
    decision_id: [u8; 32],
    score: Option<f32>,
}

impl Asked {
    /// For this request; `score` is that of its customer, where it is known.
    pub fn new(request: &[u8], score: Option<f32>) -> Self {
        let (mut request_id, mut customer_id) = (&[][..], 0);
        for found in Fields(request) {
            match found {
                (field::REQUEST_ID, Value::Bytes(text)) => request_id = text,
                (field::CUSTOMER_ID, Value::Number(id)) => customer_id = id,
                _ => {}
            }
        }
        let identity = [format!("{customer_id}|").as_bytes(), request_id].concat();
        Self { decision_id: hex(&Blake2b::<U16>::digest(identity).into()), score }
    }
}

fn hex(digest: &[u8; 16]) -> [u8; 32] {
    let digit = |place: usize| digest[place / 2] >> (4 * (1 - place % 2)) & 15;
    std::array::from_fn(|place| b"0123456789abcdef"[usize::from(digit(place))])
}

/// What an answer says.
#[derive(Debug, Default, PartialEq)]
pub struct Decision {
    /// It is the answer to another question, or made from what is known of another customer.
    pub foreign: bool,
    pub degraded: bool,
    pub model_version: String,
}

impl Decision {
    pub fn read(response: &[u8], asked: &Asked) -> Self {
        let mut decision = Self { foreign: true, ..Self::default() };
        let mut other_score = false;
        for found in Fields(response) {
            match found {
                (field::DECISION_ID, Value::Bytes(id)) => decision.foreign = id != asked.decision_id,
                (field::SCORE, Value::Float(score)) => {
                    other_score = asked.score.is_some_and(|expected| (score - expected).abs() > SCORE_TOLERANCE);
                }
                (field::MODEL_VERSION, Value::Bytes(text)) => {
                    decision.model_version = String::from_utf8_lossy(text).into_owned();
                }
                (field::DEGRADED, Value::Number(value)) => decision.degraded = value != 0,
                _ => {}
            }
        }
        decision.foreign |= other_score;
        decision
    }
}

enum Value<'a> {
    Number(u64),
    Float(f32),
    Bytes(&'a [u8]),
}

/// The fields of a protobuf message; ends where it does not read.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.number()?;
        let value = match key & 7 {
            0 => Value::Number(self.number()?),
            2 => {
                let length = self.number()?;
                Value::Bytes(self.take(usize::try_from(length).ok()?)?)
            }
            5 => Value::Float(f32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            _ => return None,
        };
        Some((key >> 3, value))
    }
}

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for place in 0..10 {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `DecideRequest(request_id="r-1", customer_id=300)`.
    const REQUEST: &[u8] = b"\x0a\x03r-1\x10\xac\x02";
    /// Of Python's `blake2b(b"300|r-1", digest_size=16)`.
    const DECISION_ID: &[u8] = b"edec1318a5f73fb311e1bd0aba115124";

    fn response(decision_id: &[u8], score: f32) -> Vec<u8> {
        let mut message = vec![0x08, 1, 0x1a, 32];
        message.extend(decision_id);
        message.push(0x2d);
        message.extend(score.to_le_bytes());
        message.extend(b"\x42\x02v7\x48\x05\x58\x01");
        message
    }

    #[test]
    fn an_answer_is_read() {
        let decision = Decision::read(&response(DECISION_ID, 0.25), &Asked::new(REQUEST, Some(0.25)));
        assert_eq!(decision, Decision { foreign: false, degraded: true, model_version: "v7".into() });
    }

    #[test]
    fn what_is_meant_for_another_or_made_of_another_is_foreign() {
        let asked = Asked::new(REQUEST, Some(0.25));
        assert!(Decision::read(&response(&[b'0'; 32], 0.25), &asked).foreign);
        assert!(Decision::read(&response(DECISION_ID, 0.26), &asked).foreign);
        assert!(Decision::read(b"", &asked).foreign);
        assert!(!Decision::read(&response(DECISION_ID, 0.26), &Asked::new(REQUEST, None)).foreign);
    }

    #[test]
    fn what_is_cut_off_ends_the_reading() {
        let whole = response(DECISION_ID, 0.25);
        for length in 0..whole.len() {
            let _ = Decision::read(&whole[..length], &Asked::new(&whole[..length], None));
        }
    }
}
