//! How far each source of an output has been acknowledged: one small file of JSON an output,
//! replaced as a whole.
//!
//! A file that cannot be understood is kept aside as `NAME.bad`; its sources begin as configured.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::capture::follow::{Identity, Position, Start};
use crate::time::Timestamp;

/// How often it is written at most: what was acknowledged since is sent again after a crash, with
/// the same ids.
const EVERY: Duration = Duration::from_millis(500);

/// A place in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where to go on reading; none if it cannot be read again.
    pub position: Option<Position>,
    /// `event.sequence` of the next event.
    pub sequence: u64,
}

/// As it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<StoredFile>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredFile {
    dev: u64,
    ino: u64,
    offset: u64,
    frame: u64,
    /// Time, captured length and length of the first record.
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<(i64, u32, u32)>,
}

/// The places of all sources of an output.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    places: BTreeMap<String, Place>,
    written: Instant,
    dirty: bool,
}

impl Checkpoint {
    /// Reads a checkpoint; without a file it is empty. The second value says what was wrong with
    /// the file, if anything was.
    ///
    /// # Errors
    /// What the system says of the file or its folder.
    pub fn open(path: &Path) -> io::Result<(Self, Option<String>)> {
        let (mut places, mut wrong) = (BTreeMap::new(), None);
        match fs::read(path) {
            Ok(bytes) => match serde_json::from_slice::<BTreeMap<String, Stored>>(&bytes) {
                Ok(all) => places = all.into_iter().map(|(k, v)| (k, v.into())).collect(),
                Err(error) => {
                    let aside = aside(path);
                    fs::rename(path, &aside)?;
                    wrong = Some(format!(
                        "{}: not a checkpoint ({error}): kept as {}, sources begin as configured",
                        path.display(),
                        aside.display()
                    ));
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let path = path.to_owned();
        Ok((Self { path, places, written: Instant::now(), dirty: false }, wrong))
    }

    /// The place of a source.
    pub fn place(&self, source: &str) -> Option<Place> {
        self.places.get(source).copied()
    }

    /// Everything of a source up to here is acknowledged. It is on disk once it was saved.
    pub fn reach(&mut self, source: &str, place: Place) {
        match self.places.get_mut(source) {
            Some(old) => *old = place,
            None => drop(self.places.insert(source.to_owned(), place)),
        }
        self.dirty = true;
    }

    /// Writes what is not written yet, if it was last written long enough ago.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub fn save_at_times(&mut self) -> io::Result<()> {
        if self.written.elapsed() < EVERY { Ok(()) } else { self.save() }
    }

    /// Writes what is not written yet; it is on disk then.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub fn save(&mut self) -> io::Result<()> {
        if !self.dirty {
            return Ok(());
        }
        let stored: BTreeMap<_, Stored> =
            self.places.iter().map(|(source, &place)| (source, place.into())).collect();
        let new = self.path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec_pretty(&stored)?)?;
        file.sync_data()?;
        fs::rename(new, &self.path)?;
        (self.written, self.dirty) = (Instant::now(), false);
        Ok(())
    }
}

fn aside(path: &Path) -> PathBuf {
    path.with_extension("bad")
}

impl From<Stored> for Place {
    fn from(stored: Stored) -> Self {
        let position = stored.file.map(|file| Position {
            file: Identity { dev: file.dev, ino: file.ino },
            start: file.start.map(|(ts, caplen, len)| Start { ts: Timestamp(ts), caplen, len }),
            offset: file.offset,
            frame: file.frame,
        });
        Self { position, sequence: stored.sequence }
    }
}

impl From<Place> for Stored {
    fn from(place: Place) -> Self {
        let file = place.position.map(|position| StoredFile {
            dev: position.file.dev,
            ino: position.file.ino,
            offset: position.offset,
            frame: position.frame,
            start: position.start.map(|start| (start.ts.0, start.caplen, start.len)),
        });
        Self { sequence: place.sequence, file }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place {
        position: Some(Position {
            file: Identity { dev: 1, ino: u64::MAX },
            start: Some(Start { ts: Timestamp(-5), caplen: 6, len: 7 }),
            offset: 24,
            frame: 3,
        }),
        sequence: 9,
    };

    #[test]
    fn what_is_saved_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("siem.json");
        let (mut first, wrong) = Checkpoint::open(&path).unwrap();
        assert!(wrong.is_none() && first.place("log").is_none());
        first.reach("log", PLACE);
        first.reach("pflog0", Place { position: None, sequence: 3 });
        first.save().unwrap();
        let (second, wrong) = Checkpoint::open(&path).unwrap();
        assert!(wrong.is_none());
        assert_eq!(second.place("log"), Some(PLACE));
        assert_eq!(second.place("pflog0"), Some(Place { position: None, sequence: 3 }));
    }

    #[test]
    fn a_broken_one_is_kept_aside_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("siem.json");
        for broken in ["", "{\"log\":{\"sequence\":-1}}", "\u{0}\u{0}", "{\"log\":"] {
            fs::write(&path, broken).unwrap();
            let (checkpoint, wrong) = Checkpoint::open(&path).unwrap();
            assert!(checkpoint.place("log").is_none());
            assert!(wrong.unwrap().contains("siem.bad"));
            assert_eq!(fs::read_to_string(folder.path().join("siem.bad")).unwrap(), broken);
        }
    }
}
