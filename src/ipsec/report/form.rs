//! A block of a report, before it is text or JSON: labels in their order, and their fields.

use std::borrow::Cow;

use super::field::Field;

/// A block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// JSON's `type`.
    pub kind: &'static str,
    /// The line above it; empty: none.
    pub title: Cow<'static, str>,
    /// What it is of, the same the next time: untrusted bytes.
    pub id: Vec<u8>,
    /// What it says.
    pub lines: Vec<Line>,
}

/// A line, or several with a heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Fields beside each other.
    Row(Vec<Entry>),
    /// Lines that belong together.
    Group(Group),
}

/// A label and its field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The label in text.
    pub label: Cow<'static, str>,
    /// The name in JSON.
    pub key: Cow<'static, str>,
    /// The value.
    pub field: Field,
    /// In text only with more detail: ipsec_report(1M) has no such field.
    pub more: bool,
}

/// Lines that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The line above them; empty: none.
    pub heading: Cow<'static, str>,
    /// The name in JSON.
    pub key: &'static str,
    /// One of several: in JSON an item of an array.
    pub many: bool,
    /// What they say.
    pub lines: Vec<Line>,
}

/// What makes a block.
pub trait Block {
    /// The block.
    fn form(self) -> Form;
}

/// A field with its label.
pub(super) fn entry(label: impl Into<Cow<'static, str>>, key: &'static str, field: Field) -> Entry {
    Entry { label: label.into(), key: key.into(), field, more: false }
}

/// A line of fields.
pub(super) fn row<const N: usize>(entries: [Entry; N]) -> Line {
    Line::Row(entries.into())
}

/// A line of one field.
pub(super) fn line(label: impl Into<Cow<'static, str>>, key: &'static str, field: Field) -> Line {
    Line::Row(vec![entry(label, key, field)])
}

/// A line of a field that ipsec_report(1M) does not have.
pub(super) fn more(label: &'static str, key: &'static str, field: Field) -> Line {
    Line::Row(vec![Entry { more: true, ..entry(label, key, field) }])
}

/// Lines below a heading.
pub(super) fn group(heading: &'static str, key: &'static str, lines: Vec<Line>) -> Line {
    Line::Group(Group { heading: heading.into(), key, many: false, lines })
}

/// Lines that there may be several of.
pub(super) fn item(
    heading: impl Into<Cow<'static, str>>,
    key: &'static str,
    lines: Vec<Line>,
) -> Line {
    Line::Group(Group { heading: heading.into(), key, many: true, lines })
}
