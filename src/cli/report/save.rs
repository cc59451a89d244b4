//! `-file`: a report that is there as a whole, or not at all.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::super::{Error, Status};

/// Writes a file beside the one of this name, and puts it in its place at the end. Of a run that
/// fails nothing is kept. What is there and is no file (a terminal, a pipe) is written to.
pub(super) fn whole(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<Status, Error>,
) -> Result<Status, Error> {
    let failed = |error: io::Error| Error::Usage(format!("-file {}: {error}", path.display()));
    let of_error = |error: Error| match error {
        Error::Output(error) => failed(error),
        error => error,
    };
    // A link stays one: what it points to is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&target).is_ok_and(|is| !is.is_file() && !is.is_dir()) {
        let mut there = OpenOptions::new().write(true).open(&target).map_err(failed)?;
        return write(&mut there).map_err(of_error);
    }
    let (mut beside, file) = Beside::of(&target).map_err(failed)?;
    let mut file = BufWriter::new(file);
    let status = write(&mut file).map_err(of_error)?;
    if status != Status::Done {
        return Ok(status);
    }
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    fs::rename(&beside.path, &target).map_err(failed)?;
    beside.done = true;
    Ok(status)
}

/// A file that is gone with this unless it is done.
struct Beside {
    path: PathBuf,
    done: bool,
}

impl Beside {
    fn of(target: &Path) -> io::Result<(Self, File)> {
        let Some(name) = target.file_name().filter(|_| !target.is_dir()) else {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        };
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}", std::process::id()));
        let path = target.with_file_name(hidden);
        // It names users and networks.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok((Self { path, done: false }, file))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.done {
            // It may be gone already.
            let _ = fs::remove_file(&self.path);
        }
    }
}
