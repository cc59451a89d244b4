//! A VICI message as JSON and back, without loss: a section is an object, a list an array, a value
//! a string. Order and duplicates stay as they are, so an object may name a key twice; of a reader
//! that keeps one of them only (jq: the last) nothing more can be asked.
//!
//! Strings: `\` is doubled, and a byte that is not UTF-8 is `\xNN`, both before JSON's own escaping.

use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::vici::codec::MAX_DEPTH;
use crate::vici::message::{Item, Section};

/// A message, or a section of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tree(pub(super) Section);

/// One that is only written.
#[derive(Debug)]
pub(super) struct TreeRef<'s>(pub(super) &'s Section);

/// Bytes as a string.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

/// Bytes that are only written.
#[derive(Debug)]
pub(super) struct BytesRef<'b>(pub(super) &'b [u8]);

fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '\\' {
                out.push('\\');
            }
            out.push(c);
        }
        for &byte in chunk.invalid() {
            out.push_str("\\x");
            for digit in [byte >> 4, byte & 15] {
                out.extend(char::from_digit(digit.into(), 16));
            }
        }
    }
    out
}

/// The bytes that are written so; `None` for what [`escape`] does not write.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = match (byte, behind) {
            (b'\\', [b'\\', behind @ ..]) => {
                out.push(b'\\');
                behind
            }
            (b'\\', [b'x', high, low, behind @ ..]) => {
                let digit = |c: u8| char::from(c).to_digit(16);
                let byte = digit(*high)? * 16 + digit(*low)?;
                out.push(u8::try_from(byte).ok()?);
                behind
            }
            (b'\\', _) => return None,
            (byte, behind) => {
                out.push(byte);
                behind
            }
        };
    }
    Some(out)
}

impl Serialize for BytesRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&escape(self.0))
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        BytesRef(&self.0).serialize(serializer)
    }
}

impl Serialize for TreeRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, item) in self.0.entries() {
            map.serialize_entry(&BytesRef(name), &ItemRef(item))?;
        }
        map.end()
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        TreeRef(&self.0).serialize(serializer)
    }
}

struct ItemRef<'s>(&'s Item);

impl Serialize for ItemRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Item::Value(value) => BytesRef(value).serialize(serializer),
            Item::Section(section) => TreeRef(section).serialize(serializer),
            Item::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(&BytesRef(item)))?;
                list.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
                unescape(text).map(Bytes).ok_or_else(|| E::custom("a wrong escape"))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(Any { depth: 0 })? {
            Item::Section(section) => Ok(Self(section)),
            _ => Err(D::Error::custom("a message is an object")),
        }
    }
}

/// Reads an item so many sections deep.
#[derive(Clone, Copy)]
struct Any {
    depth: usize,
}

impl<'de> serde::de::DeserializeSeed<'de> for Any {
    type Value = Item;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Item, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, an array of strings or an object")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Item, E> {
        unescape(text).map(Item::Value).ok_or_else(|| E::custom("a wrong escape"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Item, A::Error> {
        let mut items = Vec::new();
        while let Some(Bytes(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Item::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
        // The root is no section.
        if self.depth > MAX_DEPTH {
            return Err(A::Error::custom("sections too deep"));
        }
        let mut section = Section::new();
        while let Some(Bytes(name)) = map.next_key()? {
            section.push(name, map.next_value_seed(Self { depth: self.depth + 1 })?);
        }
        Ok(Item::Section(section))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn both_ways(section: &Section) -> String {
        let text = serde_json::to_string(&TreeRef(section)).unwrap();
        let Tree(read) = serde_json::from_str(&text).unwrap();
        assert_eq!(&read, section, "{text}");
        text
    }

    #[test]
    fn duplicates_order_kinds_and_bytes_stay() {
        let mut root = Section::new().with("up", "yes");
        let mut up = Section::new().with(b"\xff\\x41".as_slice(), b"\\\x00\xc3\x28\n".as_slice());
        up.push_list("tasks", ["a", ""]);
        up.push_list("none", [""; 0]);
        up.push_section("", Section::new());
        root.push_section("up", up);
        root.push_value("up", "again");
        let text = both_ways(&root);
        assert_eq!(
            text,
            r#"{"up":"yes","up":{"\\xff\\\\x41":"\\\\\u0000\\xc3(\n","tasks":["a",""],"none":[],"":{}},"up":"again"}"#
        );
    }

    #[test]
    fn what_is_no_message() {
        for text in
            [r#""x""#, "[]", "1", r#"{"a":1}"#, r#"{"a":[{}]}"#, r#"{"a":"\\x4"}"#, r#"{"\\a":""}"#]
        {
            assert!(serde_json::from_str::<Tree>(text).is_err(), "{text}");
        }
        let deep =
            |n: usize| format!("{}{}", r#"{"":"#.repeat(n), "{}".to_owned() + &"}".repeat(n));
        assert!(serde_json::from_str::<Tree>(&deep(MAX_DEPTH)).is_ok());
        assert!(serde_json::from_str::<Tree>(&deep(MAX_DEPTH + 1)).is_err());
    }

    fn items() -> impl Strategy<Value = Item> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..6);
        let leaf = prop_oneof![
            bytes().prop_map(Item::Value),
            prop::collection::vec(bytes(), 0..3).prop_map(Item::List),
        ];
        leaf.prop_recursive(4, 30, 5, move |inner| {
            prop::collection::vec((bytes(), inner), 0..5).prop_map(|entries| {
                let mut section = Section::new();
                entries.into_iter().for_each(|(name, item)| section.push(name, item));
                Item::Section(section)
            })
        })
    }

    proptest! {
        #[test]
        fn any_message_comes_back(item in items()) {
            let mut root = Section::new();
            root.push("x", item);
            both_ways(&root);
        }
    }
}
