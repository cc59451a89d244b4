//! A file that records are appended to, whole or not at all.
//!
//! Records are gathered and written by one system call a flush, so that a program that is killed
//! leaves whole records but for what the kernel itself has cut. What a full disk has cut is taken
//! back to the last whole record; the records behind it are counted as lost, and the next
//! [`flush`](Output::flush) tries again.

use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::mem;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::text::escaped;

/// What the files have in them.
pub struct Layout {
    /// How a file begins.
    pub header: Vec<u8>,
    /// What comes between the records of a file that is there and those appended.
    pub joint: Vec<u8>,
    /// Judges a file that is there and not empty.
    pub judge: Judge,
}

/// Judges what a file has in it.
pub type Judge = Box<dyn Fn(fs::File) -> io::Result<Judgement> + Send>;

impl std::fmt::Debug for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Layout").field("header", &self.header.len()).finish_non_exhaustive()
    }
}

/// What is thought of a file that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It can be gone on with.
    Fits,
    /// It can, but for what comes behind so many bytes: a record that is not whole.
    Cut(u64),
    /// It cannot, and why.
    Differs(String),
}

/// What to do with a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum There {
    /// Go on with it if it fits, else move it aside.
    Keep,
    /// Put a new one in its place.
    Replace,
}

/// Says something to the user: one line.
pub type Tell = Box<dyn FnMut(&str) + Send>;

/// Where a piece of what waits to be written ends.
#[derive(Debug, Clone, Copy)]
struct Mark {
    end: usize,
    /// Later records are nothing without it: it is written before them, if need be later.
    essential: bool,
}

/// The open file.
pub struct Output {
    path: PathBuf,
    layout: Layout,
    tell: Tell,
    /// None if it could not be opened: tried again by each flush.
    file: Option<fs::File>,
    there: There,
    /// False for a pipe or device, which can be neither looked at nor cut.
    regular: bool,
    /// Bytes of whole records that are in the file.
    len: u64,
    /// There may be more in the file than these, which must go first.
    torn: bool,
    waiting: Vec<u8>,
    marks: Vec<Mark>,
    /// Records that could not be written: all, and since the file could last be written.
    lost: u64,
    lost_now: u64,
    /// When it was last found that it cannot be written, until it can.
    failed: Option<Instant>,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Output {
    /// Opens a file; "-" is the standard output.
    ///
    /// # Errors
    /// If it cannot be opened, or what a new file begins with cannot be written.
    pub fn open(path: PathBuf, layout: Layout, tell: Tell) -> io::Result<Self> {
        let (there, waiting, marks) = (There::Keep, Vec::new(), Vec::new());
        let mut output = Self {
            path,
            layout,
            tell,
            file: None,
            there,
            regular: true,
            len: 0,
            torn: false,
            waiting,
            marks,
            lost: 0,
            lost_now: 0,
            failed: None,
        };
        output.attach()?;
        Ok(output)
    }

    /// The file's size once what waits is written.
    pub fn size(&self) -> u64 {
        self.len + self.waiting.len() as u64
    }

    /// Bytes that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Records that could not be written.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// When a write failed last, if none has succeeded since.
    pub fn failed(&self) -> Option<Instant> {
        self.failed
    }

    /// The file can be renamed and opened again.
    pub fn is_regular(&self) -> bool {
        self.regular
    }

    /// Takes a record.
    pub fn record(&mut self, bytes: &[u8]) {
        self.push(bytes, false);
    }

    /// Takes a record: what this appends.
    #[inline]
    pub fn append(&mut self, record: impl FnOnce(&mut Vec<u8>)) {
        record(&mut self.waiting);
        self.marks.push(Mark { end: self.waiting.len(), essential: false });
    }

    /// Takes records: all of the bytes, each up to one of these ends. What the buffer is then is
    /// of no meaning.
    pub fn take(&mut self, bytes: &mut Vec<u8>, ends: impl Iterator<Item = usize>) {
        let before = self.waiting.len();
        if before == 0 {
            mem::swap(&mut self.waiting, bytes);
        } else {
            self.waiting.extend_from_slice(bytes);
        }
        self.marks.extend(ends.map(|end| Mark { end: before + end, essential: false }));
    }

    /// Gives back the buffer of what was taken and waits no longer, so that there is one less.
    pub fn give_back(&mut self, bytes: &mut Vec<u8>) {
        if self.waiting.is_empty() {
            // What was taken by copying is there still.
            bytes.clear();
            mem::swap(&mut self.waiting, bytes);
        }
    }

    /// Takes what the file ends with before another takes its place; it is no record, and of no
    /// use to the next file.
    pub fn close(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.push(bytes, true);
        }
    }

    /// Counts records as lost.
    pub fn lose(&mut self, records: u64) {
        self.lost += records;
        self.lost_now += records;
    }

    /// Takes what the records behind it need, in this file (`bytes`) and at the begin of later
    /// ones (`header`).
    pub fn need(&mut self, bytes: &[u8], header: &[u8]) {
        self.push(bytes, true);
        self.layout.header = header.to_vec();
        self.layout.joint = header.to_vec();
    }

    fn push(&mut self, bytes: &[u8], essential: bool) {
        self.waiting.extend_from_slice(bytes);
        self.marks.push(Mark { end: self.waiting.len(), essential });
    }

    /// Goes on in another file, or in the same one anew. What waits should be flushed before.
    /// The file that was open is given back.
    pub fn go_on(&mut self, path: PathBuf, there: There) -> Option<fs::File> {
        self.drop_waiting();
        let old = self.file.take();
        // There is nothing in a file that cannot be opened.
        (self.path, self.there, self.len) = (path, there, 0);
        if let Err(error) = self.attach() {
            self.fail(&error);
        }
        old
    }

    /// Writes what waits. What cannot be written is lost and counted.
    ///
    /// # Errors
    /// Those of a pipe. Whatever is wrong with a file is told, and the next flush tries again.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        if !self.regular {
            let written = self.file.as_mut().map_or(Ok(()), |file| file.write_all(&self.waiting));
            self.clear();
            return written;
        }
        let records = self.marks.iter().any(|mark| !mark.essential);
        match self.try_flush() {
            // A header alone fits where no record does.
            Ok(()) if self.failed.is_some() && records => {
                self.failed = None;
                let lost = mem::take(&mut self.lost_now);
                self.say(&format!("is written again; {lost} records were lost"));
            }
            Ok(()) => {}
            Err(error) => {
                self.drop_waiting();
                self.fail(&error);
            }
        }
        Ok(())
    }

    fn try_flush(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.attach_behind()?;
        }
        self.look_after_the_file()?;
        let Some(file) = &mut self.file else { return Ok(()) };
        if self.torn {
            file.set_len(self.len)?;
            self.torn = false;
        }
        let (written, failed) = write_on(file, &self.waiting);
        let whole = self.marks.partition_point(|mark| mark.end <= written);
        let end = whole.checked_sub(1).and_then(|last| self.marks.get(last));
        let end = end.map_or(0, |mark| mark.end);
        self.len += end as u64;
        if written > end {
            // Cutting off needs no room; where it fails the next flush does it.
            self.torn = file.set_len(self.len).is_err();
        }
        let Some(error) = failed else {
            self.clear();
            return Ok(());
        };
        self.waiting.drain(..end);
        self.marks.drain(..whole);
        self.marks.iter_mut().for_each(|mark| mark.end -= end);
        Err(error)
    }

    /// Puts what waited behind what a newly opened file needs first. Its header has in it what
    /// later records need.
    fn put_back(&mut self, waiting: &[u8], marks: &[Mark], opened: bool) {
        let mut start = 0;
        for mark in marks {
            let piece = waiting.get(start..mark.end).unwrap_or_default();
            if !(mark.essential && opened) {
                self.push(piece, mark.essential);
            }
            start = mark.end;
        }
    }

    /// Somebody else may have emptied or cut the file (logrotate's copytruncate).
    fn look_after_the_file(&mut self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        if file.metadata()?.len() < self.len {
            (self.file, self.there) = (None, There::Keep);
            self.attach_behind()?;
        }
        Ok(())
    }

    /// Opens the file while records wait.
    fn attach_behind(&mut self) -> io::Result<()> {
        let (waiting, marks) = (mem::take(&mut self.waiting), mem::take(&mut self.marks));
        let attached = self.attach();
        self.put_back(&waiting, &marks, attached.is_ok());
        attached
    }

    /// Forgets the records that wait, and counts them.
    fn drop_waiting(&mut self) {
        let (waiting, marks) = (mem::take(&mut self.waiting), mem::take(&mut self.marks));
        let mut start = 0;
        for mark in marks {
            if mark.essential {
                self.push(waiting.get(start..mark.end).unwrap_or_default(), true);
            } else {
                self.lose(1);
            }
            start = mark.end;
        }
    }

    fn clear(&mut self) {
        self.waiting.clear();
        self.marks.clear();
    }

    fn fail(&mut self, error: &io::Error) {
        if self.failed.replace(Instant::now()).is_none() {
            let error = error_text(error);
            self.say(&format!("cannot be written: {error}; going on without until it can"));
        }
    }

    fn say(&mut self, what: &str) {
        let name = escaped(self.path.as_os_str().as_encoded_bytes());
        (self.tell)(&format!("{name}: {what}"));
    }

    /// Opens the file. What waits then is what the file needs before the first record.
    fn attach(&mut self) -> io::Result<()> {
        self.clear();
        self.torn = false;
        if self.path.as_os_str() == "-" {
            let out = fs::File::from(io::stdout().as_fd().try_clone_to_owned()?);
            return self.stream(out);
        }
        let found = match fs::metadata(&self.path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.create(),
            Err(error) => return Err(error),
        };
        if !found.is_file() {
            let out = OpenOptions::new().write(true).open(&self.path)?;
            return self.stream(out);
        }
        match self.there {
            There::Replace => self.create(),
            // Between the two looks it may have been renamed.
            There::Keep => match self.keep() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.create(),
                kept => kept,
            },
        }
    }

    /// A pipe or device, or what the shell has opened as the standard output.
    fn stream(&mut self, mut out: fs::File) -> io::Result<()> {
        self.regular = false;
        out.write_all(&self.layout.header)?;
        self.len = self.layout.header.len() as u64;
        self.file = Some(out);
        Ok(())
    }

    /// A new file appears under its name with its header in it, in the place of an old one.
    fn create(&mut self) -> io::Result<()> {
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let new = with_suffix(&path, ".new");
        if let Err(error) = fs::remove_file(&new)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut file = OpenOptions::new().read(true).append(true).create_new(true).open(&new)?;
        let made = file.write_all(&self.layout.header).and_then(|()| fs::rename(&new, &path));
        if let Err(error) = made {
            // It is of no use to anybody.
            let _ = fs::remove_file(&new);
            return Err(error);
        }
        self.len = self.layout.header.len() as u64;
        // Opened again after a fault it is no longer to be replaced.
        self.there = There::Keep;
        (self.file, self.regular) = (Some(file), true);
        Ok(())
    }

    /// A file that is there: gone on with, or moved aside.
    fn keep(&mut self) -> io::Result<()> {
        let file = OpenOptions::new().read(true).append(true).open(&self.path)?;
        let len = file.metadata()?.len();
        (self.len, self.regular) = (len, true);
        if len == 0 {
            // Made so by newsyslog or logrotate, whose owner and mode it keeps.
            let header = self.layout.header.clone();
            self.push(&header, true);
            self.file = Some(file);
            return Ok(());
        }
        match (self.layout.judge)(file.try_clone()?)? {
            Judgement::Fits => {}
            Judgement::Cut(whole) => {
                file.set_len(whole)?;
                self.len = whole;
                let cut = len.saturating_sub(whole);
                let bytes = if cut == 1 { "byte" } else { "bytes" };
                self.say(&format!("ended in a record that is not whole: {cut} {bytes} cut off"));
            }
            Judgement::Differs(why) => {
                let aside = self.move_aside()?;
                let aside = escaped(aside.as_os_str().as_encoded_bytes());
                self.say(&format!("cannot be appended to: {why}; moved to {aside}"));
                return self.create();
            }
        }
        let joint = self.layout.joint.clone();
        if !joint.is_empty() {
            self.push(&joint, true);
        }
        self.file = Some(file);
        Ok(())
    }

    /// Gives the file a name of its own, as pflogd does: `FILE.bad.` and eight hex digits.
    fn move_aside(&self) -> io::Result<PathBuf> {
        let mut aside;
        loop {
            // A number that differs from run to run and from call to call.
            let random = RandomState::new().hash_one(0) & 0xffff_ffff;
            aside = with_suffix(&self.path, &format!(".bad.{random:08x}"));
            if !aside.try_exists()? {
                break;
            }
        }
        fs::rename(&self.path, &aside)?;
        Ok(aside)
    }
}

/// Writes as much as goes. How much did, and what was wrong with the rest.
fn write_on(file: &mut fs::File, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match file.write(rest) {
            Ok(0) => return (written, Some(io::ErrorKind::WriteZero.into())),
            Ok(n) => written += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}

/// The path with something behind its last byte.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The error's text without the number that the standard library adds to it.
pub(super) fn error_text(error: &io::Error) -> String {
    let mut text = error.to_string();
    if let Some(end) = text.find(" (os error ") {
        text.truncate(end);
    }
    text
}

/// Reads a file's first bytes, as many as there are.
pub(super) fn first(file: &mut fs::File, bytes: u64) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.take(bytes).read_to_end(&mut head)?;
    Ok(head)
}
