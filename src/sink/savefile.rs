//! Frames as the records of capture files: pcap (draft-ietf-opsawg-pcap) and pcapng
//! (draft-ietf-opsawg-pcapng), whose layouts stand in `capture::pcap` and `capture::pcapng`.
//!
//! All numbers are in the byte order of the machine that captured the frame: pf's header has
//! numbers in that order too, and nothing else in the file tells it. A frame check sequence is
//! not written, and of pcapng's options only names, the resolution of times and drop counters.

use crate::event::Frame;
use crate::time::{Precision, Timestamp};
use crate::wire::ByteOrder;
use crate::wire::link::LinkType;

/// What all records of a pcap file, or of an interface in a pcapng file, have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// What the first byte of a record is.
    pub link: LinkType,
    /// Byte order of the machine that captured them.
    pub order: ByteOrder,
    /// How fine the time stamps are.
    pub precision: Precision,
}

/// What a device counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    /// When the counters were read.
    pub ts: Timestamp,
    /// Packets that the device received.
    pub received: u64,
    /// Packets that the device dropped.
    pub if_dropped: u64,
    /// Packets that the system dropped for want of room.
    pub dropped: u64,
}

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
const ISB_IFRECV: u16 = 4;
const ISB_IFDROP: u16 = 5;
const ISB_OSDROP: u16 = 7;

/// Type and length in front of a block's body, and its length behind it.
const BLOCK_FRAME: usize = 12;

/// Bytes of an enhanced packet block's body in front of the packet's.
const PACKET_HEAD: usize = 20;

impl Kind {
    /// A pcap file's header.
    pub fn pcap_header(self, snaplen: u32) -> Vec<u8> {
        let mut out = Vec::with_capacity(24);
        let magic = match self.precision {
            Precision::Micros => 0xa1b2_c3d4,
            Precision::Nanos => 0xa1b2_3c4d,
        };
        put32(&mut out, self.order, magic);
        put16(&mut out, self.order, 2);
        put16(&mut out, self.order, 4);
        for word in [0, 0, snaplen, self.link.0] {
            put32(&mut out, self.order, word);
        }
        out
    }

    /// Appends a pcap record. A time that its 32 bits of seconds cannot say becomes the nearest
    /// one that they can.
    #[inline]
    pub fn push_record(self, frame: &Frame<'_>, out: &mut Vec<u8>) {
        self.push_record_head(frame.ts, frame.data.len(), frame.len, out);
        out.extend_from_slice(frame.data);
    }

    /// Appends what stands before the captured bytes in a pcap record: of so many bytes, of a frame
    /// that had `len`. As [`push_record`](Self::push_record).
    #[inline]
    pub fn push_record_head(self, ts: Timestamp, captured: usize, len: usize, out: &mut Vec<u8>) {
        let (seconds, nanos) = ts.split();
        let seconds = u32::try_from(seconds.max(0)).unwrap_or(u32::MAX);
        let fraction = match self.precision {
            Precision::Micros => nanos / 1000,
            Precision::Nanos => nanos,
        };
        let fraction = u32::try_from(fraction).unwrap_or_default();
        out.reserve(16);
        for word in [seconds, fraction, length(captured), length(len)] {
            put32(out, self.order, word);
        }
    }

    /// Appends a pcapng interface description block.
    pub fn push_interface(self, name: Option<&[u8]>, snaplen: u32, out: &mut Vec<u8>) {
        let mut body = Vec::new();
        put16(&mut body, self.order, u16::try_from(self.link.0).unwrap_or(u16::MAX));
        put16(&mut body, self.order, 0);
        put32(&mut body, self.order, snaplen);
        let start = body.len();
        if let Some(name) = name {
            push_option(&mut body, self.order, IF_NAME, name);
        }
        // Microseconds are what an interface has that does not say.
        if self.precision == Precision::Nanos {
            push_option(&mut body, self.order, IF_TSRESOL, &[9]);
        }
        if body.len() > start {
            push_option(&mut body, self.order, 0, &[]);
        }
        push_block(out, self.order, INTERFACE, &body);
    }

    /// Appends a pcapng enhanced packet block.
    pub fn push_packet(self, frame: &Frame<'_>, interface: u32, out: &mut Vec<u8>) {
        let padding = frame.data.len().wrapping_neg() % 4;
        let len = length(BLOCK_FRAME + PACKET_HEAD + frame.data.len() + padding);
        let [high, low] = self.time(frame.ts);
        let (caplen, whole) = (length(frame.data.len()), length(frame.len));
        let mut head = [0; BLOCK_FRAME - 4 + PACKET_HEAD];
        let words = [ENHANCED_PACKET, len, interface, high, low, caplen, whole];
        for (place, word) in head.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *place = bytes32(self.order, word);
        }
        out.extend_from_slice(&head);
        out.extend_from_slice(frame.data);
        out.resize(out.len() + padding, 0);
        put32(out, self.order, len);
    }

    /// Writes the number of a packet's interface into its block, which
    /// [`push_packet`](Self::push_packet) made.
    pub fn set_interface(self, block: &mut [u8], interface: u32) {
        if let Some(place) = block.get_mut(8..12) {
            place.copy_from_slice(&bytes32(self.order, interface));
        }
    }

    /// Appends a pcapng interface statistics block.
    pub fn push_statistics(self, interface: u32, counted: Statistics, out: &mut Vec<u8>) {
        let mut body = Vec::new();
        let [high, low] = self.time(counted.ts);
        for word in [interface, high, low] {
            put32(&mut body, self.order, word);
        }
        for (code, n) in [
            (ISB_IFRECV, counted.received),
            (ISB_IFDROP, counted.if_dropped),
            (ISB_OSDROP, counted.dropped),
        ] {
            let bytes = match self.order {
                ByteOrder::Little => n.to_le_bytes(),
                ByteOrder::Big => n.to_be_bytes(),
            };
            push_option(&mut body, self.order, code, &bytes);
        }
        push_option(&mut body, self.order, 0, &[]);
        push_block(out, self.order, STATISTICS, &body);
    }

    /// A time in units of the interface, its upper and lower half; none is before 1970.
    fn time(self, ts: Timestamp) -> [u32; 2] {
        let nanos = u64::try_from(ts.0).unwrap_or_default();
        let units = match self.precision {
            Precision::Micros => nanos / 1000,
            Precision::Nanos => nanos,
        };
        [units >> 32, units & 0xffff_ffff].map(|half| u32::try_from(half).unwrap_or_default())
    }
}

/// Appends a pcapng section header block, of a section whose length is not said.
pub fn push_section(order: ByteOrder, out: &mut Vec<u8>) {
    let mut body = Vec::new();
    put32(&mut body, order, 0x1a2b_3c4d);
    put16(&mut body, order, 1);
    put16(&mut body, order, 0);
    body.extend_from_slice(&[0xff; 8]);
    push_block(out, order, SECTION, &body);
}

/// Appends a block whose body is a multiple of four bytes.
fn push_block(out: &mut Vec<u8>, order: ByteOrder, kind: u32, body: &[u8]) {
    let len = length(BLOCK_FRAME + body.len());
    put32(out, order, kind);
    put32(out, order, len);
    out.extend_from_slice(body);
    put32(out, order, len);
}

/// Appends an option, padded. A value is at most as long as its length can say.
fn push_option(out: &mut Vec<u8>, order: ByteOrder, code: u16, value: &[u8]) {
    let value = value.get(..usize::from(u16::MAX)).unwrap_or(value);
    put16(out, order, code);
    put16(out, order, u16::try_from(value.len()).unwrap_or_default());
    out.extend_from_slice(value);
    out.resize(out.len() + value.len().wrapping_neg() % 4, 0);
}

/// A length in a file; records have at most `capture::MAX_RECORD_LEN` bytes.
fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn put16(out: &mut Vec<u8>, order: ByteOrder, n: u16) {
    out.extend_from_slice(&match order {
        ByteOrder::Little => n.to_le_bytes(),
        ByteOrder::Big => n.to_be_bytes(),
    });
}

fn put32(out: &mut Vec<u8>, order: ByteOrder, n: u32) {
    out.extend_from_slice(&bytes32(order, n));
}

const fn bytes32(order: ByteOrder, n: u32) -> [u8; 4] {
    match order {
        ByteOrder::Little => n.to_le_bytes(),
        ByteOrder::Big => n.to_be_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;
    use crate::capture::Batch;
    use crate::capture::file::File;

    const SNAPLEN: u32 = 262_144;

    fn kinds() -> impl Strategy<Value = Kind> {
        let order = prop_oneof![Just(ByteOrder::Little), Just(ByteOrder::Big)];
        let precision = prop_oneof![Just(Precision::Micros), Just(Precision::Nanos)];
        (0..0xffff_u32, order, precision).prop_map(|(link, order, precision)| Kind {
            link: LinkType(link),
            order,
            precision,
        })
    }

    /// Time in nanoseconds, bytes, and how many more the frame had.
    fn frames() -> impl Strategy<Value = Vec<(i64, Vec<u8>, usize)>> {
        let time = 0..i64::from(u32::MAX) * 1_000_000_000;
        let data = prop::collection::vec(any::<u8>(), 0..200);
        prop::collection::vec((time, data, 0..5000_usize), 0..20)
    }

    fn frame<'a>(kind: Kind, (ts, data, more): &'a (i64, Vec<u8>, usize)) -> Frame<'a> {
        Frame {
            ts: rounded(kind, *ts),
            precision: kind.precision,
            len: data.len() + more,
            ..Frame::new(kind.link, data)
        }
    }

    fn rounded(kind: Kind, ts: i64) -> Timestamp {
        Timestamp(if kind.precision == Precision::Micros { ts / 1000 * 1000 } else { ts })
    }

    fn read(bytes: Vec<u8>) -> Batch {
        let mut file = File::from_reader("", Box::new(Cursor::new(bytes))).unwrap();
        let (mut all, mut batch) = (Batch::default(), Batch::default());
        loop {
            let filled = file.fill(&mut batch);
            assert!(filled.fault.is_none(), "{:?}", filled.fault);
            for record in &batch.records {
                let start = u32::try_from(all.bytes.len()).unwrap();
                all.bytes.extend_from_slice(batch.data(record));
                all.records.push(crate::capture::Record { start, ..*record });
            }
            all.interfaces = batch.interfaces.clone();
            if !filled.more {
                return all;
            }
        }
    }

    proptest! {
        #[test]
        fn pcap_is_read_back(kind in kinds(), frames in frames()) {
            let mut bytes = kind.pcap_header(SNAPLEN);
            frames.iter().for_each(|given| kind.push_record(&frame(kind, given), &mut bytes));
            let batch = read(bytes);
            let one = batch.interfaces.first().unwrap();
            prop_assert_eq!((one.link, one.order, one.precision), (kind.link, kind.order, kind.precision));
            prop_assert_eq!(batch.records.len(), frames.len());
            for (record, (ts, data, more)) in batch.records.iter().zip(&frames) {
                prop_assert_eq!(record.ts, rounded(kind, *ts));
                prop_assert_eq!(batch.data(record), &data[..]);
                prop_assert_eq!(record.len as usize, data.len() + more);
            }
        }

        #[test]
        fn pcapng_is_read_back(
            mut kinds in prop::collection::vec(kinds(), 1..4),
            name in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
            frames in frames(),
        ) {
            let order = kinds[0].order;
            kinds.iter_mut().for_each(|kind| kind.order = order);
            let mut bytes = Vec::new();
            push_section(order, &mut bytes);
            for kind in &kinds {
                kind.push_interface(name.as_deref(), SNAPLEN, &mut bytes);
            }
            let of = |at: usize| (kinds[at % kinds.len()], u32::try_from(at % kinds.len()).unwrap());
            for (at, given) in frames.iter().enumerate() {
                let (kind, interface) = of(at);
                let start = bytes.len();
                kind.push_packet(&frame(kind, given), 77, &mut bytes);
                kind.set_interface(&mut bytes[start..], interface);
            }
            let counted = Statistics { ts: Timestamp(1), received: 3, if_dropped: 1, dropped: 2 };
            kinds[0].push_statistics(0, counted, &mut bytes);
            let batch = read(bytes);
            prop_assert_eq!(batch.interfaces.len(), kinds.len());
            for (interface, kind) in batch.interfaces.iter().zip(&kinds) {
                let read = (interface.link, interface.order, interface.precision);
                prop_assert_eq!(read, (kind.link, kind.order, kind.precision));
                let name = name.as_deref().filter(|name| !name.is_empty());
                prop_assert_eq!(interface.name.as_deref().filter(|name| !name.is_empty()), name);
            }
            prop_assert_eq!(batch.records.len(), frames.len());
            for (at, (record, (ts, data, more))) in batch.records.iter().zip(&frames).enumerate() {
                let (kind, interface) = of(at);
                prop_assert_eq!(record.interface, interface);
                prop_assert_eq!(record.ts, rounded(kind, *ts));
                prop_assert_eq!(batch.data(record), &data[..]);
                prop_assert_eq!(record.len as usize, data.len() + more);
            }
        }
    }

    #[test]
    fn times_that_pcap_cannot_say_become_the_nearest() {
        let kind =
            Kind { link: LinkType::PFLOG, order: ByteOrder::Big, precision: Precision::Nanos };
        for (ts, seconds) in [(-5_i64, 0_u32), (i64::MAX, u32::MAX)] {
            let given = (ts, Vec::new(), 0);
            let mut bytes = Vec::new();
            kind.push_record(&frame(kind, &given), &mut bytes);
            assert_eq!(bytes[..4], seconds.to_be_bytes());
        }
    }
}
