//! A VICI message: an ordered tree of sections, key/value pairs and lists.
//!
//! Nothing is a map, because strongSwan sends the same name twice: a connection may be called
//! `up` beside the event's own key `up`, and two children may share a name. Names may be empty,
//! hold dots and spaces, and values are arbitrary bytes (certificates are DER), so paths are
//! never written as one dotted string.
//!
//! Not here: the encoding (`codec`) and what keys mean (`views`).

use std::fmt;

use crate::text::escaped;

/// The entries of a section, or of the root, in the order of the wire.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Section {
    entries: Vec<(Vec<u8>, Item)>,
}

/// What an entry holds beside its name.
#[derive(Clone, PartialEq, Eq)]
pub enum Item {
    /// A key's value, at most 65535 bytes.
    Value(Vec<u8>),
    /// The items of a list, each at most 65535 bytes.
    List(Vec<Vec<u8>>),
    /// A section inside.
    Section(Section),
}

impl Section {
    /// A section without entries.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// All entries in order, duplicates included.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&[u8], &Item)> {
        self.entries.iter().map(|(name, item)| (name.as_slice(), item))
    }

    /// Number of entries.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without entries.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of the first key of this name; lists and sections of the name do not count.
    pub fn value(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        self.named(name.as_ref()).find_map(|item| match item {
            Item::Value(value) => Some(value.as_slice()),
            _ => None,
        })
    }

    /// The items of the first list of this name.
    pub fn list(&self, name: impl AsRef<[u8]>) -> Option<&[Vec<u8>]> {
        self.named(name.as_ref()).find_map(|item| match item {
            Item::List(items) => Some(items.as_slice()),
            _ => None,
        })
    }

    /// The first section of this name.
    pub fn section(&self, name: impl AsRef<[u8]>) -> Option<&Self> {
        self.named(name.as_ref()).find_map(|item| match item {
            Item::Section(section) => Some(section),
            _ => None,
        })
    }

    /// All sections with their names, in order.
    pub fn sections(&self) -> impl Iterator<Item = (&[u8], &Self)> {
        self.entries().filter_map(|(name, item)| match item {
            Item::Section(section) => Some((name, section)),
            _ => None,
        })
    }

    fn named(&self, name: &[u8]) -> impl Iterator<Item = &Item> {
        self.entries.iter().filter(move |(own, _)| own == name).map(|(_, item)| item)
    }

    /// Appends an entry of any kind.
    pub fn push(&mut self, name: impl Into<Vec<u8>>, item: Item) {
        self.entries.push((name.into(), item));
    }

    /// Appends a key and its value.
    pub fn push_value(&mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.push(name, Item::Value(value.into()));
    }

    /// Appends a list.
    pub fn push_list<I: Into<Vec<u8>>>(
        &mut self,
        name: impl Into<Vec<u8>>,
        items: impl IntoIterator<Item = I>,
    ) {
        self.push(name, Item::List(items.into_iter().map(Into::into).collect()));
    }

    /// Appends a section.
    pub fn push_section(&mut self, name: impl Into<Vec<u8>>, section: Self) {
        self.push(name, Item::Section(section));
    }

    /// Appends an item below a path of sections, its own name last; sections that are not there
    /// are made, of several of one name the last is taken. An empty path is nowhere.
    pub fn insert(&mut self, path: &[impl AsRef<[u8]>], item: Item) {
        let Some((name, rest)) = path.split_first() else { return };
        let name = name.as_ref();
        if rest.is_empty() {
            return self.push(name, item);
        }
        for (own, entry) in self.entries.iter_mut().rev() {
            if let Item::Section(section) = entry
                && own == name
            {
                return section.insert(rest, item);
            }
        }
        let mut section = Self::new();
        section.insert(rest, item);
        self.push_section(name, section);
    }

    /// This section with one more key: `Section::new().with("child", "net1")`.
    #[must_use]
    pub fn with(mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.push_value(name, value);
        self
    }
}

impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.entries.iter().map(|(name, item)| (escaped(name), item));
        f.debug_map().entries(entries).finish()
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(f, "\"{}\"", escaped(value)),
            Self::List(items) => f.debug_list().entries(items.iter().map(|i| escaped(i))).finish(),
            Self::Section(section) => section.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_a_section_of_one_name_are_kept_apart() {
        let mut event = Section::new().with("up", "yes");
        event.push_section("up", Section::new().with("uniqueid", "1"));
        event.push_value("up", "again");
        assert_eq!(event.value("up"), Some(&b"yes"[..]));
        assert_eq!(event.section("up").unwrap().value("uniqueid"), Some(&b"1"[..]));
        assert_eq!(event.list("up"), None);
        assert_eq!(event.len(), 3);
        assert_eq!(event.sections().count(), 1);
    }

    #[test]
    fn empty_names_are_names() {
        let mut counters = Section::new();
        counters.push_section("", Section::new().with("", "0"));
        assert_eq!(counters.section("").unwrap().value(b""), Some(&b"0"[..]));
    }

    #[test]
    fn paths_are_made_once() {
        let mut root = Section::new();
        root.insert(&["children", "a.b", "mode"], Item::Value(b"tunnel".into()));
        root.insert(&["children", "a.b", "x"], Item::List(Vec::new()));
        assert_eq!(root.len(), 1);
        assert_eq!(root.section("children").unwrap().section("a.b").unwrap().len(), 2);
    }

    #[test]
    fn debug_shows_no_control_byte() {
        let root = Section::new().with(b"\x1b[2J".as_slice(), b"\xff\n".as_slice());
        assert_eq!(format!("{root:?}"), r#"{"\\x1b[2J": "\xff\x0a"}"#);
    }
}
