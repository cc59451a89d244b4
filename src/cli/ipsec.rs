//! `pfscope ipsec`: the journal of an IKE daemon's SAs, and what tunnels have carried.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use serde_json::json;

use super::args::{Format, Ipsec, IpsecCommand, Record, Totals};
use super::reading::Interrupt;
use super::rights::Rights;
use super::tunnels::{journal, warn};
use super::{Error, Status};
use crate::ipsec::feed::{Feed, now};
use crate::ipsec::journal::{self, Journal, Limits, Writer};
use crate::ipsec::services::Services;
use crate::ipsec::totals::{Name, Total};
use crate::ipsec::{GRACE, Table};
use crate::text::{escaped, push_json_escaped};
use crate::time::{Clock, Precision, Timestamp};
use crate::vici::message::Section;

/// How long the daemon's events are waited for before the stop flag is looked at.
const WAIT: Duration = Duration::from_millis(200);
/// How long the last list is waited for.
const LAST_LIST: Duration = Duration::from_secs(1);
const MEGABYTE: u64 = 1_000_000;

pub(super) fn run(args: &Ipsec, out: &mut dyn Write, err: &mut dyn Write) -> Result<Status, Error> {
    match &args.command {
        IpsecCommand::Report(args) => super::report::run(args, out, err),
        IpsecCommand::Record(args) => record(args, err),
        IpsecCommand::Totals(args) => totals(args, out, err),
    }
}

fn record(args: &Record, err: &mut dyn Write) -> Result<Status, Error> {
    let interrupt = Interrupt::new()?;
    warn(&args.vici, err);
    let rights = Rights::of(&args.sandbox)
        .with_saved(Some(&args.to))
        .with_daemon(Some(&args.vici))
        .with_interfaces();
    rights.announce(err);
    rights.enter(err)?;
    let stop = Arc::clone(&interrupt.flag);
    interrupt.watch();
    let name = args.to.display();
    let limits = Limits {
        size: args.size.map(|size| size * MEGABYTE),
        age: args.age.map(Duration::from_secs),
        keep: args.keep,
    };
    // Totals go on from where the journal ends.
    let mut table = Table::new(GRACE, Services::of_system());
    let mut before = Journal::new(GRACE);
    if before.add(&args.to).is_ok() {
        table.set_totals(before.table().totals().clone());
    }
    drop(before);
    let failed = |error: std::io::Error| Error::Usage(format!("--to {name}: {error}"));
    let mut writer = Writer::open(&args.to, limits, now()).map_err(failed)?;
    begin(&mut writer, &table)?;
    let feed = Feed::recording(args.vici.clone(), Duration::from_secs(args.every))?;
    // What the file has of each kind.
    let mut kept: HashMap<Vec<u8>, Vec<Section>> = HashMap::new();
    let (mut listing, mut up) = (false, false);
    // The last list has what SAs have carried until the end.
    let mut last: Option<Instant> = None;
    while last.is_none_or(|asked| up && asked.elapsed() < LAST_LIST) {
        let records = feed.next_within(WAIT);
        let (mut lost, mut listed) = (false, false);
        for (at, record) in &records {
            match record {
                journal::Record::Down(why) => {
                    up = false;
                    writeln!(err, "pfscope: {why}; trying again")?;
                }
                journal::Record::Up => {
                    up = true;
                    writeln!(err, "pfscope: {}: connected", args.vici)?;
                }
                journal::Record::Listed { .. } => listed = true,
                _ => {}
            }
            // A file begins with a list.
            if !listing && is_listed(record) && writer.is_full(now()) {
                writer.rotate(now())?;
                begin(&mut writer, &table)?;
                kept.clear();
            }
            listing = is_listed(record);
            table.apply(*at, record);
            if let journal::Record::Snapshot(name, sections) = record {
                if kept.get(name) == Some(sections) {
                    continue;
                }
                kept.insert(name.clone(), sections.clone());
            }
            writer.record(*at, record)?;
            lost |= matches!(record, journal::Record::Dropped(_));
        }
        table.forget(now());
        if last.is_some() && listed {
            break;
        }
        let ends = last.is_none() && stop.load(Ordering::Relaxed);
        if ends {
            last = Some(Instant::now());
        }
        if lost || ends {
            feed.refresh();
        }
    }
    let (at, totals) = (now(), table.totals().clone());
    writer.record(at, &journal::Record::Totals(totals))?;
    Ok(Status::Done)
}

/// True of a list's SAs.
fn is_listed(record: &journal::Record) -> bool {
    matches!(record, journal::Record::Event(name, _) if name == b"list-sa")
}

/// What a file of a journal begins with.
fn begin(writer: &mut Writer, table: &Table) -> Result<(), Error> {
    writer.record(now(), &journal::Record::Start)?;
    writer.record(now(), &journal::Record::Totals(table.totals().clone()))?;
    Ok(())
}

fn totals(args: &Totals, out: &mut dyn Write, err: &mut dyn Write) -> Result<Status, Error> {
    // What ports are called is out of reach later on.
    let _ = Services::of_system();
    let rights = Rights::of(&args.sandbox).with_read(&args.sas);
    rights.announce(err);
    rights.enter(err)?;
    let (journal, whole) = journal(&args.sas, err)?;
    let totals = journal.table().totals();
    let tunnels = totals.tunnels();
    match args.format {
        Format::Json => {
            tunnels.iter().try_for_each(|(name, total)| print_json(name, total, out))?
        }
        Format::Text => {
            let mut rows = vec![HEAD.map(str::to_owned)];
            rows.extend(tunnels.iter().map(|(name, total)| row(name, total)));
            print_rows(&rows, out)?;
        }
    }
    if totals.uncounted() > 0 {
        writeln!(err, "pfscope: {} CHILD_SAs are not in it: too many tunnels", totals.uncounted())?;
    }
    Ok(if whole { Status::Done } else { Status::Failed })
}

const HEAD: [&str; 8] =
    ["ike", "child", "reqid", "SAs", "bytes in", "packets in", "bytes out", "packets out"];

fn row(name: &Name, total: &Total) -> [String; 8] {
    let counters = total.counters;
    [
        escaped(&name.ike),
        escaped(&name.child),
        name.reqid.map_or_else(|| "-".to_owned(), |reqid| reqid.to_string()),
        total.sas.to_string(),
        counters.bytes_in.to_string(),
        counters.packets_in.to_string(),
        counters.bytes_out.to_string(),
        counters.packets_out.to_string(),
    ]
}

/// Names to the left, numbers to the right.
fn print_rows(rows: &[[String; 8]], out: &mut dyn Write) -> Result<(), Error> {
    let mut widths = [0; 8];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    for row in rows {
        let mut line = String::new();
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let cell =
                if column < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
            line.push_str(if column == 0 { "" } else { "  " });
            line.push_str(&cell);
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn print_json(name: &Name, total: &Total, out: &mut dyn Write) -> Result<(), Error> {
    let text = |bytes: &[u8]| {
        let mut quoted = vec![b'"'];
        push_json_escaped(&mut quoted, bytes);
        quoted.push(b'"');
        serde_json::from_slice::<serde_json::Value>(&quoted).unwrap_or_default()
    };
    let time = |at: Timestamp| {
        let mut out = Vec::new();
        Clock::new(TimeZone::UTC).push_rfc3339(&mut out, at, Precision::Micros);
        String::from_utf8_lossy(&out).into_owned()
    };
    let counters = total.counters;
    let mut line = json!({"v": 1, "ike": text(&name.ike), "child": text(&name.child)});
    let more = json!({
        "sas": total.sas, "first": time(total.first), "last": time(total.last),
        "bytes_in": counters.bytes_in, "packets_in": counters.packets_in,
        "bytes_out": counters.bytes_out, "packets_out": counters.packets_out,
    });
    if let (Some(line), serde_json::Value::Object(more)) = (line.as_object_mut(), more) {
        if let Some(reqid) = name.reqid {
            line.insert("reqid".to_owned(), reqid.into());
        }
        line.extend(more);
    }
    writeln!(out, "{line}")?;
    Ok(())
}
