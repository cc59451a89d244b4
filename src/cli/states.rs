//! `pfscope states`: follows pfsync and prints the state table that it tells of, or how well the
//! firewalls tell each other.

mod health;

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use super::args::{Format, SortBy, States as Args};
use super::reading::{Consumed, Reading, Settings};
use super::rights::Rights;
use super::ruleset;
use super::selection::{Selection, Undecoded};
use super::{Error, Status};
use crate::capture::Batch;
use crate::engine::Work;
use crate::event::{Event, Frame, Kind};
use crate::filter::Filter;
use crate::pf::SyncAction;
use crate::sink::json;
use crate::states::{Entry, Facts, Guard, Health, Ops, Sort, Table, Verbosity, push_state};
use crate::time::{Clock, Precision, Timestamp};
use crate::wire::link::LinkType;
use crate::wire::pfsync::{Body, Message};
use crate::wire::writer::Writer;

/// A worker that turns frames into what the table is told.
struct Decoder {
    selection: Selection,
}

/// What a batch tells the table.
#[derive(Default)]
struct Told {
    ops: Ops,
    frames: u64,
    packets: u64,
    undecoded: Undecoded,
}

impl Work for Decoder {
    type Output = Told;

    fn work(&mut self, batch: &Batch, writers: &[Writer], output: &mut Told) {
        output.ops.clear();
        output.frames = batch.records.len() as u64;
        output.packets = 0;
        output.undecoded = self.selection.each(batch, writers, |event| {
            output.ops.add(Facts::of(event), event.pfsync.as_ref());
            output.packets += 1;
        });
    }
}

/// The table, what goes by, and up to when it is followed.
struct Follower {
    table: Table,
    health: Health,
    guard: Guard,
    at: Option<Timestamp>,
}

impl Follower {
    fn consume(&mut self, told: &Told) -> Consumed {
        let mut flow = ControlFlow::Continue(());
        let Self { table, health, guard, at } = self;
        for packet in told.ops.packets() {
            let facts = packet.facts;
            if at.is_some_and(|at| facts.ts > at) {
                flow = ControlFlow::Break(());
                break;
            }
            health.frame(facts);
            for suspicion in guard.check(facts) {
                health.suspect(suspicion, facts.ts);
            }
            for group in packet.groups() {
                health.messages(&group);
                table.apply(&group, |op, outcome| health.outcome(&group, op, outcome));
                guard.follow(&group, |suspicion| health.suspect(suspicion, facts.ts));
            }
        }
        let (packets, undecoded) = (told.packets, told.undecoded.clone());
        Consumed { frames: told.frames, packets, undecoded, flow }
    }
}

pub(super) fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> Result<Status, Error> {
    // The filter chooses among the states at the end; the table needs every message.
    let filter = args.filter.join(" ");
    let mut settings = Settings::new(&args.common, &filter, false)?;
    ruleset::provide(&mut settings, None, err)?;
    let everything = Settings::new(&args.common, "pfsync or undecoded", false)?.selection;
    let at = args.at.as_deref().map(|text| Timestamp::parse(text, &settings.zone)).transpose();
    let at = at.map_err(|wrong| Error::Usage(format!("--at: {wrong}")))?;
    #[cfg(feature = "live")]
    if let Some(status) = super::live::instead(&args.device, &everything.filter, out, err)? {
        return Ok(status);
    }
    let mut follower = Follower {
        table: Table::new(args.max_states as usize),
        health: Health::new(),
        guard: Guard::new(args.peers.clone()),
        at,
    };
    let status = follow(args, &settings, &everything, &mut follower, err)?;
    if let Some(at) = at {
        follower.table.expire(at);
    }
    if args.health {
        let report = follower.health.report();
        match args.format {
            Format::Text => health::write_page(&report, out)?,
            Format::Json => {
                health::write_json(&report, out)?;
            }
        }
        return Ok(status);
    }
    print(args, &settings, &follower.table, out)?;
    let counters = follower.table.counters();
    if counters.dropped > 0 {
        writeln!(
            err,
            "pfscope: {} states were dropped, the oldest first: more than --max-states {}",
            counters.dropped, args.max_states
        )?;
    }
    Ok(status)
}

fn follow(
    args: &Args,
    settings: &Settings,
    everything: &Selection,
    follower: &mut Follower,
    err: &mut dyn Write,
) -> Result<Status, Error> {
    let workers = || {
        let worker = |_| Decoder { selection: everything.clone() };
        (0..settings.threads).map(worker).collect::<Vec<_>>()
    };
    let rights = Rights::new(&args.common, args.verbose > 0);
    #[cfg(feature = "live")]
    let rights = rights.with_devices(&args.device, err);
    #[cfg(feature = "live")]
    if !args.device.interfaces.is_empty() {
        let (strict, workers) = (args.common.strict, workers());
        let consume = |told: &mut Told| Ok(follower.consume(told));
        let filter = &everything.filter;
        let Some(opened) = super::live::open(&args.device, filter, <_>::default(), rights, err)?
        else {
            return Ok(Status::Failed);
        };
        return Ok(opened.follow(|_| {}, strict, workers, err, consume)?.status);
    }
    if args.read.is_empty() {
        return Err(Error::Usage("nothing to follow: name a capture file with -r FILE".to_owned()));
    }
    let mut reading = Reading::printing_at_end(rights.with_files(&args.read), err)?;
    for path in &args.read {
        let path: &Path = path;
        let consume = |told: &mut Told| Ok(follower.consume(told));
        if reading.file(path, |_| {}, args.common.strict, workers(), consume)?.is_break() {
            break;
        }
    }
    Ok(reading.status)
}

fn print(args: &Args, settings: &Settings, table: &Table, out: &mut dyn Write) -> io::Result<()> {
    let sort = match args.sort {
        SortBy::None => Sort::None,
        SortBy::Age => Sort::Age,
        SortBy::Bytes => Sort::Bytes,
        SortBy::Packets => Sort::Packets,
        SortBy::Rate => Sort::Rate,
    };
    let verbosity = match (args.quiet, args.verbose) {
        (true, 0) => Verbosity::Plain,
        (true, 1) => Verbosity::Verbose,
        _ => Verbosity::VeryVerbose,
    };
    let mut clock = Clock::new(jiff::tz::TimeZone::UTC);
    let mut lines = Vec::new();
    for entry in table.sorted(sort) {
        if !is_wanted(&settings.selection.filter, &entry) {
            continue;
        }
        lines.clear();
        match args.format {
            Format::Text => push_state(&mut lines, &entry.state(), verbosity),
            Format::Json => push_json(&mut lines, &entry, &mut clock),
        }
        out.write_all(&lines)?;
    }
    Ok(())
}

/// A state matches as a message that tells of it would.
fn is_wanted(filter: &Filter, entry: &Entry<'_>) -> bool {
    let state = entry.state();
    let message = Message {
        action: SyncAction::Upd,
        layout: Some(state.layout),
        index: 0,
        nth: 0,
        count: 1,
        offset: 0,
        bytes: &[],
        body: Body::State(state),
    };
    let frame = Frame { ts: entry.last(), ..Frame::new(LinkType::PFSYNC, &[]) };
    filter.matches_message(&Event::new(frame, Kind::Pfsync), &message)
}

fn push_json(out: &mut Vec<u8>, entry: &Entry<'_>, clock: &mut Clock) {
    out.extend_from_slice(b"{\"v\":1,\"type\":\"state\",\"first\":\"");
    clock.push_rfc3339(out, entry.first(), Precision::Micros);
    out.extend_from_slice(b"\",\"last\":\"");
    clock.push_rfc3339(out, entry.last(), Precision::Micros);
    out.extend_from_slice(b"\",\"messages\":");
    crate::text::push_dec(out, entry.messages());
    if let Some(sender) = entry.sender() {
        out.extend_from_slice(b",\"sender\":\"");
        crate::text::push_ip(out, sender);
        out.push(b'"');
    }
    out.extend_from_slice(b",\"state\":");
    json::push_state(out, &entry.state());
    out.extend_from_slice(b"}\n");
}
