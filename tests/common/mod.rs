//! What the tests of the decoder share: capture files, record by record.
#![allow(dead_code, unreachable_pub, reason = "each includer uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test may panic anywhere")]

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use pfscope::capture::Batch;
use pfscope::capture::file::File;
use pfscope::decode::decode;
use pfscope::event::{Event, Frame};
use pfscope::time::{Precision, Timestamp};
use pfscope::wire::ByteOrder;
use pfscope::wire::link::LinkType;
use pfscope::wire::writer::Writer;

/// A path in testdata.
pub fn testdata(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(path)
}

/// A path among the captures that are not part of the project; `None`, said aloud, without them.
pub fn shared(path: &str) -> Option<PathBuf> {
    let folder = env::var_os("PFSCOPE_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let captures = folder.join("captures");
    if captures.is_dir() {
        return Some(captures.join(path));
    }
    // Not by a macro: the test runner would keep that to itself.
    let _ = writeln!(io::stderr(), "SKIPPED: ../shared/captures is not there");
    None
}

/// Decodes every record of a file. What the records show of their writer is learned from all of
/// them first, per interface.
pub fn each_event(path: &Path, mut each: impl FnMut(&Event<'_>)) -> usize {
    let batches = read(path);
    let mut writers: Vec<Writer> = Vec::new();
    for (index, interface, frame) in batches.iter().flat_map(Batch::frames) {
        while writers.len() <= index {
            writers.push(Writer::new(interface.order));
        }
        match frame.link {
            LinkType::PFLOG => writers[index].observe(frame.data),
            LinkType::OLD_PFLOG => writers[index].observe_old(frame.data),
            _ => {}
        }
    }
    let mut count = 0;
    for (index, interface, frame) in batches.iter().flat_map(Batch::frames) {
        each(&decode(frame, interface.order, writers[index]));
        count += 1;
    }
    count
}

fn read(path: &Path) -> Vec<Batch> {
    let mut file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut batches = Vec::new();
    loop {
        let mut batch = Batch::default();
        let filled = file.fill(&mut batch);
        batches.push(batch);
        if !filled.more {
            return batches;
        }
    }
}

/// A frame of this link type, the first of its source, that had these bytes and no others.
pub fn frame(link: u32, data: &[u8]) -> Frame<'_> {
    cut(link, data, data.len())
}

/// A frame that had `len` bytes, of which `data` were captured.
pub fn cut(link: u32, data: &[u8], len: usize) -> Frame<'_> {
    let (ts, precision) = (Timestamp(0), Precision::Micros);
    Frame { ts, precision, len, ..Frame::new(LinkType(link), data) }
}

/// The event of a frame of which nothing else is known than a little-endian file.
pub fn event(link: u32, data: &[u8]) -> Event<'_> {
    alone(frame(link, data), ByteOrder::Little)
}

/// The event of a frame that is all its file has.
pub fn alone(frame: Frame<'_>, order: ByteOrder) -> Event<'_> {
    let mut writer = Writer::new(order);
    match frame.link {
        LinkType::PFLOG => writer.observe(frame.data),
        LinkType::OLD_PFLOG => writer.observe_old(frame.data),
        _ => {}
    }
    decode(frame, order, writer)
}
