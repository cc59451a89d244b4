//! The pcap format: a file header of 24 bytes, then for each record a header of 16 and its
//! bytes (draft-ietf-opsawg-pcap).
//!
//! ```text
//! file:   magic(4) major(2) minor(2) zone(4) accuracy(4) snaplen(4) link type(4)
//! record: seconds(4) fraction(4) captured length(4) length(4)
//! ```
//!
//! All numbers are in the writer's byte order. The snapshot length is not looked at: files
//! exist whose records are longer.

use super::fault::Cause;
use super::file::{Stop, Tail, Walk, narrow};
use super::{Interface, MAX_RECORD_LEN, Record};
use crate::time::{Precision, Timestamp};
use crate::wire::ByteOrder;
use crate::wire::link::LinkType;

/// Length of the file's header.
pub(super) const FILE_HEADER_LEN: usize = 24;

const RECORD_HEADER_LEN: usize = 16;

/// In the link type word: the length of the frame check sequence is given in its top 4 bits.
const FCS_LEN_PRESENT: u32 = 1 << 26;

/// Byte order and precision of the writer of a file that begins so; none if it is not pcap.
pub(super) fn writer(magic: [u8; 4]) -> Option<(ByteOrder, Precision)> {
    Some(match magic {
        [0xa1, 0xb2, 0xc3, 0xd4] => (ByteOrder::Big, Precision::Micros),
        [0xd4, 0xc3, 0xb2, 0xa1] => (ByteOrder::Little, Precision::Micros),
        [0xa1, 0xb2, 0x3c, 0x4d] => (ByteOrder::Big, Precision::Nanos),
        [0x4d, 0x3c, 0xb2, 0xa1] => (ByteOrder::Little, Precision::Nanos),
        _ => return None,
    })
}

/// Reader of the records of a pcap file.
#[derive(Debug)]
pub(super) struct Pcap {
    order: ByteOrder,
    /// Nanoseconds in a unit of the fraction.
    unit: i64,
}

struct Header {
    ts: Timestamp,
    caplen: u32,
    len: u32,
}

impl Pcap {
    /// From the file's header of [`FILE_HEADER_LEN`] bytes and what [`writer`] found in it.
    pub(super) fn new(
        (order, precision): (ByteOrder, Precision),
        header: &[u8],
    ) -> Result<(Self, Interface), Cause> {
        let cut = || Cause::Cut {
            part: "file header",
            have: header.len() as u64,
            need: FILE_HEADER_LEN as u64,
        };
        let (_magic, rest) = header.split_first_chunk::<4>().ok_or_else(cut)?;
        let (&major, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        let (&minor, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        let (_, rest) = rest.split_first_chunk::<12>().ok_or_else(cut)?;
        let link = order.u32(*rest.first_chunk().ok_or_else(cut)?);
        let (major, minor) = (order.u16(major), order.u16(minor));
        if major != 2 {
            return Err(Cause::Version { format: "pcap", major, minor });
        }
        // In units of 16 bits; the shift leaves 4 bits.
        let fcs_len = if link & FCS_LEN_PRESENT != 0 { (link >> 28) * 2 } else { 0 };
        let interface = Interface {
            link: LinkType(link & 0xffff),
            order,
            precision,
            fcs_len: u8::try_from(fcs_len).unwrap_or_default(),
            name: None,
            file: None,
        };
        let unit = match precision {
            Precision::Micros => 1000,
            Precision::Nanos => 1,
        };
        Ok((Self { order, unit }, interface))
    }

    /// Lists the records that `bytes` hold as a whole. `base` is the offset of the first byte
    /// in the file, which is where a record begins.
    pub(super) fn walk(&self, bytes: &[u8], base: u64, records: &mut Vec<Record>) -> Walk {
        let mut rest = bytes;
        loop {
            let used = bytes.len() - rest.len();
            let offset = base + used as u64;
            let Some((header, data)) = self.header(rest) else {
                return Walk { used, stop: Stop::Need(RECORD_HEADER_LEN) };
            };
            if header.caplen > MAX_RECORD_LEN {
                let cause = Cause::RecordTooLong(header.caplen);
                return Walk { used, stop: Stop::Fault(cause, offset) };
            }
            let Some((_, after)) = data.split_at_checked(header.caplen as usize) else {
                let need = RECORD_HEADER_LEN + header.caplen as usize;
                return Walk { used, stop: Stop::Need(need) };
            };
            let start = narrow(used + RECORD_HEADER_LEN);
            records.push(header.record(start, header.caplen, offset));
            rest = after;
        }
    }

    /// The same for what is left at the end of the file: a record that is not whole.
    pub(super) fn cut(&self, tail: &Tail<'_>, records: &mut Vec<Record>) -> Option<(Cause, u64)> {
        let bytes = tail.bytes;
        if bytes.is_empty() {
            return None;
        }
        let Some((header, data)) = self.header(bytes) else {
            let (have, need) = (bytes.len() as u64, RECORD_HEADER_LEN as u64);
            return Some((Cause::Cut { part: "record header", have, need }, tail.offset));
        };
        if !data.is_empty() {
            let start = narrow(tail.start + RECORD_HEADER_LEN);
            records.push(header.record(start, narrow(data.len()), tail.offset));
        }
        let (have, need) = (data.len() as u64, u64::from(header.caplen));
        Some((Cause::Cut { part: "record", have, need }, tail.offset))
    }

    /// A record's header and the bytes after it.
    #[inline]
    fn header<'a>(&self, bytes: &'a [u8]) -> Option<(Header, &'a [u8])> {
        let (header, data) = bytes.split_first_chunk::<RECORD_HEADER_LEN>()?;
        let (&seconds, rest) = header.split_first_chunk()?;
        let (&fraction, rest) = rest.split_first_chunk()?;
        let (&caplen, rest) = rest.split_first_chunk()?;
        let (&len, _) = rest.split_first_chunk()?;
        let seconds = i64::from(self.order.u32(seconds));
        // Unsigned seconds last until 2106. A fraction of a second or more is added as it is;
        // the sum of two 32-bit numbers in nanoseconds stays far below the limit.
        let ns = seconds * 1_000_000_000 + i64::from(self.order.u32(fraction)) * self.unit;
        let (caplen, len) = (self.order.u32(caplen), self.order.u32(len));
        Some((Header { ts: Timestamp(ns), caplen, len }, data))
    }
}

impl Header {
    fn record(&self, start: u32, caplen: u32, offset: u64) -> Record {
        Record { ts: self.ts, start, caplen, len: self.len, interface: 0, offset }
    }
}
