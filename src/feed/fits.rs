//! Which capture file that is there may be appended to: pflogd's rule. Its header must be the one
//! that would be written, and its records must be whole but for the last.

use std::fs;
use std::io::{self, Seek};

use super::file::{Judgement, first};
use crate::capture::Batch;
use crate::capture::fault::{Cause, Error};
use crate::capture::file::File;
use crate::sink::savefile::Kind;

/// First bytes of a pcapng section, in both byte orders.
const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

const DIFFERENT: &str = "its header differs";

/// Judges a file that pcap records of this kind are to be appended to. The lengths of its header
/// are readers' limits: a larger snapshot length than ours fits, and so does 0, which is none.
///
/// # Errors
/// If it cannot be read.
pub fn pcap(mut file: fs::File, kind: Kind, snaplen: u32) -> io::Result<Judgement> {
    let head = first(&mut file, 24)?;
    let ours = kind.pcap_header(snaplen);
    let (Some(theirs), Some(limit)) = (head.first_chunk::<24>(), head.get(16..20)) else {
        return Ok(Judgement::Differs("its header is not whole".to_owned()));
    };
    let limit = limit.first_chunk().map_or(0, |limit| kind.order.u32(*limit));
    // Magic and version; the zone and accuracy between are always 0 and never looked at.
    for (part, what) in [
        (0..4, "magic: other byte order, precision or format"),
        (4..8, "version"),
        (20..24, "link type"),
    ] {
        if theirs.get(part.clone()) != ours.get(part) {
            return Ok(Judgement::Differs(format!("{DIFFERENT} ({what})")));
        }
    }
    if limit != 0 && limit < snaplen {
        let why = format!("{DIFFERENT} (snapshot length {limit}, not {snaplen})");
        return Ok(Judgement::Differs(why));
    }
    whole(file)
}

/// Judges a file that a pcapng section is to be appended to.
///
/// # Errors
/// If it cannot be read.
pub fn pcapng(mut file: fs::File) -> io::Result<Judgement> {
    if first(&mut file, 4)? != SECTION {
        return Ok(Judgement::Differs("it is not pcapng".to_owned()));
    }
    whole(file)
}

/// Reads the records through.
fn whole(mut file: fs::File) -> io::Result<Judgement> {
    file.rewind()?;
    let mut records = match File::from_reader("", Box::new(io::BufReader::new(file))) {
        Ok(records) => records,
        Err(Error::Io(error)) => return Err(error),
        Err(other) => return Ok(Judgement::Differs(other.to_string())),
    };
    let mut batch = Batch::default();
    loop {
        let filled = records.fill(&mut batch);
        match filled.fault {
            Some(fault) => {
                return match fault.cause {
                    Cause::Cut { .. } => Ok(Judgement::Cut(fault.offset)),
                    Cause::Read(error) => Err(error),
                    _ => Ok(Judgement::Differs(fault.to_string())),
                };
            }
            None if !filled.more => return Ok(Judgement::Fits),
            None => {}
        }
    }
}
