//! Reading journals: all of their SAs, each with the time it was there.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::{Record, line};
use crate::ipsec::index::Index;
use crate::ipsec::services::Services;
use crate::ipsec::table::Table;
use crate::time::Timestamp;

/// Bytes of a line that is read; totals of very many tunnels are the longest.
const MAX_LINE: u64 = 64 * 1024 * 1024;

/// A journal as it was read.
#[derive(Debug)]
pub struct Journal {
    table: Table,
}

/// What could not be read of a journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Lines that are no record of this version.
    pub unknown: u64,
    /// The first of them, counted from 1.
    pub first: Option<u64>,
    /// The last line has no end: the writer was stopped in the middle.
    pub torn: bool,
}

/// Gives each record of a file.
///
/// # Errors
/// When it cannot be opened or read.
pub fn each_of(path: &Path, take: impl FnMut(Timestamp, Record)) -> io::Result<Trouble> {
    each(BufReader::new(File::open(path)?), take)
}

impl Journal {
    /// An empty journal: packets may come for so long after their SA has ended.
    pub fn new(grace: std::time::Duration) -> Self {
        Self { table: Table::new(grace, Services::of_system()) }
    }

    /// Adds a file; of several, in the order of their times.
    ///
    /// # Errors
    /// When it cannot be opened or read.
    pub fn add(&mut self, path: &Path) -> io::Result<Trouble> {
        self.add_from(BufReader::new(File::open(path)?))
    }

    /// Adds what a reader gives.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn add_from(&mut self, reader: impl BufRead) -> io::Result<Trouble> {
        each(reader, |at, record| self.table.apply(at, &record))
    }

    /// When the first record of a file was written.
    ///
    /// # Errors
    /// When it cannot be opened or read.
    pub fn begins(path: &Path) -> io::Result<Option<Timestamp>> {
        let mut first = Vec::new();
        BufReader::new(File::open(path)?).take(MAX_LINE).read_until(b'\n', &mut first)?;
        Ok(line::parse(&first).map(|(at, _)| at))
    }

    /// All SAs, to be looked up.
    pub fn index(&self) -> Index {
        self.table.index()
    }

    /// What is known at the journal's end, totals too.
    pub const fn table(&self) -> &Table {
        &self.table
    }
}

/// Gives each record of a journal with its time.
///
/// # Errors
/// When it cannot be read.
pub fn each(
    mut reader: impl BufRead,
    mut take: impl FnMut(Timestamp, Record),
) -> io::Result<Trouble> {
    let (mut line, mut number, mut trouble) = (Vec::new(), 0_u64, Trouble::default());
    loop {
        line.clear();
        let read = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        number += 1;
        let whole = line.last() == Some(&b'\n');
        if whole && line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match line::parse(&line) {
            Some((at, record)) => take(at, record),
            None if !whole && reader.fill_buf()?.is_empty() => trouble.torn = true,
            None => {
                trouble.unknown += 1;
                trouble.first.get_or_insert(number);
                if !whole {
                    skip_line(&mut reader)?;
                }
            }
        }
    }
    Ok(trouble)
}

/// Steps over the rest of a line that is too long.
fn skip_line(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let used = end.map_or(buffer.len(), |at| at + 1);
        if used == 0 {
            return Ok(());
        }
        reader.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}
