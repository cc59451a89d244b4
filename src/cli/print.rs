//! No command: print packets.

use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::args::Print;
use super::copy;
use super::join::{self, Join};
use super::reading::{Consumed, Reading, Settings};
use super::rights::Rights;
use super::ruleset;
use super::save::{Recorded, Recorder, Saver};
use super::selection::{First, Seen, Selection, Undecoded};
use super::sinks::{Sinks, precision};
use super::tunnels::Known;
use super::watch::Watch;
use super::{Error, Status, together};
use crate::capture::offset::Offsets;
use crate::capture::{Batch, Suspected};
use crate::engine::Work;
#[cfg(feature = "live")]
use crate::engine::hold::Hold;
use crate::engine::names::Names;
use crate::sink::Sink;
use crate::sink::json::Origin;
use crate::sink::notice::Notices;
use crate::sink::page::{Binder, Page};
use crate::time::TimeStyle;
use crate::wire::writer::Writer;

/// A worker that renders what is wanted.
struct Renderer {
    selection: Selection,
    /// None: only count.
    sink: Option<Box<dyn Sink>>,
    /// How it is said that a packet is suspicious.
    notices: Option<Notices>,
    /// With -w, in the place of both.
    recorder: Option<Recorder>,
    /// All is recorded, and nothing decoded.
    copies: bool,
}

/// A rendered batch.
#[derive(Default)]
struct Rendered {
    page: Page,
    frames: u64,
    events: u64,
    undecoded: Undecoded,
    recorded: Recorded,
}

impl Work for Renderer {
    type Output = Rendered;

    fn work(&mut self, batch: &Batch, writers: &[Writer], output: &mut Rendered) {
        output.page.clear();
        output.events = 0;
        output.frames = batch.records.len() as u64;
        if let Some(recorder) = self.recorder {
            recorder.begin(batch, &mut output.recorded);
            if self.copies {
                recorder.copy(batch, &mut output.page, &mut output.recorded);
                output.events = output.frames;
                output.undecoded = Undecoded::default();
                return;
            }
        }
        let Self { selection, sink, notices, recorder, .. } = self;
        let Rendered { page, events, undecoded, recorded, .. } = output;
        let mut happened = batch.notices.as_slice();
        *undecoded = match recorder {
            Some(recorder) => selection.each_glance(batch, writers, |seen| {
                *events += 1;
                recorder.record(seen.frame(), batch, page, recorded);
                true
            }),
            None => selection.each_glance(batch, writers, |seen| {
                while let [notice, later @ ..] = happened
                    && notice.before as u64 <= seen.frame().number.saturating_sub(batch.first_frame)
                {
                    happened = later;
                    if let Some(notices) = notices {
                        notices.tell(notice, page);
                    }
                }
                match (sink.as_mut(), seen) {
                    (None, _) => {}
                    (Some(sink), Seen::Event(event)) => sink.event(event, page),
                    (Some(sink), Seen::Glance(frame, glance)) => {
                        if !sink.plain(frame, glance, page) {
                            return false;
                        }
                    }
                }
                *events += 1;
                if let (Some(notices), Seen::Event(event)) = (&mut *notices, seen) {
                    let here = |suspected: &&Suspected| suspected.frame == event.frame.number;
                    for (nth, suspected) in batch.suspected.iter().filter(here).enumerate() {
                        notices.spoof(event, suspected.what, nth, page);
                    }
                }
                true
            }),
        };
        if let Some(notices) = notices {
            happened.iter().for_each(|notice| notices.tell(notice, page));
        }
    }
}

pub(super) fn run(args: &Print, out: &mut dyn Write, err: &mut dyn Write) -> Result<Status, Error> {
    let style = TimeStyle::from_count(args.time)
        .ok_or_else(|| Error::Usage("-t can be given five times at most".to_owned()))?;
    let tunnels = args.tunnels.vici.is_some() || !args.tunnels.sas.is_empty();
    let mut settings =
        Settings::new(&args.common, &filter(args)?, tunnels).map_err(|error| hint(error, args))?;
    ruleset::provide(&mut settings, args.from.rules.as_deref(), err)?;
    #[cfg(feature = "live")]
    if let Some(status) = super::live::instead(&args.device, &settings.selection.filter, out, err)?
    {
        return Ok(status);
    }
    let sinks = Sinks::new(args, &settings, style)?;
    let offsets = together::offsets(&args.sources)?;
    together::refuse_same(&args.read, args.save.write.as_deref())?;
    let saver = Saver::new(args, &settings.zone)?;
    let rights = Rights::new(&args.common, args.verbose > 0)
        .with_resolver(args.resolve)
        .with_saved(args.save.write.as_deref())
        .with_daemon(args.tunnels.vici.as_ref());
    #[cfg(feature = "live")]
    let rights = rights.with_devices(&args.device, err);
    let job = Job { args, style, offsets, saver };
    #[cfg(feature = "live")]
    if !args.device.interfaces.is_empty() {
        if args.sources.follow || args.sources.from_start {
            let message = "--follow and --from-start are of files (-r): a device never ends";
            return Err(Error::Usage(message.to_owned()));
        }
        return job.print_devices(rights, &mut settings, &sinks, out, err);
    }
    if args.read.is_empty() {
        let how = if cfg!(feature = "live") { "-r FILE, or a device with -i" } else { "-r FILE" };
        let message = format!(
            "nothing to read: name a capture file with {how} ('pfscope --help' shows examples)"
        );
        return Err(Error::Usage(message));
    }
    job.print_files(rights, &mut settings, &sinks, out, err)
}

/// What is to be printed, and how.
struct Job<'a> {
    args: &'a Print,
    style: TimeStyle,
    offsets: Offsets,
    saver: Option<Saver>,
}

impl Job<'_> {
    #[cfg(feature = "live")]
    fn print_devices(
        self,
        rights: Rights,
        settings: &mut Settings,
        sinks: &Sinks,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> Result<Status, Error> {
        let Self { args, style, offsets, mut saver } = self;
        let copies = copy::is_wanted(args, settings);
        let how = copy::how(saver.as_ref(), copies, &offsets);
        let (journals, damaged) = Known::of_journals(&args.tunnels, &mut settings.selection, err)?;
        let (device, filter) = (&args.device, &settings.selection.filter);
        let Some(opened) = super::live::open(device, filter, how, rights, err)? else {
            return Ok(Status::Failed);
        };
        copy::introduce(saver.as_mut(), &opened);
        if copies && let Some(saver) = saver.take() {
            let status = copy::devices(opened, saver, args.count, &offsets, &settings.zone, err)?;
            together::report_unused(&offsets, &[], err);
            return Ok(status);
        }
        // The thread that asks the daemon has no more rights than the others.
        let known = Known::of_daemon(&args.tunnels, &mut settings.selection, err)?.or(journals);
        let mut printer = Printer::new(args, settings, sinks, style, saver);
        let workers = printer.workers(&Origin::Devices);
        let mut hold = Hold::new(known.as_ref().and_then(Known::live));
        let mut found = prepare(Join::new(&[], &offsets), sinks, &args.peers);
        let shift = offsets.clone();
        let mut tell = printer.saver.as_ref().map(|_| copy::teller(&settings.zone));
        let prepare = move |batch: &mut Batch| {
            shift.apply(&[], batch);
            tell.iter_mut().for_each(|tell| tell(batch));
            found(batch);
            hold.prepare(batch);
        };
        let consume = |rendered: &mut Rendered| printer.consume(rendered, out);
        let over = opened.follow(prepare, args.common.strict, workers, err, consume)?;
        let status = over.status.max(damaged).max(printer.finish(out)?);
        together::report_unused(&offsets, &[], err);
        Ok(status)
    }

    fn print_files(
        self,
        rights: Rights,
        settings: &mut Settings,
        sinks: &Sinks,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> Result<Status, Error> {
        let Self { args, style, offsets, mut saver } = self;
        let (_, damaged) = Known::of_journals(&args.tunnels, &mut settings.selection, err)?;
        let rights = match args.sources.follow {
            true => rights.with_followed(&args.read),
            false => rights.with_files(&args.read),
        };
        // A file that is followed ends by a signal.
        let at_end = (args.count_only || args.save.write.is_some()) && !args.sources.follow;
        let mut reading = match at_end {
            true => Reading::printing_at_end(rights, err)?,
            false => Reading::new(rights, err)?,
        };
        let together = together::is_wanted(&args.sources, &args.read);
        let copies = copy::is_wanted(args, settings);
        let mut first = match (&*args.read, together) {
            ([first, ..], false) => Some(reading.open(first)?),
            _ => None,
        };
        // The thread that asks the daemon has no more rights than the others.
        let known = Known::of_daemon(&args.tunnels, &mut settings.selection, reading.err())?;
        known.iter().for_each(Known::ready);
        if let Some(saver) = &mut saver {
            saver.hurry_by(Arc::clone(&reading.asked));
        }
        let mut printer = Printer::new(args, settings, sinks, style, saver);
        let feeds: Vec<_> = match &*args.read {
            [_] => Vec::new(),
            // A file that grows has nothing that could be read ahead.
            _ if args.sources.follow => Vec::new(),
            several => several.iter().filter(|path| join::tells_of_states(path)).cloned().collect(),
        };
        let strict = args.common.strict;
        let origin = |path: &Path| Origin::File(path.as_os_str().as_encoded_bytes().to_vec());
        if let (true, Some(first)) = (together, args.read.first()) {
            if let Some(source) = together::open(&args.sources, &args.read, &offsets, &mut reading)?
            {
                let workers = printer.workers(&origin(first));
                let consume = |rendered: &mut Rendered| printer.consume(rendered, out);
                let prepare = prepare(Join::new(&feeds, &offsets), sinks, &args.peers);
                let name = first.as_os_str().as_encoded_bytes();
                let _ = reading.source(name, (source, prepare), None, strict, workers, consume)?;
            }
        } else {
            for path in &args.read {
                let workers = printer.workers(&origin(path));
                let consume = |rendered: &mut Rendered| printer.consume(rendered, out);
                let mut found = prepare(Join::new(&feeds, &offsets), sinks, &args.peers);
                let (shift, name) = (offsets.clone(), path.as_os_str().as_encoded_bytes().to_vec());
                let prepare = move |batch: &mut Batch| {
                    shift.apply(&name, batch);
                    if !copies {
                        found(batch);
                    }
                };
                let opened = first.take().map_or_else(|| reading.open(path), Ok)?;
                let flow = reading.opened(path, opened, prepare, strict, workers, consume)?;
                if flow.is_break() {
                    break;
                }
            }
        }
        let status = reading.status.max(damaged).max(printer.finish(out)?);
        together::report_unused(&offsets, &args.read, err);
        Ok(status)
    }
}

/// What is found out about the batches of a source in their order, before the workers see them.
fn prepare(
    mut join: Join,
    sinks: &Sinks,
    peers: &[IpAddr],
) -> impl FnMut(&mut Batch) + Send + use<> {
    let mut watch = Watch::new(peers);
    let mut names = sinks.names_states().then(|| Names::new(join::MAX_STATES));
    move |batch| {
        join.prepare(batch);
        names.iter_mut().for_each(|names| names.prepare(batch));
        watch.prepare(batch);
    }
}

/// Takes rendered batches in order and writes them.
struct Printer<'a> {
    args: &'a Print,
    settings: &'a Settings,
    sinks: &'a Sinks,
    binder: Binder,
    scratch: Vec<u8>,
    /// Events so far.
    events: u64,
    saver: Option<Saver>,
}

impl<'a> Printer<'a> {
    fn new(
        args: &'a Print,
        settings: &'a Settings,
        sinks: &'a Sinks,
        style: TimeStyle,
        saver: Option<Saver>,
    ) -> Self {
        let style = if sinks.is_text() { style } else { TimeStyle::None };
        let limit = args.count.filter(|_| !args.count_only);
        let binder = Binder::new(style, precision(args), limit);
        Self { args, settings, sinks, binder, scratch: Vec::new(), events: 0, saver }
    }

    fn workers(&mut self, origin: &Origin) -> Vec<Renderer> {
        let selection = &self.settings.selection;
        let sink = || self.sinks.sink(origin, &selection.filter);
        let notices = || self.sinks.notices(origin);
        let recorder = self.saver.as_mut().map(Saver::next_source);
        let copies = copy::is_wanted(self.args, self.settings);
        let worker = |_| Renderer {
            selection: selection.clone(),
            sink: sink(),
            notices: notices(),
            recorder,
            copies,
        };
        (0..self.settings.threads).map(worker).collect()
    }

    fn consume(&mut self, rendered: &Rendered, out: &mut dyn Write) -> io::Result<Consumed> {
        let (frames, packets) = (rendered.frames, rendered.events);
        let undecoded = rendered.undecoded.clone();
        if let Some(saver) = &mut self.saver {
            let there = rendered.page.events();
            let left = self.args.count.map(|count| count.saturating_sub(self.events));
            let wanted =
                left.map_or(there, |left| usize::try_from(left).unwrap_or(there).min(there));
            let flow = saver.write(&rendered.page, &rendered.recorded, wanted)?;
            self.events += wanted as u64;
            let done = flow.is_break() || self.args.count == Some(self.events);
            return Ok(Consumed {
                frames,
                packets: wanted as u64,
                undecoded: printed(undecoded, done, wanted as u64),
                flow: stop(done),
            });
        }
        if self.args.count_only {
            self.events += rendered.events;
            let enough = self.args.count.is_some_and(|count| self.events >= count);
            return Ok(Consumed { frames, packets, undecoded, flow: stop(enough) });
        }
        let bound = self.binder.bind(&rendered.page, &mut self.scratch);
        out.write_all(bound.bytes)?;
        self.events += bound.events;
        let undecoded = printed(undecoded, bound.done, bound.events);
        // With a limit, what was printed; a notice about a packet counts as one then.
        let packets = if bound.done { packets.min(bound.events) } else { packets };
        Ok(Consumed { frames, packets, undecoded, flow: stop(bound.done) })
    }

    /// What comes after the last batch.
    fn finish(&mut self, out: &mut dyn Write) -> io::Result<Status> {
        if let Some(saver) = &mut self.saver {
            return saver.end();
        }
        if self.args.count_only {
            let events = self.args.count.map_or(self.events, |count| self.events.min(count));
            writeln!(out, "{events} packet{}", if events == 1 { "" } else { "s" })?;
        }
        Ok(Status::Done)
    }
}

/// What could not be decoded of an output of which so many events were printed, the last ones that
/// were asked for if it is done. What lies behind them is nobody's concern.
fn printed(undecoded: Undecoded, done: bool, events: u64) -> Undecoded {
    let printed = |first: First| !done || first.after < events;
    if undecoded.first.is_none_or(printed) { undecoded } else { Undecoded::default() }
}

const fn stop(yes: bool) -> ControlFlow<()> {
    if yes { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// Adds to a wrong filter what was most likely meant by the name of a file in it.
fn hint(error: Error, args: &Print) -> Error {
    match (error, args.filter.iter().find(|word| Path::new(word).exists())) {
        (Error::Usage(message), Some(file)) => {
            Error::Usage(format!("{message}\n'{file}' is a file: read it with -r {file}"))
        }
        (error, _) => error,
    }
}

/// The filter of the command line, or of the file named by -F.
fn filter(args: &Print) -> Result<String, Error> {
    match &args.filter_file {
        None => Ok(args.filter.join(" ")),
        Some(path) => fs::read_to_string(path)
            .map(|text| without_comments(&text))
            .map_err(|error| Error::Usage(format!("-F {}: {error}", path.display()))),
    }
}

/// A filter file without its comments, from # to the end of a line, as tcpdump reads it.
fn without_comments(text: &str) -> String {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines.collect::<Vec<_>>().join(" ")
}
