//! Devices: their lists, and reading them.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::args::Device;
use super::reading::{Consumed, Interrupt, Reading};
use super::rights::Rights;
use super::service::Service;
use super::signals::Watch;
use super::{Error, Status};
use crate::capture::bpf;
use crate::capture::list::{data_link, data_links, devices};
use crate::capture::live::{ANY_PF, Control, Header, Live, Settings};
use crate::capture::{Batch, Records};
use crate::engine::Work;
use crate::filter::Filter;
use crate::text::escaped;
use crate::wire::link::LinkType;

/// How long the end waits for the devices' last counters: more than their threads take.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is done instead of reading: -D, -L and -d.
pub(super) fn instead(
    args: &Device,
    filter: &Filter,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Option<Status>, Error> {
    if args.list {
        return list(out).map(Some);
    }
    if !args.list_links && !args.show_filter {
        return Ok(None);
    }
    if args.list_links && args.interfaces.is_empty() {
        let message = "-L lists the link types of a device: name it with -i (-D lists devices)";
        return Err(Error::Usage(message.to_owned()));
    }
    let settings = settings(args, filter)?;
    let shown = match args.list_links {
        true => list_links(args, &settings, out),
        false => show_filter(args, &settings, out),
    };
    shown.map(|shown| match shown {
        Ok(()) => Some(Status::Done),
        Err(message) => {
            // Nobody is left to tell if standard error is gone.
            let _ = writeln!(err, "pfscope: {message}");
            Some(Status::Failed)
        }
    })
}

/// -D: the devices, as tcpdump lists them.
fn list(out: &mut dyn Write) -> Result<Status, Error> {
    let devices = devices().map_err(Error::Usage)?;
    for (number, device) in (1..).zip(devices) {
        let name = escaped(device.name.as_bytes());
        write!(out, "{number}.{name}")?;
        if let Some(description) = device.description {
            write!(out, " ({})", escaped(description.as_bytes()))?;
        }
        match &*device.flags.join(", ") {
            "" => writeln!(out)?,
            flags => writeln!(out, " [{flags}]")?,
        }
    }
    Ok(Status::Done)
}

/// -L: the link types of each device, as tcpdump lists them.
fn list_links(
    args: &Device,
    settings: &Settings,
    out: &mut dyn Write,
) -> Result<Result<(), String>, Error> {
    for device in &args.interfaces {
        let links = match data_links(device, settings) {
            Ok(links) => links,
            Err(message) => return Ok(Err(message)),
        };
        let device = escaped(device.as_bytes());
        writeln!(out, "Data link types for {device} (use option -y to set):")?;
        for link in links {
            writeln!(out, "  {} ({})", link.name, link.description)?;
        }
    }
    Ok(Ok(()))
}

/// -d: the kernel's part of the filter, and ours.
fn show_filter(
    args: &Device,
    settings: &Settings,
    out: &mut dyn Write,
) -> Result<Result<(), String>, Error> {
    let mut links = Vec::new();
    if args.interfaces.is_empty() {
        links.push((String::new(), settings.link.unwrap_or(1)));
    } else {
        let live = match Live::open(&args.interfaces, settings.clone(), Arc::default()) {
            Ok(live) => live,
            Err(message) => return Ok(Err(message)),
        };
        for interface in live.opened() {
            let name = escaped(interface.name.as_deref().unwrap_or_default());
            links.push((format!(" for {name}"), interface.link.0.cast_signed()));
        }
    }
    for (device, link) in links {
        let read = LinkType::from_dlt(link.cast_unsigned());
        let name = read.name().map_or_else(|| link.to_string(), str::to_owned);
        writeln!(out, "# the kernel's part{device}, link-type {name}:")?;
        match settings.kernel_filter(read) {
            None => writeln!(out, "# none: every packet passes")?,
            Some(expression) => match bpf::listing(&expression, link) {
                Ok(listing) => out.write_all(listing.as_bytes())?,
                Err(message) => return Ok(Err(message)),
            },
        }
    }
    match settings.filter.is_empty() {
        true => writeln!(out, "# pfscope's part: none: every packet matches")?,
        false => writeln!(out, "# pfscope's part, of the packets that pass:\n{}", settings.filter)?,
    }
    Ok(Ok(()))
}

/// What the options come to.
fn settings(args: &Device, filter: &Filter) -> Result<Settings, Error> {
    let default = Settings::default();
    let unknown = |name: &String| {
        Error::Usage(format!("-y {name}: no link type has this name (-L lists the device's)"))
    };
    let link = args.link_type.as_ref().map(|name| data_link(name).ok_or_else(|| unknown(name)));
    let snaplen = args.snaplen.filter(|&bytes| bytes > 0);
    Ok(Settings {
        snaplen: snaplen.map_or(default.snaplen, |bytes| bytes.min(default.snaplen)),
        buffer: args.buffer.map(|kib| kib.saturating_mul(1024)),
        immediate: args.immediate,
        link: link.transpose()?,
        filter: filter.clone(),
        ring: usize::try_from(args.ring).unwrap_or(usize::MAX).saturating_mul(1024 * 1024),
        ..default
    })
}

/// How a consumer takes packets.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct How {
    /// How long it can do without.
    pub(super) gather: Duration,
    /// What it wants before each.
    pub(super) head: Option<Header>,
}

/// Devices that are open, with no rights but those that reading them takes.
pub(super) struct Opened {
    live: Live,
    service: Option<Service>,
    names: String,
    /// True once SIGINT or SIGTERM is to end the capture.
    pub(super) asked: Arc<AtomicBool>,
    /// The user that the process has become.
    pub(super) user: Option<String>,
}

/// A capture that is over. Until this goes a signal's end is still one within time.
pub(super) struct Over {
    pub(super) status: Status,
    _watch: Watch,
}

/// -i: opens the devices, and gives up rights. `filter` is what the consumer will want; the kernel
/// is given what it can answer of it. `how` it takes them. None, and a message, if a device cannot be opened.
pub(super) fn open(
    args: &Device,
    filter: &Filter,
    how: How,
    rights: Rights,
    err: &mut dyn Write,
) -> Result<Option<Opened>, Error> {
    rights.announce(err);
    let service = Service::of_environment()
        .map_err(|error| Error::Usage(format!("NOTIFY_SOCKET: {error}")))?;
    let interrupt = Interrupt::new()?;
    let (stop, asked) = (Arc::clone(&interrupt.flag), Arc::default());
    interrupt.sets(&asked)?;
    let mut settings = settings(args, filter)?;
    settings.gather = if args.immediate { Duration::ZERO } else { how.gather };
    settings.head = how.head;
    // Heard by the manager in half of what it waits for.
    settings.pulse = service.as_ref().and_then(Service::pulse).map(|pulse| pulse / 2);
    let snaplen = settings.snaplen;
    let live = match Live::open(&args.interfaces, settings, stop) {
        Ok(live) => live,
        Err(message) => {
            writeln!(err, "pfscope: {message}")?;
            return Ok(None);
        }
    };
    introduce(&live, snaplen, err)?;
    // The devices' threads start when the first batch is filled.
    let user = rights.with_service(service.is_some()).enter(err)?;
    interrupt.watch();
    Ok(Some(Opened { live, service, names: args.interfaces.join(","), asked, user }))
}

impl Opened {
    /// A hand on the devices.
    pub(super) fn control(&self) -> Control {
        self.live.control()
    }

    /// Reads until SIGINT or SIGTERM, or until the consumer has enough.
    pub(super) fn follow<W: Work>(
        self,
        prepare: impl FnMut(&mut Batch) + Send + 'static,
        strict: bool,
        workers: Vec<W>,
        err: &mut dyn Write,
        mut consume: impl FnMut(&mut W::Output) -> io::Result<Consumed>,
    ) -> Result<Over, Error> {
        let names = self.names.clone();
        self.attend(err, |live, err, count| {
            let counting = |output: &mut W::Output| {
                let consumed = consume(output)?;
                count(&consumed);
                Ok(consumed)
            };
            let mut reading = Reading::confined(err);
            let source = (live, prepare);
            let ended = reading.source(names.as_bytes(), source, None, strict, workers, counting);
            ended.map(|_| reading.status)
        })
    }

    /// As [`Opened::follow`], but gives what comes as it is, on this thread: nobody decodes it.
    pub(super) fn copy(
        self,
        err: &mut dyn Write,
        mut consume: impl FnMut(&mut Batch) -> io::Result<Consumed>,
    ) -> Result<Over, Error> {
        self.attend(err, |mut live, _, count| {
            // The first batch is empty: it tells the interfaces.
            let mut batch = Batch { interfaces: live.interfaces(), ..Batch::default() };
            let mut more = true;
            loop {
                let consumed = consume(&mut batch)?;
                count(&consumed);
                if !more || consumed.flow.is_break() {
                    return Ok(Status::Done);
                }
                more = live.fill(&mut batch).more;
            }
        })
    }

    /// Counts, tells whoever waits for it that all is well, and listens to signals meanwhile.
    fn attend(
        self,
        err: &mut dyn Write,
        read: impl FnOnce(Live, &mut dyn Write, &mut dyn FnMut(&Consumed)) -> Result<Status, Error>,
    ) -> Result<Over, Error> {
        let Self { live, mut service, .. } = self;
        let tally = Tally::new(live.control());
        let watch = Watch::start(tally.clone())?;
        service.iter().for_each(Service::ready);
        let ended = read(live, err, &mut |consumed| {
            tally.frames.fetch_add(consumed.frames, Ordering::Relaxed);
            tally.packets.fetch_add(consumed.packets, Ordering::Relaxed);
            service.iter_mut().for_each(Service::alive);
        });
        service.iter().for_each(Service::stopping);
        tally.control.stop();
        let status = ended?;
        tally.control.settled(PATIENCE);
        err.write_all(tally.summary("\n").as_bytes())?;
        Ok(Over { status, _watch: watch })
    }
}

/// Says what is read, in tcpdump's words, and what the snapshot length cuts.
fn introduce(live: &Live, snaplen: u32, err: &mut dyn Write) -> io::Result<()> {
    let mut none = true;
    for interface in live.opened() {
        none = false;
        let name = escaped(interface.name.as_deref().unwrap_or_default());
        let link = interface.link;
        let link_name = link.name().map_or_else(|| link.0.to_string(), str::to_owned);
        writeln!(
            err,
            "pfscope: listening on {name}, link-type {link_name}, snapshot length {snaplen} bytes"
        )?;
        if let Some(least) = link.headers_len().filter(|&least| snaplen < least) {
            writeln!(
                err,
                "pfscope: {name}: -s {snaplen} may cut the IP header: it ends within {least} bytes"
            )?;
        }
    }
    if none {
        writeln!(err, "pfscope: {ANY_PF}: no pflog or pfsync device is there yet: waiting")?;
    }
    Ok(())
}

/// What has been counted: where it was captured, and what was made of it.
#[derive(Clone)]
pub(super) struct Tally {
    pub(super) control: Control,
    frames: Arc<AtomicU64>,
    packets: Arc<AtomicU64>,
}

impl Tally {
    fn new(control: Control) -> Self {
        Self { control, frames: Arc::default(), packets: Arc::default() }
    }

    /// The counters in tcpdump's words, and the ring's.
    pub(super) fn summary(&self, between: &str) -> String {
        let counters = self.control.counters();
        let packets = self.packets.load(Ordering::Relaxed);
        let mut parts = vec![
            format!("{packets} packets captured"),
            format!("{} packets received by filter", counters.received),
            format!("{} packets dropped by kernel", counters.dropped),
        ];
        if counters.if_dropped > 0 {
            parts.push(format!("{} packets dropped by interface", counters.if_dropped));
        }
        parts.push(format!("{} packets dropped by ring", counters.ring_dropped));
        parts.join(between) + "\n"
    }

    /// Packets that were captured and have not been through the consumer.
    pub(super) fn left(&self) -> u64 {
        self.control.counters().taken.saturating_sub(self.frames.load(Ordering::Relaxed))
    }
}
