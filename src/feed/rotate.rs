//! When a file is full and what the next one is called: tcpdump's -C, -G and -W, with its names.

use std::ffi::OsString;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// -C, -G and -W.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rotation {
    /// A file of more bytes than these is followed by another before the next record.
    pub size: Option<u64>,
    /// A file that is so many seconds old is.
    pub seconds: Option<u64>,
    /// With a size: how many files there are in the ring. With seconds alone: how many files end
    /// the run.
    pub files: Option<u32>,
}

/// What follows a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// The same file goes on.
    Same,
    /// Another one.
    File(PathBuf),
    /// None: there are as many as -W allows.
    End,
}

/// The files of a run, one after the other.
#[derive(Debug)]
pub(super) struct Files {
    base: PathBuf,
    rotation: Rotation,
    zone: TimeZone,
    /// When this period began, in seconds since 1970.
    began: i64,
    /// How many came before it.
    periods: u32,
    /// Number of this file in its period.
    number: u64,
}

impl Files {
    pub(super) const fn new(base: PathBuf, rotation: Rotation, zone: TimeZone, now: i64) -> Self {
        Self { base, rotation, zone, began: now, periods: 0, number: 0 }
    }

    /// The name of the file that is written now.
    pub(super) fn path(&self) -> Result<PathBuf, String> {
        let mut name: OsString = match self.rotation.seconds {
            None => self.base.clone().into(),
            Some(_) => self.dated()?.into(),
        };
        if self.rotation.size.is_some() {
            let width = self.rotation.files.map_or(0, digits);
            // As C's %0*d, which has no zeroes to put before a number wide enough.
            if self.number > 0 || width > 0 {
                name.push(format!("{:0width$}", self.number));
            }
        }
        Ok(name.into())
    }

    /// The name with the date of the period, in the words of strftime(3).
    fn dated(&self) -> Result<String, String> {
        let wrong = |why: &dyn std::fmt::Display| {
            format!("the name {} cannot be given a date: {why}", self.base.display())
        };
        let base = self.base.to_str().ok_or_else(|| wrong(&"it is not UTF-8"))?;
        let began = Timestamp::from_second(self.began).map_err(|error| wrong(&error))?;
        let began: Zoned = began.to_zoned(self.zone.clone());
        jiff::fmt::strtime::format(base, &began).map_err(|error| wrong(&error))
    }

    /// What the next record goes into, at this time and size of the file. A period that ends
    /// comes before a size that is reached.
    pub(super) fn next(&mut self, now: i64, size: u64) -> Result<Next, String> {
        let mut next = Next::Same;
        let age = u64::try_from(now.saturating_sub(self.began)).unwrap_or_default();
        if self.rotation.seconds.is_some_and(|seconds| age >= seconds) {
            (self.began, self.number) = (now, 0);
            self.periods = self.periods.saturating_add(1);
            let enough = self.rotation.files.is_some_and(|files| self.periods >= files);
            if self.rotation.size.is_none() && enough {
                return Ok(Next::End);
            }
            next = Next::File(self.path()?);
        } else if self.rotation.size.is_some_and(|limit| size > limit) {
            self.number = match self.rotation.files.map(u64::from) {
                Some(files) if self.number + 1 >= files => 0,
                _ => self.number + 1,
            };
            next = Next::File(self.path()?);
        }
        Ok(next)
    }

    /// -W, where it ends the run.
    pub(super) fn limit(&self) -> u32 {
        self.rotation.files.unwrap_or_default()
    }
}

/// Digits of the largest number of a ring of so many files; none for a ring of one.
fn digits(files: u32) -> usize {
    files.saturating_sub(1).checked_ilog10().map_or(0, |digits| digits as usize + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(name: &str, size: Option<u64>, seconds: Option<u64>, files: Option<u32>) -> Files {
        let rotation = Rotation { size, seconds, files };
        Files::new(name.into(), rotation, TimeZone::UTC, 1_790_000_000)
    }

    /// Names of the file at these times, each with the size of the file then.
    fn names(files: &mut Files, records: &[(i64, u64)]) -> Vec<String> {
        let mut names = vec![files.path().unwrap()];
        for &(after, size) in records {
            match files.next(1_790_000_000 + after, size).unwrap() {
                Next::Same => {}
                Next::File(path) => names.push(path),
                Next::End => names.push("end".into()),
            }
        }
        names.into_iter().map(|path| path.into_os_string().into_string().unwrap()).collect()
    }

    #[test]
    fn a_ring_has_as_many_digits_as_its_last_number() {
        assert_eq!([1, 2, 10, 11, 100, 101].map(digits), [0, 1, 1, 2, 2, 3]);
    }

    #[test]
    fn sizes_are_counted_up_or_round() {
        let full = [(0, 10), (0, 11), (0, 5), (0, 11), (0, 11)];
        let mut up = files("f", Some(10), None, None);
        assert_eq!(names(&mut up, &full), ["f", "f1", "f2", "f3"]);
        let mut ring = files("f", Some(10), None, Some(2));
        assert_eq!(names(&mut ring, &full), ["f0", "f1", "f0", "f1"]);
        let mut one = files("f", Some(10), None, Some(1));
        assert_eq!(names(&mut one, &full), ["f", "f", "f", "f"]);
    }

    #[test]
    fn a_period_comes_before_a_size_and_names_are_of_its_begin() {
        let mut both = files("%H%M%S.", Some(10), Some(60), Some(3));
        let records = [(59, 11), (60, 11), (61, 11), (500, 0), (559, 1)];
        let expected = ["141320.0", "141320.1", "141420.0", "141420.1", "142140.0"];
        assert_eq!(names(&mut both, &records), expected);
        let mut limited = files("x", None, Some(60), Some(2));
        assert_eq!(names(&mut limited, &[(60, 0), (119, 0), (120, 0)]), ["x", "x", "end"]);
        // A clock that was set back ends nothing.
        let mut back = files("x", None, Some(60), None);
        assert_eq!(names(&mut back, &[(-1000, 0), (i64::MIN, 0)]), ["x"]);
    }

    #[test]
    fn a_name_that_is_no_date_is_refused() {
        assert!(files("log.%!", None, Some(1), None).path().unwrap_err().contains("log.%!"));
        assert_eq!(files("log.%!", None, None, None).path().unwrap().to_str(), Some("log.%!"));
    }
}
