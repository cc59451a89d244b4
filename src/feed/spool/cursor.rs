//! How far a spool has been sent: a small file that is replaced as a whole.

use std::fs;
use std::io;
use std::path::Path;

const NAME: &str = "cursor";

/// A place between two events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cursor {
    /// The number of the event behind it.
    pub(super) number: u64,
    /// The segment that the event stands in.
    pub(super) segment: u64,
    /// Where it begins there.
    pub(super) offset: u64,
}

impl Cursor {
    /// Puts it in its file.
    pub(super) fn save(self, folder: &Path) -> io::Result<()> {
        let Self { number, segment, offset } = self;
        let new = folder.join("cursor.new");
        fs::write(&new, format!("{number} {segment} {offset}\n"))?;
        fs::rename(new, folder.join(NAME))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.strip_suffix('\n')?.split(' ').map(str::parse);
        let mut number = || numbers.next()?.ok();
        let cursor = Self { number: number()?, segment: number()?, offset: number()? };
        (numbers.next().is_none() && cursor.segment <= cursor.number).then_some(cursor)
    }
}

/// The cursor of a folder, if it has one. One that cannot be read is kept aside.
pub(super) fn load(folder: &Path) -> io::Result<Option<Cursor>> {
    let path = folder.join(NAME);
    match fs::read(&path) {
        Ok(bytes) => match std::str::from_utf8(&bytes).ok().and_then(Cursor::parse) {
            Some(cursor) => Ok(Some(cursor)),
            None => {
                fs::rename(&path, folder.join("cursor.bad"))?;
                Ok(None)
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
