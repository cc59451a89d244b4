//! The states that logged packets belong to: pf's log and pfsync read together.
//!
//! The log of FreeBSD and its kin has no translated addresses; the states that pfsync tells of
//! have both sides. The table is as it was when the packet was logged: it is filled by the frames
//! before it, of the same file and of those given beside it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::capture::defrag::Defrag;
use crate::capture::file::File;
use crate::capture::offset::{Offsets, Shifted};
use crate::capture::{Batch, Belongs, Records};
use crate::decode::decode;
use crate::event::{Event, Flow};
use crate::packet::{Packet, Transport};
use crate::states::{Facts, Table};
use crate::time::Timestamp;
use crate::wire::link::LinkType;
use crate::wire::state::{End, Ends};
use crate::wire::writer::Writer;

/// States that are kept: as many as pf itself does by default, ten times over.
pub(super) const MAX_STATES: usize = 1_000_000;

/// Nanoseconds that a state may be told of after a packet of it was logged. pf collects messages
/// for up to a second, and sends them once the packet is full or the second is over.
const LATE: i64 = 2_000_000_000;

const fn is_log(link: LinkType) -> bool {
    matches!(link, LinkType::PFLOG | LinkType::OLD_PFLOG)
}

/// True if a file has pfsync among its first records, of a pfsync device or of a wire. What can be
/// read only once, a pipe, is left alone.
pub(super) fn tells_of_states(path: &Path) -> bool {
    let is_regular = path.metadata().is_ok_and(|metadata| metadata.is_file());
    let Some(mut file) = is_regular.then(|| File::open(path).ok()).flatten() else { return false };
    let mut batch = Batch::default();
    let _ = file.fill(&mut batch);
    batch.frames().any(|(_, interface, frame)| {
        let writer = Writer::new(interface.order);
        !is_log(frame.link) && decode(frame, interface.order, writer).pfsync.is_some()
    })
}

/// Gives each logged packet of a source its state.
pub(super) struct Join {
    table: Table,
    feeds: Vec<Feed>,
    /// The source itself has pfsync beside the log.
    mixed: bool,
}

/// A file that tells of states, read as far as the log has come.
struct Feed {
    file: Shifted<File>,
    /// Its name as the user gave it.
    name: Vec<u8>,
    batch: Batch,
    defrag: Defrag,
    /// The next frame of the batch.
    next: usize,
    more: bool,
}

impl Join {
    /// A join with these files; one that cannot be opened is left out, and reported by whoever
    /// prints it.
    pub(super) fn new(feeds: &[PathBuf], offsets: &Offsets) -> Self {
        let feed = |path: &PathBuf| {
            let name = path.as_os_str().as_encoded_bytes().to_vec();
            let file = Shifted::new(File::open(path).ok()?, &name, offsets);
            let (batch, defrag) = (Batch::default(), Defrag::default());
            Some(Feed { file, name, batch, defrag, next: 0, more: true })
        };
        let feeds = feeds.iter().filter_map(feed).collect();
        Self { table: Table::with_flows(MAX_STATES), feeds, mixed: false }
    }

    /// Finds the states of the batch's logged packets.
    pub(super) fn prepare(&mut self, batch: &mut Batch) {
        let mut belongs = std::mem::take(&mut batch.belongs);
        belongs.clear();
        let links = || batch.interfaces.iter().map(|interface| interface.link);
        self.mixed |= links().any(is_log) && !links().all(is_log);
        if (self.mixed || !self.feeds.is_empty()) && links().any(is_log) {
            let mut waiting: Vec<Waiting> = Vec::new();
            let mut last = Timestamp::default();
            for (_, interface, frame) in batch.frames() {
                last = frame.ts;
                let event = decode(frame, interface.order, Writer::new(interface.order));
                // What is merged from one of the other files has been told by that.
                let fed = |file| self.feeds.iter().any(|feed| feed.name == file);
                let fed = frame.place.is_some_and(|place| fed(place.file));
                let told = self.advance(last) | (!fed && tell(&mut self.table, &event));
                if told {
                    self.settle(&mut waiting, last, &mut belongs);
                }
                if let (Some(_), Some(packet)) = (&event.pflog, &event.packet)
                    && let Some(ends) = PacketEnds::of(packet)
                {
                    let frame = frame.number;
                    match ends.find(&self.table) {
                        Some(flow) => belongs.push(Belongs { frame, flow }),
                        None => waiting.push(Waiting { frame, ts: last, ends }),
                    }
                }
            }
            if self.advance(Timestamp(last.0.saturating_add(LATE))) {
                self.settle(&mut waiting, last, &mut belongs);
            }
            belongs.sort_unstable_by_key(|belongs| belongs.frame);
        }
        batch.belongs = belongs;
    }

    /// Tells the table what the other files have up to a time; true if that was anything.
    fn advance(&mut self, until: Timestamp) -> bool {
        let mut told = false;
        for feed in &mut self.feeds {
            told |= feed.advance(until, &mut self.table);
        }
        told
    }

    /// Looks for the states of packets that wait for one, once the table was told something, and
    /// gives up those that have waited long enough.
    fn settle(&self, waiting: &mut Vec<Waiting>, now: Timestamp, belongs: &mut Vec<Belongs>) {
        waiting.retain(|packet| now.0.saturating_sub(packet.ts.0) <= LATE);
        waiting.retain(|packet| match packet.ends.find(&self.table) {
            Some(flow) => {
                belongs.push(Belongs { frame: packet.frame, flow });
                false
            }
            None => true,
        });
    }
}

/// A logged packet without a state yet.
struct Waiting {
    frame: u64,
    ts: Timestamp,
    ends: PacketEnds,
}

/// What a packet's state is found by.
struct PacketEnds {
    proto: u8,
    src: (IpAddr, u16),
    dst: (IpAddr, u16),
}

impl Feed {
    /// Tells the table all up to a time; true if that was anything.
    fn advance(&mut self, until: Timestamp, table: &mut Table) -> bool {
        let mut told = false;
        loop {
            for (_, interface, frame) in self.batch.frames().skip(self.next) {
                if frame.ts > until {
                    return told;
                }
                self.next += 1;
                told |= tell(table, &decode(frame, interface.order, Writer::new(interface.order)));
            }
            if !self.more {
                return told;
            }
            // What is wrong with the file is told where it is printed.
            self.more = self.file.fill(&mut self.batch).more;
            self.defrag.join(&mut self.batch);
            self.next = 0;
        }
    }
}

/// Tells the table the messages of a pfsync packet; true if it is one.
fn tell(table: &mut Table, event: &Event<'_>) -> bool {
    let Some(packet) = &event.pfsync else { return false };
    table.tell(Facts::of(event), packet);
    true
}

impl PacketEnds {
    fn of(packet: &Packet<'_>) -> Option<Self> {
        let (sport, dport) = match (packet.ports(), packet.transport) {
            (Some(ports), _) => (ports.src, ports.dst),
            // An echo's id stands where the ports of others do.
            (None, Transport::Icmp(_) | Transport::Icmp6(_)) => {
                let id = packet.payload.get(4..).and_then(<[u8]>::first_chunk::<2>);
                (id.map_or(0, |&id| u16::from_be_bytes(id)), 0)
            }
            _ => (0, 0),
        };
        let (proto, src, dst) = (packet.ip.proto?, packet.ip.src?, packet.ip.dst?);
        Some(Self { proto, src: (src, sport), dst: (dst, dport) })
    }

    /// The state, and what the packet's addresses are on its other side.
    fn find(&self, table: &Table) -> Option<Flow> {
        let ((src, sport), (dst, dport)) = (self.src, self.dst);
        let entry = table.find(self.proto, src, sport, dst, dport)?;
        let state = entry.state();
        let (wire, stack) = (state.wire_ends(), state.stack_ends());
        let other = other_side(wire, stack, src, dst).filter(|_| wire != stack);
        Some(Flow { ids: entry.ids(), other })
    }
}

/// The packet's ends on the side of the state that it does not show, in the packet's direction.
fn other_side(wire: Ends, stack: Ends, src: IpAddr, dst: IpAddr) -> Option<(End, End)> {
    let is = |a: &End, b: &End| a.addr == Some(src) && b.addr == Some(dst);
    for (here, there) in [(wire, stack), (stack, wire)] {
        if is(&here.src, &here.dst) {
            return Some((there.src, there.dst));
        }
        if is(&here.dst, &here.src) {
            return Some((there.dst, there.src));
        }
    }
    None
}
