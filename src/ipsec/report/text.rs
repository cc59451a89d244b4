//! A block as text: `Label: value`, the fields of a row beside each other. A derived value is
//! followed by `(derived)`, one without a source is `n/a`. Names are escaped.

use super::field::{Field, Value};
use super::form::{Entry, Form, Line};
use crate::text::{push_dec, push_escaped};

/// Appends a block; `more`: with the fields that ipsec_report(1M) does not have.
pub fn push(out: &mut Vec<u8>, form: &Form, more: bool) {
    if !form.title.is_empty() {
        out.extend_from_slice(form.title.as_bytes());
        out.push(b'\n');
    }
    push_lines(out, &form.lines, more);
}

fn push_lines(out: &mut Vec<u8>, lines: &[Line], more: bool) {
    for line in lines {
        match line {
            Line::Row(entries) => {
                let shown = |entry: &&Entry| entry.field != Field::Absent && (more || !entry.more);
                let mut any = false;
                for entry in entries.iter().filter(shown) {
                    if any {
                        out.push(b' ');
                    }
                    any = true;
                    push_escaped(out, entry.label.as_bytes());
                    out.extend_from_slice(b": ");
                    push_field(out, &entry.field);
                }
                if any {
                    out.push(b'\n');
                }
            }
            Line::Group(group) => {
                let begin = out.len();
                if !group.heading.is_empty() {
                    out.extend_from_slice(group.heading.as_bytes());
                    out.push(b'\n');
                }
                let empty = out.len();
                push_lines(out, &group.lines, more);
                if out.len() == empty {
                    out.truncate(begin);
                }
            }
        }
    }
}

fn push_field(out: &mut Vec<u8>, field: &Field) {
    match field {
        Field::Known(value) => push_value(out, value),
        Field::Derived(value, _) => {
            push_value(out, value);
            out.extend_from_slice(b" (derived)");
        }
        Field::Missing(_) => out.extend_from_slice(b"n/a"),
        Field::Absent => {}
    }
}

/// Appends a value alone.
pub fn push_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Text(text) => push_escaped(out, text),
        Value::Starred(name) => {
            push_escaped(out, name);
            out.push(b'*');
        }
        Value::Number(number) => push_dec(out, *number),
        Value::Spi(spi) => out.extend_from_slice(format!("{spi:X}").as_bytes()),
        Value::Flag(true) => out.extend_from_slice(b"yes"),
        Value::Flag(false) => out.extend_from_slice(b"no"),
    }
}

/// Why fields of blocks are not there, and how others were found: each thing said once.
#[derive(Debug, Default)]
pub struct Reasons(std::collections::BTreeSet<(String, &'static str, &'static str)>);

impl Reasons {
    /// Adds those of a block.
    pub fn add(&mut self, form: &Form, more: bool) {
        self.add_lines("", &form.lines, more);
    }

    fn add_lines(&mut self, heading: &str, lines: &[Line], more: bool) {
        for line in lines {
            match line {
                Line::Row(entries) => {
                    for entry in entries.iter().filter(|entry| more || !entry.more) {
                        let (what, why) = match entry.field {
                            Field::Derived(_, how) => ("derived", how),
                            Field::Missing(why) => ("n/a", why),
                            Field::Known(_) | Field::Absent => continue,
                        };
                        let label = match heading {
                            "" => entry.label.to_string(),
                            heading => format!("{heading}, {}", entry.label),
                        };
                        if !self.0.contains(&(label.clone(), what, why)) {
                            self.0.insert((label, what, why));
                        }
                    }
                }
                Line::Group(group) => {
                    // Numbers of items are not told apart.
                    let heading = group
                        .heading
                        .trim_matches(|c: char| c == '-' || c == ' ' || c.is_ascii_digit());
                    self.add_lines(heading, &group.lines, more);
                }
            }
        }
    }

    /// Appends them, a line each.
    pub fn push(&self, out: &mut Vec<u8>) {
        for (label, what, why) in &self.0 {
            push_escaped(out, label.as_bytes());
            out.extend_from_slice(format!(": {what}: {why}\n").as_bytes());
        }
    }
}
