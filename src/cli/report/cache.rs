//! `-cache`: the flows that pf shows, from captures or a device.

use std::io::Write;
use std::net::IpAddr;
use std::ops::ControlFlow;

use super::super::args::Report as Args;
#[cfg(feature = "live")]
use super::super::live;
use super::super::reading::{Consumed, Reading, Settings};
use super::super::rights::Rights;
use super::super::selection::{Selection, Undecoded};
use super::super::{Error, Status};
use super::page::Page;
use super::{Sources, blocks};
use crate::capture::Batch;
use crate::engine::Work;
use crate::event::Event;
use crate::ipsec::report::cache::{Flows, MAX_FLOWS, Matcher, Seen, index};
use crate::packet::proto;
use crate::pf::{Action, Direction};
use crate::states::{Facts, Ops, Table};
use crate::time::Timestamp;
use crate::wire::state::{End, State};
use crate::wire::writer::Writer;

/// States that are kept.
const MAX_STATES: usize = 1_000_000;
const WITHOUT: &str =
    "needs what pf says: packets of pflog or states of pfsync, -r FILE or -i DEVICE";

/// A worker that turns frames into flows and what the state table is told.
struct Decoder {
    selection: Selection,
}

#[derive(Default)]
struct Told {
    frames: u64,
    ops: Ops,
    logged: Vec<(Seen, Timestamp, bool)>,
    undecoded: Undecoded,
}

impl Work for Decoder {
    type Output = Told;

    fn work(&mut self, batch: &Batch, writers: &[Writer], output: &mut Told) {
        output.frames = batch.records.len() as u64;
        output.ops.clear();
        output.logged.clear();
        output.undecoded = self.selection.each(batch, writers, |event| {
            if event.pfsync.is_some() {
                output.ops.add(Facts::of(event), event.pfsync.as_ref());
            }
            output.logged.extend(logged(event));
        });
    }
}

/// A packet that pf logged.
fn logged(event: &Event<'_>) -> Option<(Seen, Timestamp, bool)> {
    let (header, packet) = (event.pflog?, event.packet?);
    let seen = Seen {
        src: packet.ip.src?,
        dst: packet.ip.dst?,
        proto: packet.ip.proto?,
        ports: packet.ports().map(|ports| (ports.src, ports.dst)),
        dir: header.dir,
    };
    Some((seen, event.frame.ts, header.action != Action::BLOCK))
}

/// A state: it passes, in the direction of its first packet.
fn of_state(state: &State<'_>) -> Option<Seen> {
    let ends = state.wire_ends();
    let address = |end: End| -> Option<IpAddr> { end.addr };
    let proto = state.wire.proto;
    let ported = matches!(proto, proto::TCP | proto::UDP | proto::SCTP);
    let dir = state.direction;
    Some(Seen {
        src: address(ends.src)?,
        dst: address(ends.dst)?,
        proto,
        ports: ported.then_some((ends.src.port, ends.dst.port)),
        dir: matches!(dir, Direction::IN | Direction::OUT).then_some(dir),
    })
}

/// Reads what pf says, and prints its flows.
pub(super) fn print(
    args: &Args,
    settings: &Settings,
    sources: &Sources,
    rights: Rights,
    page: &mut Page<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Status, Error> {
    let mut flows = Flows::default();
    let mut table = Table::new(MAX_STATES);
    let Some(status) = read(args, settings, rights, &mut flows, &mut table, err)? else {
        if args.cache {
            return Err(Error::Usage(format!("-cache {WITHOUT}")));
        }
        page.note(WITHOUT, out)?;
        return Ok(Status::Done);
    };
    for entry in table.entries() {
        if let Some(seen) = of_state(&entry.state()) {
            flows.add(seen, entry.last(), true);
        }
    }
    if flows.dropped > 0 {
        writeln!(
            err,
            "pfscope: -cache: {} flows are left out: more than {MAX_FLOWS}",
            flows.dropped
        )?;
    }
    let of_now;
    let sas = match &sources.index {
        Some(journal) => journal,
        None => {
            of_now = index(&sources.answers);
            &of_now
        }
    };
    let matcher = Matcher::new(&sources.answers, sas, sources.index.is_some());
    blocks(matcher.rows(&flows), page, out)?;
    Ok(status)
}

/// `None` if nothing was named that could be read.
fn read(
    args: &Args,
    settings: &Settings,
    rights: Rights,
    flows: &mut Flows,
    table: &mut Table,
    err: &mut dyn Write,
) -> Result<Option<Status>, Error> {
    let strict = args.common.strict;
    let workers = || {
        let worker = |_| Decoder { selection: settings.selection.clone() };
        (0..settings.threads).map(worker).collect::<Vec<_>>()
    };
    let mut consume = |told: &mut Told| {
        let groups = told.ops.groups();
        groups.for_each(|group| table.apply(&group, |_, _| {}));
        for &(seen, at, passed) in &told.logged {
            flows.add(seen, at, passed);
        }
        Ok(Consumed {
            frames: told.frames,
            packets: told.logged.len() as u64,
            undecoded: told.undecoded.clone(),
            flow: ControlFlow::Continue(()),
        })
    };
    #[cfg(feature = "live")]
    if !args.device.interfaces.is_empty() {
        return listen(args, settings, rights, workers(), consume, err).map(Some);
    }
    if args.read.is_empty() {
        return Ok(None);
    }
    let mut reading = Reading::printing_at_end(rights, err)?;
    for path in &args.read {
        if reading.file(path, |_| {}, strict, workers(), &mut consume)?.is_break() {
            break;
        }
    }
    Ok(Some(reading.status))
}

/// Reads the device until the time is over: as if SIGINT came then.
#[cfg(feature = "live")]
fn listen(
    args: &Args,
    settings: &Settings,
    rights: Rights,
    workers: Vec<Decoder>,
    consume: impl FnMut(&mut Told) -> std::io::Result<Consumed>,
    err: &mut dyn Write,
) -> Result<Status, Error> {
    use std::sync::mpsc::{RecvTimeoutError, channel};
    let filter = &settings.selection.filter;
    let Some(opened) = live::open(&args.device, filter, <_>::default(), rights, err)? else {
        return Ok(Status::Failed);
    };
    let (over, waits) = channel::<()>();
    let time = args.time;
    let timer = std::thread::spawn(move || {
        if waits.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
            // That it cannot be raised leaves the user's own.
            let _ = signal_hook::low_level::raise(signal_hook::consts::SIGINT);
        }
    });
    let strict = args.common.strict;
    let ended = opened.follow(|_| {}, strict, workers, err, consume);
    drop(over);
    // A timer that panicked has nothing more to say.
    let _ = timer.join();
    Ok(ended?.status)
}
