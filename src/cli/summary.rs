//! `pfscope summary`: the files are read to their end, then one page or one object is printed.

use std::io::{IsTerminal, Write, stdout};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::args::{Format, Summary as Args};
use super::reading::{Consumed, Reading, Settings};
use super::rights::Rights;
use super::ruleset;
use super::selection::{Seen, Selection, Undecoded};
use super::{Error, Status};
use crate::capture::Batch;
use crate::engine::Work;
use crate::pf::Systems;
use crate::summary::{File, Options, Style, Summary, Text};
use crate::wire::writer::Writer;

/// Columns where there is no terminal to ask.
const WIDTH: usize = 80;

/// A worker that counts. What it has counted outlives it.
struct Counter {
    selection: Selection,
    summary: Arc<Mutex<Summary>>,
}

/// What a batch tells of its file.
#[derive(Default)]
struct Counted {
    records: u64,
    link_type: Option<u32>,
    systems: Option<Systems>,
    undecoded: Undecoded,
}

impl Work for Counter {
    type Output = Counted;

    fn work(&mut self, batch: &Batch, writers: &[Writer], output: &mut Counted) {
        let mut summary = self.summary.lock().unwrap_or_else(PoisonError::into_inner);
        let mut systems = None;
        let undecoded = self.selection.each_glance(batch, writers, |seen| {
            match seen {
                Seen::Glance(frame, glance) => {
                    systems = Some(glance.systems());
                    summary.observe_glance(frame, glance);
                }
                Seen::Event(event) => {
                    systems = event.pflog.map(|header| header.systems).or(systems);
                    summary.observe(event);
                }
            }
            true
        });
        let link_type = batch.interfaces.first().map(|interface| interface.link.0);
        let records = batch.records.len() as u64;
        *output = Counted { records, link_type, systems, undecoded };
    }
}

pub(super) fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> Result<Status, Error> {
    let filter = args.filter.as_deref().unwrap_or_default();
    let mut settings = Settings::new(&args.common, filter, false)?;
    ruleset::provide(&mut settings, args.from.rules.as_deref(), err)?;
    // Which frames come before the first that cannot be decoded is clear to one worker only.
    let threads = if args.common.strict { 1 } else { settings.threads };
    let options = Options { workers: threads, ..Options::default() };
    let summaries: Vec<Arc<Mutex<Summary>>> =
        (0..threads).map(|_| Arc::new(Mutex::new(Summary::new(options)))).collect();
    let rights = Rights::new(&args.common, false).with_files(&args.files);
    let (mut reading, mut files) = (Reading::printing_at_end(rights, err)?, Vec::new());
    for path in &args.files {
        let counter = |summary| Counter {
            selection: settings.selection.clone(),
            summary: Arc::clone(summary),
        };
        let workers = summaries.iter().map(counter).collect();
        let mut file = None;
        let consume = |counted: &mut Counted| {
            let file = file.get_or_insert_with(|| unread(path));
            *file.records.get_or_insert(0) += counted.records;
            file.link_type = file.link_type.or(counted.link_type);
            file.os = counted.systems.map(Systems::name).or(file.os);
            Ok(Consumed {
                frames: counted.records,
                packets: counted.records,
                undecoded: std::mem::take(&mut counted.undecoded),
                flow: ControlFlow::Continue(()),
            })
        };
        let flow = reading.file(path, |_| {}, args.common.strict, workers, consume)?;
        files.extend(file);
        if flow.is_break() {
            break;
        }
    }
    let status = reading.status;
    let taken = |summary: &Arc<Mutex<Summary>>| {
        let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *summary, Summary::new(options))
    };
    let Some(mut summary) = summaries.iter().map(taken).reduce(|mut all, one| {
        all.merge(one);
        all
    }) else {
        return Ok(status);
    };
    let mut report = summary.report(args.top);
    report.files = files;
    let mut page = Vec::new();
    match args.format {
        Format::Json => report.write_json(&mut page, false),
        Format::Text => {
            let style = Style {
                width: width(),
                color: settings.color,
                ascii: !is_utf8(),
                zone: settings.zone,
            };
            report.write_page(&mut page, &style);
        }
    }
    if page.last() != Some(&b'\n') {
        page.push(b'\n');
    }
    out.write_all(&page)?;
    Ok(status)
}

fn unread(path: &Path) -> File {
    let name = Text(path.as_os_str().as_encoded_bytes().to_vec());
    File { name, records: None, os: None, link_type: None }
}

fn width() -> usize {
    if !stdout().is_terminal() {
        return WIDTH;
    }
    terminal_size::terminal_size().map_or(WIDTH, |(width, _)| usize::from(width.0))
}

/// True if the locale's characters are UTF-8: the first of these variables that is set tells.
fn is_utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(std::env::var_os)
        .find(|value| !value.is_empty());
    locale.is_some_and(|value| {
        let value = value.to_string_lossy().to_lowercase();
        value.contains("utf-8") || value.contains("utf8")
    })
}
