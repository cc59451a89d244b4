//! The bytes of a file as they are on disk or come out of a pipe, counted.

use std::fs;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::fault::Error;

/// How far the reading of a file has come, for another thread to look at.
#[derive(Debug, Default)]
pub struct Progress {
    read: AtomicU64,
    size: Option<u64>,
}

impl Progress {
    /// Bytes read so far, before decompression.
    pub fn bytes(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes that there are, if it is a regular file.
    pub fn size(&self) -> Option<u64> {
        self.size
    }
}

/// A file or pipe, or any reader in its place.
pub(super) struct Source {
    reader: Box<dyn Read + Send>,
    pub(super) progress: Arc<Progress>,
}

impl Source {
    /// Opens a path; "-" is the standard input.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = if path.as_os_str() == "-" {
            // Not through `io::Stdin`: its buffer would cost a copy.
            fs::File::from(io::stdin().as_fd().try_clone_to_owned()?)
        } else {
            fs::File::open(path)?
        };
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(Error::Directory);
        }
        let size = metadata.is_file().then_some(metadata.len());
        Ok(Self::new(Box::new(file), size))
    }

    /// `size` is that of a regular file; with none it is taken for a pipe.
    pub(super) fn new(reader: Box<dyn Read + Send>, size: Option<u64>) -> Self {
        Self { reader, progress: Arc::new(Progress { read: AtomicU64::new(0), size }) }
    }
}

impl Read for Source {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.reader.read(buf) {
                // Retried here, below the decompressors: not all of them survive it.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(n) => {
                    self.progress.read.fetch_add(n as u64, Ordering::Relaxed);
                    return Ok(n);
                }
                Err(error) => return Err(error),
            }
        }
    }
}
