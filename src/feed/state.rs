//! The folder where a feed keeps what it must know after an end: how far each output has
//! acknowledged (`NAME.json`), what waits for it (the folder `NAME.spool`), and what it refused
//! (`NAME.dead.ndjson`). `lock` is held while a feed runs, so that no two use the folder.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// The folder, locked.
#[derive(Debug)]
pub struct State {
    folder: PathBuf,
    /// Unlocked when it is closed, however the program ends.
    _lock: File,
}

impl State {
    /// Opens the folder, which is made if it is not there.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub fn open(folder: &Path) -> Result<Self, String> {
        let wrong = |what: &str, error: io::Error| {
            format!(
                "state_dir {}: {what}: {error}; name a folder that can be written",
                folder.display()
            )
        };
        fs::create_dir_all(folder).map_err(|error| wrong("cannot be made", error))?;
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("lock"));
        let lock = lock.map_err(|error| wrong("cannot be written", error))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { folder: folder.to_owned(), _lock: lock }),
            Err(error) if error == rustix::io::Errno::WOULDBLOCK => Err(format!(
                "state_dir {}: another feed uses it: give each feed a folder of its own",
                folder.display()
            )),
            Err(error) => Err(wrong("cannot be locked", error.into())),
        }
    }

    /// Sees whether the folder can be used; a feed that uses it is not in the way.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn check(folder: &Path) -> Result<(), String> {
        let made = fs::create_dir_all(folder);
        let lock = || {
            OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("lock"))
        };
        made.and_then(|()| lock()).map(drop).map_err(|error| format!("cannot be written: {error}"))
    }

    /// How far an output has acknowledged.
    pub(super) fn checkpoint(&self, output: &str) -> PathBuf {
        self.folder.join(format!("{output}.json"))
    }

    /// What waits for an output, of sources that cannot be read again.
    pub(super) fn spool(&self, output: &str) -> PathBuf {
        self.folder.join(format!("{output}.spool"))
    }

    /// What an output refused.
    pub(super) fn dead_letters(&self, output: &str) -> PathBuf {
        self.folder.join(format!("{output}.dead.ndjson"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_feed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let first = State::open(&path).unwrap();
        assert!(State::open(&path).unwrap_err().contains("another feed uses it"));
        drop(first);
        assert!(State::open(&path).is_ok());
        let wrong = State::open(Path::new("/proc/nowhere")).unwrap_err();
        assert!(wrong.contains("cannot be made") && wrong.contains("/proc/nowhere"), "{wrong}");
    }
}
