//! -w: packets into a capture file, chosen by the workers, or all of them as they come.

#[cfg(feature = "live")]
mod counting;
mod recorder;
mod sections;

use std::fs::File;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
#[cfg(feature = "live")]
use std::time::Duration;

use jiff::tz::TimeZone;
use signal_hook::consts::SIGHUP;

use super::args::{Print, Save};
use super::rights::folder;
use super::{Error, Status};
#[cfg(feature = "live")]
use crate::capture::live::{Control, Header};
#[cfg(feature = "live")]
use crate::capture::{Batch, Record};
use crate::capture::{Interface, MAX_RECORD_LEN};
use crate::feed::file::{Layout, Tell};
use crate::feed::fits;
use crate::feed::log::{self, Log, Reopen};
use crate::feed::rotate::Rotation;
use crate::sink::page::Page;
use crate::sink::savefile::Kind;
use crate::text::escaped;
use crate::time::Precision;
#[cfg(feature = "live")]
use crate::time::Timestamp;
#[cfg(feature = "live")]
use counting::Counting;
pub(super) use recorder::{Recorded, Recorder};
use sections::Sections;

/// How long records are gathered at most before they are written.
#[cfg(feature = "live")]
const GATHER: Duration = Duration::from_millis(100);

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
    /// Who has been become, if anybody.
    user: Option<String>,
    #[cfg(feature = "live")]
    counting: Option<Counting>,
}

fn kind(interface: &Interface, nano: bool) -> Kind {
    let &Interface { link, order, precision, .. } = interface;
    Kind { link, order, precision: if nano { Precision::Nanos } else { precision } }
}

#[cfg(feature = "live")]
fn head<const NANO: bool>(
    interface: &Interface,
    ts: Timestamp,
    captured: usize,
    len: u32,
    out: &mut Vec<u8>,
) {
    kind(interface, NANO).push_record_head(ts, captured, len as usize, out);
}

impl Saver {
    /// None without -w.
    pub(super) fn new(args: &Print, zone: &TimeZone) -> Result<Option<Self>, Error> {
        let save = &args.save;
        let Some(path) = save.write.clone() else { return Ok(None) };
        let rotation = rotation(save, &path)?;
        let reopen = Reopen::new()?;
        let (wanted, waker) = reopen.parts()?;
        signal_hook::flag::register(SIGHUP, wanted)?;
        signal_hook::low_level::pipe::register(SIGHUP, waker)?;
        let settings = log::Settings {
            path,
            rotation,
            zone: zone.clone(),
            compress: save.compress.is_some(),
            interval: save.flush_interval,
            at_once: save.at_once,
            reopen: Arc::new(reopen),
            hurry: Arc::default(),
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
            #[cfg(feature = "live")]
            user: args.device.relinquish.user.clone(),
            #[cfg(not(feature = "live"))]
            user: None,
            #[cfg(feature = "live")]
            counting: None,
        }))
    }

    /// Once this is true the end is near.
    pub(super) fn hurry_by(&mut self, flag: Arc<AtomicBool>) {
        self.settings.hurry = flag;
    }

    /// Writes what devices count, which pcap has no place for, at the end of each file.
    #[cfg(feature = "live")]
    pub(super) fn count_by(&mut self, control: Control, user: Option<String>) {
        self.user = user.or_else(|| self.user.take());
        self.counting = self.pcapng.then(|| Counting::new(control));
    }

    /// What stands before a packet in the file.
    #[cfg(feature = "live")]
    pub(super) fn head(&self) -> Option<Header> {
        match (self.pcapng, self.nano) {
            (true, _) => None,
            (false, true) => Some(head::<true>),
            (false, false) => Some(head::<false>),
        }
    }

    /// How long records may be gathered before they come here.
    #[cfg(feature = "live")]
    pub(super) fn patience(&self) -> Duration {
        if self.settings.at_once {
            Duration::ZERO
        } else {
            (self.settings.interval / 10).min(GATHER)
        }
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
            return self.write_pcapng(page, recorded, count);
        }
        self.agree(&recorded.interfaces, recorded.of.iter().copied().take(count))?;
        match &self.log {
            Some(log) => log.records(page.pieces().take(count)),
            None => Ok(ControlFlow::Continue(())),
        }
    }

    /// Writes so many records of a batch as they are.
    #[cfg(feature = "live")]
    pub(super) fn copy(&mut self, batch: &mut Batch, count: usize) -> io::Result<ControlFlow<()>> {
        if self.pcapng {
            return self.copy_pcapng(batch, count);
        }
        let of = batch.records.iter().map(|record| record.interface).take(count);
        self.agree(&batch.interfaces, of)?;
        let (Some(log), Some(kind)) = (&self.log, self.kind) else {
            return Ok(ControlFlow::Continue(()));
        };
        if batch.heads && count == batch.records.len() {
            let end = |record: &Record| record.start as usize + record.caplen as usize;
            return log.take(&mut batch.bytes, batch.records.iter().map(end));
        }
        log.append(
            batch
                .frames()
                .take(count)
                .map(|(_, _, frame)| move |out: &mut Vec<u8>| kind.push_record(&frame, out)),
        )
    }

    /// Begins a pcap file; refuses records, each of the interface of this number, that it cannot
    /// take.
    fn agree(&mut self, interfaces: &[Interface], of: impl Iterator<Item = u32>) -> io::Result<()> {
        let mut kinds = interfaces.iter().map(|interface| kind(interface, self.nano));
        if let Some(first) = kinds.next() {
            let one = kinds.all(|kind| kind == first);
            self.first.get_or_insert(first);
            if self.kind.is_none() && one && self.sources == 1 {
                self.begin_pcap(first)?;
            }
            if one && self.kind == Some(first) {
                return Ok(());
            }
        }
        for of in of {
            let Some(interface) = interfaces.get(of as usize) else { continue };
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
        Ok(())
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
        self.describe(recorded.source, &recorded.interfaces)?;
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

    #[cfg(feature = "live")]
    fn copy_pcapng(&mut self, batch: &Batch, count: usize) -> io::Result<ControlFlow<()>> {
        self.describe(self.sources, &batch.interfaces)?;
        let Some(log) = &self.log else { return Ok(ControlFlow::Continue(())) };
        let mut frames = batch.frames().take(count).peekable();
        while let Some(&(of, ..)) = frames.peek() {
            let Some(&(Kind { order, .. }, _)) = self.sections.numbers.get(of) else { break };
            if let Some(bytes) = self.sections.turn_to(order) {
                log.need(bytes, bytes);
            }
            // As many as are of this section.
            let numbers = &self.sections.numbers;
            let its = |of: usize| numbers.get(of).filter(|(kind, _)| kind.order == order);
            let run = std::iter::from_fn(|| {
                let (of, _, frame) = frames.next_if(|&(of, ..)| its(of).is_some())?;
                let &(kind, number) = its(of)?;
                Some(move |out: &mut Vec<u8>| kind.push_packet(&frame, number, out))
            });
            if log.append(run)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Describes in the file what is new among the interfaces. A file begins with those that
    /// were known then.
    fn describe(&mut self, source: usize, interfaces: &[Interface]) -> io::Result<()> {
        self.sections.begin(source);
        for interface in interfaces.iter().skip(self.sections.numbers.len()) {
            let kind = kind(interface, self.nano);
            let turned = self.sections.turn_to(kind.order).map(<[u8]>::to_vec);
            let (block, header) = self.sections.add(kind, interface.name.as_deref(), self.snaplen);
            let Some(log) = &self.log else { continue };
            if let Some(bytes) = turned {
                log.need(&bytes, &bytes);
            }
            log.need(&block, header);
        }
        #[cfg(feature = "live")]
        if let Some(counting) = &self.counting {
            counting.described(&self.sections.numbers);
        }
        if let (None, Some(order)) = (&self.log, self.sections.order) {
            let header = self.sections.section(order).bytes.clone();
            let joint = header.clone();
            self.begin(Layout { header, joint, judge: Box::new(fits::pcapng) })?;
        }
        Ok(())
    }

    fn begin(&mut self, layout: Layout) -> io::Result<()> {
        let log = Log::begin(self.settings.clone(), layout, speaker)
            .map_err(|error| io::Error::other(self.refused(&error)))?;
        #[cfg(feature = "live")]
        if let Some(counting) = self.counting.clone() {
            log.close_with(Box::new(move || counting.blocks()));
        }
        self.log = Some(log);
        Ok(())
    }

    /// The message for a file that cannot be begun, and what to do about it.
    fn refused(&self, error: &log::Error) -> String {
        let log::Error::File(path, why) = error else { return error.to_string() };
        match &self.user {
            Some(user) if why.kind() == io::ErrorKind::PermissionDenied => {
                let (user, name) = (escaped(user.as_bytes()), |path: &Path| {
                    escaped(path.as_os_str().as_encoded_bytes())
                });
                let (folder, name) = (name(&folder(path)), name(path));
                format!(
                    "{name}: user {user}, whom pfscope has become, may not: give the folder and \
                     what is in it to that user (chown -R {user} {folder}), or name another with -Z"
                )
            }
            _ => error.to_string(),
        }
    }

    /// What comes after the last record.
    pub(super) fn end(&mut self) -> io::Result<Status> {
        if let (None, Some(kind)) = (&self.log, self.first) {
            self.begin_pcap(kind)?;
        }
        let lost = self.log.take().map_or(Ok(0), Log::end)?;
        Ok(if lost > 0 { Status::Failed } else { Status::Done })
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
pub(super) fn speaker() -> Tell {
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
