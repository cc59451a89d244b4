//! Writing a journal: a line at a time, each in one piece, and files that are put aside when they
//! are large or old: FILE becomes FILE.1, that FILE.2 and so on, as newsyslog(8) has it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Record, line};
use crate::time::Timestamp;

/// When a file is put aside, and how many are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes.
    pub size: Option<u64>,
    /// Age.
    pub age: Option<Duration>,
    /// Files that are kept beside the newest.
    pub keep: u32,
}

/// A journal that is being written.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
    limits: Limits,
    size: u64,
    since: Timestamp,
    line: Vec<u8>,
}

impl Writer {
    /// Opens a journal, or goes on with one that is there; what it lacks of its last line's end is
    /// added. Only its owner may read it: it names users and networks.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path, limits: Limits, now: Timestamp) -> io::Result<Self> {
        let since = super::Journal::begins(path).ok().flatten().unwrap_or(now);
        let mut file = Self::create(path)?;
        let size = file.seek(SeekFrom::End(0))?;
        let (path, line) = (path.to_owned(), Vec::new());
        let mut writer = Self { path, file, limits, size, since, line };
        if size > 0 {
            let mut last = [0];
            File::open(&writer.path).and_then(|mut file| {
                file.seek(SeekFrom::End(-1))?;
                file.read_exact(&mut last)
            })?;
            if last != *b"\n" {
                writer.write(b"\n")?;
            }
        }
        Ok(writer)
    }

    fn create(path: &Path) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).mode(0o600).open(path)
    }

    /// Writes a record.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn record(&mut self, at: Timestamp, record: &Record) -> io::Result<()> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        line::push(&mut line, at, record);
        let written = self.write(&line);
        self.line = line;
        written
    }

    /// In one call, so that a line is there or not.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.size = self.size.saturating_add(bytes.len() as u64);
        self.file.write_all(bytes)
    }

    /// True if the file has reached a limit.
    pub fn is_full(&self, now: Timestamp) -> bool {
        let age = now.0.saturating_sub(self.since.0);
        let old = |limit: Duration| u128::try_from(age).is_ok_and(|age| age >= limit.as_nanos());
        self.limits.size.is_some_and(|limit| self.size >= limit) || self.limits.age.is_some_and(old)
    }

    /// Puts the file aside and begins a new one.
    ///
    /// # Errors
    /// When that cannot be done; writing goes on in the file there is.
    pub fn rotate(&mut self, now: Timestamp) -> io::Result<()> {
        let aside = |number: u32| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        for number in (1..self.limits.keep).rev() {
            ignore_missing(fs::rename(aside(number), aside(number + 1)))?;
        }
        match self.limits.keep {
            0 => fs::remove_file(&self.path)?,
            _ => fs::rename(&self.path, aside(1))?,
        }
        self.file = Self::create(&self.path)?;
        (self.size, self.since) = (0, now);
        Ok(())
    }
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipsec::journal::{Journal, Trouble};

    const GRACE: Duration = Duration::from_secs(10);

    #[test]
    fn a_torn_line_is_ended_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let limits = Limits { size: None, age: None, keep: 1 };
        let mut writer = Writer::open(&path, limits, Timestamp(0)).unwrap();
        writer.record(Timestamp(1), &Record::Start).unwrap();
        drop(writer);
        let whole = fs::read(&path).unwrap();
        let mut torn = whole.clone();
        torn.extend_from_slice(&whole[..20]);
        fs::write(&path, &torn).unwrap();
        let read = Journal::new(GRACE).add(&path).unwrap();
        assert_eq!(read, Trouble { unknown: 0, first: None, torn: true });
        let mut writer = Writer::open(&path, limits, Timestamp(5)).unwrap();
        writer.record(Timestamp(6), &Record::Up).unwrap();
        let read = Journal::new(GRACE).add(&path).unwrap();
        assert_eq!(read, Trouble { unknown: 1, first: Some(2), torn: false });
        assert_eq!(Journal::begins(&path).unwrap(), Some(Timestamp(1)));
    }

    #[test]
    fn full_files_go_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let limits = Limits { size: Some(1), age: None, keep: 2 };
        let mut writer = Writer::open(&path, limits, Timestamp(0)).unwrap();
        for n in 0..5 {
            writer.record(Timestamp(n), &Record::Dropped(n.unsigned_abs())).unwrap();
            assert!(writer.is_full(Timestamp(n)));
            writer.rotate(Timestamp(n)).unwrap();
        }
        let begins = |name: &str| Journal::begins(&folder.path().join(name)).ok();
        assert_eq!(begins("j"), Some(None), "empty");
        assert_eq!(begins("j.1"), Some(Some(Timestamp(4))));
        assert_eq!(begins("j.2"), Some(Some(Timestamp(3))));
        assert_eq!(begins("j.3"), None);
        let by_age = Limits { size: None, age: Some(GRACE), keep: 0 };
        let writer = Writer::open(&folder.path().join("j.1"), by_age, Timestamp(9)).unwrap();
        assert!(!writer.is_full(Timestamp(9)));
        assert!(writer.is_full(Timestamp(10_000_000_004)));
    }
}
