//! A log of records: a file that is flushed by the clock, rotated, and opened again by SIGHUP.
//!
//! A thread of its own does what has to be done while no record comes: it flushes, and looks
//! whether the file is to be opened again.

use std::fmt;
use std::fs;
use std::io;
use std::mem;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use super::compress::{Packing, packed};
use super::file::{Layout, Output, Tell, There, error_text};
use super::rotate::{Files, Next, Rotation};
use crate::text::escaped;

/// Bytes that are written at once.
const FULL: usize = 256 * 1024;

/// How long the thread sleeps at most before it looks at the flag.
const NAP: Duration = Duration::from_millis(100);

/// How a log is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The file, or what its names are made from.
    pub path: PathBuf,
    /// When another file begins.
    pub rotation: Rotation,
    /// The time zone of names with a date.
    pub zone: TimeZone,
    /// Finished files are packed by Zstandard.
    pub compress: bool,
    /// How long a record waits at most.
    pub interval: Duration,
    /// Write records as they come.
    pub at_once: bool,
    /// Set when the file is to be opened again.
    pub reopen: Arc<AtomicBool>,
}

/// Why a log cannot be begun.
#[derive(Debug)]
pub enum Error {
    /// The name cannot be given a date.
    Name(String),
    /// The file cannot be opened.
    File(PathBuf, io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(why) => f.write_str(why),
            Self::File(path, error) => {
                let name = escaped(path.as_os_str().as_encoded_bytes());
                write!(f, "{name}: {}", error_text(error))
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Name(_) => None,
            Self::File(_, error) => Some(error),
        }
    }
}

/// The log; what waits is written when it goes.
#[derive(Debug)]
pub struct Log {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    writer: Mutex<Writer>,
    ended: AtomicBool,
}

struct Writer {
    output: Output,
    files: Files,
    settings: Settings,
    tell: Tell,
    /// The file that is open.
    path: PathBuf,
    flushed: Instant,
    packing: Option<Packing>,
    /// A pipe's error, met by the thread.
    failed: Option<io::Error>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Log {
    /// Begins a log. `tell` makes what says things to the user.
    ///
    /// # Errors
    /// If the first file cannot be opened.
    pub fn begin(
        settings: Settings,
        layout: Layout,
        mut tell: impl FnMut() -> Tell,
    ) -> Result<Self, Error> {
        let files =
            Files::new(settings.path.clone(), settings.rotation, settings.zone.clone(), now());
        let path = files.path().map_err(Error::Name)?;
        let output = Output::open(path.clone(), layout, tell())
            .map_err(|error| Error::File(path.clone(), error))?;
        let interval = settings.interval;
        let (tell, flushed, packing, failed) = (tell(), Instant::now(), None, None);
        let writer = Writer { output, files, settings, tell, path, flushed, packing, failed };
        let shared = Arc::new(Shared { writer: Mutex::new(writer), ended: AtomicBool::new(false) });
        let own = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            while !own.ended.load(Ordering::Relaxed) {
                thread::park_timeout(interval.min(NAP));
                let mut writer = own.lock();
                if let Err(error) = writer.tick() {
                    writer.failed = Some(error);
                }
            }
        });
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Takes what later records need: see [`Output::need`].
    pub fn need(&self, bytes: &[u8], header: &[u8]) {
        self.shared.lock().output.need(bytes, header);
    }

    /// Takes records. `Break` says that no more are wanted.
    ///
    /// # Errors
    /// Those of a pipe.
    pub fn records<'b>(
        &self,
        records: impl Iterator<Item = &'b [u8]>,
    ) -> io::Result<ControlFlow<()>> {
        self.shared.lock().records(records)
    }

    /// Writes what waits and ends. How many records could not be written.
    ///
    /// # Errors
    /// Those of a pipe.
    pub fn end(mut self) -> io::Result<u64> {
        self.stop();
        let mut writer = self.shared.lock();
        let flushed = writer.failed.take().map_or_else(|| writer.flush(), Err);
        writer.wait_for_packing();
        flushed?;
        let lost = writer.output.lost();
        if lost > 0 {
            let name = escaped(writer.path.as_os_str().as_encoded_bytes());
            let records = if lost == 1 { "record" } else { "records" };
            (writer.tell)(&format!("{name}: {lost} {records} could not be written"));
        }
        Ok(lost)
    }

    fn stop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // Its panic has been told, and what it has written stands.
            let _ = thread.join();
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.stop();
        // Whoever wants to know of errors has called `end`.
        let _ = self.shared.lock().flush();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    fn records<'b>(
        &mut self,
        records: impl Iterator<Item = &'b [u8]>,
    ) -> io::Result<ControlFlow<()>> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.tick()?;
        let now = now();
        for record in records {
            match self.files.next(now, self.output.size()) {
                Ok(Next::Same) => {}
                Ok(Next::File(path)) => self.rotate(path)?,
                Ok(Next::End) => {
                    self.flush()?;
                    (self.tell)(&format!("maximum file limit reached: {}", self.files.limit()));
                    return Ok(ControlFlow::Break(()));
                }
                // The first name had a date, so will this one.
                Err(why) => (self.tell)(&why),
            }
            if self.is_suspended() {
                self.output.lose(1);
                continue;
            }
            self.output.record(record);
            if self.output.waiting() >= FULL {
                self.flush()?;
            }
        }
        if self.settings.at_once {
            self.flush()?;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// A file that could not be written is tried again when the interval is over, so that a full
    /// disk does not keep the program busy.
    fn is_suspended(&self) -> bool {
        self.output.failed().is_some_and(|at| at.elapsed() < self.settings.interval)
    }

    /// What is to be done whether records come or not.
    fn tick(&mut self) -> io::Result<()> {
        if self.settings.reopen.swap(false, Ordering::Relaxed) && self.output.is_regular() {
            self.flush()?;
            // newsyslog and logrotate have renamed it, and see to what they have renamed.
            drop(self.output.go_on(self.path.clone(), There::Keep));
        }
        if self.flushed.elapsed() >= self.settings.interval {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed = Instant::now();
        self.output.flush()
    }

    fn rotate(&mut self, path: PathBuf) -> io::Result<()> {
        self.flush()?;
        // At most one file is being packed, and never the one that is opened.
        self.wait_for_packing();
        let same = path == self.path;
        let full = mem::replace(&mut self.path, path.clone());
        if self.settings.compress && !same {
            let file = self.output.go_on(path, There::Replace);
            self.forget_packed();
            self.packing = file.map(|file| Packing::start(full, file));
        } else {
            drop::<Option<fs::File>>(self.output.go_on(path, There::Replace));
        }
        Ok(())
    }

    /// Of a ring's file that begins anew the packed one of the round before goes.
    fn forget_packed(&mut self) {
        let old = packed(&self.path);
        if let Err(error) = fs::remove_file(&old)
            && error.kind() != io::ErrorKind::NotFound
        {
            let name = escaped(old.as_os_str().as_encoded_bytes());
            (self.tell)(&format!("{name}: cannot be removed: {}", error_text(&error)));
        }
    }

    fn wait_for_packing(&mut self) {
        if let Some((path, Err(error))) = self.packing.take().map(Packing::end) {
            let name = escaped(path.as_os_str().as_encoded_bytes());
            (self.tell)(&format!(
                "{name}: cannot be compressed: {}; left as it is",
                error_text(&error)
            ));
        }
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
