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
        checks::states(&packets(&records(&capture)));
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

/// Each ruleset, and its cut and changed copies, with a record of pf's log behind it.
#[test]
fn the_checks_hold_for_all_rulesets_and_for_changed_ones() {
    let capture = fs::read("testdata/genuine/openbsd80-pflog0.pcap").unwrap();
    let records = records(&capture);
    let mut count = 0;
    for entry in fs::read_dir("testdata/rules").unwrap() {
        let path = entry.unwrap().path();
        if !path.is_file() {
            continue;
        }
        let text = fs::read(path).unwrap();
        for (i, record) in records.iter().enumerate() {
            let mut text = text[..text.len() - i * 37 % text.len()].to_vec();
            let at = i * 7919 % text.len();
            text[at] ^= if i % 3 == 0 { 0xff } else { 0 };
            // The target takes the first half for the ruleset.
            let mut frame = vec![0, 0];
            frame.extend_from_slice(record);
            text.resize(text.len().max(frame.len()), b'\n');
            frame.resize(text.len(), 0);
            checks::rules(&[text, frame].concat());
            count += 1;
        }
    }
    assert!(count > 300, "{count}");
}

#[test]
fn the_checks_hold_for_recorded_vici() {
    let mut count = 0;
    for entry in fs::read_dir("testdata/vici").unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let mut streams = [Vec::new(), Vec::new()];
        for line in text.lines() {
            let [_, _, direction @ ("<" | ">"), hex] = line.split(' ').collect::<Vec<_>>()[..]
            else {
                continue;
            };
            let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(digits).collect();
            for start in 0..bytes.len().min(24) {
                checks::vici(&bytes[start..]);
            }
            let mut changed = bytes.clone();
            changed[count % bytes.len()] ^= 0x07;
            checks::vici(&changed);
            streams[usize::from(direction == "<")].extend(bytes);
            count += 1;
        }
        streams.iter().for_each(|stream| checks::vici(stream));
    }
    assert!(count > 300, "{count}");
}

/// What the states target reads: the packets one second apart, the bound first.
fn packets(records: &[Vec<u8>]) -> Vec<u8> {
    let mut data = vec![5];
    for record in records {
        let packet =
            if record.first() == Some(&0x45) { record.get(20..) } else { Some(&record[..]) };
        let mut packet = packet.unwrap_or_default().to_vec();
        packet.resize(packet.len().div_ceil(4) * 4, 0);
        if let Ok(units) = u8::try_from(packet.len() / 4) {
            data.extend([0, 0x81, units]);
            data.extend(packet);
        }
    }
    data
}

/// A group of version 6 (which others read as they can): an action, and its message with few ids.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let message = (0..16_u8, 0..4_u8, 0..3_u8, 0..3_u8, any::<[u8; 4]>());
    message.prop_map(|(action, id, creator, port, random)| {
        let words: u8 = match action {
            1 | 3 => 60,
            6 | 13 | 14 => 66,
            4 => 21,
            0 => 5,
            _ => 3,
        };
        let mut body = vec![0; usize::from(words) * 4];
        let at = match action {
            0 => 19,
            4 => 75,
            1 | 3 => 231,
            6 | 13 | 14 => 239,
            _ => 11,
        };
        (body[7], body[at]) = (id, creator);
        if words == 66 {
            (body[9], body[57], body[99], body[203]) = (port, port, port, random[0]);
            (body[250], body[251], body[252]) = (2, 6, 1 + random[1] % 2);
        }
        [&[action, words, 0, 1], &body[..]].concat()
    })
}

proptest! {
    #[test]
    fn the_checks_hold_for_random_bytes(data in prop::collection::vec(any::<u8>(), 0..300)) {
        checks::frame(&data);
        checks::packet(&data);
        checks::file(&data);
        checks::filter(&data);
        checks::rules(&data);
        checks::summary(&data);
        checks::states(&data);
        checks::selector(&data);
        checks::vici(&data);
    }

    #[test]
    fn the_checks_hold_for_what_looks_like_a_selector(text in "[0-9a-f.:/\\[\\]()tcpudi-]{0,40}") {
        checks::selector(text.as_bytes());
    }

    /// Elements of a message more often than not.
    #[test]
    fn the_checks_hold_for_random_vici(data in prop::collection::vec(0..8_u8, 0..200)) {
        checks::vici(&data);
    }

    /// Small numbers, so that the same states are named again and again.
    #[test]
    fn a_table_holds_for_random_messages(
        max in any::<u8>(),
        packets in prop::collection::vec((0..8_u8, any::<u8>(), messages()), 0..30),
    ) {
        let mut data = vec![max];
        for (version, wait, mut body) in packets {
            body.resize(body.len().div_ceil(4) * 4, 0);
            data.extend([version, wait, u8::try_from(body.len() / 4).unwrap()]);
            data.extend(body);
        }
        checks::states(&data);
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
