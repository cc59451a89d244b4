//! Finished files into Zstandard (RFC 8878), on a thread of its own: a frame a megabyte, so that
//! memory is bounded whatever the size of the file.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(feature = "feed")]
use std::thread;

use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::file::with_suffix;

/// Bytes of a frame before they are packed.
const FRAME: u64 = 1 << 20;

/// A file that is being packed.
#[cfg(feature = "feed")]
#[derive(Debug)]
pub(super) struct Packing {
    path: PathBuf,
    thread: thread::JoinHandle<io::Result<()>>,
}

#[cfg(feature = "feed")]
impl Packing {
    /// Starts to pack a file, of which `file` is open for reading: `PATH.zst` takes its place.
    pub(super) fn start(path: PathBuf, file: fs::File) -> Self {
        let own = path.clone();
        let thread =
            thread::spawn(move || pack_open(&own, file, &AtomicBool::new(false)).map(|_| ()));
        Self { path, thread }
    }

    /// Waits for the end. What was packed, and what went wrong: then the file is as it was.
    pub(super) fn end(self) -> (PathBuf, io::Result<()>) {
        let ended = self.thread.join();
        (self.path, ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }
}

/// Name of the packed file.
pub(super) fn packed(path: &Path) -> PathBuf {
    with_suffix(path, ".zst")
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packed {
    /// `PATH.zst` has taken its place.
    Done,
    /// It is as it was.
    GivenUp,
}

/// Packs a file, unless that is given up meanwhile.
pub(super) fn pack(path: &Path, give_up: &AtomicBool) -> io::Result<Packed> {
    pack_open(path, fs::File::open(path)?, give_up)
}

fn pack_open(path: &Path, mut file: fs::File, give_up: &AtomicBool) -> io::Result<Packed> {
    let new = with_suffix(path, ".zst.new");
    let made = write(&new, &mut file, give_up).and_then(|made| {
        if made == Packed::Done {
            fs::rename(&new, packed(path))?;
        }
        Ok(made)
    });
    if !matches!(made, Ok(Packed::Done)) {
        // It is of no use to anybody.
        let _ = fs::remove_file(&new);
        return made;
    }
    fs::remove_file(path)?;
    made
}

fn write(new: &Path, file: &mut fs::File, give_up: &AtomicBool) -> io::Result<Packed> {
    let mut out = OpenOptions::new().write(true).create(true).truncate(true).open(new)?;
    out.set_permissions(file.metadata()?.permissions())?;
    file.rewind()?;
    let mut plain = Vec::new();
    loop {
        if give_up.load(Ordering::Relaxed) {
            return Ok(Packed::GivenUp);
        }
        plain.clear();
        if file.take(FRAME).read_to_end(&mut plain)? == 0 {
            return Ok(Packed::Done);
        }
        out.write_all(&compress_to_vec(plain.as_slice(), CompressionLevel::Fastest))?;
    }
}
