//! `pfscope rules`: the rules of a file or of a folder, as `--rules` knows them.

use std::io::Write;

use jiff::tz::TimeZone;

use super::args::{Format, Rules as Args};
use super::rights::Rights;
use super::zone::local_zone;
use super::{Error, Status, ruleset};
use crate::rules::{Entry, Kind, Numbers, Ruleset, Snapshot};
use crate::text::escaped;
use crate::time::{Clock, Precision, TimeStyle};

pub(super) fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> Result<Status, Error> {
    let zone = if args.utc { TimeZone::UTC } else { local_zone() };
    let rights = Rights::of(&args.sandbox).with_read([&args.path]);
    rights.announce(err);
    rights.enter(err)?;
    let rules = ruleset::load(&args.path, &zone)?.get();
    ruleset::tell(&rules, err);
    for (at, snapshot) in rules.snapshots().iter().enumerate() {
        match args.format {
            Format::Json => write_json(snapshot, out)?,
            Format::Text => {
                if at > 0 {
                    writeln!(out)?;
                }
                write_text(snapshot, &zone, out)?;
            }
        }
    }
    let whole = rules.without_rules.is_empty()
        && rules.snapshots().iter().all(|s| s.ruleset.listing().unread.is_none());
    Ok(if whole { Status::Done } else { Status::Failed })
}

fn write_json(snapshot: &Snapshot, out: &mut dyn Write) -> Result<(), Error> {
    let ruleset = &snapshot.ruleset;
    let mut ts = Vec::new();
    Clock::new(TimeZone::UTC).push_rfc3339(&mut ts, snapshot.ts, Precision::Micros);
    for entry in &ruleset.listing().entries {
        let mut object = serde_json::Map::new();
        let mut put = |key: &str, value: serde_json::Value| {
            object.insert(key.to_owned(), value);
        };
        put("v", 1.into());
        put("type", "rule".into());
        put("file", escaped_name(snapshot).into());
        put("ts", String::from_utf8_lossy(&ts).into());
        put("checksum", format!("{:016x}", ruleset.checksum()).into());
        if !ruleset.path(entry).is_empty() {
            put("anchor", ruleset.path(entry).into());
        }
        put("kind", entry.line.kind.name().into());
        if let Some(number) = entry.number {
            put("number", number.into());
        }
        if let Some(id) = entry.line.ridentifier {
            put("ridentifier", id.into());
        }
        if let Some(label) = entry.line.labels.first() {
            put("label", label.as_str().into());
        }
        if entry.line.labels.len() > 1 {
            put("labels", entry.line.labels.clone().into());
        }
        put("text", entry.line.text.as_str().into());
        if let Some((uid, pid)) = entry.inserted {
            put("uid", uid.into());
            put("pid", pid.into());
        }
        writeln!(out, "{}", serde_json::Value::from(object))?;
    }
    Ok(())
}

fn escaped_name(snapshot: &Snapshot) -> String {
    escaped(snapshot.path.as_os_str().as_encoded_bytes())
}

/// A heading and a table; a column that would be empty is left out.
fn write_text(snapshot: &Snapshot, zone: &TimeZone, out: &mut dyn Write) -> Result<(), Error> {
    let ruleset = &snapshot.ruleset;
    let entries = &ruleset.listing().entries;
    let mut kept = Vec::new();
    let mut clock = Clock::new(zone.clone());
    clock.push(&mut kept, snapshot.ts, TimeStyle::Date, Precision::Micros);
    // Whole seconds: neither names nor most file systems are finer to any use.
    kept.truncate("2026-11-21 12:00:00".len());
    writeln!(
        out,
        "{}: {} rule{}, kept {}, checksum {:016x}{}",
        escaped_name(snapshot),
        entries.len(),
        if entries.len() == 1 { "" } else { "s" },
        String::from_utf8_lossy(&kept),
        ruleset.checksum(),
        match ruleset.listing().numbers {
            Numbers::Printed => "",
            Numbers::Counted => ", numbers counted",
            Numbers::None => ", without numbers (pf.conf's form)",
        }
    )?;
    let rows: Vec<[String; 6]> = entries.iter().map(|entry| row(ruleset, entry)).collect();
    let heads = ["NR", "LIST", "ANCHOR", "RIDENTIFIER", "LABEL", "RULE"];
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let mut line = |cells: [&str; 6]| -> std::io::Result<()> {
        let mut text = String::new();
        for ((cell, head), width) in cells.into_iter().zip(heads).zip(widths) {
            match (head, width) {
                ("RULE", _) => text.push_str(cell),
                (_, 0) => {}
                _ => text.push_str(&format!("{cell:<width$}  ", width = width.max(head.len()))),
            }
        }
        writeln!(out, "{}", text.trim_end())
    };
    line(heads)?;
    for row in &rows {
        line(row.each_ref().map(String::as_str))?;
    }
    Ok(())
}

fn row(ruleset: &Ruleset, entry: &Entry) -> [String; 6] {
    let some = |number: Option<u32>| number.map_or_else(String::new, |n| n.to_string());
    let text = |text: &str| escaped(text.as_bytes());
    let kind = if entry.line.kind == Kind::Filter { "" } else { entry.line.kind.name() };
    [
        some(entry.number),
        kind.to_owned(),
        text(ruleset.path(entry)),
        some(entry.line.ridentifier),
        text(&entry.line.labels.join(", ")),
        text(&entry.line.text),
    ]
}
