//! -w: packets into a capture file.

use std::fs::File;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jiff::tz::TimeZone;
use signal_hook::consts::SIGHUP;

use super::Error;
use super::args::{Print, Save};
#[cfg(feature = "live")]
use crate::capture::live::Counters;
use crate::capture::{Batch, Interface, MAX_RECORD_LEN};
use crate::event::Event;
use crate::feed::file::{Layout, Tell};
use crate::feed::fits;
use crate::feed::log::{self, Log};
use crate::feed::rotate::Rotation;
use crate::sink::page::Page;
#[cfg(feature = "live")]
use crate::sink::savefile::Statistics;
use crate::sink::savefile::{Kind, push_section};
use crate::text::escaped;
use crate::time::Precision;
#[cfg(feature = "live")]
use crate::time::Timestamp;
use crate::wire::ByteOrder;

/// Renders the records of a source; each worker has one of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recorder {
    pcapng: bool,
    nano: bool,
    /// Number of the source.
    source: usize,
}

/// Of which interfaces the records of a page are.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    source: usize,
    interfaces: Arc<[Interface]>,
    /// An index a record.
    of: Vec<u32>,
}

/// The file that is written.
pub(super) struct Saver {
    settings: log::Settings,
    pcapng: bool,
    nano: bool,
    snaplen: u32,
    /// Sources so far.
    sources: usize,
    log: Option<Log>,
    /// Of pcap: what all records are.
    kind: Option<Kind>,
    /// What the file is to be if no record comes.
    first: Option<Kind>,
    sections: Sections,
    block: Vec<u8>,
}

impl Recorder {
    /// Begins a page of a batch.
    pub(super) fn begin(self, batch: &Batch, recorded: &mut Recorded) {
        recorded.source = self.source;
        recorded.interfaces = Arc::clone(&batch.interfaces);
        recorded.of.clear();
    }

    /// Appends an event's frame.
    pub(super) fn record(
        self,
        event: &Event<'_>,
        batch: &Batch,
        page: &mut Page,
        recorded: &mut Recorded,
    ) {
        let frame = &event.frame;
        let at = usize::try_from(frame.number.saturating_sub(batch.first_frame));
        let Some(record) = at.ok().and_then(|at| batch.records.get(at)) else { return };
        let Some(interface) = batch.interfaces.get(record.interface as usize) else { return };
        let kind = kind(interface, self.nano);
        page.begin(frame.ts);
        if self.pcapng {
            kind.push_packet(frame, record.interface, &mut page.text);
        } else {
            kind.push_record(frame, &mut page.text);
        }
        page.end();
        recorded.of.push(record.interface);
    }
}

fn kind(interface: &Interface, nano: bool) -> Kind {
    let &Interface { link, order, precision, .. } = interface;
    Kind { link, order, precision: if nano { Precision::Nanos } else { precision } }
}

impl Saver {
    /// None without -w.
    pub(super) fn new(args: &Print, zone: &TimeZone) -> Result<Option<Self>, Error> {
        let save = &args.save;
        let Some(path) = save.write.clone() else { return Ok(None) };
        let rotation = rotation(save, &path)?;
        let reopen = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGHUP, Arc::clone(&reopen))?;
        let settings = log::Settings {
            path,
            rotation,
            zone: zone.clone(),
            compress: save.compress.is_some(),
            interval: save.flush_interval,
            at_once: save.at_once,
            reopen,
        };
        Ok(Some(Self {
            settings,
            pcapng: save.pcapng,
            nano: args.nano,
            snaplen: snaplen(args),
            sources: 0,
            log: None,
            kind: None,
            first: None,
            sections: Sections::default(),
            block: Vec::new(),
        }))
    }

    /// What renders the records of the next source.
    pub(super) fn next_source(&mut self) -> Recorder {
        self.sources += 1;
        Recorder { pcapng: self.pcapng, nano: self.nano, source: self.sources }
    }

    /// Writes so many records of a page.
    pub(super) fn write(
        &mut self,
        page: &Page,
        recorded: &Recorded,
        count: usize,
    ) -> io::Result<ControlFlow<()>> {
        if self.pcapng {
            self.write_pcapng(page, recorded, count)
        } else {
            self.write_pcap(page, recorded, count)
        }
    }

    fn write_pcap(
        &mut self,
        page: &Page,
        recorded: &Recorded,
        count: usize,
    ) -> io::Result<ControlFlow<()>> {
        let mut kinds = recorded.interfaces.iter().map(|interface| kind(interface, self.nano));
        if let Some(first) = kinds.next() {
            let one = kinds.all(|kind| kind == first);
            self.first.get_or_insert(first);
            if self.kind.is_none() && one && self.sources == 1 {
                self.begin_pcap(first)?;
            }
        }
        for &of in recorded.of.iter().take(count) {
            let Some(interface) = recorded.interfaces.get(of as usize) else { continue };
            let kind = kind(interface, self.nano);
            match self.kind {
                None => self.begin_pcap(kind)?,
                Some(begun) if begun == kind => {}
                Some(begun) => {
                    let name = escaped(self.settings.path.as_os_str().as_encoded_bytes());
                    let why = difference(begun, kind);
                    return Err(io::Error::other(format!("{name}: {why}")));
                }
            }
        }
        match &self.log {
            Some(log) => log.records(page.pieces().take(count)),
            None => Ok(ControlFlow::Continue(())),
        }
    }

    fn begin_pcap(&mut self, kind: Kind) -> io::Result<()> {
        self.kind = Some(kind);
        let snaplen = self.snaplen;
        let header = kind.pcap_header(snaplen);
        let judge = Box::new(move |file| fits::pcap(file, kind, snaplen));
        self.begin(Layout { header, joint: Vec::new(), judge })
    }

    fn write_pcapng(
        &mut self,
        page: &Page,
        recorded: &Recorded,
        count: usize,
    ) -> io::Result<ControlFlow<()>> {
        self.describe(recorded)?;
        let Some(log) = &self.log else { return Ok(ControlFlow::Continue(())) };
        for (piece, &of) in page.pieces().zip(&recorded.of).take(count) {
            let of = of as usize;
            let Some(&(kind, number)) = self.sections.numbers.get(of) else { continue };
            if let Some(bytes) = self.sections.turn_to(kind.order) {
                log.need(bytes, bytes);
            }
            self.block.clear();
            self.block.extend_from_slice(piece);
            kind.set_interface(&mut self.block, number);
            if log.records(std::iter::once(&*self.block))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Describes in the file what is new among the interfaces. A file begins with those that
    /// were known then.
    fn describe(&mut self, recorded: &Recorded) -> io::Result<()> {
        self.sections.begin(recorded.source);
        for interface in recorded.interfaces.iter().skip(self.sections.numbers.len()) {
            let kind = kind(interface, self.nano);
            let turned = self.sections.turn_to(kind.order).map(<[u8]>::to_vec);
            let (block, header) = self.sections.add(kind, interface.name.as_deref(), self.snaplen);
            let Some(log) = &self.log else { continue };
            if let Some(bytes) = turned {
                log.need(&bytes, &bytes);
            }
            log.need(&block, header);
        }
        if let (None, Some(order)) = (&self.log, self.sections.order) {
            let header = self.sections.section(order).bytes.clone();
            let joint = header.clone();
            self.begin(Layout { header, joint, judge: Box::new(fits::pcapng) })?;
        }
        Ok(())
    }

    fn begin(&mut self, layout: Layout) -> io::Result<()> {
        let begun = Log::begin(self.settings.clone(), layout, speaker);
        self.log = Some(begun.map_err(|error| io::Error::other(error.to_string()))?);
        Ok(())
    }

    /// Writes what the devices counted, which pcap has no place for.
    #[cfg(feature = "live")]
    pub(super) fn counted(&mut self, counters: &[Counters]) {
        let Some(log) = self.log.as_ref().filter(|_| self.pcapng) else { return };
        let ts = jiff::Timestamp::now().as_nanosecond();
        let ts = Timestamp(i64::try_from(ts).unwrap_or_default());
        let mut blocks = Vec::new();
        for (counters, &(kind, number)) in counters.iter().zip(&self.sections.numbers) {
            let counted = Statistics {
                ts,
                received: counters.received,
                if_dropped: counters.if_dropped,
                dropped: counters.dropped,
            };
            kind.push_statistics(number, counted, &mut blocks);
        }
        // Devices are of one machine: there is one section, that of its byte order.
        if let Some(order) = self.sections.order {
            log.need(&blocks, &self.sections.section(order).bytes);
        }
    }

    /// What comes after the last record. How many could not be written.
    pub(super) fn finish(&mut self) -> io::Result<u64> {
        if let (None, Some(kind)) = (&self.log, self.first) {
            self.begin_pcap(kind)?;
        }
        self.log.take().map_or(Ok(0), Log::end)
    }
}

/// The sections of a pcapng file: one for each byte order, begun again where they take turns.
#[derive(Debug, Default)]
struct Sections {
    /// Kind and number of the interfaces of a source.
    numbers: Vec<(Kind, u32)>,
    source: usize,
    /// The section that is being written.
    order: Option<ByteOrder>,
    little: Section,
    big: Section,
}

/// What a section begins with.
#[derive(Debug, Default)]
struct Section {
    bytes: Vec<u8>,
    interfaces: u32,
}

impl Sections {
    /// Goes to a source, which numbers its interfaces anew.
    fn begin(&mut self, source: usize) {
        if self.source != source {
            self.source = source;
            self.numbers.clear();
        }
    }

    /// Goes to the section of a byte order; what it begins with, if another was written.
    fn turn_to(&mut self, order: ByteOrder) -> Option<&[u8]> {
        if self.order.replace(order) == Some(order) {
            return None;
        }
        let section = self.section(order);
        if section.bytes.is_empty() {
            push_section(order, &mut section.bytes);
        }
        Some(&section.bytes)
    }

    fn section(&mut self, order: ByteOrder) -> &mut Section {
        match order {
            ByteOrder::Little => &mut self.little,
            ByteOrder::Big => &mut self.big,
        }
    }

    /// Adds an interface to the section that is being written: its block, and what the section
    /// begins with from now on.
    fn add(&mut self, kind: Kind, name: Option<&[u8]>, snaplen: u32) -> (Vec<u8>, &[u8]) {
        let mut block = Vec::new();
        kind.push_interface(name, snaplen, &mut block);
        let section = self.section(kind.order);
        let number = section.interfaces;
        section.interfaces += 1;
        section.bytes.extend_from_slice(&block);
        self.numbers.push((kind, number));
        let bytes = match kind.order {
            ByteOrder::Little => &self.little.bytes,
            ByteOrder::Big => &self.big.bytes,
        };
        (block, bytes)
    }
}

/// Why records of one kind cannot follow those of another in a pcap file, and what to do.
fn difference(begun: Kind, kind: Kind) -> String {
    if begun.link != kind.link {
        return format!(
            "holds packets of link type {} and cannot take those of {}: write both with --pcapng",
            begun.link.0, kind.link.0
        );
    }
    if begun.order != kind.order {
        return "holds packets of a machine of the other byte order, which pf's header is in: \
            write both with --pcapng"
            .to_owned();
    }
    "has time stamps of another precision: write all in nanoseconds with --nano, or with --pcapng"
        .to_owned()
}

/// Says what goes on in the file, on whatever thread: not through `io::Stderr`, which the program's
/// own thread has locked.
fn speaker() -> Tell {
    let mut err = io::stderr().as_fd().try_clone_to_owned().map(File::from);
    Box::new(move |what| {
        if let Ok(err) = &mut err {
            // Nobody is left to tell if standard error is gone.
            let _ = writeln!(err, "pfscope: {what}");
        }
    })
}

/// -C, -G and -W, checked.
fn rotation(save: &Save, path: &Path) -> Result<Rotation, Error> {
    let &Save { size, seconds, files, .. } = save;
    let rotates = size.is_some() || seconds.is_some();
    let usage = |message: &str| Err(Error::Usage(message.to_owned()));
    if files.is_some() && !rotates {
        return usage("-W counts the files of -C or -G: give one of them");
    }
    if save.compress.is_some() && !rotates {
        return usage("--compress packs the files that -C or -G have finished: give one of them");
    }
    if rotates && path.as_os_str() == "-" {
        return usage("-C and -G need a file: -w - is the standard output");
    }
    Ok(Rotation { size, seconds, files })
}

#[cfg(feature = "live")]
fn snaplen(args: &Print) -> u32 {
    args.device.snaplen.filter(|&bytes| bytes > 0).unwrap_or(MAX_RECORD_LEN).min(MAX_RECORD_LEN)
}

#[cfg(not(feature = "live"))]
const fn snaplen(_: &Print) -> u32 {
    MAX_RECORD_LEN
}
