//! What a source has to say while it is read on: it has not ended.

use std::fmt;
use std::path::{Path, PathBuf};

use super::fault::{Error, Fault};
use crate::text::escaped;

/// Something about one file of a source.
#[derive(Debug)]
pub struct Remark {
    /// The file, by the name that it had.
    pub file: PathBuf,
    /// What is to be said about it.
    pub what: What,
}

/// What there is to say.
#[derive(Debug)]
pub enum What {
    /// The rest of the file cannot be read.
    Fault(Fault),
    /// Nothing of the file can be read.
    Error(Error),
    /// The file is not there yet.
    Waiting,
    /// The file has become shorter or other bytes: it is read from its start.
    Truncated,
    /// The file that was read last is no longer there in any form: what it had more is lost.
    Gone,
}

impl Remark {
    pub(super) fn new(file: &Path, what: What) -> Self {
        Self { file: file.into(), what }
    }

    /// True if something could not be read.
    pub fn is_failure(&self) -> bool {
        matches!(self.what, What::Fault(_) | What::Error(_))
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", escaped(self.file.as_os_str().as_encoded_bytes()))?;
        match &self.what {
            What::Fault(fault) => fault.fmt(f),
            What::Error(error) => error.fmt(f),
            What::Waiting => f.write_str("is not there yet: waiting for it"),
            What::Gone => f.write_str(
                "the file that was read last is gone: what was added to it since is lost, \
                 reading what is newer",
            ),
            What::Truncated => f.write_str("was truncated: reading it from its start"),
        }
    }
}
