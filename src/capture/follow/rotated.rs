//! The files beside a log that were it before: `pflog.0.gz` of newsyslog(8), `pflog.1` and
//! `pflog.2.gz` of logrotate(8). The lower the number, the newer; compressed by gzip, zstd,
//! bzip2 or not. Names with a date instead of a number are not known.
//!
//! They may be renamed, compressed and removed while they are looked for. So all are opened, and
//! then looked up again: what is the same in both is how things stood in between.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io, thread};

use super::part::{Part, Start};
use super::tail::Identity;

/// How often the files are looked for before what was found is taken as it is.
const TRIES: usize = 200;

/// How long a rotation in progress is waited for.
const PAUSE: Duration = Duration::from_millis(1);

/// The log and the files beside it, opened, the oldest first. The log itself, if it is there, is
/// the last one and has its own name.
pub(super) fn open(log: &Path) -> io::Result<Vec<Part>> {
    let mut found = Vec::new();
    for _ in 0..TRIES {
        let names = names(log)?;
        found.clear();
        let mut gone = false;
        for name in &names {
            match Part::open(name) {
                Ok(part) => found.push(part),
                Err(error) if error.kind() == io::ErrorKind::NotFound => gone |= name != log,
                // The log itself is what is asked for; of its neighbours those that can be read.
                Err(error) if name == log => return Err(error),
                Err(_) => {}
            }
        }
        let opened: Vec<_> = found.iter().map(|part| (part.path.clone(), part.id)).collect();
        if !gone && opened == identities(&self::names(log)?) {
            break;
        }
        thread::sleep(PAUSE);
    }
    // A file that was renamed in the meantime may be there twice: it is what it was first.
    let mut seen = Vec::new();
    found.retain(|part| {
        let new = !seen.contains(&part.id);
        seen.push(part.id);
        new
    });
    Ok(found)
}

/// Of all files, those that are newer than the one with this identity or this start.
pub(super) fn newer(mut all: Vec<Part>, id: Identity, start: Option<Start>) -> Vec<Part> {
    // The log itself is another file now, even if it begins alike.
    let beside = all.len().saturating_sub(1);
    match find(all.get(..beside).unwrap_or_default(), id, start) {
        Some(at) => all.split_off((at + 1).min(all.len())),
        None => after(all, start),
    }
}

/// Where the file with this identity stands, or its copy.
pub(super) fn find(all: &[Part], id: Identity, start: Option<Start>) -> Option<usize> {
    let same = all.iter().position(|part| part.id == id);
    // The newest first: it is the likeliest.
    let copy = || all.iter().rposition(|part| start.is_some() && part.peek() == start);
    same.or_else(copy)
}

/// Of all files, those whose records are later, and the log itself: the last one.
pub(super) fn after(mut all: Vec<Part>, start: Option<Start>) -> Vec<Part> {
    let last = all.len().saturating_sub(1);
    let mut nth = 0;
    all.retain(|part| {
        let later = || part.peek().zip(start).is_some_and(|(its, start)| its.ts > start.ts);
        nth += 1;
        nth > last || later()
    });
    all
}

/// Paths of the files beside the log, the oldest first, and of the log.
fn names(log: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let own = log.file_name().unwrap_or_default();
    let mut beside = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some((number, packed)) = number(own, &name) else { continue };
        let path = log.with_file_name(&name);
        // While it is being compressed it is there twice, and only the original is whole.
        if packed {
            beside.entry(Reverse(number)).or_insert(path);
        } else {
            beside.insert(Reverse(number), path);
        }
    }
    Ok(beside.into_values().chain([log.into()]).collect())
}

/// The number in a name `OWN.NUMBER` or `OWN.NUMBER.gz`, and whether it has such an end.
fn number(own: &OsStr, name: &OsStr) -> Option<(u32, bool)> {
    let rest = name.as_encoded_bytes().strip_prefix(own.as_encoded_bytes())?.strip_prefix(b".")?;
    let rest = std::str::from_utf8(rest).ok()?;
    let (number, packed) = match rest.split_once('.') {
        None => (rest, false),
        Some((number, "gz" | "zst" | "bz2")) => (number, true),
        Some(_) => return None,
    };
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    Some((number.parse().ok().filter(|_| digits)?, packed))
}

/// Which files these paths are, as far as they can be opened.
fn identities(paths: &[PathBuf]) -> Vec<(PathBuf, Identity)> {
    let identity = |path: &PathBuf| {
        let file = fs::File::open(path).ok()?;
        Some((path.clone(), Identity::of(&file.metadata().ok()?)))
    };
    paths.iter().filter_map(identity).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_other_names() {
        for (name, expected) in [
            ("pflog.0", Some((0, false))),
            ("pflog.12.gz", Some((12, true))),
            ("pflog.1.zst", Some((1, true))),
            ("pflog.3.bz2", Some((3, true))),
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
        let found = open(&log).unwrap();
        let names: Vec<_> = found.iter().map(|part| part.path.file_name().unwrap()).collect();
        assert_eq!(names, ["log.10.gz", "log.2.zst", "log.1.gz", "log.0", "log"]);
        fs::remove_file(&log).unwrap();
        assert_eq!(open(&log).unwrap().len(), 4);
    }
}
