//! Reading the files of a command one after the other, and telling what was wrong with them.

use std::fmt::Display;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::args::Common;
use super::color;
use super::progress::Bar;
use super::rights::Rights;
use super::selection::{First, Selection, Undecoded};
use super::zone::local_zone;
use super::{Error, Status};
use crate::capture::file::{self, Unread};
use crate::capture::remark::Remark;
use crate::capture::{Batch, Records};
use crate::engine::{self, Work};
use crate::filter::Filter;
use crate::text::escaped;
use crate::time::Timestamp;

/// How long records are still taken after SIGINT or SIGTERM.
const LAST_RECORDS: Duration = Duration::from_secs(1);
/// Signals within this time are one: timeout(1) sends its own to the process and to its group.
const ONE_SIGNAL: Duration = Duration::from_millis(100);

/// What the shared options come to.
pub(super) struct Settings {
    pub(super) selection: Selection,
    pub(super) zone: TimeZone,
    pub(super) color: bool,
    pub(super) threads: usize,
}

impl Settings {
    /// `tunnels`: those of packets will be known.
    pub(super) fn new(common: &Common, filter: &str, tunnels: bool) -> Result<Self, Error> {
        let zone = if common.utc { TimeZone::UTC } else { local_zone() };
        let time = |option: &str, text: &Option<String>| {
            let parse = |text| Timestamp::parse(text, &zone);
            let parsed = text.as_deref().map(parse).transpose();
            parsed.map_err(|wrong| Error::Usage(format!("{option}: {wrong}")))
        };
        let selection = Selection {
            filter: Filter::parse(filter)
                .map_err(|wrong| Error::Usage(format!("wrong filter:\n{wrong}")))?,
            rules: None,
            since: time("--since", &common.since)?,
            until: time("--until", &common.until)?,
            strict: common.strict,
            tunnels: None,
        };
        if !tunnels && selection.filter.asks_for_tunnels() {
            let message = "'tunnel' needs the tunnels of an IKE daemon: --vici URI or --sas JOURNAL, \
                           which printing packets takes";
            return Err(Error::Usage(message.to_owned()));
        }
        let processors = || thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            selection,
            zone,
            color: color::wanted(common.color),
            threads: common.threads.map_or_else(processors, usize::from),
        })
    }
}

/// What the first SIGINT or SIGTERM sets. A second one ends the program at once.
pub(super) struct Interrupt {
    pub(super) flag: Arc<AtomicBool>,
    /// Another signal is a second one.
    again: Arc<AtomicBool>,
    signals: Signals,
}

impl Interrupt {
    pub(super) fn new() -> io::Result<Self> {
        let (flag, again) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&again))?;
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
        }
        let signals = Signals::new([SIGINT, SIGTERM])?;
        Ok(Self { flag, again, signals })
    }

    /// Sets this flag too, which nobody else sets.
    pub(super) fn sets(&self, flag: &Arc<AtomicBool>) -> io::Result<()> {
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(flag))?;
        }
        Ok(())
    }

    /// The flag alone, of a command that keeps its rights.
    pub(super) fn watched() -> io::Result<Arc<AtomicBool>> {
        let interrupt = Self::new()?;
        let flag = Arc::clone(&interrupt.flag);
        interrupt.watch();
        Ok(flag)
    }

    /// Looks out for the second signal, in a thread that begins after rights have been given up.
    pub(super) fn watch(self) {
        let Self { again, mut signals, .. } = self;
        thread::spawn(move || {
            if signals.forever().next().is_some() {
                thread::sleep(ONE_SIGNAL);
                again.store(true, Ordering::Relaxed);
            }
        });
    }
}

/// The files of a command, and what became of them.
pub(super) struct Reading<'e> {
    err: &'e mut dyn Write,
    pub(super) status: Status,
    started: Instant,
    /// To be given up when the first source is open, before anything of it is read.
    rights: Option<Rights>,
    /// The output comes when all is read.
    at_end: bool,
    /// Set by SIGINT and SIGTERM where these are to end the reading, not the program.
    stop: Option<Arc<AtomicBool>>,
    /// Watched from when rights have been given up.
    interrupt: Option<Interrupt>,
    /// True once SIGINT or SIGTERM is to end the reading.
    pub(super) asked: Arc<AtomicBool>,
    /// What a source says while it is read.
    remarks: Option<Receiver<Remark>>,
}

/// What a consumer says of one output.
#[cfg_attr(not(feature = "live"), allow(dead_code, reason = "only live captures are counted"))]
pub(super) struct Consumed {
    /// Frames that it was made of.
    pub(super) frames: u64,
    /// Those of them that were wanted.
    pub(super) packets: u64,
    /// Frames of it that could not be decoded.
    pub(super) undecoded: Undecoded,
    /// Go on?
    pub(super) flow: ControlFlow<()>,
}

/// A file that was opened, or why not.
pub(super) type Opening = Result<Unread, file::Error>;

impl<'e> Reading<'e> {
    /// Rights are given up when the first source is open; at once, if files are to be opened in
    /// their turn.
    pub(super) fn new(rights: Rights, err: &'e mut dyn Write) -> Result<Self, Error> {
        rights.announce(err);
        let at_once = rights.opens_files();
        let mut reading = Self { rights: Some(rights), ..Self::confined(err) };
        if at_once {
            reading.give_up_rights()?;
        }
        Ok(reading)
    }

    /// Rights have been given up.
    pub(super) fn confined(err: &'e mut dyn Write) -> Self {
        Self {
            err,
            status: Status::Done,
            started: Instant::now(),
            rights: None,
            at_end: false,
            stop: None,
            interrupt: None,
            asked: Arc::default(),
            remarks: None,
        }
    }

    /// The files of a command that prints when all is read: SIGINT and SIGTERM end the reading, a
    /// second one the program.
    pub(super) fn printing_at_end(rights: Rights, err: &'e mut dyn Write) -> Result<Self, Error> {
        let mut reading = Self::new(rights, err)?;
        reading.at_end = true;
        reading.stop = Some(reading.interrupted()?);
        Ok(reading)
    }

    /// What SIGINT and SIGTERM set from now on.
    pub(super) fn interrupted(&mut self) -> io::Result<Arc<AtomicBool>> {
        let interrupt = Interrupt::new()?;
        interrupt.sets(&self.asked)?;
        let flag = Arc::clone(&interrupt.flag);
        match self.rights {
            Some(_) => self.interrupt = Some(interrupt),
            None => interrupt.watch(),
        }
        Ok(flag)
    }

    /// Where messages go.
    pub(super) fn err(&mut self) -> &mut dyn Write {
        self.err
    }

    /// Tells what a source says from now on.
    pub(super) fn listen(&mut self, remarks: Receiver<Remark>) {
        self.remarks = Some(remarks);
    }

    /// Reads one file through the workers. A file that cannot be opened or read is reported, and
    /// the run goes on with the next one, unless the consumer has stopped it (`Break`).
    pub(super) fn file<W: Work>(
        &mut self,
        path: &Path,
        prepare: impl FnMut(&mut Batch) + Send + 'static,
        strict: bool,
        workers: Vec<W>,
        consume: impl FnMut(&mut W::Output) -> io::Result<Consumed>,
    ) -> Result<ControlFlow<()>, Error> {
        let opened = self.open(path)?;
        self.opened(path, opened, prepare, strict, workers, consume)
    }

    /// Opens a file; of the first one, rights are given up then.
    pub(super) fn open(&mut self, path: &Path) -> Result<Opening, Error> {
        let opened = Unread::open(path);
        self.give_up_rights()?;
        Ok(opened)
    }

    /// Reads a file that [`Reading::open`] has opened or not, as [`Reading::file`].
    pub(super) fn opened<W: Work>(
        &mut self,
        path: &Path,
        opened: Opening,
        prepare: impl FnMut(&mut Batch) + Send + 'static,
        strict: bool,
        workers: Vec<W>,
        consume: impl FnMut(&mut W::Output) -> io::Result<Consumed>,
    ) -> Result<ControlFlow<()>, Error> {
        let name = path.as_os_str().as_encoded_bytes();
        match opened.and_then(Unread::start) {
            Ok(file) => {
                let bar = Bar::new(file.progress(), self.started, self.at_end);
                self.source(name, (file, prepare), bar, strict, workers, consume)
            }
            Err(error) => {
                self.report(name, &error);
                Ok(ControlFlow::Continue(()))
            }
        }
    }

    /// Gives up what no source needs that is still to be opened.
    fn give_up_rights(&mut self) -> Result<(), Error> {
        if let Some(rights) = self.rights.take() {
            rights.enter(self.err)?;
        }
        self.interrupt.take().into_iter().for_each(Interrupt::watch);
        Ok(())
    }

    /// Reads an open source, as [`Reading::file`].
    pub(super) fn source<W: Work>(
        &mut self,
        name: &[u8],
        (source, prepare): (impl Records, impl FnMut(&mut Batch) + Send + 'static),
        mut bar: Option<Bar>,
        strict: bool,
        workers: Vec<W>,
        mut consume: impl FnMut(&mut W::Output) -> io::Result<Consumed>,
    ) -> Result<ControlFlow<()>, Error> {
        self.give_up_rights()?;
        let mut undecoded = Undecoded::default();
        let (mut stopped, mut failed, mut asked) = (false, None, None);
        let (stop, remarks) = (self.stop.clone(), self.remarks.take());
        let remarks = || remarks.iter().flat_map(Receiver::try_iter);
        let fault = engine::run(source, prepare, workers, stop.as_deref(), |output| {
            remarks().for_each(|remark| self.remark(&remark));
            if let Some(bar) = &mut bar {
                bar.tick();
            }
            match consume(output) {
                Ok(consumed) => {
                    undecoded.add(&consumed.undecoded);
                    stopped = consumed.flow.is_break() || (strict && undecoded.count > 0);
                }
                Err(error) => failed = Some(error),
            }
            // What is on its way is still taken, but a pipe may never be empty.
            if self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                stopped |= asked.get_or_insert_with(Instant::now).elapsed() > LAST_RECORDS;
            }
            if stopped || failed.is_some() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        remarks().for_each(|remark| self.remark(&remark));
        drop(bar);
        if let Some(error) = failed {
            return Err(error.into());
        }
        // A last record that is cut is told of once.
        let cut = fault.as_ref().is_some_and(|fault| {
            undecoded.count == 1
                && undecoded.first.is_some_and(|first| first.record == fault.record)
        });
        if !cut {
            self.report_undecoded(name, &undecoded);
        }
        if let Some(fault) = fault {
            self.report(name, &fault);
        }
        stopped |= self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed));
        Ok(if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn report_undecoded(&mut self, name: &[u8], undecoded: &Undecoded) {
        for (file, count, first) in &undecoded.by_file {
            self.report_first(file, *count, *first);
        }
        if let (Some(first), []) = (undecoded.first, &*undecoded.by_file) {
            self.report_first(name, undecoded.count, first);
        }
    }

    fn report_first(&mut self, name: &[u8], count: u64, first: First) {
        let more = match count {
            1 => String::new(),
            2 => " (and 1 more record that cannot be decoded)".to_owned(),
            n => format!(" (and {} more records that cannot be decoded)", n - 1),
        };
        let what =
            format!("{}, at record {}, byte {}{more}", first.error, first.record, first.offset);
        self.report(name, &what);
    }

    /// A message about a source; the run has failed, but goes on.
    pub(super) fn report(&mut self, name: &[u8], what: &dyn Display) {
        self.status = Status::Failed;
        let name = escaped(name);
        // Nobody is left to tell if standard error is gone.
        let _ = writeln!(self.err, "pfscope: {name}: {what}");
    }

    fn remark(&mut self, remark: &Remark) {
        if remark.is_failure() {
            self.status = Status::Failed;
        }
        // As above.
        let _ = writeln!(self.err, "pfscope: {remark}");
    }
}
