use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use super::super::sample::{pcap, pcap_header, pcap_record};
use super::*;
use crate::wire::ByteOrder;

/// A log in a folder of its own, and what was said about it.
struct Log {
    folder: tempfile::TempDir,
    said: Arc<Mutex<Vec<String>>>,
}

impl Log {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), said: Arc::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file whose records are of these seconds.
    fn write(&self, name: &str, seconds: std::ops::Range<u32>) {
        let mut file = pcap_header(ByteOrder::Little, 0xa1b2_c3d4, 117);
        file.extend(seconds.flat_map(record));
        fs::write(self.path(name), file).unwrap();
    }

    fn append(&self, name: &str, seconds: std::ops::Range<u32>) {
        let mut file = OpenOptions::new().append(true).open(self.path(name)).unwrap();
        file.write_all(&seconds.flat_map(record).collect::<Vec<_>>()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn gzip(&self, name: &str) {
        assert!(Command::new("gzip").arg(self.path(name)).status().unwrap().success());
    }

    fn teller(&self) -> impl FnMut(Remark) + Send + 'static {
        let said = Arc::clone(&self.said);
        move |remark| said.lock().unwrap().push(remark.to_string())
    }

    fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    fn follow(&self, from_start: bool) -> Follow {
        Follow::new(&self.path("log"), from_start, Arc::default(), self.teller())
    }

    fn resume(&self, from: Position) -> Follow {
        Follow::resume(&self.path("log"), from, Arc::default(), self.teller())
    }
}

fn record(second: u32) -> Vec<u8> {
    pcap_record(ByteOrder::Little, [second, 0, 20, 20], &[7; 20])
}

/// The seconds of all records that come until there is nothing for a while.
fn all(follow: &mut Follow) -> Vec<i64> {
    let (mut seconds, mut batch, mut idle) = (Vec::new(), Batch::default(), 0);
    let before = follow.frames + 1;
    // More than the time for which a renamed file must be quiet.
    while idle < 7 {
        assert!(follow.fill(&mut batch).more);
        assert_eq!(batch.first_frame, before + seconds.len() as u64);
        seconds.extend(batch.records.iter().map(|record| record.ts.split().0));
        idle = if batch.records.is_empty() { idle + 1 } else { 0 };
    }
    seconds
}

fn seconds(range: std::ops::Range<i64>) -> Vec<i64> {
    range.collect()
}

#[test]
fn every_position_can_be_gone_on_from() {
    let log = Log::new();
    log.write("log.1", 0..5);
    log.gzip("log.1");
    log.write("log.0", 5..10);
    log.write("log", 10..15);
    // Each file is small enough to come as one batch.
    let (mut follow, mut batch) = (log.follow(true), Batch::default());
    let (mut seen, mut positions) = (0, Vec::new());
    while seen < 15 {
        let _ = follow.fill(&mut batch);
        seen += i64::try_from(batch.records.len()).unwrap();
        assert_eq!(batch.position, follow.position());
        positions.extend(batch.position.map(|position| (seen, position)));
    }
    positions.dedup();
    assert_eq!(positions.iter().map(|at| at.0).collect::<Vec<_>>(), [5, 10, 15]);
    // One in the middle of a file, too: 24 bytes, then 36 a record.
    let middle = Position { offset: 24 + 36 * 2, frame: 7, ..positions[1].1 };
    positions.push((7, middle));
    let rotate = || {
        log.rename("log.1.gz", "log.2.gz");
        log.rename("log.0", "log.1");
        log.gzip("log.1");
        log.rename("log", "log.0");
        log.write("log", 15..20);
    };
    for (seen, position) in &positions {
        assert_eq!(position.frame, u64::try_from(*seen).unwrap());
        assert_eq!(all(&mut log.resume(*position)), seconds(*seen..15));
        let _ = log.resume(*position).fill(&mut batch);
        assert_eq!(batch.first_frame, position.frame + 1, "counted on");
    }
    rotate();
    for (seen, position) in &positions {
        assert_eq!(all(&mut log.resume(*position)), seconds(*seen..20), "{position:?}");
    }
    assert_eq!(log.said(), [""; 0]);
}

#[test]
fn a_position_whose_file_is_gone_goes_on_with_what_is_newer() {
    let log = Log::new();
    log.write("log", 5..10);
    let mut follow = log.follow(false);
    assert_eq!(all(&mut follow), seconds(5..10));
    let position = follow.position().unwrap();
    log.write("log.1", 0..5);
    log.write("log.0", 10..15);
    fs::remove_file(log.path("log")).unwrap();
    log.write("log", 15..20);
    assert_eq!(all(&mut log.resume(position)), seconds(10..20));
}

#[test]
fn a_position_in_a_file_that_was_truncated_is_its_start() {
    let log = Log::new();
    log.write("log", 0..10);
    let mut follow = log.follow(false);
    assert_eq!(all(&mut follow), seconds(0..10));
    let position = follow.position().unwrap();
    drop(follow);
    let file = OpenOptions::new().write(true).open(log.path("log")).unwrap();
    file.set_len(24 + 36 * 3).unwrap();
    assert_eq!(all(&mut log.resume(position)), seconds(0..3));
    assert!(log.said()[0].contains("truncated"), "{:?}", log.said());
}

#[test]
fn several_rotations_between_two_looks_lose_nothing() {
    let log = Log::new();
    log.write("log", 0..5);
    let mut follow = log.follow(false);
    assert_eq!(all(&mut follow), seconds(0..5));
    // What is still written to it before and after it is renamed.
    log.append("log", 5..7);
    log.rename("log", "log.2");
    log.append("log.2", 7..10);
    log.write("log.1", 10..20);
    log.write("log.0", 20..30);
    log.write("log", 30..40);
    assert_eq!(all(&mut follow), seconds(5..40));
    // The one that is read is compressed meanwhile.
    log.append("log", 40..45);
    log.rename("log", "log.1");
    log.gzip("log.1");
    log.write("log.0", 45..50);
    log.gzip("log.0");
    log.write("log", 50..55);
    assert_eq!(all(&mut follow), seconds(40..55));
    assert_eq!(follow.interfaces.all().len(), 1, "a rotation adds no interface");
}

#[test]
fn a_copy_of_what_was_read_is_not_read_again() {
    let log = Log::new();
    log.write("log.2", 0..5);
    log.write("log", 5..10);
    fs::copy(log.path("log"), log.path("log.1")).unwrap();
    log.gzip("log.1");
    assert_eq!(all(&mut log.follow(true)), seconds(0..10));
}

#[test]
fn what_was_not_read_before_a_truncation_is_read_from_the_copy() {
    let log = Log::new();
    log.write("log", 0..5);
    let mut follow = log.follow(false);
    assert_eq!(all(&mut follow), seconds(0..5));
    log.append("log", 5..10);
    fs::copy(log.path("log"), log.path("log.1")).unwrap();
    log.write("log", 10..12);
    assert_eq!(all(&mut follow), seconds(5..12));
    assert_eq!(log.said().len(), 1);
}

#[test]
fn a_longer_file_written_over_the_old_one_is_noticed() {
    let log = Log::new();
    log.write("log", 0..5);
    let mut follow = log.follow(false);
    assert_eq!(all(&mut follow), seconds(0..5));
    log.write("log", 100..150);
    assert_eq!(all(&mut follow), seconds(100..150));
    assert_eq!(log.said().len(), 1);
}

#[test]
fn a_file_that_is_none_is_told_of_once_and_its_successor_is_read() {
    let log = Log::new();
    fs::write(log.path("log"), b"\x7fELF and more").unwrap();
    let mut follow = log.follow(false);
    assert!(all(&mut follow).is_empty());
    fs::remove_file(log.path("log")).unwrap();
    log.write("log", 0..3);
    assert_eq!(all(&mut follow), seconds(0..3));
    assert_eq!(log.said().len(), 1, "{:?}", log.said());
    assert!(log.said()[0].contains("7f454c46"));
}

#[test]
fn a_record_comes_once_it_is_whole() {
    let log = Log::new();
    let file = pcap(ByteOrder::Big, 4);
    let mut out = File::create(log.path("log")).unwrap();
    let (mut follow, mut batch) = (log.follow(false), Batch::default());
    let (mut written, mut records) = (0, 0);
    for bytes in file.chunks(11) {
        out.write_all(bytes).unwrap();
        written += bytes.len();
        let _ = follow.fill(&mut batch);
        records += batch.records.len();
        // The n-th has 16 bytes of header and 7 * n of data, behind a header of 24.
        let whole = [40, 63, 93, 130].iter().filter(|&&end| end <= written).count();
        assert_eq!(records, whole, "{written}");
    }
    assert_eq!(written, 130);
    assert_eq!(log.said(), [""; 0]);
}

#[test]
fn a_half_record_ends_a_renamed_file_with_one_fault() {
    let log = Log::new();
    log.write("log", 0..3);
    let cut = record(3);
    let mut file = OpenOptions::new().append(true).open(log.path("log")).unwrap();
    file.write_all(&cut[..30]).unwrap();
    let mut follow = log.follow(false);
    assert_eq!(all(&mut follow), seconds(0..3));
    assert_eq!(log.said(), [""; 0], "it may still become whole");
    log.rename("log", "log.0");
    log.write("log", 4..6);
    assert_eq!(all(&mut follow), seconds(4..6));
    assert_eq!(log.said().len(), 1);
    assert!(log.said()[0].contains("at record 4, byte 132"), "{:?}", log.said());
}
