//! Printing reports: text or JSON, once or again and again, or what has changed.

use std::collections::HashMap;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::mem::take;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json, json};

use super::super::args::{Format, Report as Args};
use super::super::reading::{Interrupt, Settings};
use super::super::rights::Rights;
use super::super::{Error, Status};
use super::print;
use crate::ipsec::report::diff::{Change, Old};
use crate::ipsec::report::text::Reasons;
use crate::ipsec::report::{Form, json as blocks, text};
use crate::text::escaped;

/// How often the end is looked for.
const TICK: Duration = Duration::from_millis(50);
const CLEAR: &[u8] = b"\x1b[H\x1b[2J\x1b[3J";
const REVERSE: [&[u8]; 2] = [b"\x1b[7m", b"\x1b[m"];

/// What tells a block from the others.
type Key = (&'static str, Vec<u8>);

/// How reports are printed.
pub(super) struct Page<'a> {
    args: &'a Args,
    /// Several reports have their names above them.
    named: bool,
    /// The option of the report that is being printed.
    option: &'static str,
    old: Option<Old>,
    reasons: Reasons,
    /// Blocks of the report that is being printed.
    count: usize,
    marks: Option<Marks>,
    buffer: Vec<u8>,
}

/// The blocks of the page before, to see what has changed.
#[derive(Default)]
struct Marks {
    color: bool,
    before: HashMap<Key, Vec<u8>>,
    now: HashMap<Key, Vec<u8>>,
    /// There is a page before.
    again: bool,
}

impl<'a> Page<'a> {
    pub(super) fn new(args: &'a Args) -> Result<Self, Error> {
        let old = match &args.diff {
            None => None,
            Some(path) => {
                let wrong =
                    |what: String| Error::Usage(format!("--diff {}: {what}", path.display()));
                let text = fs::read(path).map_err(|error| wrong(error.to_string()))?;
                let old = Old::read(&text);
                Some(old.map_err(|line| {
                    wrong(format!(
                        "line {line} is no block of a report: write one with --format json"
                    ))
                })?)
            }
        };
        let named = super::Kind::wanted(args).len() > 1;
        let (reasons, buffer) = (Reasons::default(), Vec::new());
        Ok(Self { args, named, option: "", old, reasons, count: 0, marks: None, buffer })
    }

    fn is_text(&self) -> bool {
        self.args.format == Format::Text
    }

    /// A report begins.
    pub(super) fn begin(&mut self, option: &'static str, out: &mut dyn Write) -> io::Result<()> {
        (self.count, self.option) = (0, option);
        self.reasons = Reasons::default();
        if self.is_text() && self.named {
            writeln!(out, "\nREPORT: ipsec_report {option}")?;
        }
        Ok(())
    }

    /// A line above blocks that have none of their own.
    pub(super) fn title(&self, title: &str, out: &mut dyn Write) -> io::Result<()> {
        if self.is_text() && self.old.is_none() {
            writeln!(out, "{title}")?;
        }
        Ok(())
    }

    /// Why a report cannot be made.
    pub(super) fn note(&mut self, why: &str, out: &mut dyn Write) -> io::Result<()> {
        self.count += 1;
        match self.args.format {
            Format::Text => writeln!(out, "n/a: {}", escaped(why.as_bytes())),
            Format::Json => {
                let note = json!({"v": 1, "type": "note", "id": self.option, "why": why});
                writeln!(out, "{note}")
            }
        }
    }

    /// A block.
    pub(super) fn block(&mut self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        self.count += 1;
        if self.args.explain {
            self.reasons.add(&form, self.args.verbose);
        }
        if let Some(old) = &mut self.old {
            let change = old.compare(blocks::object(&form));
            return change.map_or(Ok(()), |change| self.change(change, out));
        }
        let mut line = take(&mut self.buffer);
        line.clear();
        match self.args.format {
            Format::Json => {
                serde_json::to_writer(&mut line, &blocks::object(&form))?;
                line.push(b'\n');
            }
            Format::Text => text::push(&mut line, &form, self.args.verbose),
        }
        let written = match &mut self.marks {
            None => out.write_all(&line),
            Some(marks) => marks.print((form.kind, form.id), &line, out),
        };
        self.buffer = line;
        written
    }

    /// A report ends.
    pub(super) fn end(&mut self, kinds: &[&str], out: &mut dyn Write) -> io::Result<()> {
        if let Some(old) = &mut self.old {
            for change in old.removed(kinds) {
                self.change(change, out)?;
            }
        } else if self.count == 0 && self.is_text() {
            writeln!(out, "(none)")?;
        }
        // In JSON every block says it itself.
        if self.args.explain && self.is_text() {
            let mut lines = Vec::new();
            self.reasons.push(&mut lines);
            out.write_all(&lines)?;
        }
        Ok(())
    }

    fn change(&self, change: Change, out: &mut dyn Write) -> io::Result<()> {
        if self.args.format == Format::Json {
            let object = match change {
                Change::Added(block) => {
                    json!({"v": 1, "type": "change", "change": "added", "block": block})
                }
                Change::Removed(block) => {
                    json!({"v": 1, "type": "change", "change": "removed", "block": block})
                }
                Change::Changed { kind, id, fields } => {
                    let fields = fields.into_iter().map(|(path, before, now)| {
                        let mut field = Map::new();
                        field.insert("field".to_owned(), path.into());
                        for (key, value) in [("before", before), ("now", now)] {
                            if let Some(value) = value {
                                field.insert(key.to_owned(), value);
                            }
                        }
                        Json::Object(field)
                    });
                    let fields: Vec<Json> = fields.collect();
                    json!({"v": 1, "type": "change", "change": "changed", "of": kind, "id": id,
                           "fields": fields})
                }
            };
            return writeln!(out, "{object}");
        }
        let name = |block: &Map<String, Json>| {
            let text = |key: &str| block.get(key).and_then(Json::as_str).unwrap_or_default();
            printable(&format!("{} {}", text("type"), text("id")))
        };
        match change {
            Change::Added(block) => writeln!(out, "+ {}", name(&block)),
            Change::Removed(block) => writeln!(out, "- {}", name(&block)),
            Change::Changed { kind, id, fields } => {
                writeln!(out, "~ {}", printable(&format!("{kind} {id}")))?;
                for (path, before, now) in fields {
                    let word = |value: Option<Json>| match value {
                        None => "n/a".to_owned(),
                        Some(Json::String(text)) => printable(&text),
                        Some(value) => value.to_string(),
                    };
                    let path = printable(&path);
                    writeln!(out, "    {path}: {} -> {}", word(before), word(now))?;
                }
                Ok(())
            }
        }
    }
}

/// Text of JSON, in which bytes that are no text are written `\xNN` already.
fn printable(text: &str) -> String {
    let parts: Vec<String> = text.split('\\').map(|part| escaped(part.as_bytes())).collect();
    parts.join("\\")
}

impl Marks {
    /// A block, its lines that are others than before in reverse, or where there is no colour with
    /// a mark at their end.
    fn print(&mut self, key: Key, block: &[u8], out: &mut dyn Write) -> io::Result<()> {
        let before = self.before.get(&key).map_or(&[][..], Vec::as_slice);
        let mut old = before.split(|&c| c == b'\n');
        for line in block.split_inclusive(|&c| c == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let [on, off]: [&[u8]; 2] = match (self.again && old.next() != Some(line), self.color) {
                (false, _) => [b"", b""],
                (true, true) => REVERSE,
                (true, false) => [b"", b" <"],
            };
            out.write_all(&[on, line, off, b"\n"].concat())?;
        }
        self.now.insert(key, block.to_vec());
        Ok(())
    }

    fn next_page(&mut self) {
        self.before = take(&mut self.now);
        self.again = true;
    }
}

/// Prints again and again, until SIGINT or SIGTERM.
pub(super) fn watch(
    args: &Args,
    settings: &Settings,
    every: Duration,
    rights: &mut Option<Rights>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Status, Error> {
    let stop = Interrupt::watched()?;
    let mut page = Page::new(args)?;
    let is_terminal = io::stdout().is_terminal() && args.format == Format::Text;
    if is_terminal {
        page.marks = Some(Marks { color: settings.color, ..Marks::default() });
    }
    let mut status = Status::Done;
    while !stop.load(Ordering::Relaxed) {
        let begin = Instant::now();
        // A page in one piece does not flicker.
        let mut whole = if is_terminal { CLEAR.to_vec() } else { Vec::new() };
        status = print(args, settings, rights, &mut page, &mut whole, err)?;
        if !is_terminal && args.format == Format::Text {
            whole.push(b'\n');
        }
        out.write_all(&whole)?;
        out.flush()?;
        if let Some(marks) = &mut page.marks {
            marks.next_page();
        }
        while begin.elapsed() < every && !stop.load(Ordering::Relaxed) {
            thread::sleep(TICK);
        }
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_changed_is_marked() {
        let mut marks = Marks::default();
        let page = |marks: &mut Marks, block: &str| {
            let mut out = Vec::new();
            marks.print(("sa", b"a".to_vec()), block.as_bytes(), &mut out).unwrap();
            marks.next_page();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(page(&mut marks, "SPI: 1\nbytes: 5\n"), "SPI: 1\nbytes: 5\n", "the first");
        assert_eq!(page(&mut marks, "SPI: 1\nbytes: 6\n"), "SPI: 1\nbytes: 6 <\n");
        assert_eq!(page(&mut marks, "SPI: 1\nbytes: 6\n"), "SPI: 1\nbytes: 6\n");
        marks.color = true;
        assert_eq!(page(&mut marks, "SPI: 2\nbytes: 6\n"), "\x1b[7mSPI: 2\x1b[m\nbytes: 6\n");
        assert_eq!(printable("o\\xff\n\x1b"), "o\\xff\\x0a\\x1b");
    }
}
