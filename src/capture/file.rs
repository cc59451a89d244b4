//! A capture file, plain or compressed, or a pipe that gives one: its records in batches.
//!
//! The bytes are read straight into a batch's buffer and the records found where they lie.
//! What is left behind the last whole record goes in front of the next batch.

use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, mem};

use super::compress::Compression;
use super::fault::Cause;
pub use super::fault::{Error, Fault};
use super::pcap::{self, Pcap};
use super::pcapng::{self, Pcapng};
pub use super::source::Progress;
use super::source::Source;
use super::{Batch, Interface, Record, Records};

/// Bytes read into a batch: enough to make the cost of a batch small, little enough that they, and
/// what is rendered of them (six times as much as ECS), stay in a processor's second-level cache.
const CHUNK: usize = 128 * 1024;

/// What [`File::fill`] came to.
#[derive(Debug)]
#[must_use]
pub struct Filled {
    /// False at the end of the file and after a fault.
    pub more: bool,
    /// What ended the reading early. The batch holds the records before it.
    pub fault: Option<Fault>,
}

/// A capture file that is being read.
pub struct File {
    name: PathBuf,
    /// The bytes of the capture file, unpacked.
    input: Box<dyn Read + Send>,
    progress: Arc<Progress>,
    format: Format,
    interfaces: Arc<[Interface]>,
    /// Read, but not yet part of a whole record.
    carry: Vec<u8>,
    /// Bytes needed to go on from there; more than `carry` has.
    need: usize,
    /// Offset of `carry` from the start of the file.
    offset: u64,
    /// Records given so far.
    frames: u64,
    ended: bool,
    chunk: usize,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A file that is open, of which nothing has been read yet.
pub struct Unread {
    name: PathBuf,
    source: Source,
}

impl fmt::Debug for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unread").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Unread {
    /// Opens a file; "-" is the standard input.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self { name: path.into(), source: Source::open(path)? })
    }

    /// Reads how it begins; for a pipe this waits until somebody has written that.
    ///
    /// # Errors
    ///
    /// If it does not begin as a capture file does.
    pub fn start(self) -> Result<File, Error> {
        File::start(self.name, self.source)
    }
}

impl File {
    /// Opens a capture file; "-" is the standard input.
    ///
    /// # Errors
    ///
    /// If there is no such file or it does not begin as a capture file does.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Unread::open(path)?.start()
    }

    /// Reads a capture file from anywhere, as from a pipe: [`File::fill`] gives records as
    /// soon as the reader does. The name is only given back.
    ///
    /// # Errors
    ///
    /// If what comes does not begin as a capture file does.
    pub fn from_reader(
        name: impl Into<PathBuf>,
        reader: Box<dyn Read + Send>,
    ) -> Result<Self, Error> {
        Self::start(name.into(), Source::new(reader, None))
    }

    fn start(name: PathBuf, mut source: Source) -> Result<Self, Error> {
        let progress = Arc::clone(&source.progress);
        let mut head = Vec::new();
        read_up_to(&mut source, &mut head, 4)?;
        let mut input: Box<dyn Read + Send> = match Compression::of(&head) {
            None => Box::new(source),
            Some(compression) => {
                let packed = Cursor::new(mem::take(&mut head)).chain(source);
                let mut input = compression.decoder(Box::new(packed));
                read_up_to(&mut input, &mut head, 4)?;
                input
            }
        };
        let Some(&magic) = head.first_chunk() else {
            return Err(if head.is_empty() { Error::Empty } else { Error::NotCapture(head) });
        };
        let mut interfaces: Arc<[Interface]> = Arc::default();
        let mut offset = 0;
        let format = if let Some(writer) = pcap::writer(magic) {
            read_up_to(&mut input, &mut head, pcap::FILE_HEADER_LEN)?;
            let (pcap, interface) = Pcap::new(writer, &head).map_err(Error::Header)?;
            interfaces = Arc::new([interface]);
            offset = head.len() as u64;
            head.clear();
            Format::Pcap(pcap)
        } else if magic == pcapng::MAGIC {
            read_up_to(&mut input, &mut head, pcapng::SECTION_HEADER_LEN)?;
            Format::Pcapng(Pcapng::new(&head).map_err(Error::Header)?)
        } else {
            return Err(Error::NotCapture(magic.to_vec()));
        };
        Ok(Self {
            name,
            input,
            progress,
            format,
            interfaces,
            need: head.len() + 1,
            carry: head,
            offset,
            frames: 0,
            ended: false,
            chunk: CHUNK,
        })
    }

    /// The path as it was given; "-" for the standard input.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// How far the reading has come; stays true while other threads read on.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// True if it is a regular file, false for a pipe or another thing that may make the
    /// reader wait.
    pub fn is_regular(&self) -> bool {
        self.progress.size().is_some()
    }

    /// Offset of the record that comes next, from the start of the file (decompressed).
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Makes it read no more at a time than a first record needs.
    pub(super) fn read_little(&mut self) {
        self.chunk = 4096;
    }

    /// Puts the next records into the batch, in place of those in it. A regular file fills it;
    /// anything else gives what there is as soon as that is a whole record, and a reader that
    /// has nothing now ([`io::ErrorKind::WouldBlock`]) an empty batch.
    ///
    /// A last record that is cut is given as far as its bytes go, with a fault.
    pub fn fill(&mut self, batch: &mut Batch) -> Filled {
        batch.records.clear();
        batch.first_frame = self.frames + 1;
        let filled =
            if self.ended { Filled { more: false, fault: None } } else { self.read_records(batch) };
        self.frames += batch.records.len() as u64;
        self.ended = !filled.more;
        if let Format::Pcapng(pcapng) = &self.format
            && pcapng.interfaces().len() != self.interfaces.len()
        {
            self.interfaces = pcapng.interfaces().into();
        }
        if !Arc::ptr_eq(&batch.interfaces, &self.interfaces) {
            batch.interfaces = Arc::clone(&self.interfaces);
        }
        filled
    }

    fn read_records(&mut self, batch: &mut Batch) -> Filled {
        let Batch { bytes, records, first_frame, .. } = batch;
        grow(bytes, self.chunk.max(self.need));
        let mut len = self.carry.len();
        if let Some(front) = bytes.get_mut(..len) {
            front.copy_from_slice(&self.carry);
        }
        self.carry.clear();
        loop {
            let read = self.read(bytes, &mut len);
            let there = bytes.get(..len).unwrap_or_default();
            let Walk { used, stop } = self.format.walk(there, self.offset, records);
            self.offset += used as u64;
            let record = *first_frame + records.len() as u64;
            self.need = match stop {
                Stop::Need(need) => need,
                Stop::Fault(cause, offset) => {
                    return Filled { more: false, fault: Some(Fault { cause, record, offset }) };
                }
            };
            let tail = there.get(used..).unwrap_or_default();
            match read {
                // Nothing more now, as of a file that still grows.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.carry.extend_from_slice(tail);
                    return Filled { more: true, fault: None };
                }
                Ok(true) if records.is_empty() => {
                    // Go on in the same buffer, with room for a record that is longer.
                    bytes.copy_within(used..len, 0);
                    len -= used;
                    grow(bytes, self.need);
                }
                Ok(true) => {
                    self.carry.extend_from_slice(tail);
                    return Filled { more: true, fault: None };
                }
                Ok(false) | Err(_) => {
                    let tail = Tail { bytes: tail, start: used, offset: self.offset };
                    let cut = self.format.cut(&tail, records);
                    let offset = cut.as_ref().map_or(self.offset, |&(_, offset)| offset);
                    let cause = match read {
                        Err(error) => Some(Cause::Read(error)),
                        Ok(_) => cut.map(|(cause, _)| cause),
                    };
                    let fault = cause.map(|cause| Fault { cause, record, offset });
                    return Filled { more: false, fault };
                }
            }
        }
    }

    /// Reads behind the first `len` bytes: once from a pipe, up to the buffer's end from a
    /// regular file. False at the end of the file. There must be room.
    fn read(&mut self, bytes: &mut [u8], len: &mut usize) -> io::Result<bool> {
        loop {
            let free = bytes.get_mut(*len..).unwrap_or_default();
            let room = free.len();
            let n = self.input.read(free)?.min(room);
            *len += n;
            if n == 0 || n == room || !self.is_regular() {
                return Ok(n > 0);
            }
        }
    }
}

impl Records for File {
    fn fill(&mut self, batch: &mut Batch) -> Filled {
        Self::fill(self, batch)
    }

    fn interfaces(&self) -> Arc<[Interface]> {
        Arc::clone(&self.interfaces)
    }
}

/// Reads until there are `len` bytes or the input ends.
fn read_up_to(input: &mut impl Read, bytes: &mut Vec<u8>, len: usize) -> io::Result<()> {
    let missing = len.saturating_sub(bytes.len()) as u64;
    input.take(missing).read_to_end(bytes).map(|_| ())
}

/// Makes a buffer larger if it is too small. What it holds is not zeroed again: every byte is
/// written before it is looked at. A new one has the system's pages of zeros, of which a small file
/// touches few.
fn grow(bytes: &mut Vec<u8>, len: usize) {
    if bytes.is_empty() {
        *bytes = vec![0; len];
    } else if bytes.len() < len {
        bytes.resize(len, 0);
    }
}

/// An offset in a batch's buffer, which is never larger than a few megabytes.
pub(super) fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// How far a format's reader came in the bytes it was given.
pub(super) struct Walk {
    /// Bytes that are done with: up to where the next record begins.
    pub(super) used: usize,
    pub(super) stop: Stop,
}

/// Why it came no further.
pub(super) enum Stop {
    /// What comes next needs this many bytes, and fewer are there.
    Need(usize),
    /// What comes next cannot be right; the offset of its header in the file.
    Fault(Cause, u64),
}

/// The bytes behind the last whole record, at the end of the file.
pub(super) struct Tail<'a> {
    pub(super) bytes: &'a [u8],
    /// Their offset in the batch's buffer.
    pub(super) start: usize,
    /// Their offset in the file.
    pub(super) offset: u64,
}

#[derive(Debug)]
enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

impl Format {
    fn walk(&mut self, bytes: &[u8], base: u64, records: &mut Vec<Record>) -> Walk {
        match self {
            Self::Pcap(pcap) => pcap.walk(bytes, base, records),
            Self::Pcapng(pcapng) => pcapng.walk(bytes, base, records),
        }
    }

    /// Adds a last, cut record as far as its bytes go. What is cut, and the offset of its
    /// header in the file; none if nothing is.
    fn cut(&self, tail: &Tail<'_>, records: &mut Vec<Record>) -> Option<(Cause, u64)> {
        match self {
            Self::Pcap(pcap) => pcap.cut(tail, records),
            Self::Pcapng(pcapng) => pcapng.cut(tail, records),
        }
    }
}

#[cfg(test)]
mod tests;
