//! The bytes of a file that still grows: at its end there is nothing *now*
//! ([`io::ErrorKind::WouldBlock`]), until it is said that nothing more will come.
//!
//! A file that was cut and written anew (logrotate's copytruncate, `cp new log`) may already be
//! longer than before when it is looked at. So its first bytes are kept, and held against the
//! file's after each read: what was read is of the old contents only if they are the same.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// First bytes that are kept: the headers of a file and of its first records.
const HEAD: usize = 512;

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Its device.
    pub dev: u64,
    /// Its inode there.
    pub ino: u64,
}

impl Identity {
    pub(in crate::capture) fn of(metadata: &fs::Metadata) -> Self {
        Self { dev: metadata.dev(), ino: metadata.ino() }
    }
}

/// An open file, read from its start by one [`Tail`] at a time.
#[derive(Debug)]
pub(super) struct Growing {
    file: fs::File,
    place: Mutex<Place>,
}

/// How far it was read.
#[derive(Debug, Default)]
struct Place {
    offset: u64,
    head: Vec<u8>,
    /// Nothing more will be written.
    complete: bool,
    /// The bytes are no longer those that were read.
    replaced: bool,
}

impl Growing {
    pub(super) fn new(file: fs::File) -> Arc<Self> {
        Arc::new(Self { file, place: Mutex::default() })
    }

    pub(super) fn metadata(&self) -> io::Result<fs::Metadata> {
        self.file.metadata()
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reader from the start.
    pub(super) fn tail(self: &Arc<Self>) -> Tail {
        let mut place = self.place();
        *place = Place { complete: place.complete, ..Place::default() };
        Tail(Arc::clone(self))
    }

    /// The same file, to be read apart from this.
    pub(super) fn again(&self) -> io::Result<Arc<Self>> {
        self.file.try_clone().map(Self::new)
    }

    /// Forgets what was read, and that nothing more would be written.
    pub(super) fn restart(&self) {
        *self.place() = Place::default();
    }

    /// The first bytes, as many as there are.
    pub(super) fn magic(&self) -> io::Result<Vec<u8>> {
        let mut magic = [0; 4];
        let n = read_at(&self.file, &mut magic, 0)?;
        Ok(magic.get(..n).unwrap_or_default().to_vec())
    }

    /// Makes the end of the file, where it is now, the end of what is read.
    pub(super) fn complete(&self) {
        self.place().complete = true;
    }

    pub(super) fn offset(&self) -> u64 {
        self.place().offset
    }

    /// True if the file no longer has the bytes that were read.
    pub(super) fn is_replaced(&self) -> bool {
        let mut place = self.place();
        // What cannot be asked is told by the next read.
        place.replaced |= self.differs(&place).unwrap_or(false);
        place.replaced
    }

    fn differs(&self, place: &Place) -> io::Result<bool> {
        if self.file.metadata()?.len() < place.offset {
            return Ok(true);
        }
        let mut head = [0; HEAD];
        let head = head.get_mut(..place.head.len()).unwrap_or_default();
        let n = read_at(&self.file, head, 0)?;
        Ok(head.get(..n) != Some(&*place.head))
    }

    fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut place = self.place();
        if place.replaced {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let n = read_at(&self.file, buf, place.offset)?;
        if !place.complete && self.differs(&place)? {
            place.replaced = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if n == 0 && !place.complete && !buf.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if place.offset == place.head.len() as u64 {
            let room = HEAD.saturating_sub(place.head.len()).min(n);
            place.head.extend_from_slice(buf.get(..room).unwrap_or_default());
        }
        place.offset = place.offset.saturating_add(n as u64);
        Ok(n)
    }
}

/// Reads as much as there is, up to the buffer's end.
fn read_at(file: &fs::File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut len = 0;
    while let Some(free) = buf.get_mut(len..).filter(|free| !free.is_empty()) {
        match file.read_at(free, offset.saturating_add(len as u64)) {
            Ok(0) => break,
            Ok(n) => len += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) if len > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

/// The reader of a [`Growing`] file.
#[derive(Debug)]
pub(super) struct Tail(Arc<Growing>);

impl Read for Tail {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}
