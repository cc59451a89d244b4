//! Where records come from: capture files and devices.
//!
//! A source fills [`Batch`]es: one buffer and a table of the records in it. Batches are
//! recycled, so that reading costs no allocation per record, and a record's bytes are copied
//! once at most, from the system into the batch.

pub mod again;
#[cfg(feature = "live")]
pub mod bpf;
mod compress;
pub mod defrag;
#[cfg(feature = "live")]
mod device;
pub mod fault;
pub mod file;
pub mod follow;
mod interfaces;
#[cfg(feature = "live")]
pub mod list;
#[cfg(feature = "live")]
pub mod live;
pub mod merge;
pub mod offset;
mod pcap;
mod pcapng;
pub mod remark;
#[cfg(feature = "live")]
mod ring;
#[cfg(test)]
mod sample;
mod source;

use std::sync::Arc;

use crate::event::notice::Notice;
use crate::event::{Flow, Frame, Named, Place};
use crate::states::Suspicion;
use crate::time::{Precision, Timestamp};
use crate::wire::ByteOrder;
use crate::wire::link::LinkType;

/// Largest record that is believed, in bytes: libpcap's MAXIMUM_SNAPLEN.
pub const MAX_RECORD_LEN: u32 = 256 * 1024;

/// What a record's interface says about all of its records. A pcap file has one; a pcapng file
/// one for each interface description block.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Interface {
    /// What the first byte of a record is.
    pub link: LinkType,
    /// Byte order of the machine that wrote the file or section.
    pub order: ByteOrder,
    /// How fine the time stamps are.
    pub precision: Precision,
    /// Bytes of frame check sequence at the end of each record.
    pub fcs_len: u8,
    /// The interface's name where the file gives it (pcapng `if_name`): untrusted bytes.
    pub name: Option<Box<[u8]>>,
    /// Name of the file that its records come from, where several are read as one.
    pub file: Option<Arc<[u8]>>,
}

/// A source of records.
pub trait Records: Send + 'static {
    /// Puts the next records into the batch, in place of those in it.
    fn fill(&mut self, batch: &mut Batch) -> file::Filled;

    /// The interfaces that are known before any record comes.
    fn interfaces(&self) -> Arc<[Interface]> {
        Arc::default()
    }
}

impl Records for Box<dyn Records> {
    fn fill(&mut self, batch: &mut Batch) -> file::Filled {
        (**self).fill(batch)
    }
}

/// One record of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// When it was captured.
    pub ts: Timestamp,
    /// Offset of its first byte in the batch's buffer.
    pub start: u32,
    /// Bytes that are there.
    pub caplen: u32,
    /// Bytes that the packet had.
    pub len: u32,
    /// Index into [`Batch::interfaces`].
    pub interface: u32,
    /// Offset of the record's header from the start of the file (decompressed).
    pub offset: u64,
}

/// What the fragments of a packet carry together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Number of the frame that completed it.
    pub frame: u64,
    /// The payload of the whole packet.
    pub bytes: Vec<u8>,
}

/// The state that a logged packet belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Belongs {
    /// Number of the packet's frame.
    pub frame: u64,
    /// The state.
    pub flow: Flow,
}

/// What is suspicious about a pfsync packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspected {
    /// Number of the packet's frame.
    pub frame: u64,
    /// What it is.
    pub what: Suspicion,
}

/// Some consecutive records of one source.
#[derive(Debug, Default)]
pub struct Batch {
    /// Interfaces known so far; shared between batches until a new one comes.
    pub interfaces: Arc<[Interface]>,
    /// Number of the first record, counted from 1 over the whole source.
    pub first_frame: u64,
    /// Of a source that reads several as one: the number that each record has in its own, counted
    /// from 1.
    pub numbers: Vec<u64>,
    /// Of a source that can be read on later: where what follows the batch begins.
    pub position: Option<follow::Position>,
    /// The records, in file order.
    pub records: Vec<Record>,
    /// The bytes that the records point into. What lies between and behind the records is
    /// undefined: the buffer only grows, so that it need not be zeroed for each batch.
    pub bytes: Vec<u8>,
    /// In front of each record's bytes is its header in a capture file, and nothing is between them:
    /// so a device gives them that was asked for it.
    pub heads: bool,
    /// What fragments that end in this batch carry together, in the order of their frames.
    pub joined: Vec<Joined>,
    /// States that logged packets of this batch belong to, in the order of their frames.
    pub belongs: Vec<Belongs>,
    /// States that messages of this batch only name, in the order of their frames.
    pub named: Vec<Named>,
    /// Suspicious packets of this batch, in the order of their frames.
    pub suspected: Vec<Suspected>,
    /// What happened to the source, each in its place among the records.
    pub notices: Vec<Notice>,
}

/// What there is of a frame, among what there is in the order of frames: mostly nothing.
#[inline]
fn of_frame<T>(all: &[T], number: u64, frame: impl Fn(&T) -> u64) -> Option<&T> {
    if all.is_empty() {
        return None;
    }
    all.get(all.binary_search_by_key(&number, frame).ok()?)
}

impl Batch {
    /// The bytes of a record of this batch; empty if it is not one.
    #[inline]
    pub fn data(&self, record: &Record) -> &[u8] {
        let start = record.start as usize;
        let end = start.saturating_add(record.caplen as usize);
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// The states that the messages of a frame only name.
    pub fn named(&self, frame: u64) -> &[Named] {
        let start = self.named.partition_point(|named| named.frame < frame);
        let rest = self.named.get(start..).unwrap_or_default();
        rest.get(..rest.partition_point(|named| named.frame == frame)).unwrap_or_default()
    }

    /// The frames of the batch, each with its index into [`Batch::interfaces`]. A frame check
    /// sequence is not part of the frame.
    pub fn frames(&self) -> impl Iterator<Item = (usize, &Interface, Frame<'_>)> {
        let mut frames = Frames::new(self);
        let next = move |(nth, record)| {
            let (index, interface, frame) = frames.of(nth, record)?;
            Some((index, interface, *frame))
        };
        self.records.iter().enumerate().filter_map(next)
    }
}

/// The frames of a batch, one after the other in the same place: of each only what differs from the one
/// before is written.
pub(crate) struct Frames<'b> {
    batch: &'b Batch,
    /// Whose frame was the last one.
    interface: Option<(usize, &'b Interface)>,
    /// There is more to some frames than a record tells.
    more: bool,
    frame: Frame<'b>,
}

impl<'b> Frames<'b> {
    pub(crate) fn new(batch: &'b Batch) -> Self {
        let more =
            !(batch.joined.is_empty() && batch.belongs.is_empty() && batch.numbers.is_empty());
        let frame = Frame::new(LinkType::PFLOG, &[]);
        Self { batch, interface: None, more, frame }
    }

    /// The frame of a record, which is the batch's `nth` from 0, and its index into
    /// [`Batch::interfaces`]; none if that is not there.
    #[inline(always)]
    pub(crate) fn of(
        &mut self,
        nth: usize,
        record: &Record,
    ) -> Option<(usize, &'b Interface, &Frame<'b>)> {
        let index = record.interface as usize;
        let interface = match self.interface {
            Some((last, interface)) if last == index => interface,
            _ => self.turn(index)?,
        };
        let Self { batch, more, frame, .. } = self;
        let fcs = usize::from(interface.fcs_len);
        let data = batch.data(record);
        frame.number = batch.first_frame.wrapping_add(nth as u64);
        frame.offset = record.offset;
        frame.ts = record.ts;
        frame.len = (record.len as usize).saturating_sub(fcs);
        frame.data = if fcs > 0 { data.get(..frame.len).unwrap_or(data) } else { data };
        if *more {
            let number = frame.number;
            let joined = of_frame(&batch.joined, number, |joined| joined.frame);
            frame.whole = joined.map(|joined| &*joined.bytes);
            let belongs = of_frame(&batch.belongs, number, |belongs| belongs.frame);
            frame.flow = belongs.map(|belongs| &belongs.flow);
            let place = interface.file.as_deref().zip(batch.numbers.get(nth).copied());
            frame.place = place.map(|(file, number)| Place { file, number });
        }
        Some((index, interface, frame))
    }

    #[cold]
    fn turn(&mut self, index: usize) -> Option<&'b Interface> {
        let interface = self.batch.interfaces.get(index)?;
        self.interface = Some((index, interface));
        self.frame.precision = interface.precision;
        self.frame.link = interface.link;
        self.frame.iface = interface.name.as_deref();
        Some(interface)
    }
}
