//! The summary: what a capture holds, in one page or one JSON object.
//!
//! Each worker has a [`Summary`] and shows it its events; at the end they are merged, in any
//! order, and [`Summary::report`] makes plain data of it, which [`Report`] writes as a page for
//! a terminal or as JSON.
//!
//! Memory is bounded whatever the file holds. Addresses, ports, interfaces and rules are
//! counted in tables that are exact up to [`Options::keys`] different keys each (1,048,576),
//! as long as all tables together stay below [`Options::memory`]; a table that reaches either
//! bound goes on as a sketch, and the report says so and by how much its counts may be too low.
//! 28 MiB for all workers hold that many IPv4 addresses in one table per worker, or in two where
//! the workers see different ones. IPv6 addresses take 20 bytes instead of 8. The
//! memory has priority: a stream with a million different sources and a million different
//! destinations seen by both of two workers is approximate earlier. Everything else (records,
//! actions, reasons, directions, protocols, times) is exact always. Rules and interfaces, whose
//! keys are long, are exact up to 131,072.
//!
//! Not here: reading files, threads, and what the command line says.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::error::Layer;
use crate::event::{Event, Frame, Kind};
use crate::glance::Glance;
use crate::packet::{Packet, Ports};
use crate::pf::{Action, Systems};
use crate::time::Precision;

mod build;
mod cells;
mod figures;
mod names;
mod page;
mod report;
mod table;
#[cfg(test)]
mod tests;
mod timeline;

use cells::{Cell, Cells, Tally};
use names::Names;
use table::{Pool, Table};
use timeline::Timeline;

pub use page::Style;
pub use report::{
    Address, Cause, Code, File, Interface, LinkTypes, Port, Protocol, Report, Rule, Share, Step,
    System, Text, Time, TimeBucket, Top, Undecoded,
};

/// How much a summary may keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Different keys up to which a table is exact.
    pub keys: usize,
    /// Bytes for the tables of all workers together. When two summaries are merged, both are
    /// resident, and what they become never takes more than three quarters of this.
    pub memory: usize,
    /// How many summaries of the same stream will be merged.
    pub workers: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { keys: 1 << 20, memory: 28 << 20, workers: 2 }
    }
}

/// At most so many interfaces, and rules, are counted exactly: a report sorts them all.
const NAMED: usize = 1 << 17;

/// What pf did with a packet, in the two words that a summary is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Block,
    Pass,
    /// Another action, or not pf's packet.
    Other,
}

impl Verdict {
    const fn of(action: u8) -> Self {
        match Action(action) {
            Action::BLOCK => Self::Block,
            Action::PASS => Self::Pass,
            _ => Self::Other,
        }
    }
}

/// A system and a number of its own: an action or a reason.
type Coded = (u8, u8);

/// `Systems` bits, rule and sub-rule number, anchor.
type RuleKey = [u32; 7];

/// What was seen of a stream, or of a worker's part of it.
#[derive(Debug)]
pub struct Summary {
    options: Options,
    pool: Pool,
    merged: bool,
    records: u64,
    pflog: u64,
    packets: Tally,
    truncated: u64,
    nanos: bool,
    suspect: u64,
    causes: BTreeMap<(Layer, &'static str), u64>,
    link: (u32, u64),
    links: Table<u32, 1>,
    cells: Cells,
    systems: BTreeMap<u8, u64>,
    actions: BTreeMap<Coded, Tally>,
    reasons: BTreeMap<Coded, Tally>,
    directions: BTreeMap<u8, Tally>,
    protocols: Vec<Tally>,
    interfaces: Table<[u32; 4], 3>,
    rules: Table<RuleKey, 3>,
    names: Names,
    sources: Table<u32, 1>,
    sources6: Table<[u32; 4], 1>,
    destinations: Table<u32, 1>,
    destinations6: Table<[u32; 4], 1>,
    ports: Table<u32, 1>,
    timeline: Timeline,
}

impl Summary {
    /// An empty summary.
    pub fn new(options: Options) -> Self {
        // A quarter of the memory belongs to the tables one by one, so that none can starve
        // the others; the rest goes to whichever grows.
        let share = options.memory.checked_div(options.workers).unwrap_or(options.memory);
        let (keys, unit) = (options.keys, share / 64);
        Self {
            options,
            pool: Pool { free: share.saturating_sub(16 * unit) },
            merged: false,
            records: 0,
            pflog: 0,
            packets: Tally::default(),
            truncated: 0,
            nanos: false,
            suspect: 0,
            causes: BTreeMap::new(),
            link: (0, 0),
            links: Table::new(keys, unit / 2),
            cells: Cells::new(),
            systems: BTreeMap::new(),
            actions: BTreeMap::new(),
            reasons: BTreeMap::new(),
            directions: BTreeMap::new(),
            protocols: vec![Tally::default(); 256],
            interfaces: Table::new(keys.min(NAMED), unit / 2),
            rules: Table::new(keys.min(NAMED), 2 * unit),
            names: Names::default(),
            sources: Table::new(keys, 3 * unit),
            sources6: Table::new(keys, 3 * unit),
            destinations: Table::new(keys, 3 * unit),
            destinations6: Table::new(keys, 3 * unit),
            ports: Table::new(keys, unit),
            timeline: Timeline::new(),
        }
    }

    /// Counts an event.
    #[inline]
    pub fn observe(&mut self, event: &Event<'_>) {
        self.frame(&event.frame);
        self.pflog += u64::from(event.kind == Kind::Pflog);
        let bytes = event.packet.as_ref().map_or(0, |packet| self.packet(packet));
        let mut verdict = Verdict::Other;
        // What is there of a header that is cut may be garbage: it counts as not decoded only.
        if let (Kind::Pflog, Some(pflog)) = (event.kind, &event.pflog) {
            verdict = self.cell(Cell::of(pflog), bytes);
        }
        if let (Some(rule), Some(pflog)) = (&event.rule, &event.pflog) {
            self.names.observe(names::place(pflog), rule);
        }
        self.timeline.add(event.frame.ts, verdict);
        if let Some(error) = event.error {
            *self.causes.entry((error.layer, error.fault.cause())).or_default() += 1;
        }
    }

    /// Counts a plain record: as much as the event that it decodes to.
    #[inline]
    pub fn observe_glance(&mut self, frame: &Frame<'_>, glance: &Glance<'_>) {
        self.frame(frame);
        self.pflog += 1;
        let Glance { proto, ports, .. } = *glance;
        let [src, dst] = glance.addresses();
        let len = length(Some(glance.len), glance.header_len, glance.wire_len);
        let bytes = self.addressed(len, Some(proto), ports, Some(src), Some(dst));
        let verdict = self.cell(Cell::at(glance), bytes);
        self.timeline.add(frame.ts, verdict);
    }

    #[inline]
    fn frame(&mut self, frame: &Frame<'_>) {
        self.records += 1;
        self.truncated += u64::from(frame.is_truncated());
        self.nanos |= frame.precision == Precision::Nanos;
        if self.link.0 != frame.link.0 {
            self.turn_link(frame.link.0);
        }
        self.link.1 += 1;
    }

    /// Counts what pf said of a packet.
    #[inline]
    fn cell(&mut self, cell: Cell, bytes: u64) -> Verdict {
        let verdict = Verdict::of(cell.action);
        if let Some((cell, tally)) = self.cells.add(cell, bytes) {
            self.spread(&cell, tally);
        }
        verdict
    }

    /// Counts a packet and says how many bytes it had.
    #[inline]
    fn packet(&mut self, packet: &Packet<'_>) -> u64 {
        let ip = &packet.ip;
        let len = length(ip.len, ip.header.len(), packet.len);
        self.addressed(len, ip.proto, packet.ports(), ip.src, ip.dst)
    }

    #[inline]
    fn addressed(
        &mut self,
        len: usize,
        proto: Option<u8>,
        ports: Option<Ports>,
        src: Option<IpAddr>,
        dst: Option<IpAddr>,
    ) -> u64 {
        let one = Tally { packets: 1, bytes: u64::try_from(len).unwrap_or(u64::MAX) };
        self.packets.add(one);
        if let Some(proto) = proto {
            if let Some(tally) = self.protocols.get_mut(usize::from(proto)) {
                tally.add(one);
            }
            if let Some(ports) = ports {
                let key = (u32::from(proto) << 16) | u32::from(ports.dst);
                self.ports.add(key, [1], &mut self.pool);
            }
        }
        match src {
            Some(IpAddr::V4(addr)) => self.sources.add(addr.to_bits(), [1], &mut self.pool),
            Some(IpAddr::V6(addr)) => {
                self.sources6.add(words(addr.to_bits()), [1], &mut self.pool);
            }
            None => {}
        }
        match dst {
            Some(IpAddr::V4(addr)) => self.destinations.add(addr.to_bits(), [1], &mut self.pool),
            Some(IpAddr::V6(addr)) => {
                self.destinations6.add(words(addr.to_bits()), [1], &mut self.pool);
            }
            None => {}
        }
        one.bytes
    }

    /// Hands on the count of the link type seen last.
    #[cold]
    fn turn_link(&mut self, next: u32) {
        let (link, records) = std::mem::replace(&mut self.link, (next, 0));
        if records > 0 {
            self.links.add_wide(link, [records], &mut self.pool);
        }
    }

    /// Counts a combination in each of its tables.
    #[cold]
    #[inline(never)]
    fn spread(&mut self, cell: &Cell, tally: Tally) {
        let system = bits(cell.systems);
        *self.systems.entry(system).or_default() += tally.packets;
        self.actions.entry((cell.action, system)).or_default().add(tally);
        self.reasons.entry((cell.reason, system)).or_default().add(tally);
        if let Some(dir) = cell.dir {
            self.directions.entry(dir).or_default().add(tally);
        }
        if cell.is_suspect() {
            self.suspect += tally.packets;
        }
        let of = |verdict| if Verdict::of(cell.action) == verdict { tally.packets } else { 0 };
        let counts = [tally.packets, of(Verdict::Block), of(Verdict::Pass)];
        let [a, b, c, d] = words(cell.ruleset);
        let rule = [u32::from(system), cell.rulenr, cell.subrulenr, a, b, c, d];
        self.rules.add_wide(rule, counts, &mut self.pool);
        if cell.ifname != 0 {
            self.interfaces.add_wide(words(cell.ifname), counts, &mut self.pool);
        }
    }

    /// Hands on everything that is held back.
    fn settle(&mut self) {
        self.turn_link(0);
        let cells = std::mem::replace(&mut self.cells, Cells::new());
        cells.iter().for_each(|(cell, tally)| self.spread(&cell, tally));
    }

    /// Adds what another summary of the stream has seen. The order does not matter as long as
    /// all tables are exact.
    pub fn merge(&mut self, mut other: Self) {
        self.settle();
        other.settle();
        if !self.merged {
            self.merged = true;
            let all = self.options.memory;
            let share = all.checked_div(self.options.workers).unwrap_or(all);
            self.pool.free = self.pool.free.saturating_add((all / 4 * 3).saturating_sub(share));
        }
        self.records += other.records;
        self.pflog += other.pflog;
        self.packets.add(other.packets);
        self.truncated += other.truncated;
        self.nanos |= other.nanos;
        self.suspect += other.suspect;
        for (cause, n) in other.causes {
            *self.causes.entry(cause).or_default() += n;
        }
        for (system, n) in other.systems {
            *self.systems.entry(system).or_default() += n;
        }
        for (mine, others) in
            [(&mut self.actions, other.actions), (&mut self.reasons, other.reasons)]
        {
            for (code, tally) in others {
                mine.entry(code).or_default().add(tally);
            }
        }
        for (dir, tally) in other.directions {
            self.directions.entry(dir).or_default().add(tally);
        }
        for (mine, tally) in self.protocols.iter_mut().zip(other.protocols) {
            mine.add(tally);
        }
        let pool = &mut self.pool;
        self.links.merge(other.links, pool);
        self.interfaces.merge(other.interfaces, pool);
        self.rules.merge(other.rules, pool);
        self.names.merge(other.names);
        self.ports.merge(other.ports, pool);
        self.sources.merge(other.sources, pool);
        self.destinations.merge(other.destinations, pool);
        self.sources6.merge(other.sources6, pool);
        self.destinations6.merge(other.destinations6, pool);
        self.timeline.merge(other.timeline);
    }

    /// The result so far, with at most `top` rows in each table of addresses, ports, interfaces
    /// and rules. More events may follow.
    pub fn report(&mut self, top: usize) -> Report {
        self.settle();
        build::build(self, top)
    }
}

/// Bytes of a packet. A length field that is cut off or, in an offloaded segment, not filled in does
/// not tell; the frame does.
#[inline]
fn length(field: Option<usize>, header: usize, wire: usize) -> usize {
    match field {
        Some(len) if len > header => len,
        len => len.unwrap_or_default().max(wire),
    }
}

/// A key of 16 bytes in words, in the order of the bytes.
#[inline]
fn words(all: u128) -> [u32; 4] {
    #[expect(clippy::cast_possible_truncation, reason = "the four quarters")]
    [(all >> 96) as u32, (all >> 64) as u32, (all >> 32) as u32, all as u32]
}

/// The bytes of such a key.
fn bytes_of(words: [u32; 4]) -> [u8; 16] {
    let all: u128 = words.into_iter().fold(0, |all, word| (all << 32) | u128::from(word));
    all.to_be_bytes()
}

/// The systems that a set may have, in the order of their bits here.
const SYSTEMS: [Systems; 7] = [
    Systems::OPENBSD_3,
    Systems::OPENBSD,
    Systems::FREEBSD,
    Systems::NETBSD,
    Systems::DRAGONFLY,
    Systems::DARWIN,
    Systems::IPFW,
];

/// A set of systems as a number.
fn bits(systems: Systems) -> u8 {
    let one = |(i, &system)| u8::from(systems.meets(system)) << i;
    (0..).zip(&SYSTEMS).map(one).sum()
}

/// The set of such a number.
fn systems(bits: u8) -> Systems {
    let none = Systems::OPENBSD_3.and(Systems::OPENBSD);
    let has = |&(i, _): &(u8, &Systems)| bits >> i & 1 == 1;
    (0..).zip(&SYSTEMS).filter(has).fold(none, |all, (_, &system)| all.or(system))
}
