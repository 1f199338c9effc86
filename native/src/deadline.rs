//! When a caller stops waiting: the `grpc-timeout` header, counted from the request's arrival.

use std::time::{Duration, Instant};

use http::HeaderMap;

/// The specification allows eight digits, which also keeps every unit from overflowing.
const DIGITS_LIMIT: usize = 8;

/// The instant at which the caller gives up; none without the header.
///
/// A header that cannot be read is an error: a call that was meant to end must not run for ever.
pub fn deadline(headers: &HeaderMap, arrived: Instant) -> Result<Option<Instant>, Unreadable> {
    match headers.get("grpc-timeout") {
        None => Ok(None),
        Some(value) => timeout(value.as_bytes()).ok_or(Unreadable).map(|timeout| Some(arrived + timeout)),
    }
}

/// The header is not `1*8DIGIT` and a unit.
#[derive(Debug, PartialEq)]
pub struct Unreadable;

fn timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > DIGITS_LIMIT || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let amount: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match unit {
        b'H' => Some(Duration::from_secs(amount * 3600)),
        b'M' => Some(Duration::from_secs(amount * 60)),
        b'S' => Some(Duration::from_secs(amount)),
        b'm' => Some(Duration::from_millis(amount)),
        b'u' => Some(Duration::from_micros(amount)),
        b'n' => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        let expected = [
            ("1H", Duration::from_secs(3600)),
            ("2M", Duration::from_secs(120)),
            ("3S", Duration::from_secs(3)),
            ("50m", Duration::from_millis(50)),
            ("7u", Duration::from_micros(7)),
            ("99999999n", Duration::from_nanos(99_999_999)),
            ("99999999H", Duration::from_secs(99_999_999 * 3600)),
        ];
        for (text, duration) in expected {
            assert_eq!(timeout(text.as_bytes()), Some(duration), "{text}");
        }
    }

    #[test]
    fn what_is_no_timeout_is_refused() {
        for text in ["", "m", "5", "5x", "+5m", "-5m", "999999999n", "5 m", "1.5S"] {
            assert_eq!(timeout(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn no_header_is_no_deadline_and_a_bad_one_an_error() {
        let mut headers = HeaderMap::new();
        assert_eq!(deadline(&headers, Instant::now()), Ok(None));
        headers.insert("grpc-timeout", "soon".parse().unwrap());
        assert_eq!(deadline(&headers, Instant::now()), Err(Unreadable));
    }
}
