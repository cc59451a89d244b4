//! Time stamps: nanoseconds since 1970, and how they are written.

use std::mem;

use jiff::tz::TimeZone;

use crate::text::line::Line;
use crate::text::{nine_digits, push_dec, push_dec_padded, six_digits};

/// A capture time: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(pub i64);

const NANOS_PER_SECOND: i64 = 1_000_000_000;

impl Timestamp {
    /// The system's time.
    pub fn now() -> Self {
        Self(i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX))
    }

    /// Whole seconds, rounded down, and the nanoseconds behind them.
    #[inline]
    pub const fn split(self) -> (i64, u64) {
        let nanos = self.0.rem_euclid(NANOS_PER_SECOND).cast_unsigned();
        (self.0.div_euclid(NANOS_PER_SECOND), nanos)
    }

    /// Reads RFC 3339 (`2026-11-21T12:00:00Z`), a local `2026-11-21 12:00[:00]`, a date, a time
    /// of today, or seconds since 1970 with an optional fraction.
    ///
    /// # Errors
    /// A sentence for the user when it is none of these.
    pub fn parse(text: &str, zone: &TimeZone) -> Result<Self, String> {
        let stamp = if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
            Some(stamp)
        } else if let Ok(civil) = text.parse::<jiff::civil::DateTime>() {
            civil.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
        } else if let Ok(seconds) = text.parse::<f64>() {
            jiff::SignedDuration::try_from_secs_f64(seconds)
                .ok()
                .and_then(|since| jiff::Timestamp::from_duration(since).ok())
        } else if let Ok(time) = text.parse::<jiff::civil::Time>() {
            let today = jiff::Timestamp::now().to_zoned(zone.clone()).date();
            today.to_datetime(time).to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
        } else {
            None
        };
        stamp
            .and_then(|stamp| i64::try_from(stamp.as_nanosecond()).ok())
            .map(Self)
            .ok_or_else(|| {
                format!("'{text}' is not a time: write 2026-11-21T12:00:00Z, '2026-11-21 12:00', 12:00 or seconds since 1970")
            })
    }
}

/// Digits after the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// Six digits.
    #[default]
    Micros,
    /// Nine digits.
    Nanos,
}

impl Precision {
    /// Appends `.`, the digits and `end`.
    #[inline]
    pub fn push(self, out: &mut Vec<u8>, nanos: u64, end: u8) {
        match self {
            Self::Micros => {
                out.extend_from_slice(&six_digits(b'.', nanos / 1000, end).to_le_bytes());
            }
            Self::Nanos => out.extend_from_slice(&nine_digits(b'.', nanos, end)),
        }
    }
}

/// How a line shows its time: tcpdump's `-t` options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeStyle {
    /// Time of day.
    #[default]
    TimeOfDay,
    /// `-t`: nothing.
    None,
    /// `-tt`: seconds since 1970.
    Epoch,
    /// `-ttt`: since the line before.
    Delta,
    /// `-tttt`: date and time of day.
    Date,
    /// `-ttttt`: since the first line.
    SinceFirst,
}

impl TimeStyle {
    /// The style of so many `t`s, as tcpdump counts them.
    pub const fn from_count(count: u8) -> Option<Self> {
        Some(match count {
            0 => Self::TimeOfDay,
            1 => Self::None,
            2 => Self::Epoch,
            3 => Self::Delta,
            4 => Self::Date,
            5 => Self::SinceFirst,
            _ => return None,
        })
    }

    /// True if the time shown depends on earlier lines.
    pub const fn is_relative(self) -> bool {
        matches!(self, Self::Delta | Self::SinceFirst)
    }
}

/// Appends a difference of two times as tcpdump does, ` HH:MM:SS.ffffff ` or with `-` in front;
/// where tcpdump starts again at zero after a day, the hours go on counting.
pub fn push_delta(out: &mut Vec<u8>, from: Timestamp, to: Timestamp, precision: Precision) {
    let (delta, sign) = match to.0.saturating_sub(from.0) {
        delta if delta < 0 => (delta.saturating_neg(), b'-'),
        delta => (delta, b' '),
    };
    let (seconds, nanos) = Timestamp(delta).split();
    let seconds = seconds.cast_unsigned();
    out.push(sign);
    for (unit, end) in [(seconds / 3600, b':'), (seconds / 60 % 60, b':')] {
        push_dec_padded(out, unit, 2);
        out.push(end);
    }
    push_dec_padded(out, seconds % 60, 2);
    precision.push(out, nanos, b' ');
}

/// Writes times of one zone, keeping the text of the second it wrote last.
#[derive(Debug, Clone)]
pub struct Clock {
    zone: TimeZone,
    /// When that second began, in nanoseconds since 1970.
    began: i64,
    /// How many nanoseconds it lasts: none before the first time that is written.
    lasts: u64,
    /// `2026-11-21T12:34:56`, zeros behind: nanoseconds in 64 bits end in 2262.
    text: [u8; 32],
    /// Where a text that is not of a fixed length is written first.
    other: Vec<u8>,
}

/// Bytes of date and time up to the second.
const SECONDS: usize = 19;

impl Clock {
    /// A clock of this zone.
    pub const fn new(zone: TimeZone) -> Self {
        Self { zone, began: 0, lasts: 0, text: [0; 32], other: Vec::new() }
    }

    /// Turns to the second of a time, and gives the nanoseconds since it began.
    #[inline]
    fn since(&mut self, ts: Timestamp) -> u64 {
        let since = ts.0.wrapping_sub(self.began).cast_unsigned();
        if since < self.lasts {
            return since;
        }
        let (second, nanos) = ts.split();
        self.turn(second);
        self.began = ts.0.wrapping_sub_unsigned(nanos);
        nanos
    }

    fn turn(&mut self, second: i64) {
        let Ok(stamp) = jiff::Timestamp::from_second(second) else { return };
        let civil = self.zone.to_datetime(stamp);
        let [century, year] = [civil.year() / 100, civil.year() % 100];
        let two = |n: i16| {
            let n = u8::try_from(n.unsigned_abs() % 100).unwrap_or_default();
            [b'0' + n / 10, b'0' + n % 10]
        };
        let ([c, e], [y, a]) = (two(century), two(year));
        let [[m, o], [d, day], [h, hour], [i, minute], [s, second_digit]] =
            [civil.month(), civil.day(), civil.hour(), civil.minute(), civil.second()]
                .map(|n| two(i16::from(n)));
        let text = [
            c,
            e,
            y,
            a,
            b'-',
            m,
            o,
            b'-',
            d,
            day,
            b'T',
            h,
            hour,
            b':',
            i,
            minute,
            b':',
            s,
            second_digit,
        ];
        if let Some(place) = self.text.first_chunk_mut() {
            *place = text;
        }
        self.lasts = NANOS_PER_SECOND.unsigned_abs();
    }

    /// Appends RFC 3339 with a `Z` to a line; right for a clock of UTC.
    #[inline(always)]
    pub fn put_rfc3339(&mut self, line: &mut Line<'_>, ts: Timestamp, precision: Precision) {
        let nanos = self.since(ts);
        line.part((self.text, SECONDS));
        match precision {
            Precision::Micros => line.put(&six_digits(b'.', nanos / 1000, b'Z').to_le_bytes()),
            Precision::Nanos => line.put(&nine_digits(b'.', nanos, b'Z')),
        }
    }

    /// Appends RFC 3339 with a `Z`; right for a clock of UTC.
    #[inline]
    pub fn push_rfc3339(&mut self, out: &mut Vec<u8>, ts: Timestamp, precision: Precision) {
        let nanos = self.since(ts);
        let end = out.len().wrapping_add(SECONDS);
        out.extend_from_slice(&self.text);
        out.truncate(end);
        precision.push(out, nanos, b'Z');
    }

    /// Appends the time in one of the styles that need no other line, and a blank behind it.
    #[inline]
    pub fn push(&mut self, out: &mut Vec<u8>, ts: Timestamp, style: TimeStyle, p: Precision) {
        match style {
            TimeStyle::TimeOfDay => {
                let nanos = self.since(ts);
                self.push_time(out, nanos, p);
            }
            TimeStyle::Date => {
                let nanos = self.since(ts);
                let [date @ .., _, _, _, _, _, _, _, _, _] =
                    self.text.first_chunk().unwrap_or(&[0; SECONDS]);
                out.extend_from_slice(date);
                out.push(b' ');
                self.push_time(out, nanos, p);
            }
            TimeStyle::Epoch => {
                let (second, nanos) = ts.split();
                push_dec(out, second);
                p.push(out, nanos, b' ');
            }
            TimeStyle::None | TimeStyle::Delta | TimeStyle::SinceFirst => {}
        }
    }

    /// As [`push`](Self::push), to a line.
    #[inline(always)]
    pub fn put(&mut self, line: &mut Line<'_>, ts: Timestamp, style: TimeStyle, p: Precision) {
        if style == TimeStyle::TimeOfDay && p == Precision::Micros {
            let nanos = self.since(ts);
            line.put(&self.micros(nanos));
        } else {
            let mut text = mem::take(&mut self.other);
            text.clear();
            self.push(&mut text, ts, style, p);
            line.bytes(&text);
            self.other = text;
        }
    }

    /// Appends the time of day and a blank.
    #[inline]
    fn push_time(&self, out: &mut Vec<u8>, nanos: u64, precision: Precision) {
        match precision {
            Precision::Micros => out.extend_from_slice(&self.micros(nanos)),
            Precision::Nanos => {
                out.extend_from_slice(&self.time());
                out.extend_from_slice(&nine_digits(b'.', nanos, b' '));
            }
        }
    }

    /// The time of day up to the second.
    #[inline(always)]
    fn time(&self) -> [u8; 8] {
        let [.., a, b, c, d, e, f, g, h] = *self.text.first_chunk().unwrap_or(&[0; SECONDS]);
        [a, b, c, d, e, f, g, h]
    }

    /// The time of day and a blank, for one store.
    #[inline(always)]
    fn micros(&self, nanos: u64) -> [u8; 16] {
        let time = u128::from(u64::from_le_bytes(self.time()));
        (time | u128::from(six_digits(b'.', nanos / 1000, b' ')) << 64).to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(ts: i64, style: TimeStyle) -> String {
        let mut out = Vec::new();
        Clock::new(TimeZone::UTC).push(&mut out, Timestamp(ts), style, Precision::Micros);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn styles_are_tcpdumps() {
        let ts = 1_417_620_677_263_703_999;
        assert_eq!(utc(ts, TimeStyle::TimeOfDay), "15:31:17.263703 ");
        assert_eq!(utc(ts, TimeStyle::None), "");
        assert_eq!(utc(ts, TimeStyle::Epoch), "1417620677.263703 ");
        assert_eq!(utc(ts, TimeStyle::Date), "2014-12-03 15:31:17.263703 ");
    }

    #[test]
    fn times_before_1970_and_after_2038_are_right() {
        assert_eq!(utc(-1, TimeStyle::Date), "1969-12-31 23:59:59.999999 ");
        assert_eq!(utc(4_294_967_295_000_000_000, TimeStyle::Date), "2106-02-07 06:28:15.000000 ");
        assert_eq!(utc(i64::MAX, TimeStyle::Date), "2262-04-11 23:47:16.854775 ");
    }

    #[test]
    fn a_clock_of_a_zone_knows_its_summer_time() {
        let mut clock = Clock::new(TimeZone::get("Europe/Berlin").unwrap());
        let mut out = Vec::new();
        for second in [1_774_745_999_i64, 1_774_746_000] {
            clock.push(
                &mut out,
                Timestamp(second * NANOS_PER_SECOND),
                TimeStyle::TimeOfDay,
                Precision::Micros,
            );
        }
        assert_eq!(String::from_utf8(out).unwrap(), "01:59:59.000000 03:00:00.000000 ");
    }

    #[test]
    fn deltas_have_a_sign_and_go_beyond_a_day() {
        let delta = |a, b| {
            let mut out = Vec::new();
            push_delta(&mut out, Timestamp(a), Timestamp(b), Precision::Micros);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(delta(0, 0), " 00:00:00.000000 ");
        assert_eq!(delta(5_000, 1_000), "-00:00:00.000004 ");
        assert_eq!(delta(0, 90_061 * NANOS_PER_SECOND), " 25:01:01.000000 ");
        assert_eq!(delta(i64::MIN, i64::MAX), " 2562047:47:16.854775 ");
    }

    #[test]
    fn rfc_3339_keeps_the_source_s_precision() {
        let mut out = Vec::new();
        let mut clock = Clock::new(TimeZone::UTC);
        clock.push_rfc3339(&mut out, Timestamp(1), Precision::Nanos);
        assert_eq!(out, b"1970-01-01T00:00:00.000000001Z");
    }

    #[test]
    fn times_are_read_in_every_form_a_user_writes() {
        for text in [
            "2026-11-21T12:00:00Z",
            "2026-11-21 12:00",
            "2026-11-21T12:00:00",
            "1795262400",
            "1795262400.0",
        ] {
            assert_eq!(
                Timestamp::parse(text, &TimeZone::UTC),
                Ok(Timestamp(1_795_262_400 * NANOS_PER_SECOND)),
                "{text}"
            );
        }
        assert!(Timestamp::parse("yesterday", &TimeZone::UTC).is_err());
        assert!(Timestamp::parse("12:00", &TimeZone::UTC).is_ok());
    }
}
