//! The pcapng format: blocks of any type, each with its length in front and at its end
//! (draft-ietf-opsawg-pcapng).
//!
//! ```text
//! block:     type(4) length(4) body length(4), the length being that of all of it
//! section:   magic(4) major(2) minor(2) section length(8) options
//! interface: link type(2) reserved(2) snaplen(4) options
//! enhanced:  interface(4) time(4+4) captured length(4) length(4) bytes options
//! packet:    interface(2) drops(2) time(4+4) captured length(4) length(4) bytes options
//! simple:    length(4) bytes
//! option:    code(2) length(2) value, padded to 4
//! ```
//!
//! Each section has its own byte order and numbers its interfaces from 0. Its length is not
//! looked at: the blocks themselves say where it ends. Blocks of all other types are passed
//! over, however large. Of the options only those of interfaces are read.

use super::fault::Cause;
use super::file::{Stop, Tail, Walk, narrow};
use super::{Interface, MAX_RECORD_LEN, Record};
use crate::time::{Precision, Timestamp};
use crate::wire::ByteOrder;
use crate::wire::link::LinkType;

/// First bytes of a section header block, the same in both byte orders.
pub(super) const MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// Length of a section header block without options.
pub(super) const SECTION_HEADER_LEN: usize = 28;

/// Largest block that is read as a whole: a largest record, and ample room for its options.
const MAX_BLOCK_LEN: u32 = 4 * MAX_RECORD_LEN;

/// Interfaces that are kept for a file. Each costs memory as long as the file is open.
const MAX_INTERFACES: usize = 65536;

/// Bytes of an interface's name that are kept; real names have at most 15.
const MAX_NAME_LEN: usize = 255;

/// Type, length and the first word after them: there is no shorter block.
const MIN_BLOCK_LEN: u32 = 12;

/// Bytes in front of a block's body: its type and length.
const BODY: usize = 8;

/// Bytes behind a block's body: its length again.
const TRAILER_LEN: u32 = 4;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const END_OF_OPTIONS: u16 = 0;
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
const IF_FCSLEN: u16 = 13;
const IF_TSOFFSET: u16 = 14;

/// Microseconds.
const DEFAULT_TSRESOL: u8 = 6;

const NS_PER_S: i128 = 1_000_000_000;

/// Reader of the records of a pcapng file.
#[derive(Debug)]
pub(super) struct Pcapng {
    /// Byte order of this section.
    order: ByteOrder,
    /// The interfaces of all sections so far.
    interfaces: Vec<Interface>,
    /// What else is known of those of this section, which are the last of `interfaces`.
    clocks: Vec<Clock>,
    /// The block in which the walk before stopped.
    skip: Option<Skip>,
}

/// A block that is being passed over.
#[derive(Debug, Clone, Copy)]
struct Skip {
    /// Its offset in the file.
    offset: u64,
    /// Its length.
    len: u32,
    /// Bytes in front of its trailer that are still to be passed.
    left: u32,
}

/// A block's type and length, and the byte order of what is in it.
#[derive(Debug, Clone, Copy)]
struct Head {
    order: ByteOrder,
    kind: u32,
    len: u32,
}

impl Pcapng {
    /// From the file's first [`SECTION_HEADER_LEN`] bytes, of which the first are [`MAGIC`].
    /// They are only tried here: the section begins when [`Pcapng::walk`] comes to it.
    pub(super) fn new(header: &[u8]) -> Result<Self, Cause> {
        let order = ByteOrder::Little;
        let mut pcapng = Self { order, interfaces: Vec::new(), clocks: Vec::new(), skip: None };
        match header.get(BODY..SECTION_HEADER_LEN - TRAILER_LEN as usize) {
            Some(body) if header.len() >= SECTION_HEADER_LEN => pcapng.section(28, body)?,
            _ => {
                let (have, need) = (header.len() as u64, SECTION_HEADER_LEN as u64);
                return Err(Cause::Cut { part: "file header", have, need });
            }
        }
        Ok(pcapng)
    }

    /// The interfaces of all sections so far.
    pub(super) fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// Lists the records that `bytes` hold as a whole. `base` is the offset of the first byte
    /// in the file, which is where the walk before stopped.
    pub(super) fn walk(&mut self, bytes: &[u8], base: u64, records: &mut Vec<Record>) -> Walk {
        let mut used = 0;
        loop {
            let at = Tail {
                bytes: bytes.get(used..).unwrap_or_default(),
                start: used,
                offset: base + used as u64,
            };
            let step = match self.skip {
                Some(skip) => self.skip_on(skip, at.bytes),
                None => self.block(&at, records),
            };
            match step {
                Ok(len) => used += len,
                Err(stop) => return Walk { used, stop },
            }
        }
    }

    /// Adds a last, cut record as far as its bytes go. What is cut, and the offset of its
    /// header in the file; none if nothing is.
    pub(super) fn cut(&self, at: &Tail<'_>, records: &mut Vec<Record>) -> Option<(Cause, u64)> {
        let cut = |have, need| Cause::Cut { part: "block", have, need: u64::from(need) };
        let have = at.bytes.len() as u64;
        if let Some(Skip { offset, len, .. }) = self.skip {
            return Some((cut(at.offset + have - offset, len), offset));
        }
        if at.bytes.is_empty() {
            return None;
        }
        let Ok(Some(head)) = self.head(at.bytes) else {
            return Some((cut(have, MIN_BLOCK_LEN), at.offset));
        };
        let end = (head.len.saturating_sub(TRAILER_LEN) as usize).min(at.bytes.len());
        let body = at.bytes.get(BODY..end).unwrap_or_default();
        if head.is_packet()
            && let Ok((mut record, room)) = self.record(head, at, body)
            && room > 0
        {
            record.caplen = record.caplen.min(room);
            records.push(record);
        }
        Some((cut(have, head.len), at.offset))
    }

    /// Reads the block that the bytes begin with, or begins to pass over it. The number of
    /// bytes that are done with.
    fn block(&mut self, at: &Tail<'_>, records: &mut Vec<Record>) -> Result<usize, Stop> {
        let fault = |cause| Stop::Fault(cause, at.offset);
        let Some(head) = self.head(at.bytes).map_err(fault)? else {
            return Err(Stop::Need(MIN_BLOCK_LEN as usize));
        };
        let len = head.len;
        if len < MIN_BLOCK_LEN || !len.is_multiple_of(4) {
            return Err(fault(Cause::BlockLength(len)));
        }
        if !head.is_packet() && head.kind != SECTION && head.kind != INTERFACE {
            self.skip = Some(Skip { offset: at.offset, len, left: len - TRAILER_LEN });
            return Ok(0);
        }
        if len > MAX_BLOCK_LEN {
            return Err(fault(Cause::BlockTooLong { len, limit: MAX_BLOCK_LEN }));
        }
        let Some((block, _)) = at.bytes.split_at_checked(len as usize) else {
            return Err(Stop::Need(len as usize));
        };
        let Some((rest, trailer)) = block.split_last_chunk() else {
            return Err(fault(Cause::BlockLength(len)));
        };
        check_trailer(len, head.order.u32(*trailer)).map_err(fault)?;
        let body = rest.get(BODY..).unwrap_or_default();
        match head.kind {
            SECTION => self.section(len, body).map_err(fault)?,
            INTERFACE => self.interface(len, body).map_err(fault)?,
            _ => {
                let (record, room) = self.record(head, at, body).map_err(fault)?;
                if record.caplen > room {
                    return Err(fault(Cause::RecordOverBlock(record.caplen)));
                }
                records.push(record);
            }
        }
        Ok(block.len())
    }

    /// The first words of a block; none if they are not all there.
    fn head(&self, bytes: &[u8]) -> Result<Option<Head>, Cause> {
        let Some(&[a, b, c, d, e, f, g, h, i, j, k, l]) = bytes.first_chunk() else {
            return Ok(None);
        };
        let order = if [a, b, c, d] == MAGIC { byte_order([i, j, k, l])? } else { self.order };
        Ok(Some(Head { order, kind: order.u32([a, b, c, d]), len: order.u32([e, f, g, h]) }))
    }

    /// Begins a section.
    fn section(&mut self, len: u32, body: &[u8]) -> Result<(), Cause> {
        let mut fields = Fields { order: self.order, bytes: body };
        let magic = fields.array().ok_or(Cause::BlockLength(len))?;
        fields.order = byte_order(magic)?;
        let (Some(major), Some(minor)) = (fields.u16(), fields.u16()) else {
            return Err(Cause::BlockLength(len));
        };
        if major != 1 {
            return Err(Cause::Version { format: "pcapng", major, minor });
        }
        self.order = fields.order;
        self.clocks.clear();
        Ok(())
    }

    /// Adds an interface.
    fn interface(&mut self, len: u32, body: &[u8]) -> Result<(), Cause> {
        let mut fields = Fields { order: self.order, bytes: body };
        let (Some(link), Some(_), Some(snaplen)) = (fields.u16(), fields.u16(), fields.u32())
        else {
            return Err(Cause::BlockLength(len));
        };
        if self.interfaces.len() >= MAX_INTERFACES {
            return Err(Cause::TooManyInterfaces(MAX_INTERFACES));
        }
        let (tick, precision) = Tick::new(DEFAULT_TSRESOL);
        let mut interface = Interface {
            link: LinkType(link.into()),
            order: self.order,
            precision,
            fcs_len: 0,
            name: None,
            file: None,
        };
        let snaplen = if snaplen == 0 { u32::MAX } else { snaplen };
        let mut clock = Clock { tick, offset: 0, snaplen };
        while let Some((code, value)) = fields.option()? {
            let bad = |_| Cause::Option(code);
            match code {
                IF_NAME => {
                    let name = value.get(..MAX_NAME_LEN).unwrap_or(value);
                    interface.name = Some(name.into());
                }
                IF_TSRESOL => {
                    let [resolution] = value.try_into().map_err(bad)?;
                    (clock.tick, interface.precision) = Tick::new(resolution);
                }
                IF_TSOFFSET => {
                    let seconds = self.order.u64(value.try_into().map_err(bad)?);
                    clock.offset = i128::from(seconds.cast_signed()) * NS_PER_S;
                }
                IF_FCSLEN => {
                    let [bits] = value.try_into().map_err(bad)?;
                    interface.fcs_len = bits / 8;
                }
                _ => {}
            }
        }
        self.interfaces.push(interface);
        self.clocks.push(clock);
        Ok(())
    }

    /// The record of a packet block and the number of bytes that the body has for it.
    fn record(&self, head: Head, at: &Tail<'_>, body: &[u8]) -> Result<(Record, u32), Cause> {
        let mut fields = Fields { order: self.order, bytes: body };
        let packet = match head.kind {
            SIMPLE_PACKET => fields.simple_packet(),
            kind => fields.packet(kind),
        };
        let packet = packet.ok_or(Cause::BlockLength(head.len))?;
        let clock = self.clocks.get(packet.interface as usize);
        let clock = clock.ok_or(Cause::UnknownInterface(packet.interface))?;
        let caplen = packet.caplen.unwrap_or_else(|| packet.len.min(clock.snaplen));
        if caplen > MAX_RECORD_LEN {
            return Err(Cause::RecordTooLong(caplen));
        }
        let record = Record {
            ts: packet.ticks.map_or_else(Timestamp::default, |ticks| clock.timestamp(ticks)),
            start: narrow(at.start + BODY + (body.len() - fields.bytes.len())),
            caplen,
            len: packet.len,
            interface: narrow(self.interfaces.len() - self.clocks.len()) + packet.interface,
            offset: at.offset,
        };
        Ok((record, narrow(fields.bytes.len())))
    }

    /// Passes over what is there of a block. Its trailer stays to the last.
    fn skip_on(&mut self, skip: Skip, bytes: &[u8]) -> Result<usize, Stop> {
        if skip.left > 0 {
            let len = skip.left.min(narrow(bytes.len()));
            self.skip = Some(Skip { left: skip.left - len, ..skip });
            return if len > 0 { Ok(len as usize) } else { Err(Stop::Need(1)) };
        }
        let Some(&trailer) = bytes.first_chunk() else {
            return Err(Stop::Need(TRAILER_LEN as usize));
        };
        check_trailer(skip.len, self.order.u32(trailer))
            .map_err(|cause| Stop::Fault(cause, skip.offset))?;
        self.skip = None;
        Ok(TRAILER_LEN as usize)
    }
}

impl Head {
    fn is_packet(self) -> bool {
        matches!(self.kind, PACKET | SIMPLE_PACKET | ENHANCED_PACKET)
    }
}

/// Byte order of a section by its magic.
fn byte_order(magic: [u8; 4]) -> Result<ByteOrder, Cause> {
    match magic {
        [0x1a, 0x2b, 0x3c, 0x4d] => Ok(ByteOrder::Big),
        [0x4d, 0x3c, 0x2b, 0x1a] => Ok(ByteOrder::Little),
        _ => Err(Cause::ByteOrder(magic)),
    }
}

fn check_trailer(start: u32, end: u32) -> Result<(), Cause> {
    if start == end { Ok(()) } else { Err(Cause::BlockEnd { start, end }) }
}

/// What the header of a packet block says.
struct Packet {
    interface: u32,
    ticks: Option<u64>,
    caplen: Option<u32>,
    len: u32,
}

/// Fields of a block's body, one after the other.
struct Fields<'a> {
    order: ByteOrder,
    bytes: &'a [u8],
}

impl<'a> Fields<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (&array, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(array)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(|bytes| self.order.u16(bytes))
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(|bytes| self.order.u32(bytes))
    }

    /// The header of an enhanced or of an obsolete packet block.
    fn packet(&mut self, kind: u32) -> Option<Packet> {
        let interface = if kind == PACKET {
            let interface = self.u16()?;
            let _drops = self.u16()?;
            interface.into()
        } else {
            self.u32()?
        };
        let (high, low) = (self.u32()?, self.u32()?);
        let ticks = Some(u64::from(high) << 32 | u64::from(low));
        Some(Packet { interface, ticks, caplen: Some(self.u32()?), len: self.u32()? })
    }

    /// The header of a simple packet block: always of the first interface, without a time.
    fn simple_packet(&mut self) -> Option<Packet> {
        Some(Packet { interface: 0, ticks: None, caplen: None, len: self.u32()? })
    }

    /// The next option's code and value; none at the end of the options.
    fn option(&mut self) -> Result<Option<(u16, &'a [u8])>, Cause> {
        let (Some(code), Some(len)) = (self.u16(), self.u16()) else {
            return Ok(None);
        };
        if code == END_OF_OPTIONS {
            return Ok(None);
        }
        let len = usize::from(len);
        let (padded, rest) =
            self.bytes.split_at_checked(len.next_multiple_of(4)).ok_or(Cause::Option(code))?;
        self.bytes = rest;
        Ok(Some((code, padded.get(..len).unwrap_or_default())))
    }
}

/// How the time stamps of an interface count, and what else its records need.
#[derive(Debug)]
struct Clock {
    tick: Tick,
    /// Nanoseconds to add.
    offset: i128,
    /// Longest record, for blocks that do not give their record's length.
    snaplen: u32,
}

/// Length of a tick of a clock. All of them go with 128-bit numbers, in which no 64-bit count
/// of ticks overflows.
#[derive(Debug)]
enum Tick {
    /// So many nanoseconds.
    Nanos(i128),
    /// A nanosecond has so many of them.
    PerNano(i128),
    /// A second has two to this power of them.
    PowerOfTwo(u8),
}

impl Tick {
    /// From an `if_tsresol` option: the top bit says whether the others are the exponent of
    /// ten or of two. With it, the precision that it amounts to.
    fn new(resolution: u8) -> (Self, Precision) {
        let exponent = resolution & 0x7f;
        let precision = |micros| if micros { Precision::Micros } else { Precision::Nanos };
        if resolution & 0x80 != 0 {
            // 2^-19 s is 1.9 us.
            return (Self::PowerOfTwo(exponent), precision(exponent <= 19));
        }
        let tick = match 9_u32.checked_sub(exponent.into()) {
            Some(power) => Self::Nanos(10_i128.pow(power)),
            None => {
                let power = u32::from(exponent - 9);
                Self::PerNano(10_i128.checked_pow(power).unwrap_or(i128::MAX))
            }
        };
        (tick, precision(exponent <= 6))
    }
}

impl Clock {
    fn timestamp(&self, ticks: u64) -> Timestamp {
        let ticks = i128::from(ticks);
        let ns = match self.tick {
            Tick::Nanos(n) => ticks * n,
            Tick::PerNano(n) => ticks / n,
            Tick::PowerOfTwo(exponent) => (ticks * NS_PER_S) >> exponent,
        };
        let ns = (ns + self.offset).clamp(i64::MIN.into(), i64::MAX.into());
        Timestamp(i64::try_from(ns).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_of_every_resolution() {
        let ns = |resolution, ticks| {
            let (tick, precision) = Tick::new(resolution);
            (Clock { tick, offset: 0, snaplen: 0 }.timestamp(ticks).0, precision)
        };
        use Precision::{Micros, Nanos};
        assert_eq!(ns(0, 7), (7_000_000_000, Micros));
        assert_eq!(ns(3, 7), (7_000_000, Micros));
        assert_eq!(ns(6, 7), (7_000, Micros));
        assert_eq!(ns(7, 7), (700, Nanos));
        assert_eq!(ns(9, 7), (7, Nanos));
        assert_eq!(ns(12, 7_999), (7, Nanos));
        assert_eq!(ns(127, u64::MAX), (0, Nanos));
        assert_eq!(ns(0x80, 7), (7_000_000_000, Micros));
        assert_eq!(ns(0x81, 7), (3_500_000_000, Micros));
        assert_eq!(ns(0x93, 1), (1_907, Micros));
        assert_eq!(ns(0x94, 1), (953, Nanos));
        assert_eq!(ns(0xa0, (5 << 32) + (1 << 31)), (5_500_000_000, Nanos));
        assert_eq!(ns(0xff, u64::MAX), (0, Nanos));
        assert_eq!(ns(0, u64::MAX), (i64::MAX, Micros));
        assert_eq!(ns(0x80, u64::MAX), (i64::MAX, Micros));
    }
}
