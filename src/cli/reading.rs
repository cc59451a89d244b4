//! Reading the files of a command one after the other, and telling what was wrong with them.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write, stdout};
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;

use jiff::tz::TimeZone;

use super::args::{Common, When};
use super::progress::Bar;
use super::selection::{Selection, Undecoded};
use super::{Error, Status};
use crate::capture::file::File;
use crate::capture::{Batch, Records};
use crate::engine::{self, Work};
use crate::filter::Filter;
use crate::text::escaped;
use crate::time::Timestamp;

/// What the shared options come to.
pub(super) struct Settings {
    pub(super) selection: Selection,
    pub(super) zone: TimeZone,
    pub(super) color: bool,
    pub(super) threads: usize,
}

impl Settings {
    pub(super) fn new(common: &Common, filter: &str) -> Result<Self, Error> {
        let zone = if common.utc { TimeZone::UTC } else { TimeZone::system() };
        let time = |option: &str, text: &Option<String>| {
            let parse = |text| Timestamp::parse(text, &zone);
            let parsed = text.as_deref().map(parse).transpose();
            parsed.map_err(|wrong| Error::Usage(format!("{option}: {wrong}")))
        };
        let selection = Selection {
            filter: Filter::parse(filter)
                .map_err(|wrong| Error::Usage(format!("wrong filter:\n{wrong}")))?,
            since: time("--since", &common.since)?,
            until: time("--until", &common.until)?,
            strict: common.strict,
        };
        let processors = || thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            selection,
            zone,
            color: match common.color {
                When::Always => true,
                When::Never => false,
                When::Auto => {
                    stdout().is_terminal()
                        && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
                }
            },
            threads: common.threads.map_or_else(processors, usize::from),
        })
    }
}

/// The files of a command, and what became of them.
pub(super) struct Reading<'e> {
    err: &'e mut dyn Write,
    pub(super) status: Status,
}

/// What a consumer says of one output.
pub(super) struct Consumed {
    /// Frames of it that could not be decoded.
    pub(super) undecoded: Undecoded,
    /// Go on?
    pub(super) flow: ControlFlow<()>,
}

impl<'e> Reading<'e> {
    pub(super) fn new(err: &'e mut dyn Write) -> Self {
        Self { err, status: Status::Done }
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
        let name = path.as_os_str().as_encoded_bytes();
        match File::open(path) {
            Ok(file) => {
                let bar = Bar::new(file.progress());
                self.source(name, (file, prepare), bar, strict, workers, consume)
            }
            Err(error) => {
                self.report(name, &error);
                Ok(ControlFlow::Continue(()))
            }
        }
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
        let mut undecoded = Undecoded::default();
        let (mut stopped, mut failed) = (false, None);
        let fault = engine::run(source, prepare, workers, |output| {
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
            if stopped || failed.is_some() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        drop(bar);
        if let Some(error) = failed {
            return Err(error.into());
        }
        self.report_undecoded(name, &undecoded);
        if let Some(fault) = fault {
            self.report(name, &fault);
        }
        Ok(if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn report_undecoded(&mut self, name: &[u8], undecoded: &Undecoded) {
        let Some(first) = undecoded.first else { return };
        let more = match undecoded.count {
            1 => String::new(),
            2 => " (and 1 more record that cannot be decoded)".to_owned(),
            n => format!(" (and {} more records that cannot be decoded)", n - 1),
        };
        let what =
            format!("{}, at record {}, byte {}{more}", first.error, first.record, first.offset);
        self.report(name, &what);
    }

    /// A message about a source; the run has failed, but goes on.
    fn report(&mut self, name: &[u8], what: &dyn Display) {
        self.status = Status::Failed;
        let name = escaped(name);
        // Nobody is left to tell if standard error is gone.
        let _ = writeln!(self.err, "pfscope: {name}: {what}");
    }
}
