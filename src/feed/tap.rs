//! A source that cannot be read again: read and decoded once for all outputs, each of which gets
//! its own filter's events in its own format.
//!
//! Who reads a device waits for nobody: what is rendered goes to each output's spool, and an output
//! that is down is no concern of the others. A pipe is read on when all of them have room.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

#[cfg(feature = "live")]
use super::config::Bytes;
use super::config::Source;
use super::daemon::Daemon;
use super::pump::{Opener, Pump};
use super::reader::{binder, parcel};
use super::render::{Rendered, Renderer};
use super::stream::Stream;
use super::supervisor::Say;
#[cfg(feature = "live")]
use crate::capture::Records;
use crate::capture::file::Unread;
#[cfg(feature = "live")]
use crate::capture::live::{Control, Live, Settings};
use crate::capture::{Batch, Interface};
use crate::engine;
#[cfg(feature = "live")]
use crate::engine::hold::Hold;
use crate::engine::selection::Selection;
#[cfg(feature = "live")]
use crate::filter::Filter;
use crate::ipsec;
use crate::sink::json::Origin;
use crate::sink::site::Site;
use crate::text::escaped;

const NAP: Duration = Duration::from_millis(10);

/// Bytes that wait to be decoded, of a device, unless it is said otherwise.
#[cfg(feature = "live")]
const RING: usize = 16 << 20;

/// A source that is read once for all.
pub(super) struct Tap {
    pub(super) source: Source,
    origin: Origin,
    from: From,
    /// What a device is stopped by.
    #[cfg(feature = "live")]
    control: Option<Control>,
    thread: Option<JoinHandle<()>>,
    streams: Vec<Arc<Stream>>,
    /// Records that were rendered.
    rendered: Arc<AtomicU64>,
    /// It could not be read to its end.
    failed: Arc<AtomicBool>,
    say: Say,
}

/// Where it comes from.
enum From {
    /// Not yet read.
    Opened(Option<(Opener, Arc<[Interface]>)>),
    Read(Pump),
    Daemon(Daemon),
}

/// What a tap renders with.
pub(super) struct With {
    pub(super) selection: Selection,
    /// The daemon that knows the tunnels.
    pub(super) daemon: Option<ipsec::Live>,
    pub(super) site: Arc<Site>,
    pub(super) workers: usize,
    /// One for each output.
    pub(super) streams: Vec<Arc<Stream>>,
}

impl Tap {
    /// Opens the source; it is read once the tap is started.
    ///
    /// # Errors
    /// What is wrong with it, behind its name.
    pub(super) fn open(source: &Source, say: &Say) -> Result<Self, String> {
        let wrong = |why: String| format!("source {}: {why}", source.name());
        #[cfg(feature = "live")]
        let mut control = None;
        let (origin, from) = if let Some(uri) = &source.vici {
            (Origin::Devices, From::Daemon(Daemon::new(uri).map_err(wrong)?))
        } else if source.device.is_some() {
            #[cfg(feature = "live")]
            {
                let live = device(source, say).map_err(wrong)?;
                control = Some(live.control());
                let interfaces = live.interfaces();
                let open: Opener = Box::new(move || Ok(Box::new(live)));
                (Origin::Devices, From::Opened(Some((open, interfaces))))
            }
            #[cfg(not(feature = "live"))]
            return Err(wrong("this pfscope was built without devices".to_owned()));
        } else {
            let path = source.file.as_deref().unwrap_or_else(|| Path::new("-"));
            let file = Unread::open(path).map_err(|error| wrong(error.to_string()))?;
            let open: Opener = Box::new(move || match file.start() {
                Ok(file) => Ok(Box::new(file)),
                Err(error) => Err(error.to_string()),
            });
            let origin = Origin::File(path.as_os_str().as_encoded_bytes().to_vec());
            (origin, From::Opened(Some((open, Arc::default()))))
        };
        Ok(Self {
            source: source.clone(),
            origin,
            from,
            #[cfg(feature = "live")]
            control,
            thread: None,
            streams: Vec::new(),
            rendered: Arc::default(),
            failed: Arc::default(),
            say: Arc::clone(say),
        })
    }

    /// Renders from here on what the source gives, for these streams.
    pub(super) fn start(&mut self, with: With) {
        if let From::Opened(opened) = &mut self.from
            && let Some((open, interfaces)) = opened.take()
        {
            self.from = From::Read(Pump::start(open, interfaces));
        }
        self.streams.clone_from(&with.streams);
        let (name, rendered) = (self.source.name(), Arc::clone(&self.rendered));
        let (origin, failed) = (self.origin.clone(), Arc::clone(&self.failed));
        let say = Arc::clone(&self.say);
        let run: Box<dyn FnOnce() -> Option<String> + Send> = match &self.from {
            From::Opened(_) => return,
            From::Read(pump) => {
                let pump = pump.taker();
                Box::new(move || render(pump, &origin, with, &rendered))
            }
            From::Daemon(daemon) => {
                let (daemon, name, say) = (daemon.taker(), name.clone(), Arc::clone(&say));
                Box::new(move || daemon.follow(&name, &with.site, &with.streams, &say))
            }
        };
        self.thread = Some(thread::spawn(move || {
            if let Some(why) = run() {
                say(&format!("source {}: {why}", escaped(name.as_bytes())));
                failed.store(true, Ordering::Relaxed);
            }
        }));
    }

    /// Makes the streams end, with what has been read so far; the source is read on.
    pub(super) fn turn(&mut self) {
        match &self.from {
            From::Opened(_) => {}
            From::Read(pump) => pump.turn(),
            From::Daemon(daemon) => daemon.turn(),
        }
        if let Some(thread) = self.thread.take()
            && let Err(panic) = thread.join()
        {
            std::panic::resume_unwind(panic);
        }
    }

    /// Asks the source to end: what it has still comes.
    pub(super) fn ask(&self) {
        #[cfg(feature = "live")]
        if let Some(control) = &self.control {
            control.stop();
            return;
        }
        match &self.from {
            From::Opened(_) => {}
            From::Read(pump) => pump.end(),
            From::Daemon(daemon) => daemon.turn(),
        }
    }

    /// Waits for the end that was asked for.
    pub(super) fn end(mut self, until: Instant) {
        while !self.is_finished() && Instant::now() < until {
            thread::sleep(NAP);
        }
        if let Some(Err(panic)) =
            self.thread.take_if(|thread| thread.is_finished()).map(JoinHandle::join)
        {
            std::panic::resume_unwind(panic);
        }
        let left = self.taken().saturating_sub(self.rendered.load(Ordering::Relaxed));
        if left > 0 {
            self.streams.iter().for_each(|stream| stream.counters.ring_dropped.add(left));
            (self.say)(&format!(
                "source {}: {left} packets were captured, and lost for want of time at the end",
                self.source.name()
            ));
        }
    }

    /// Packets that a device has given.
    #[cfg(feature = "live")]
    fn taken(&self) -> u64 {
        self.control.as_ref().map_or(0, |control| control.counters().taken)
    }

    #[cfg(not(feature = "live"))]
    const fn taken(&self) -> u64 {
        0
    }

    /// True if nothing comes any more.
    pub(super) fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// True if it could not be read to its end.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Opens a device.
#[cfg(feature = "live")]
fn device(source: &Source, say: &Say) -> Result<Live, String> {
    let default = Settings::default();
    let snaplen = source.snaplen.filter(|&bytes| bytes > 0);
    let filter = Filter::parse(source.filter.as_deref().unwrap_or_default());
    let ring = source.ring.map_or(RING, |Bytes(ring)| usize::try_from(ring).unwrap_or(usize::MAX));
    let settings = Settings {
        snaplen: snaplen.map_or(default.snaplen, |bytes| bytes.min(default.snaplen)),
        promiscuous: source.promiscuous.unwrap_or_default(),
        buffer: source.buffer.and_then(|Bytes(bytes)| i32::try_from(bytes).ok()),
        filter: filter.map_err(|error| error.to_string())?,
        ring,
        ..default
    };
    let names: Vec<_> = source.device.iter().cloned().collect();
    let live = Live::open(&names, settings, Arc::default())?;
    let mut none = true;
    for interface in live.opened() {
        none = false;
        let link = interface.link;
        let link = link.name().map_or_else(|| link.0.to_string(), str::to_owned);
        let name = escaped(interface.name.as_deref().unwrap_or_default());
        say(&format!("source {}: listening on {name}, link-type {link}", source.name()));
    }
    if none {
        say(&format!("source {}: no pflog or pfsync device is there yet: waiting", source.name()));
    }
    Ok(live)
}

/// Renders what a source gives until it ends; what was wrong with it.
fn render(pump: Pump, origin: &Origin, with: With, count: &AtomicU64) -> Option<String> {
    let With { selection, daemon, site, workers, streams } = with;
    let worker = |_| {
        let branches = streams.iter().map(|stream| stream.branch(origin, &site)).collect();
        Renderer::new(selection.clone(), branches)
    };
    let workers = (0..workers.max(1)).map(worker).collect();
    let mut binders: Vec<_> = streams.iter().map(|stream| binder(stream.sequence())).collect();
    let (mut scratch, over) = (Vec::new(), pump.clone());
    let fault =
        engine::run(pump, hold(daemon, origin), workers, None, |rendered: &mut Rendered| {
            count.fetch_add(rendered.frames, Ordering::Relaxed);
            for ((stream, binder), page) in streams.iter().zip(&mut binders).zip(&rendered.pages) {
                let parcel = parcel(page, binder, &mut scratch);
                stream.put(parcel, binder.sequence(), || over.is_over());
            }
            ControlFlow::Continue(())
        });
    fault.map(|fault| fault.to_string()).or_else(|| over.wrong())
}

/// Packets of a device wait a moment for their tunnels; those of a file do not.
#[cfg(feature = "live")]
fn hold(daemon: Option<ipsec::Live>, origin: &Origin) -> impl FnMut(&mut Batch) + Send + use<> {
    let mut hold = Hold::new(daemon.filter(|_| matches!(origin, Origin::Devices)));
    move |batch| hold.prepare(batch)
}

#[cfg(not(feature = "live"))]
fn hold(_: Option<ipsec::Live>, _: &Origin) -> impl FnMut(&mut Batch) + Send + use<> {
    |_| {}
}
