//! A message of the IKE daemon as JSON: keys are strings, lists are lists, sections are objects.

use std::collections::HashMap;

use crate::text::{push_dec, push_hex, push_json_escaped};
use crate::vici::message::{Item, Section};

/// A value that is hex in text and JSON: DER, which `list-cert` has in `data`.
pub(super) fn is_blob(name: &[u8], item: &Item) -> bool {
    name == b"data" && matches!(item, Item::Value(value) if str::from_utf8(value).is_err())
}

fn push_json_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    push_json_escaped(out, bytes);
    out.push(b'"');
}

/// The entries as an object; names that were there before get `#2`, `#3`, …
pub fn push_tree(out: &mut Vec<u8>, section: &Section) {
    let mut seen: HashMap<&[u8], usize> = HashMap::with_capacity(section.len());
    out.push(b'{');
    for (at, (name, item)) in section.entries().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let times = seen.entry(name).or_default();
        *times += 1;
        out.push(b'"');
        push_json_escaped(out, name);
        if *times > 1 {
            out.push(b'#');
            push_dec(out, *times);
        }
        out.extend_from_slice(b"\":");
        match item {
            Item::Value(value) if is_blob(name, item) => {
                out.push(b'"');
                push_hex(out, value);
                out.push(b'"');
            }
            Item::Value(value) => push_json_string(out, value),
            Item::List(items) => {
                out.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    push_json_string(out, item);
                }
                out.push(b']');
            }
            Item::Section(section) => push_tree(out, section),
        }
    }
    out.push(b'}');
}
