//! A message of the IKE daemon as text, in the manner of swanctl's `--pretty` and `--raw`. What is
//! not printable never reaches the terminal.

use super::json::is_blob;
use crate::text::{push_escaped, push_hex};
use crate::vici::message::{Item, Section};

/// Blanks of a level of the tree.
const INDENT: usize = 2;

/// The entries, one a line.
pub fn push_pretty(out: &mut Vec<u8>, section: &Section, level: usize) {
    let indent = |out: &mut Vec<u8>, level: usize| out.resize(out.len() + level * INDENT, b' ');
    for (name, item) in section.entries() {
        indent(out, level);
        push_quoted(out, name);
        match item {
            Item::Value(_) => {
                out.extend_from_slice(b" = ");
                push_value(out, name, item);
            }
            Item::List(items) => {
                out.extend_from_slice(b" = [");
                push_items(out, items);
                out.push(b']');
            }
            Item::Section(section) => {
                out.extend_from_slice(b" {\n");
                push_pretty(out, section, level + 1);
                indent(out, level);
                out.push(b'}');
            }
        }
        out.push(b'\n');
    }
}

/// The entries on one line.
pub fn push_raw(out: &mut Vec<u8>, section: &Section) {
    out.push(b'{');
    for (at, (name, item)) in section.entries().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        push_quoted(out, name);
        match item {
            Item::Value(_) => {
                out.push(b'=');
                push_value(out, name, item);
            }
            Item::List(items) => {
                out.extend_from_slice(b"=[");
                push_items(out, items);
                out.push(b']');
            }
            Item::Section(section) => {
                out.push(b' ');
                push_raw(out, section);
            }
        }
    }
    out.push(b'}');
}

fn push_items(out: &mut Vec<u8>, items: &[Vec<u8>]) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        push_quoted(out, item);
    }
}

fn push_value(out: &mut Vec<u8>, name: &[u8], item: &Item) {
    let Item::Value(value) = item else { return };
    if is_blob(name, item) {
        out.extend_from_slice(b"0x");
        push_hex(out, value);
    } else {
        push_quoted(out, value);
    }
}

/// Untrusted bytes, in quotes where they would not be one word.
pub fn push_quoted(out: &mut Vec<u8>, bytes: &[u8]) {
    let is_plain = |byte: &u8| !matches!(byte, b' ' | b'"' | b'{' | b'}' | b'=');
    // Selectors have brackets, but not in front: 10.0.0.0/8[tcp/https].
    if !matches!(bytes.first(), None | Some(b'[')) && bytes.iter().all(is_plain) {
        return push_escaped(out, bytes);
    }
    out.push(b'"');
    for part in bytes.split_inclusive(|&byte| byte == b'"') {
        match part.split_last() {
            Some((b'"', before)) => {
                push_escaped(out, before);
                out.extend_from_slice(b"\\\"");
            }
            _ => push_escaped(out, part),
        }
    }
    out.push(b'"');
}
