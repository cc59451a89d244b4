//! A report as a page for a terminal.
//!
//! No line is wider than asked (40 columns are the least). All names on it are escaped, so its
//! text is ASCII but for the bars.

use jiff::tz::TimeZone;

use super::figures::{cut, grouped, percent, size, span};
use super::report::{Code, Report, Step, TimeBucket, Top};
use super::timeline::step_for;
use crate::event::Join;
use crate::text::{escaped, push_ip};
use crate::time::{Clock, Precision, TimeStyle, Timestamp};

/// How a page looks.
#[derive(Debug, Clone)]
pub struct Style {
    /// Columns of the terminal.
    pub width: usize,
    /// Block red, pass green, match yellow, as ANSI sequences.
    pub color: bool,
    /// Bars of `#` instead of block characters.
    pub ascii: bool,
    /// Where the clock that the times are shown by stands.
    pub zone: TimeZone,
}

impl Default for Style {
    fn default() -> Self {
        Self { width: 80, color: false, ascii: false, zone: TimeZone::UTC }
    }
}

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RESET: &str = "\x1b[0m";

const MIN_WIDTH: usize = 40;
/// A longer bar says no more.
const MAX_BAR: usize = 60;
/// More of a rule's name leaves no room for its bar.
const NAME_WIDTH: usize = 32;
/// Lines of the timeline.
const TIME_ROWS: usize = 30;

impl Report {
    /// Appends the page.
    pub fn write_page(&self, out: &mut Vec<u8>, style: &Style) {
        let mut page = Page { out, style, width: style.width.max(MIN_WIDTH) };
        page.head(self);
        page.codes("Actions", &self.actions, |name| match name {
            "block" => Some(RED),
            "pass" => Some(GREEN),
            "match" => Some(YELLOW),
            _ => None,
        });
        page.codes("Reasons", &self.reasons, |_| None);
        page.codes("Directions", &self.directions, |_| None);
        let rows = self.interfaces.top.iter();
        let rows = rows.map(|row| Row {
            blocked: row.blocked.unwrap_or_default(),
            passed: row.passed.unwrap_or_default(),
            ..Row::new(escaped(&row.ifname.0), row.packets)
        });
        page.top("Interfaces", &self.interfaces, rows.collect(), self.logged());
        let systems = self.systems.len() > 1;
        let rows = self.rules.top.iter().map(|row| {
            let mut label = escaped(&row.rule.0);
            if systems {
                label.push(' ');
                label.push_str(row.os);
            }
            if let Some(name) = row.label.as_ref().or(row.text.as_ref()) {
                label.push_str("  ");
                label.extend(escaped(&name.0).chars().take(NAME_WIDTH));
            }
            if row.join == Some(Join::Stale.name()) {
                label.push_str(" (stale)");
            }
            let (blocked, passed) = (row.blocked.unwrap_or(0), row.passed.unwrap_or(0));
            Row { blocked, passed, ..Row::new(label, row.packets) }
        });
        page.top("Rules", &self.rules, rows.collect(), self.logged());
        let rows =
            self.protocols.iter().map(|row| Row::new(named(row.proto, row.proto_num), row.packets));
        page.section("Protocols", "", &rows.collect::<Vec<_>>(), self.packets);
        for (title, table) in [("Sources", &self.sources), ("Destinations", &self.destinations)] {
            let rows = table.top.iter().map(|row| {
                let mut addr = Vec::with_capacity(40);
                push_ip(&mut addr, row.addr);
                Row::new(escaped(&addr), row.packets)
            });
            page.top(title, table, rows.collect(), self.packets);
        }
        let rows = self.ports.top.iter().map(|row| {
            Row::new(format!("{} {}", named(row.proto, row.proto_num), row.port), row.packets)
        });
        page.top("Destination ports", &self.ports, rows.collect(), self.packets);
        page.timeline(&self.timeline, self.records);
    }

    /// Records that have an action.
    fn logged(&self) -> u64 {
        self.actions.iter().map(|row| row.packets).sum()
    }
}

fn named(name: Option<&str>, number: u8) -> String {
    name.map_or_else(|| format!("proto {number}"), str::to_owned)
}

/// A line with a bar.
struct Row {
    label: String,
    count: u64,
    blocked: u64,
    passed: u64,
    color: Option<&'static str>,
    /// Stands for lines that are not there.
    gap: bool,
}

impl Row {
    const fn new(label: String, count: u64) -> Self {
        Self { label, count, blocked: 0, passed: 0, color: None, gap: false }
    }
}

struct Page<'a> {
    out: &'a mut Vec<u8>,
    style: &'a Style,
    width: usize,
}

impl Page<'_> {
    fn put(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn pad(&mut self, n: usize) {
        self.out.extend(std::iter::repeat_n(b' ', n));
    }

    /// ASCII text, in a colour if colours are wanted.
    fn colored(&mut self, color: Option<&str>, text: &str) {
        match color.filter(|_| self.style.color) {
            Some(color) => {
                self.put(color);
                self.put(text);
                self.put(RESET);
            }
            None => self.put(text),
        }
    }

    /// A line of ASCII text, broken between words where it is too long.
    fn wrapped(&mut self, text: &str) {
        let mut column = 0;
        for word in text.split(' ') {
            let word = cut(word, self.width);
            if column > 0 && column + 1 + word.len() > self.width {
                self.put("\n");
                column = 0;
            } else if column > 0 {
                self.put(" ");
                column += 1;
            }
            self.put(&word);
            column += word.len();
        }
        self.put("\n");
    }

    fn head(&mut self, report: &Report) {
        if !report.files.is_empty() {
            let name = |file: &super::File| escaped(&file.name.0);
            let names: Vec<_> = report.files.iter().take(8).map(name).collect();
            let more = match report.files.len().saturating_sub(8) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            self.wrapped(&format!("{}{more}", names.join(", ")));
        }
        if let (Some(first), Some(last)) = (report.first, report.last) {
            let mut clock = Clock::new(self.style.zone.clone());
            let from = moment(&mut clock, first.ts, 19);
            let to = moment(&mut clock, last.ts, 19);
            let zone = zone_name(&self.style.zone, last.ts);
            let (from_s, to_s) = (first.ts.split().0, last.ts.split().0);
            self.wrapped(&format!("{from} to {to} {zone} ({})", span(to_s.saturating_sub(from_s))));
        }
        let mut what = vec![format!("{} records", grouped(report.records))];
        what.push(format!("{} packets", grouped(report.packets)));
        what.push(size(report.bytes));
        let systems: Vec<_> = report.systems.iter().map(|system| system.name).collect();
        if !systems.is_empty() {
            what.push(format!("written by {}", systems.join(", ")));
        }
        self.wrapped(&what.join(", "));
        let logged = report.logged();
        if logged > 0 {
            self.colored(Some(RED), &format!("{} blocked", percent(report.blocked, logged)));
            self.put(", ");
            self.colored(Some(GREEN), &format!("{} passed", percent(report.passed, logged)));
            self.put("\n");
        }
        for (n, what) in [
            (report.suspect, "passed for another reason than match: most likely dropped"),
            (report.truncated, "cut by the capture"),
        ] {
            if n > 0 {
                self.wrapped(&format!("{} {what}", grouped(n)));
            }
        }
        if report.undecoded.records > 0 {
            let cause = |cause: &super::Cause| {
                format!("{} {} {}", grouped(cause.records), cause.layer, cause.cause)
            };
            let causes: Vec<_> = report.undecoded.causes.iter().map(cause).collect();
            let n = grouped(report.undecoded.records);
            self.wrapped(&format!("{n} could not be decoded: {}", causes.join(", ")));
        }
    }

    fn codes(
        &mut self,
        title: &str,
        codes: &[super::Share],
        color: impl Fn(&str) -> Option<&'static str>,
    ) {
        let row = |share: &super::Share| {
            let (label, color) = match share.name {
                Code::Name(name) => (name.to_owned(), color(name)),
                Code::Number(n) => (n.to_string(), None),
            };
            Row { color, ..Row::new(label, share.packets) }
        };
        let total = codes.iter().map(|share| share.packets).sum();
        self.section(title, "", &codes.iter().map(row).collect::<Vec<_>>(), total);
    }

    fn top<R>(&mut self, title: &str, table: &Top<R>, rows: Vec<Row>, total: u64) {
        let n = grouped(table.distinct.or(table.distinct_at_least).unwrap_or_default());
        let shown = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let note = match table.max_error {
            Some(error) => {
                format!("top {shown} of {n} or more; counts up to {} too low", grouped(error))
            }
            None if table.distinct > Some(shown) => format!("top {shown} of {n}"),
            None => String::new(),
        };
        self.section(title, &note, &rows, total);
    }

    /// A title and its lines: label, count, share of the total, bar.
    fn section(&mut self, title: &str, note: &str, rows: &[Row], total: u64) {
        if rows.is_empty() {
            return;
        }
        self.put("\n");
        self.colored(Some(BOLD), title);
        if !note.is_empty() {
            let room = self.width.saturating_sub(title.len() + 3);
            let note = cut(note, room);
            self.put(&format!(" ({note})"));
        }
        self.put("\n");
        self.rows(rows, Some(total));
    }

    fn rows(&mut self, rows: &[Row], total: Option<u64>) {
        let count = |row: &Row| if row.gap { String::new() } else { grouped(row.count) };
        let counts: Vec<String> = rows.iter().map(count).collect();
        let digits = counts.iter().map(String::len).max().unwrap_or(0);
        let max = rows.iter().map(|row| row.count).max().unwrap_or(0).max(1);
        // Two blanks in front of each column; a share has 6 characters.
        let fixed = 2 + 2 + digits + if total.is_some() { 2 + 6 } else { 0 };
        let room = self.width.saturating_sub(fixed);
        let longest = rows.iter().map(|row| row.label.len()).max().unwrap_or(0);
        let label = longest.clamp(8, room.saturating_sub(2 + 16).max(12)).min(room);
        let bar = room.saturating_sub(label + 2).min(MAX_BAR);
        for (row, count) in rows.iter().zip(&counts) {
            let text = cut(&row.label, label);
            self.pad(2);
            self.colored(row.color, &text);
            if row.gap {
                self.put("\n");
                continue;
            }
            self.pad(label - text.len() + 2 + digits - count.len());
            self.put(count);
            if let Some(total) = total {
                let share = percent(row.count, total);
                self.pad(8_usize.saturating_sub(share.len()));
                self.put(&share);
            }
            if bar >= 4 && row.count > 0 {
                self.pad(2);
                self.bar(row, max, bar);
            }
            self.put("\n");
        }
    }

    /// A bar of `width` columns for `max`, in eighths of a column; with colours, what was
    /// blocked is red, then what was passed green.
    fn bar(&mut self, row: &Row, max: u64, width: usize) {
        const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
        let scaled = |n: u64, size: usize| {
            let size = u128::try_from(size).unwrap_or_default();
            let n = (u128::from(n) * size + u128::from(max) / 2) / u128::from(max);
            usize::try_from(n).unwrap_or_default()
        };
        let (full, last) = if self.style.ascii {
            (scaled(row.count, width).clamp(1, width), "")
        } else {
            let eighths = scaled(row.count, width * 8).clamp(1, width * 8);
            (eighths / 8, EIGHTHS.get(eighths % 8).copied().unwrap_or_default())
        };
        let columns = full + usize::from(!last.is_empty());
        // Rounding must leave no part that is neither where there is none.
        let (red, green) = match (row.blocked, row.passed) {
            (0, 0) => (0, 0),
            (blocked, 0) if blocked == row.count => (columns, 0),
            (0, passed) if passed == row.count => (0, columns),
            (blocked, passed) => {
                let green = scaled(passed, width).min(columns);
                let others = blocked + passed < row.count;
                let red = if others { scaled(blocked, width) } else { columns };
                (red.min(columns - green), green)
            }
        };
        let rest = columns - red - green;
        let block = if self.style.ascii { "#" } else { "█" };
        let mut left = full;
        for (columns, color) in [(red, Some(RED)), (green, Some(GREEN)), (rest, row.color)] {
            if columns == 0 {
                continue;
            }
            let blocks = columns.min(left);
            left -= blocks;
            let mut text = block.repeat(blocks);
            if columns > blocks {
                text.push_str(last);
            }
            self.colored(color, &text);
        }
    }

    fn timeline(&mut self, timeline: &Step, total: u64) {
        if timeline.buckets.is_empty() || total == 0 {
            return;
        }
        let (step, lines) = lines(timeline);
        let mut clock = Clock::new(self.style.zone.clone());
        let date = |clock: &mut Clock, at: i64| moment(clock, seconds(at), 10);
        let at = |line: &Line| match line {
            Line::Bucket(at, _) => Some(*at),
            Line::Gap => None,
        };
        let mut days: Vec<String> =
            lines.iter().filter_map(at).map(|at| date(&mut clock, at)).collect();
        days.dedup();
        let one_day = days.len() == 1;
        let (from, to) = match step {
            86_400.. => (0, 10),
            60.. => (if one_day { 11 } else { 0 }, 16),
            _ => (if one_day { 11 } else { 0 }, 19),
        };
        let row = |line: &Line| match line {
            Line::Gap => Row { gap: true, ..Row::new("...".to_owned(), 0) },
            Line::Bucket(at, sums) => {
                let text = moment(&mut clock, seconds(*at), to);
                let [count, blocked, passed] = *sums;
                let label = text.get(from..).unwrap_or_default().to_owned();
                Row { blocked, passed, ..Row::new(label, count) }
            }
        };
        let rows: Vec<Row> = lines.iter().map(row).collect();
        self.put("\n");
        self.colored(Some(BOLD), "Timeline");
        let day = days.first().filter(|_| one_day && step < 86_400);
        let on = day.map(|day| format!("{day}, ")).unwrap_or_default();
        self.put(&format!(" ({on}each line {})\n", span(step)));
        self.rows(&rows, None);
    }
}

enum Line {
    /// Start in seconds; records, blocked, passed.
    Bucket(i64, [u64; 3]),
    /// Time without records.
    Gap,
}

const fn seconds(at: i64) -> Timestamp {
    Timestamp(at.saturating_mul(1_000_000_000))
}

/// The timeline in as few lines as a page has for it: buckets together, a short gap as empty
/// lines, a long one as one line.
fn lines(timeline: &Step) -> (i64, Vec<Line>) {
    let mut step = timeline.step_s;
    loop {
        let mut lines: Vec<Line> = Vec::new();
        let mut last: Option<i64> = None;
        for &TimeBucket { start, records, blocked, passed } in &timeline.buckets {
            let at = start.ts.split().0.div_euclid(step).saturating_mul(step);
            match lines.last_mut() {
                Some(Line::Bucket(same, [a, b, c])) if *same == at => {
                    *a += records;
                    *b += blocked;
                    *c += passed;
                    continue;
                }
                _ => {}
            }
            let gap = last.map_or(0, |last| at.saturating_sub(last) / step - 1);
            match last {
                Some(last) if gap <= 3 => {
                    let missing = (1..=gap).map(|i| Line::Bucket(last + i * step, [0; 3]));
                    lines.extend(missing);
                }
                Some(_) => lines.push(Line::Gap),
                None => {}
            }
            lines.push(Line::Bucket(at, [records, blocked, passed]));
            last = Some(at);
        }
        let wider = step_for(step + 1);
        if lines.len() <= TIME_ROWS || wider <= step {
            return (step, lines);
        }
        step = wider;
    }
}

/// The first `len` characters of a time as `2026-11-21 12:34:56`.
fn moment(clock: &mut Clock, ts: Timestamp, len: usize) -> String {
    let mut text = Vec::with_capacity(32);
    clock.push(&mut text, ts, TimeStyle::Date, Precision::Micros);
    text.truncate(len);
    String::from_utf8_lossy(&text).into_owned()
}

/// What the zone calls itself at that time.
fn zone_name(zone: &TimeZone, ts: Timestamp) -> String {
    let stamp = jiff::Timestamp::from_second(ts.split().0).unwrap_or_default();
    let name = zone.to_offset_info(stamp).abbreviation().to_owned();
    escaped(name.as_bytes())
}
