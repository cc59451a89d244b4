//! A log of records: a file that is flushed by the clock, rotated, and opened again by SIGHUP.
//!
//! A thread of its own does what has to be done while no record comes: it flushes, and opens the
//! file again. While nothing waits to be written it sleeps.

use std::fmt;
use std::fs;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::mem;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::compress::packed;
use super::file::{Layout, Output, Tell, There, error_text};
use super::packer::{Packer, told};
use super::rotate::{Files, Next, Rotation};
use crate::text::escaped;

/// Bytes that are written at once.
const FULL: usize = 256 * 1024;
/// So many that were gathered by another are written at once too: to wait they would be copied.
const MANY: usize = 64 * 1024;

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
    /// Says when the file is to be opened again.
    pub reopen: Arc<Reopen>,
    /// Set when the program is to end soon: what is not compressed by then is left as it is.
    pub hurry: Arc<AtomicBool>,
}

/// A wish that the file be opened again, from a signal's handler or another thread.
#[derive(Debug)]
pub struct Reopen {
    wanted: Arc<AtomicBool>,
    /// A byte here wakes the log's thread.
    wake: PipeReader,
    waker: PipeWriter,
}

impl Reopen {
    /// With no wish so far.
    ///
    /// # Errors
    /// If there can be no more pipes.
    pub fn new() -> io::Result<Self> {
        let (wake, waker) = io::pipe()?;
        Ok(Self { wanted: Arc::default(), wake, waker })
    }

    /// What is set first, and then what a byte is written to.
    ///
    /// # Errors
    /// If there can be no more descriptors.
    pub fn parts(&self) -> io::Result<(Arc<AtomicBool>, PipeWriter)> {
        Ok((Arc::clone(&self.wanted), self.waker.try_clone()?))
    }

    fn wake(&self) {
        // A pipe that is full wakes as well.
        let _ = (&self.waker).write(&[0]);
    }

    /// Sleeps until woken, or for so long.
    fn wait(&self, long: Option<Duration>) {
        let long = long.map(|long| Timespec {
            tv_sec: i64::try_from(long.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: long.subsec_nanos().into(),
        });
        let mut fds = [PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN)];
        // A signal ends the wait early, which does no harm.
        if poll(&mut fds, long.as_ref()).is_ok_and(|ready| ready > 0) {
            let _ = (&self.wake).read(&mut [0; 64]);
        }
    }
}

/// What a file is to end with when it is complete.
pub type Closing = Box<dyn FnMut() -> Vec<u8> + Send>;

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
    packer: Option<Packer>,
    closing: Option<Closing>,
    /// The thread will look by itself before anything is due.
    watched: bool,
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
        let packer = settings.compress.then(|| Packer::start(tell()));
        let reopen = Arc::clone(&settings.reopen);
        let (tell, flushed, closing, failed) = (tell(), Instant::now(), None, None);
        let watched = false;
        let writer = Writer {
            output,
            files,
            settings,
            tell,
            path,
            flushed,
            packer,
            closing,
            watched,
            failed,
        };
        let shared = Arc::new(Shared { writer: Mutex::new(writer), ended: AtomicBool::new(false) });
        let own = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let mut long = None;
            while !own.ended.load(Ordering::Relaxed) {
                reopen.wait(long);
                let mut writer = own.lock();
                if let Err(error) = writer.tick() {
                    writer.failed = Some(error);
                }
                long = writer.due_in();
                writer.watched = long.is_some();
            }
        });
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Ends each file with what this gives.
    pub fn close_with(&self, closing: Closing) {
        self.shared.lock().closing = Some(closing);
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
        self.append(records.map(|record| |out: &mut Vec<u8>| out.extend_from_slice(record)))
    }

    /// Takes records: what each of these appends. As [`records`](Self::records).
    ///
    /// # Errors
    /// Those of a pipe.
    pub fn append<R: FnOnce(&mut Vec<u8>)>(
        &self,
        records: impl Iterator<Item = R>,
    ) -> io::Result<ControlFlow<()>> {
        self.shared.lock().append(records)
    }

    /// Takes records: all of the bytes, each up to one of these ends. What the buffer is then is of
    /// no meaning. As [`records`](Self::records).
    ///
    /// # Errors
    /// Those of a pipe.
    pub fn take(
        &self,
        bytes: &mut Vec<u8>,
        ends: impl Iterator<Item = usize>,
    ) -> io::Result<ControlFlow<()>> {
        self.shared.lock().take(bytes, ends)
    }

    /// Writes what waits and ends. How many records could not be written.
    ///
    /// # Errors
    /// Those of a pipe.
    pub fn end(mut self) -> io::Result<u64> {
        self.stop();
        let mut writer = self.shared.lock();
        let flushed = writer.failed.take().map_or_else(|| writer.finish(), Err);
        if let Some(packer) = writer.packer.take() {
            let left = packer.end(&writer.settings.hurry);
            told(&left).iter().for_each(|left| (writer.tell)(left));
        }
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
            self.shared.lock().settings.reopen.wake();
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
    fn append<R: FnOnce(&mut Vec<u8>)>(
        &mut self,
        records: impl Iterator<Item = R>,
    ) -> io::Result<ControlFlow<()>> {
        self.begin()?;
        let now = now();
        for record in records {
            if self.turn(now)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if self.is_suspended() {
                self.output.lose(1);
                continue;
            }
            self.output.append(record);
            if self.output.waiting() >= FULL {
                self.flush()?;
            }
        }
        self.settle()?;
        Ok(ControlFlow::Continue(()))
    }

    /// Where no file ends among the records they are taken all at once.
    fn take(
        &mut self,
        bytes: &mut Vec<u8>,
        ends: impl Iterator<Item = usize>,
    ) -> io::Result<ControlFlow<()>> {
        self.begin()?;
        if self.turn(now())?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        // Nor are many copied behind a few.
        if bytes.len() >= MANY && self.output.waiting() > 0 {
            self.flush()?;
        }
        let size = self.output.size() + bytes.len() as u64;
        if self.settings.rotation.size.is_some_and(|limit| size > limit) || self.is_suspended() {
            let mut start = 0;
            let pieces = ends.map(|end| {
                let piece = bytes.get(start..end).unwrap_or_default();
                start = end;
                |out: &mut Vec<u8>| out.extend_from_slice(piece)
            });
            return self.append(pieces);
        }
        self.output.take(bytes, ends);
        if self.output.waiting() >= MANY {
            self.flush()?;
            self.output.give_back(bytes);
        }
        self.settle()?;
        Ok(ControlFlow::Continue(()))
    }

    /// Before records.
    fn begin(&mut self) -> io::Result<()> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.tick()
    }

    /// Goes to the file that the next record goes into.
    fn turn(&mut self, now: i64) -> io::Result<ControlFlow<()>> {
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
        Ok(ControlFlow::Continue(()))
    }

    /// Behind records.
    fn settle(&mut self) -> io::Result<()> {
        if self.settings.at_once {
            self.flush()?;
        } else if self.output.waiting() > 0 && !mem::replace(&mut self.watched, true) {
            // From now on something is due.
            self.settings.reopen.wake();
        }
        Ok(())
    }

    /// A file that could not be written is tried again when the interval is over, so that a full
    /// disk does not keep the program busy.
    fn is_suspended(&self) -> bool {
        self.output.failed().is_some_and(|at| at.elapsed() < self.settings.interval)
    }

    /// What is to be done whether records come or not.
    fn tick(&mut self) -> io::Result<()> {
        if self.settings.reopen.wanted.swap(false, Ordering::Relaxed) && self.output.is_regular() {
            self.finish()?;
            // newsyslog and logrotate have renamed it, and see to what they have renamed.
            drop(self.output.go_on(self.path.clone(), There::Keep));
        }
        if self.flushed.elapsed() >= self.settings.interval {
            self.flush()?;
        }
        Ok(())
    }

    /// When something is to be done though no record comes.
    fn due_in(&self) -> Option<Duration> {
        let waits = self.output.waiting() > 0;
        waits.then(|| self.settings.interval.saturating_sub(self.flushed.elapsed()))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed = Instant::now();
        self.output.flush()
    }

    /// Writes what waits, and what the file ends with.
    fn finish(&mut self) -> io::Result<()> {
        if let Some(closing) = &mut self.closing {
            self.output.close(&closing());
        }
        self.flush()
    }

    fn rotate(&mut self, path: PathBuf) -> io::Result<()> {
        self.finish()?;
        let same = path == self.path;
        let full = mem::replace(&mut self.path, path.clone());
        if let Some(packer) = &self.packer {
            // What is opened is not packed.
            packer.leave(&path);
        }
        drop::<Option<fs::File>>(self.output.go_on(path, There::Replace));
        if let Some(packer) = self.packer.as_ref().filter(|_| !same) {
            packer.add(full);
            self.forget_packed();
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
}

/// Seconds since 1970.
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
