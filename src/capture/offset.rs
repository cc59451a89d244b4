//! `--offset`: clocks of sources that are wrong, put right.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::file::Filled;
use super::{Batch, Records};

/// Nanoseconds in each unit, the longest names first.
const UNITS: [(&str, i64); 6] = [
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// How far a clock is off.
#[derive(Debug)]
struct Offset {
    /// A file as the user named it, or an interface.
    name: Vec<u8>,
    /// Nanoseconds to add.
    nanos: i64,
    used: AtomicBool,
}

/// The clocks that are off.
#[derive(Debug, Clone, Default)]
pub struct Offsets(Arc<[Offset]>);

impl Offsets {
    /// From `NAME=+1.5s`, each: the sign may be missing, the units are ns, us, ms, s, m, h.
    ///
    /// # Errors
    /// A sentence for the user.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        texts.into_iter().map(Offset::parse).collect::<Result<_, _>>().map(Self)
    }

    /// True if no clock is off.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts the records' times right. An interface's own offset goes before that of its file.
    pub fn apply(&self, file: &[u8], batch: &mut Batch) {
        if self.is_empty() {
            return;
        }
        let of = |name: &[u8]| {
            let offset = self.0.iter().find(|offset| offset.name == name)?;
            offset.used.store(true, Ordering::Relaxed);
            Some(offset.nanos)
        };
        let file = of(file);
        let interface = |name: Option<&[u8]>| name.and_then(of).or(file).unwrap_or_default();
        let nanos: Vec<_> =
            batch.interfaces.iter().map(|known| interface(known.name.as_deref())).collect();
        for record in &mut batch.records {
            let nanos = nanos.get(record.interface as usize).copied().unwrap_or_default();
            record.ts.0 = record.ts.0.saturating_add(nanos);
        }
    }

    /// Names that were of no file and of no interface.
    pub fn unused(&self) -> impl Iterator<Item = &[u8]> {
        let unused = self.0.iter().filter(|offset| !offset.used.load(Ordering::Relaxed));
        unused.map(|offset| &*offset.name)
    }
}

impl Offset {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not NAME=OFFSET, as pflog0=+1.5s or fw2.pcap=-20ms");
        let parts = text.rsplit_once('=').filter(|(name, _)| !name.is_empty());
        let (name, offset) = parts.ok_or_else(wrong)?;
        let nanos = nanos(offset).ok_or_else(wrong)?;
        Ok(Self { name: name.into(), nanos, used: AtomicBool::new(false) })
    }
}

/// Nanoseconds of `+1.5s`.
fn nanos(text: &str) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let unit = |&(unit, nanos)| Some((text.strip_suffix(unit)?, nanos));
    let (number, unit) = UNITS.iter().find_map(unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 15 {
        return None;
    }
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let part = fraction.parse::<i128>().ok()? * i128::from(unit) / scale;
    let nanos = whole.parse::<i64>().ok()?.checked_mul(unit)?;
    let nanos = nanos.checked_add(i64::try_from(part).ok()?)?;
    Some(if negative { -nanos } else { nanos })
}

/// A source with its clock put right.
#[derive(Debug)]
pub struct Shifted<R> {
    source: R,
    file: Vec<u8>,
    offsets: Offsets,
}

impl<R> Shifted<R> {
    /// `file` is its name as the user gave it.
    pub fn new(source: R, file: &[u8], offsets: &Offsets) -> Self {
        Self { source, file: file.into(), offsets: offsets.clone() }
    }
}

impl<R: Records> Records for Shifted<R> {
    fn fill(&mut self, batch: &mut Batch) -> Filled {
        let filled = self.source.fill(batch);
        self.offsets.apply(&self.file, batch);
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_have_signs_and_units() {
        for (text, expected) in [
            ("+1.5s", Some(1_500_000_000)),
            ("-1.5s", Some(-1_500_000_000)),
            ("20ms", Some(20_000_000)),
            ("-3us", Some(-3_000)),
            ("7ns", Some(7)),
            ("+2m", Some(120_000_000_000)),
            ("1h", Some(3_600_000_000_000)),
            ("0s", Some(0)),
            ("0.000000001s", Some(1)),
            ("1.5", None),
            ("s", None),
            ("+-1s", None),
            (".5s", None),
            ("1.s", None),
            ("1e3s", None),
            ("99999999h", None),
            ("9223372036854775808ns", None),
            ("0.9999999999999999s", None),
            ("", None),
        ] {
            assert_eq!(nanos(text), expected, "{text}");
        }
    }

    #[test]
    fn names_may_have_any_byte_but_must_be_there() {
        let offsets = Offsets::parse(["a=b=+1s", "x=1ms"]).unwrap();
        assert_eq!(offsets.unused().collect::<Vec<_>>(), [b"a=b".as_slice(), b"x"]);
        for wrong in ["", "=1s", "a", "a=", "a=1"] {
            assert!(Offsets::parse([wrong]).unwrap_err().contains("NAME=OFFSET"), "{wrong}");
        }
    }
}
