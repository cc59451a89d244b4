//! Standard output: lines. What a pipe has taken is acknowledged.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Output, Pending, Trouble};
use crate::feed::parcel::Parcel;

/// Standard output.
#[derive(Debug)]
pub struct Stdout {
    /// Set when nobody reads it any more: the feed is to end.
    pub closed: Arc<AtomicBool>,
}

impl Output for Stdout {
    fn send(&mut self, parcel: &Parcel, pending: &mut Pending) -> Result<(), Trouble> {
        let mut text = Vec::new();
        for line in pending.places().iter().filter_map(|&at| parcel.line(at)) {
            text.extend_from_slice(line);
        }
        // Not through `io::Stdout`, which the command line holds for its own output.
        let out = io::stdout().as_fd().try_clone_to_owned().map(File::from);
        out.and_then(|mut out| out.write_all(&text)).map_err(|error| {
            if error.kind() == io::ErrorKind::BrokenPipe {
                self.closed.store(true, Ordering::Relaxed);
            }
            Trouble::new(format!("standard output: {error}"))
        })
    }

    fn check(&mut self) -> Result<(), Trouble> {
        Ok(())
    }
}
