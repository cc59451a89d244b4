//! A file that is read on where it was left: what was read before is read over and not given
//! again, whether it is packed or not. A file that begins otherwise, or is another one, is read
//! from its start.

use std::fs;
use std::path::Path;

use super::fault::Error;
use super::file::{File, Filled};
use super::follow::{Identity, Position, Start};
use super::{Batch, Records};

/// A file with a place in it.
#[derive(Debug)]
pub struct Again {
    file: File,
    id: Identity,
    start: Option<Start>,
    /// Where it was left.
    from: Option<Position>,
    position: Option<Position>,
}

impl Again {
    /// Opens a file, to go on from a place in it.
    ///
    /// # Errors
    /// As [`File::open`].
    pub fn open(path: &Path, from: Option<Position>) -> Result<Self, Error> {
        let file = File::open(path)?;
        let id = Identity::of(&fs::metadata(path)?);
        let from = from.filter(|from| from.file == id);
        Ok(Self { file, id, start: None, from, position: None })
    }
}

impl Records for Again {
    fn fill(&mut self, batch: &mut Batch) -> Filled {
        let filled = self.file.fill(batch);
        if let (None, Some(first)) = (self.start, batch.records.first()) {
            let start = Start::of(first);
            self.start = Some(start);
            self.from = self.from.filter(|from| from.start.is_none_or(|old| old == start));
        }
        if let Some(last) = batch.records.last() {
            // Any record behind the last one begins behind its header.
            let offset = last.offset + 1;
            let frame = batch.first_frame + batch.records.len() as u64 - 1;
            self.position = Some(Position { file: self.id, start: self.start, offset, frame });
        }
        if let Some(from) = self.from {
            let known = batch.records.partition_point(|record| record.offset < from.offset);
            batch.records.drain(..known);
            batch.first_frame += known as u64;
            let Position { offset, frame, .. } = from;
            self.position = self.position.map(|at| match at.offset < offset {
                true => Position { offset, frame, ..at },
                false => at,
            });
        }
        batch.position = self.position;
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path, mut from: Option<Position>) -> (Vec<(u64, u64)>, Option<Position>) {
        let mut again = Again::open(path, from).unwrap();
        let (mut all, mut batch) = (Vec::new(), Batch::default());
        loop {
            let more = again.fill(&mut batch).more;
            all.extend((batch.first_frame..).zip(&batch.records).map(|(n, r)| (n, r.offset)));
            from = batch.position;
            if !more {
                return (all, from);
            }
        }
    }

    #[test]
    fn what_was_read_is_not_given_again() {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/genuine/openbsd80-pflog0.pcap");
        let (all, end) = read(&path, None);
        assert!(all.len() > 5 && end.is_some());
        for left in [1, 5, all.len()] {
            let offset = all[left - 1].1 + 1;
            let from = end.map(|end| Position { offset, frame: left as u64, ..end });
            let (rest, again) = read(&path, from);
            assert_eq!((rest.as_slice(), again), (&all[left..], end));
        }
        let other = end.map(|end| Position { file: Identity { dev: 0, ino: 0 }, ..end });
        assert_eq!(read(&path, other).0, all, "another file");
    }
}
