//! Files that are read as one source: followed as they grow, merged by time.

use std::fs::Metadata;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use super::Error;
use super::args::Sources;
use super::reading::Reading;
use crate::capture::Records;
use crate::capture::file::File;
use crate::capture::follow::Follow;
use crate::capture::merge::Merge;
use crate::capture::offset::{Offsets, Shifted};
use crate::capture::remark::Remark;

/// How long the packets of a followed file wait for earlier ones of another.
const HOLD: Duration = Duration::from_millis(500);

/// How long a source that has nothing holds up the others.
const fn hold(args: &Sources) -> Option<Duration> {
    match (args.follow, args.merge) {
        (false, _) => None,
        (true, true) => Some(HOLD),
        (true, false) => Some(Duration::ZERO),
    }
}

/// True if the files are to be read so, and not one after the other.
pub(super) const fn is_wanted(args: &Sources, files: &[PathBuf]) -> bool {
    args.follow || (args.merge && files.len() > 1)
}

/// Refuses to write a file that is read: it would grow as fast.
pub(super) fn refuse_same(files: &[PathBuf], written: Option<&Path>) -> Result<(), Error> {
    let id = |path: &Path| {
        let metadata = path.metadata().ok().filter(Metadata::is_file)?;
        Some((metadata.dev(), metadata.ino()))
    };
    match written.and_then(id) {
        Some(written) if files.iter().any(|file| id(file) == Some(written)) => {
            Err(Error::Usage("-w names a file that is read (-r): write to another".to_owned()))
        }
        _ => Ok(()),
    }
}

/// The offsets of the command line.
pub(super) fn offsets(args: &Sources) -> Result<Offsets, Error> {
    Offsets::parse(args.offsets.iter().map(String::as_str))
        .map_err(|wrong| Error::Usage(format!("--offset: {wrong}")))
}

/// Tells of offsets that were of nothing.
pub(super) fn report_unused(offsets: &Offsets, files: &[PathBuf], err: &mut dyn Write) {
    let is_file =
        |name: &[u8]| files.iter().any(|file| file.as_os_str().as_encoded_bytes() == name);
    for name in offsets.unused().filter(|name| !is_file(name)) {
        let name = crate::text::escaped(name);
        // Nobody is left to tell if standard error is gone.
        let _ = writeln!(err, "pfscope: --offset {name}: no file and no interface has that name");
    }
}

/// The files as one source, of which one that is followed ends by a signal; and what there is to
/// say about them. None if none of them can be read.
pub(super) fn open(
    args: &Sources,
    files: &[PathBuf],
    offsets: &Offsets,
    reading: &mut Reading<'_>,
) -> Result<Option<Box<dyn Records>>, Error> {
    let stop = args.follow.then(|| reading.interrupted()).transpose()?;
    let (tell, told) = channel();
    let mut sources: Vec<(PathBuf, Box<dyn Records>)> = Vec::new();
    for path in files {
        let name = path.as_os_str().as_encoded_bytes();
        match open_one(path, args.from_start, stop.as_ref(), &tell) {
            Ok(source) => {
                sources.push((path.clone(), Box::new(Shifted::new(source, name, offsets))));
            }
            Err(error) => reading.report(name, &error),
        }
    }
    reading.listen(told);
    // A file alone has no other to be told from.
    if let (1, [_]) = (sources.len(), files) {
        return Ok(sources.pop().map(|(_, source)| source));
    }
    if sources.is_empty() {
        return Ok(None);
    }
    let merge = Merge::new(sources, hold(args), stop, teller(&tell))?;
    Ok(Some(Box::new(merge)))
}

fn open_one(
    path: &Path,
    from_start: bool,
    stop: Option<&Arc<AtomicBool>>,
    tell: &Sender<Remark>,
) -> Result<Box<dyn Records>, crate::capture::file::Error> {
    let metadata = path.metadata();
    let may_grow = path.as_os_str() != "-" && metadata.as_ref().map_or(true, |it| it.is_file());
    let refused = |error: &io::Error| error.kind() != io::ErrorKind::NotFound;
    match stop {
        Some(stop) if may_grow && !metadata.as_ref().is_err_and(refused) => {
            Ok(Box::new(Follow::new(path, from_start, Arc::clone(stop), teller(tell))))
        }
        _ => Ok(Box::new(File::open(path)?)),
    }
}

fn teller(tell: &Sender<Remark>) -> impl FnMut(Remark) + Send + 'static {
    let tell = tell.clone();
    move |remark| {
        // Nobody listens any longer once the reading has ended.
        let _ = tell.send(remark);
    }
}
