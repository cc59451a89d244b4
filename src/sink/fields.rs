//! `--fields a,b,c`: some of the values that the JSON has, tab separated, one line an event.
//!
//! A field is named by its path in the JSON (`ts`, `pflog.action`, `net.tcp.flags`). A value
//! that is absent leaves its place empty; strings are escaped as in JSON, so that a tab or a
//! newline in a name does not break a line.

use jiff::tz::TimeZone;

use super::Sink;
use super::json::{Emit, Key, Origin, describe, lines};
use super::page::Page;
use crate::event::Event;
use crate::filter::Filter;
use crate::text::{Integer, push_dec};
use crate::time::Clock;

/// The paths a user asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths(Vec<Vec<String>>);

impl Paths {
    /// Reads `a,b.c`; each must be a leaf of the JSON Schema.
    ///
    /// # Errors
    /// The first word that names no value of the JSON.
    pub fn parse(list: &str) -> Result<Self, String> {
        let schema: serde_json::Value =
            serde_json::from_str(super::json::SCHEMA).map_err(|e| e.to_string())?;
        let mut paths = Vec::new();
        for word in list.split(',').map(str::trim) {
            let path: Vec<String> = word.split('.').map(str::to_owned).collect();
            let leaf = path.iter().try_fold(&schema, |at, name| at.get("properties")?.get(name));
            match leaf {
                Some(leaf) if leaf.get("properties").is_none() => paths.push(path),
                Some(_) => {
                    return Err(format!(
                        "'{word}' is a group: name one value of it, as in {word}.{}",
                        first_of(leaf)
                    ));
                }
                None => {
                    return Err(format!(
                        "no field is called '{word}' ('pfscope schema json' lists them)"
                    ));
                }
            }
        }
        Ok(Self(paths))
    }
}

/// The first value of a group, for an example.
fn first_of(group: Option<&serde_json::Value>) -> &str {
    let properties = group.and_then(|group| group.get("properties")?.as_object());
    properties.and_then(|all| all.keys().next()).map_or("", String::as_str)
}

/// The renderer.
#[derive(Debug)]
pub struct Fields {
    origin: Origin,
    clock: Clock,
    filter: Filter,
    picker: Picker,
}

impl Fields {
    /// A renderer of these fields of one source's records. Of the messages of a pfsync packet it
    /// writes those that `filter` is true of; which events it gets has been decided before.
    pub fn new(origin: Origin, paths: Paths, filter: Filter) -> Self {
        let values = vec![Vec::new(); paths.0.len()];
        let picker = Picker { paths: paths.0, values, open: Vec::new() };
        Self { origin, clock: Clock::new(TimeZone::UTC), filter, picker }
    }
}

impl Sink for Fields {
    fn event(&mut self, event: &Event<'_>, page: &mut Page) {
        page.begin(event.frame.ts);
        lines(event, &self.filter, |line| {
            self.picker.values.iter_mut().for_each(Vec::clear);
            describe(event, line, &self.origin, &mut self.clock, &mut self.picker);
            for (i, value) in self.picker.values.iter().enumerate() {
                if i > 0 {
                    page.text.push(b'\t');
                }
                page.text.extend_from_slice(value);
            }
            page.text.push(b'\n');
        });
        page.end();
    }
}

/// Keeps the values whose path was asked for.
#[derive(Debug)]
struct Picker {
    paths: Vec<Vec<String>>,
    /// A value for each path; empty where there is none.
    values: Vec<Vec<u8>>,
    /// Keys of the objects that are open.
    open: Vec<&'static str>,
}

impl Picker {
    fn pick(&mut self, key: Key, push: impl FnOnce(&mut Vec<u8>)) {
        let here = |path: &Vec<String>| {
            path.split_last().is_some_and(|(last, above)| {
                last == key.name() && above.iter().eq(self.open.iter())
            })
        };
        let mut wanted = self.paths.iter().enumerate().filter(|(_, path)| here(path));
        let Some((first, path)) = wanted.next() else { return };
        let twice: Vec<usize> =
            wanted.filter(|(_, other)| *other == path).map(|(i, _)| i).collect();
        if let Some(value) = self.values.get_mut(first) {
            push(value);
        }
        for i in twice {
            let copy = self.values.get(first).cloned().unwrap_or_default();
            if let Some(value) = self.values.get_mut(i) {
                *value = copy;
            }
        }
    }
}

impl Emit for Picker {
    fn number(&mut self, key: Key, n: impl Integer) {
        self.pick(key, |out| push_dec(out, n));
    }

    fn truth(&mut self, key: Key) {
        self.pick(key, |out| out.extend_from_slice(b"true"));
    }

    fn string(&mut self, key: Key, push: impl FnOnce(&mut Vec<u8>)) {
        self.pick(key, push);
    }

    fn numbers(&mut self, key: Key, [first, second]: [u64; 2]) {
        self.pick(key, |out| {
            push_dec(out, first);
            out.push(b',');
            push_dec(out, second);
        });
    }

    fn words(&mut self, key: Key, words: impl Iterator<Item = &'static str>) {
        self.pick(key, |out| {
            for (i, word) in words.enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(word.as_bytes());
            }
        });
    }

    fn open(&mut self, key: Key) {
        self.open.push(key.name());
    }

    fn close(&mut self) {
        self.open.pop();
    }
}
