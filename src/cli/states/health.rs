//! The page of `pfscope states --health`: what is wrong first, then the numbers.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use crate::states::Report;

/// The report as an object of its own kind.
#[derive(Serialize)]
struct Object<'r> {
    v: u8,
    r#type: &'static str,
    #[serde(flatten)]
    report: &'r Report,
}

/// Writes the report as JSON, on one line.
pub(super) fn write_json(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Object { v: 1, r#type: "health", report })?;
    writeln!(out)
}

/// Writes the page.
pub(super) fn write_page(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let (Some(from), Some(to)) = (&report.from, &report.to) else {
        return writeln!(out, "no pfsync packet was seen");
    };
    writeln!(out, "{from} to {to} ({:.0} s)", report.seconds)?;
    writeln!(out, "\nFindings")?;
    if report.findings.is_empty() {
        let seen = if report.senders.len() == 1 { ", but only one side was seen" } else { "" };
        writeln!(out, "  nothing is wrong{seen}")?;
    }
    for finding in &report.findings {
        writeln!(out, "  {:<8} {}", finding.severity.name(), finding.sentence)?;
    }
    for sender in &report.senders {
        writeln!(out, "\nSender {}", sender.sender)?;
        writeln!(out, "  packets   {} (largest {} bytes)", sender.frames, sender.longest)?;
        writeln!(out, "  versions  {}", counts(&sender.versions))?;
        if !sender.layouts.is_empty() {
            writeln!(out, "  layouts   {}", counts(&sender.layouts))?;
        }
        if !sender.creatorids.is_empty() {
            writeln!(out, "  creators  {}", sender.creatorids.join(" "))?;
        }
        rates(&sender.messages, &sender.messages_per_s, out)?;
    }
    for creator in &report.creators {
        writeln!(out, "\nCreator {}", creator.creatorid)?;
        rates(&creator.messages, &creator.messages_per_s, out)?;
        for bulk in &creator.bulks {
            match (&bulk.end, bulk.seconds) {
                (Some(end), Some(seconds)) => writeln!(
                    out,
                    "  bulk      {} to {end} ({seconds:.1} s), {} states",
                    bulk.start, bulk.states
                )?,
                _ => {
                    writeln!(out, "  bulk      {}, not ended, {} states", bulk.start, bulk.states)?
                }
            }
        }
    }
    Ok(())
}

fn counts<K: std::fmt::Display>(map: &BTreeMap<K, u64>) -> String {
    let words: Vec<String> = map.iter().map(|(word, count)| format!("{word}: {count}")).collect();
    words.join(", ")
}

/// Messages by action, with how many a second.
fn rates(
    messages: &BTreeMap<&'static str, u64>,
    per_s: &BTreeMap<&'static str, f64>,
    out: &mut dyn Write,
) -> io::Result<()> {
    for (action, count) in messages {
        let rate = per_s.get(action).copied().unwrap_or_default();
        writeln!(out, "  {action:<9} {count:>10}  {rate:>10.2}/s")?;
    }
    Ok(())
}
