//! The fuzz targets' checks, without a fuzzer: on every record and file of testdata, on their
//! cut and changed copies, and on random bytes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../fuzz/checks.rs"]
mod checks;

use std::fs;
use std::io::Cursor;

use pfscope::capture::Batch;
use pfscope::capture::file::File;
use proptest::prelude::*;

fn captures() -> Vec<Vec<u8>> {
    let folders = ["testdata/pflog", "testdata/pfsync", "testdata/genuine"];
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    files.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

/// The bytes of every record of a capture.
fn records(capture: &[u8]) -> Vec<Vec<u8>> {
    let reader = Box::new(Cursor::new(capture.to_vec()));
    let Ok(mut file) = File::from_reader("replay", reader) else { return Vec::new() };
    let (mut batch, mut records) = (Batch::default(), Vec::new());
    loop {
        let more = file.fill(&mut batch).more;
        records.extend(batch.records.iter().map(|record| batch.data(record).to_vec()));
        if !more {
            return records;
        }
    }
}

#[test]
fn the_checks_hold_for_all_captures_and_for_changed_ones() {
    let mut frames = 0;
    for capture in captures() {
        checks::file(&capture);
        checks::file(&capture[..capture.len() * 2 / 3]);
        checks::summary(&capture);
        for (i, record) in records(&capture).into_iter().enumerate() {
            for choice in [0_u8, 3, 5, 16, 0x80] {
                let mut data = vec![choice, 0];
                data.extend_from_slice(&record);
                checks::frame(&data);
                // Another byte of each record is changed.
                let at = 2 + i * 7 % record.len().max(1);
                if let Some(byte) = data.get_mut(at) {
                    *byte ^= 0xff;
                }
                checks::frame(&data);
                frames += 1;
            }
            checks::packet(record.get(100..).unwrap_or(&record));
        }
    }
    assert!(frames > 4000, "{frames}");
}

proptest! {
    #[test]
    fn the_checks_hold_for_random_bytes(data in prop::collection::vec(any::<u8>(), 0..300)) {
        checks::frame(&data);
        checks::packet(&data);
        checks::file(&data);
        checks::filter(&data);
        checks::summary(&data);
    }

    #[test]
    fn the_checks_hold_for_random_tails_of_a_header(
        length in prop::sample::select(vec![45_u8, 49, 61, 68, 69, 100, 104, 255]),
        data in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut frame = vec![0, 0, length, 2];
        frame.extend_from_slice(&data);
        checks::frame(&frame);
    }
}
