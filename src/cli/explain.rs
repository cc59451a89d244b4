//! `pfscope explain`: one packet in plain words.

use std::io::Write;
use std::ops::ControlFlow;

use super::args::Explain as Args;
use super::join::{self, Join};
use super::reading::{Consumed, Reading, Settings};
use super::ruleset;
use super::selection::{Selection, Undecoded};
use super::{Error, Status};
use crate::capture::Batch;
use crate::capture::offset::Offsets;
use crate::engine::Work;
use crate::sink::explain::explain;
use crate::text::escaped;
use crate::time::Clock;
use crate::wire::writer::Writer;

/// A worker that looks for the frame.
struct Finder {
    selection: Selection,
    clock: Clock,
    frame: u64,
}

/// What it found.
#[derive(Default)]
struct Findings {
    /// Number of the batch's last frame.
    last: u64,
    text: Vec<u8>,
}

impl Work for Finder {
    type Output = Findings;

    fn work(&mut self, batch: &Batch, writers: &[Writer], output: &mut Findings) {
        let records = u64::try_from(batch.records.len()).unwrap_or(u64::MAX);
        output.last = batch.first_frame.saturating_add(records).saturating_sub(1);
        output.text.clear();
        if !(batch.first_frame..=output.last).contains(&self.frame) {
            return;
        }
        let has_rules = self.selection.rules.is_some();
        self.selection.each(batch, writers, |event| {
            if event.frame.number == self.frame {
                explain(&mut output.text, event, &mut self.clock, has_rules);
            }
        });
    }
}

pub(super) fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> Result<Status, Error> {
    let mut settings = Settings::new(&args.common, "", false)?;
    ruleset::provide(&mut settings, args.from.rules.as_deref(), err)?;
    let Some((path, others)) = args.read.split_first() else { return Ok(Status::Done) };
    let feeds: Vec<_> = others.iter().filter(|path| join::tells_of_states(path)).cloned().collect();
    let finder = |_| Finder {
        selection: settings.selection.clone(),
        clock: Clock::new(settings.zone.clone()),
        frame: args.frame,
    };
    let (mut found, mut last) = (Vec::new(), 0);
    let consume = |findings: &mut Findings| {
        last = findings.last;
        found.append(&mut findings.text);
        let flow =
            if last >= args.frame { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        // A frame that cannot be read says so in its own words.
        Ok(Consumed { undecoded: Undecoded::default(), flow })
    };
    let mut join = Join::new(&feeds, &Offsets::default());
    let mut reading = Reading::new(err);
    let workers = (0..settings.threads).map(finder).collect();
    let prepare = move |batch: &mut Batch| join.prepare(batch);
    // Whether it was found is told by what was written.
    let _ = reading.file(path, prepare, args.common.strict, workers, consume)?;
    let status = reading.status;
    out.write_all(&found)?;
    if found.is_empty() && status == Status::Done {
        let name = escaped(path.as_os_str().as_encoded_bytes());
        let records = if last == 1 { "record" } else { "records" };
        let _ = writeln!(
            err,
            "pfscope: {name}: frame {} is not there, the file has {last} {records}",
            args.frame
        );
        return Ok(Status::Failed);
    }
    Ok(status)
}
