//! The files beside a log that were it before: `pflog.0.gz` of newsyslog(8), `pflog.1` and
//! `pflog.2.gz` of logrotate(8). The lower the number, the newer; compressed by gzip, zstd,
//! bzip2 or not. Names with a date instead of a number are not known.
//!
//! They may be renamed, compressed and removed while they are looked for. A rotation gives each
//! the next higher number, the oldest first and the log last. So they are opened in the other
//! direction, from the log on: a file that moves on meanwhile is met twice, and none missed. If
//! the log itself was renamed by then, all is done again.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;
use std::{fs, io, thread};

use super::part::{Part, Start};
use super::tail::Identity;

/// Ends of the names of compressed files.
const PACKED: [&str; 3] = ["gz", "zst", "bz2"];

/// How often the files are looked for at a time.
const TRIES: usize = 20;

/// How long a rotation in progress is waited for.
const PAUSE: Duration = Duration::from_millis(1);

/// The log and the files beside it, opened, the oldest first; none that is older than the one
/// with this identity. The log itself, if it is there, is at the end and has its own name. None
/// if they were renamed all the while.
pub(super) fn open(log: &Path, back_to: Option<Identity>) -> io::Result<Option<Vec<Part>>> {
    for _ in 0..TRIES {
        let mut parts = open_once(log, back_to)?;
        if is_still_so(&parts, log) {
            parts.reverse();
            return Ok(Some(parts));
        }
        thread::sleep(PAUSE);
    }
    Ok(None)
}

/// The same, the newest first, if nothing is renamed meanwhile.
fn open_once(log: &Path, back_to: Option<Identity>) -> io::Result<Vec<Part>> {
    let mut parts = Vec::<Part>::new();
    match Part::open(log) {
        Ok(part) => parts.push(part),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    for number in numbers(log)? {
        if back_to.is_some() && parts.last().map(|part| part.id) == back_to {
            break;
        }
        // Of the log's neighbours those are read that can be.
        let Some(part) = open_beside(log, number) else { continue };
        if parts.iter().all(|known| known.id != part.id) {
            parts.push(part);
        }
    }
    Ok(parts)
}

/// True if the newest file, the first one, still has the name that it had.
fn is_still_so(parts: &[Part], log: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).ok().map(|it| Identity::of(&it));
    match parts.first() {
        Some(newest) if newest.path != log && identity(log).is_some() => false,
        Some(newest) => identity(&newest.path) == Some(newest.id),
        None => identity(log).is_none(),
    }
}

/// The file of this number. While it is being compressed it is there twice, and only the original
/// is whole.
fn open_beside(log: &Path, number: u32) -> Option<Part> {
    let mut plain = log.as_os_str().to_owned();
    plain.push(format!(".{number}"));
    let packed = |end| {
        let mut name = plain.clone();
        name.push(format!(".{end}"));
        Part::open(Path::new(&name)).ok()
    };
    Part::open(Path::new(&plain)).ok().or_else(|| PACKED.into_iter().find_map(packed))
}

/// The files that came after this one, which was the log when it was opened. None as above.
pub(super) fn newer(log: &Path, than: &Part) -> io::Result<Option<Vec<Part>>> {
    let Some(mut parts) = open(log, Some(than.id))? else { return Ok(None) };
    if parts.first().is_some_and(|oldest| oldest.id == than.id) {
        parts.remove(0);
    } else {
        // It was compressed. The log itself is another file, even if it begins alike.
        let start = than.peek();
        let is_copy = |part: &Part| part.path != log && start.is_some() && part.peek() == start;
        match parts.iter().rposition(is_copy) {
            Some(at) => drop(parts.drain(..=at)),
            None => parts = after(parts, log, start),
        }
    }
    without_copies(&mut parts);
    Ok(Some(parts))
}

/// Those whose records are later than this start, and the log itself.
pub(super) fn after(parts: Vec<Part>, log: &Path, start: Option<Start>) -> Vec<Part> {
    let later = |part: &Part| {
        let its = part.peek().zip(start);
        part.path == log || its.is_some_and(|(its, start)| its.ts > start.ts)
    };
    parts.into_iter().filter(later).collect()
}

/// A file that was compressed while the files were opened may be there in both forms.
pub(super) fn without_copies(parts: &mut Vec<Part>) {
    let packed: Vec<_> = parts.iter().map(Part::is_packed).collect();
    if packed.iter().all(|&packed| packed) || !packed.contains(&true) {
        return;
    }
    let starts: Vec<_> = parts.iter().map(Part::peek).collect();
    let plain = |start| starts.iter().zip(&packed).any(|(its, packed)| !packed && *its == start);
    let mut nth = packed.iter().zip(&starts);
    parts.retain(|_| match nth.next() {
        Some((true, start @ Some(_))) => !plain(*start),
        _ => true,
    });
}

/// Numbers of the files beside the log, and those that they may have a moment later.
fn numbers(log: &Path) -> io::Result<BTreeSet<u32>> {
    let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty());
    let own = log.file_name().unwrap_or_default();
    let mut numbers = BTreeSet::new();
    for entry in fs::read_dir(folder.unwrap_or_else(|| Path::new(".")))? {
        if let Some(number) = number(own, &entry?.file_name()) {
            numbers.extend([number, number.saturating_add(1)]);
        }
    }
    // The log's own next name.
    numbers.extend([0, 1]);
    Ok(numbers)
}

/// The number in a name `OWN.NUMBER` or `OWN.NUMBER.gz`.
fn number(own: &OsStr, name: &OsStr) -> Option<u32> {
    let rest = name.as_encoded_bytes().strip_prefix(own.as_encoded_bytes())?.strip_prefix(b".")?;
    let rest = std::str::from_utf8(rest).ok()?;
    let number = match rest.split_once('.') {
        None => rest,
        Some((number, end)) => PACKED.contains(&end).then_some(number)?,
    };
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_other_names() {
        for (name, expected) in [
            ("pflog.0", Some(0)),
            ("pflog.12.gz", Some(12)),
            ("pflog.1.zst", Some(1)),
            ("pflog.3.bz2", Some(3)),
            ("pflog", None),
            ("pflog.", None),
            ("pflog.gz", None),
            ("pflog.1.gz.tmp", None),
            ("pflog.+1", None),
            ("pflog.99999999999", None),
            ("pflogd.1", None),
            ("pflog.bak", None),
        ] {
            assert_eq!(number(OsStr::new("pflog"), OsStr::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn the_oldest_comes_first_and_the_original_before_its_copy() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        for name in ["log", "log.0", "log.0.gz", "log.1.gz", "log.10.gz", "log.2.zst", "other.3"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let names = |parts: &[Part]| {
            let name = |part: &Part| part.path.file_name().unwrap().to_str().unwrap().to_owned();
            parts.iter().map(name).collect::<Vec<_>>()
        };
        let found = open(&log, None).unwrap().unwrap();
        assert_eq!(names(&found), ["log.10.gz", "log.2.zst", "log.1.gz", "log.0", "log"]);
        let some = open(&log, Some(found[2].id)).unwrap().unwrap();
        assert_eq!(names(&some), ["log.1.gz", "log.0", "log"]);
        fs::remove_file(&log).unwrap();
        assert_eq!(open(&log, None).unwrap().unwrap().len(), 4);
    }
}
