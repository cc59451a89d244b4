//! A file of lines, rotated as newsyslog does it: the full one gets a name with the time, a new
//! one is begun. What the system has taken is acknowledged: it outlives the program, and the
//! machine once the system has written it.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::{Output, Pending, Trouble};
use crate::feed::compress::Packing;
use crate::feed::file::{self, Judgement, Layout, There, error_text, with_suffix};
use crate::feed::parcel::Parcel;

/// Bytes that are written at once.
const AT_ONCE: usize = 256 * 1024;
/// How far back the last whole line is looked for.
const LONGEST: u64 = 16 * 1024 * 1024;

/// When a new file is begun, and what becomes of the old ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rotation {
    /// At so many bytes.
    pub size: Option<u64>,
    /// When it is so old.
    pub age: Option<Duration>,
    /// So many old ones are kept.
    pub keep: Option<usize>,
    /// They are packed by Zstandard.
    pub compress: bool,
}

/// The file.
pub struct Archive {
    path: PathBuf,
    rotation: Rotation,
    output: Option<file::Output>,
    /// When it was begun.
    since: SystemTime,
    /// What was said last about writing.
    said: Arc<Mutex<String>>,
    packing: Option<Packing>,
}

impl Archive {
    /// A file; it is opened when there is something to write.
    pub fn new(path: &Path, rotation: Rotation) -> Self {
        Self {
            path: path.to_owned(),
            rotation,
            output: None,
            since: SystemTime::now(),
            said: Arc::default(),
            packing: None,
        }
    }

    fn trouble(&self, why: &str) -> Trouble {
        Trouble::new(format!("{}: {why}", self.path.display()))
    }

    fn open(&mut self) -> Result<&mut file::Output, Trouble> {
        let output = match self.output.take() {
            Some(output) => output,
            None => {
                // Its birth is not kept everywhere.
                let born = fs::metadata(&self.path).and_then(|found| found.created());
                self.since = born.unwrap_or_else(|_| SystemTime::now());
                let said = Arc::clone(&self.said);
                let tell = move |what: &str| {
                    what.clone_into(&mut said.lock().unwrap_or_else(PoisonError::into_inner));
                };
                file::Output::open(self.path.clone(), lines(), Box::new(tell))
                    .map_err(|error| self.trouble(&error_text(&error)))?
            }
        };
        Ok(self.output.insert(output))
    }

    /// Begins a new file if this one is full.
    fn rotate(&mut self) -> Result<(), Trouble> {
        let Rotation { size, age, .. } = self.rotation;
        let Some(output) = &mut self.output else { return Ok(()) };
        let old = age.is_some_and(|age| self.since.elapsed().is_ok_and(|since| since >= age));
        let full = size.is_some_and(|size| output.size() >= size);
        if !(old || full) || output.size() == 0 || !output.is_regular() {
            return Ok(());
        }
        let aside = self.aside();
        fs::rename(&self.path, &aside).map_err(|error| self.trouble(&error_text(&error)))?;
        let Some(output) = &mut self.output else { return Ok(()) };
        let file = output.go_on(self.path.clone(), There::Keep);
        self.since = SystemTime::now();
        self.wait();
        self.prune().map_err(|error| self.trouble(&error_text(&error)))?;
        if let Some(file) = file.filter(|_| self.rotation.compress && aside.exists()) {
            self.packing = Some(Packing::start(aside, file));
        }
        Ok(())
    }

    /// A name for the full file, which sorts by time: `FILE.20261121T120000.123456Z`.
    fn aside(&self) -> PathBuf {
        loop {
            let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.6fZ");
            let aside = with_suffix(&self.path, &format!(".{now}"));
            if !aside.exists() && !with_suffix(&aside, ".zst").exists() {
                return aside;
            }
        }
    }

    /// Removes the oldest of those put aside.
    fn prune(&self) -> io::Result<()> {
        let (Some(keep), Some(name)) = (self.rotation.keep, self.path.file_name()) else {
            return Ok(());
        };
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut old = Vec::new();
        for entry in fs::read_dir(folder.unwrap_or_else(|| Path::new(".")))? {
            let entry = entry?.path();
            let other = entry.file_name().unwrap_or_default().as_encoded_bytes();
            let rest = other.strip_prefix(name.as_encoded_bytes());
            let time = rest.and_then(|rest| rest.strip_prefix(b"."));
            if time.is_some_and(is_time) {
                old.push(entry);
            }
        }
        old.sort();
        let more = old.len().saturating_sub(keep);
        old.iter().take(more).try_for_each(|path| match fs::remove_file(path) {
            // It was packed meanwhile: it goes the next time.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        })
    }

    /// Waits for the file that is being packed; what went wrong is told with the next trouble.
    fn wait(&mut self) {
        if let Some((_, Err(error))) = self.packing.take().map(Packing::end) {
            let what = format!("cannot be compressed: {}", error_text(&error));
            *self.said.lock().unwrap_or_else(PoisonError::into_inner) = what;
        }
    }
}

/// `20261121T120000.123456Z`, packed or not.
fn is_time(name: &[u8]) -> bool {
    let name = name.strip_suffix(b".zst").unwrap_or(name);
    let shape = b"00000000T000000.000000Z";
    name.len() == shape.len()
        && name.iter().zip(shape).all(|(byte, like)| match like {
            b'0' => byte.is_ascii_digit(),
            like => byte == like,
        })
}

/// Files of lines.
fn lines() -> Layout {
    Layout { header: Vec::new(), joint: Vec::new(), judge: Box::new(whole_lines) }
}

/// A line that is not whole is cut off: it is sent again.
fn whole_lines(mut file: fs::File) -> io::Result<Judgement> {
    let len = file.metadata()?.len();
    let from = len.saturating_sub(LONGEST);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(LONGEST).read_to_end(&mut tail)?;
    Ok(match tail.iter().rposition(|&byte| byte == b'\n') {
        Some(last) if last + 1 == tail.len() => Judgement::Fits,
        Some(last) => Judgement::Cut(from + last as u64 + 1),
        None if from == 0 => Judgement::Cut(0),
        None => Judgement::Differs("it has no lines".to_owned()),
    })
}

impl Output for Archive {
    fn send(&mut self, parcel: &Parcel, pending: &mut Pending) -> Result<(), Trouble> {
        while !pending.is_empty() {
            self.open()?;
            self.rotate()?;
            let output = self.open()?;
            let (before, mut count) = (output.lost(), 0);
            for line in pending.places().iter().filter_map(|&at| parcel.line(at)) {
                output.record(line);
                count += 1;
                if output.waiting() >= AT_ONCE {
                    break;
                }
            }
            let flushed = output.flush();
            let lost = output.lost() - before;
            // What could not be written are the last ones.
            let written = count - usize::try_from(lost).unwrap_or(count).min(count);
            flushed.map_err(|error| self.trouble(&error_text(&error)))?;
            pending.settle_first(written);
            if lost > 0 {
                let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
                let why = said.split(';').next().unwrap_or_default();
                return Err(Trouble::new(why));
            }
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), Trouble> {
        let there = self.path.exists();
        let opened = fs::OpenOptions::new().create(true).append(true).open(&self.path);
        opened.map_err(|error| self.trouble(&error_text(&error)))?;
        if !there {
            // It was made to see whether it can be.
            fs::remove_file(&self.path).map_err(|error| self.trouble(&error_text(&error)))?;
        }
        Ok(())
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        self.wait();
    }
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::parcel::Id;
    use crate::time::Timestamp;

    fn send(archive: &mut Archive, texts: &[&str]) -> Result<(), Trouble> {
        let (mut parcel, mut pending) = (Parcel::default(), Pending::default());
        for text in texts {
            parcel.push(Id::default(), Timestamp(1), text.as_bytes());
        }
        pending.all(&parcel);
        let sent = archive.send(&parcel, &mut pending);
        assert_eq!(sent.is_ok(), pending.is_empty());
        sent
    }

    fn names(folder: &Path) -> Vec<String> {
        let all = fs::read_dir(folder).unwrap();
        let mut all: Vec<_> =
            all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        all.sort();
        all
    }

    #[test]
    fn a_line_that_was_cut_goes_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        fs::write(&path, "one\ntw").unwrap();
        send(&mut Archive::new(&path, Rotation::default()), &["two", "three"]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n");
    }

    #[test]
    fn a_full_file_is_put_aside_packed_and_at_last_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let rotation = Rotation { size: Some(4), age: None, keep: Some(2), compress: true };
        for n in 0..5 {
            send(&mut Archive::new(&path, rotation), &[&format!("line {n}")]).unwrap();
        }
        let names = names(folder.path());
        assert_eq!((names.len(), names[0].as_str()), (3, "out"), "{names:?}");
        assert!(names[1..].iter().all(|name| name.ends_with(".zst")), "{names:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "line 4\n");
    }

    #[test]
    fn a_disk_that_is_full_is_trouble_and_takes_nothing() {
        let wrong = send(&mut Archive::new(Path::new("/dev/full"), Rotation::default()), &["x"]);
        assert!(wrong.unwrap_err().why.contains("/dev/full"));
        let wrong = Archive::new(Path::new("/nowhere/x"), Rotation::default()).check();
        assert!(wrong.unwrap_err().why.starts_with("/nowhere/x: "));
    }
}
