//! When a ruleset was kept: the time in the file's name, or when the file was last written.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::time::Timestamp;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// Numbers of a name that are looked at.
const MAX_STARTS: usize = 16;

/// The first time in a name: `2026-11-21T12:00:00Z`, `20261121-1200`, `2026-11-21` (the day's
/// first second), `1795262400`. Between the digits may stand `-`, `:`, `_`, `.`, `T`; a `Z` behind
/// them means UTC, else it is a time of `zone`.
pub(super) fn of_name(name: &str, zone: &TimeZone) -> Option<Timestamp> {
    let is_part = |c: char| c.is_ascii_digit() || "-:_.TZ".contains(c);
    let bytes = name.as_bytes();
    let starts = (0..bytes.len()).filter(|&at| {
        let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        is_digit(at) && !at.checked_sub(1).is_some_and(is_digit)
    });
    starts.take(MAX_STARTS).find_map(|at| {
        let rest = name.get(at..)?;
        let part = rest.get(..rest.find(|c| !is_part(c)).unwrap_or(rest.len()))?;
        let utc = part.trim_end_matches(['-', ':', '_', '.']).ends_with('Z');
        let digits: String = part.chars().filter(char::is_ascii_digit).collect();
        let seconds = match digits.len() {
            10 if part.contains(&digits) => digits.parse::<i64>().ok()?,
            8 | 12 | 14 => {
                let zone = if utc { &TimeZone::UTC } else { zone };
                civil(&digits)?.to_zoned(zone.clone()).ok()?.timestamp().as_second()
            }
            _ => return None,
        };
        seconds.checked_mul(NANOS_PER_SECOND).map(Timestamp)
    })
}

/// `YYYYMMDD`, `YYYYMMDDhhmm` or `YYYYMMDDhhmmss`.
fn civil(digits: &str) -> Option<DateTime> {
    let two = |at: usize| digits.get(at..at + 2).map_or(Some(0), |two| two.parse::<i8>().ok());
    let year = digits.get(..4)?.parse::<i16>().ok().filter(|year| (1990..=2200).contains(year))?;
    DateTime::new(year, two(4)?, two(6)?, two(8)?, two(10)?, two(12)?, 0).ok()
}

/// When a file was last written; a time out of range is the earliest or the latest.
pub(super) fn of_file(written: SystemTime) -> Timestamp {
    Timestamp(match written.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_times() {
        let noon = 1_795_262_400;
        for name in [
            "pf-2026-11-21T12:00:00Z.txt",
            "20261121T120000Z",
            "rules.20261121-1200",
            "fw1_2026-11-21_12.00.00",
            "1795262400",
            "rules-1795262400.txt",
        ] {
            let ts = of_name(name, &TimeZone::UTC);
            assert_eq!(ts, Some(Timestamp(noon * NANOS_PER_SECOND)), "{name}");
        }
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let ts = of_name("2026-11-21 1300", &berlin).unwrap();
        assert_eq!(ts.0 / NANOS_PER_SECOND, noon - 13 * 3600, "the day's first second");
        assert_eq!(of_name("20261121-1300", &berlin).unwrap().0 / NANOS_PER_SECOND, noon);
        for name in ["rules.debug", "pf.conf.2", "20269921", "99999999999999", ""] {
            assert_eq!(of_name(name, &TimeZone::UTC), None, "{name}");
        }
    }

    #[test]
    fn files_tell_times_too() {
        assert_eq!(of_file(UNIX_EPOCH), Timestamp(0));
        let before = UNIX_EPOCH - std::time::Duration::from_secs(1);
        assert_eq!(of_file(before), Timestamp(-NANOS_PER_SECOND));
    }
}
