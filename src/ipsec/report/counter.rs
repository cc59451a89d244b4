//! `--counters` and `--stats`: what the daemon counts of IKE, and tells of itself.

use super::answers::Answers;
use super::field::Field;
use super::form::{Block, Entry, Form, Line};
use crate::vici::message::{Item, Section};
use crate::vici::views;

/// Numbers or words with the daemon's names.
#[derive(Debug, Clone)]
pub struct Row {
    /// JSON's `type`.
    pub kind: &'static str,
    /// Line above.
    pub title: String,
    /// What it is of.
    pub id: Vec<u8>,
    /// Each with its name: untrusted bytes.
    pub entries: Vec<(Vec<u8>, Field)>,
}

impl Block for Row {
    fn form(self) -> Form {
        let lines = self.entries.into_iter().map(|(name, field)| {
            let name = String::from_utf8_lossy(&name).into_owned();
            Line::Row(vec![Entry {
                label: name.clone().into(),
                key: name.into(),
                field,
                more: false,
            }])
        });
        Form { kind: self.kind, title: self.title.into(), id: self.id, lines: lines.collect() }
    }
}

/// The counters of all connections together, then of each.
pub fn counters(answers: &Answers) -> Vec<Row> {
    let Some(reply) = &answers.counters else { return Vec::new() };
    let rows = views::counters(reply).map(|(name, counters)| {
        let of = if name.is_empty() { b"(all)" } else { name };
        let entries = counters.map(|(name, count)| (name.to_vec(), Field::known(count)));
        let first = (b"Policy Name".to_vec(), Field::known(of));
        Row {
            kind: "counters",
            title: "------------------------ IKE Counters ------------------------".to_owned(),
            id: name.to_vec(),
            entries: std::iter::once(first).chain(entries).collect(),
        }
    });
    rows.collect()
}

/// Uptime, threads, queues, memory: the daemon's own words, those of a section behind its name.
pub fn stats(answers: &Answers) -> Option<Row> {
    let mut entries = Vec::new();
    flatten(&[], answers.stats.as_ref()?, &mut entries);
    Some(Row {
        kind: "stats",
        title: "------------------------ IKE Daemon ------------------------".to_owned(),
        id: b"stats".to_vec(),
        entries,
    })
}

fn flatten(path: &[u8], section: &Section, entries: &mut Vec<(Vec<u8>, Field)>) {
    for (name, item) in section.entries() {
        let name = if path.is_empty() { name.to_vec() } else { [path, b".", name].concat() };
        match item {
            Item::Value(value) => entries.push((name, Field::known(number(value)))),
            Item::List(items) => entries.push((name, Field::known(items.join(&b' ')))),
            Item::Section(section) => flatten(&name, section, entries),
        }
    }
}

fn number(value: &[u8]) -> super::field::Value {
    let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok());
    number.map_or_else(|| value.into(), Into::into)
}
