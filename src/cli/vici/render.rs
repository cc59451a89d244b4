//! Messages as text, in the manner of swanctl's `--pretty` and `--raw`, and as JSON lines. What
//! is not printable never reaches the terminal.

use std::collections::HashMap;
use std::io::{self, Write};

use jiff::tz::TimeZone;

use super::super::args::Format;
use super::is_blob;
use crate::text::{push_dec, push_escaped, push_hex, push_json_escaped};
use crate::time::{Clock, Precision, TimeStyle};
use crate::vici::Event;
use crate::vici::message::{Item, Section};

/// Blanks of a level of the tree.
const INDENT: usize = 2;

pub(super) struct Renderer {
    format: Format,
    clock: Clock,
    line: Vec<u8>,
}

impl Renderer {
    pub(super) fn new(format: Format, zone: TimeZone) -> Self {
        let zone = if format == Format::Json { TimeZone::UTC } else { zone };
        Self { format, clock: Clock::new(zone), line: Vec::new() }
    }

    /// An item of a command's stream.
    pub(super) fn item(
        &mut self,
        name: &str,
        message: &Section,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match self.format {
            Format::Json => self.json("event", name.as_bytes(), message),
            Format::Text if name == "control-log" => {
                self.line.push(b'[');
                push_escaped(&mut self.line, message.value("group").unwrap_or_default());
                self.line.extend_from_slice(b"] ");
                push_escaped(&mut self.line, message.value("msg").unwrap_or_default());
                self.line.push(b'\n');
            }
            Format::Text => self.pretty(name, "event", message),
        }
        self.write(out)
    }

    /// A command's reply.
    pub(super) fn reply(
        &mut self,
        name: &str,
        message: &Section,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match self.format {
            Format::Json => self.json("reply", name.as_bytes(), message),
            Format::Text => self.pretty(name, "reply", message),
        }
        self.write(out)
    }

    /// An event that was listened to: one line, with the time it came.
    pub(super) fn event(
        &mut self,
        event: &Event,
        message: &Section,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match self.format {
            Format::Json => {
                self.line.extend_from_slice(b"{\"v\":1,\"type\":\"vici\",\"ts\":\"");
                self.clock.push_rfc3339(&mut self.line, event.at, Precision::Micros);
                self.line.extend_from_slice(b"\",\"event\":");
                self.json_end(&event.name, message);
            }
            Format::Text => {
                let (style, precision) = (TimeStyle::Date, Precision::Micros);
                self.clock.push(&mut self.line, event.at, style, precision);
                push_quoted(&mut self.line, &event.name);
                self.line.push(b' ');
                push_raw(&mut self.line, message);
                self.line.push(b'\n');
            }
        }
        self.write(out)
    }

    fn write(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let written = out.write_all(&self.line);
        self.line.clear();
        written
    }

    fn pretty(&mut self, name: &str, kind: &str, message: &Section) {
        push_quoted(&mut self.line, name.as_bytes());
        self.line.push(b' ');
        self.line.extend_from_slice(kind.as_bytes());
        self.line.extend_from_slice(b" {\n");
        push_pretty(&mut self.line, message, 1);
        self.line.extend_from_slice(b"}\n");
    }

    fn json(&mut self, kind: &str, name: &[u8], message: &Section) {
        self.line.extend_from_slice(b"{\"v\":1,\"type\":\"vici\",\"");
        self.line.extend_from_slice(kind.as_bytes());
        self.line.extend_from_slice(b"\":");
        self.json_end(name, message);
    }

    fn json_end(&mut self, name: &[u8], message: &Section) {
        push_json_string(&mut self.line, name);
        self.line.extend_from_slice(b",\"message\":");
        push_json(&mut self.line, message);
        self.line.extend_from_slice(b"}\n");
    }
}

/// The entries, one a line.
fn push_pretty(out: &mut Vec<u8>, section: &Section, level: usize) {
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
fn push_raw(out: &mut Vec<u8>, section: &Section) {
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
fn push_quoted(out: &mut Vec<u8>, bytes: &[u8]) {
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

fn push_json_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    push_json_escaped(out, bytes);
    out.push(b'"');
}

/// The entries as an object; names that were there before get `#2`, `#3`, …
fn push_json(out: &mut Vec<u8>, section: &Section) {
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
            Item::Section(section) => push_json(out, section),
        }
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Section {
        let mut message = Section::new().with("up", "yes").with("msg", "a \"b\" \x1b[2J");
        let mut up = Section::new().with("local-id", "C=CH, CN=x").with("", "");
        up.push_list("ts", ["10.0.0.0/8[tcp/https]", "a b"]);
        up.push_section("child-sas", Section::new());
        up.push_value("data", b"\x30\x82\xff".as_slice());
        up.push_value("id", b"\xff\"".as_slice());
        message.push_section("up", up);
        message
    }

    fn shown(format: Format) -> String {
        let mut out = Vec::new();
        Renderer::new(format, TimeZone::UTC).item("ike-updown", &message(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_escaped_and_unambiguous() {
        let expected = r#"ike-updown event {
  up = yes
  msg = "a \"b\" \x1b[2J"
  up {
    local-id = "C=CH, CN=x"
    "" = ""
    ts = [10.0.0.0/8[tcp/https] "a b"]
    child-sas {
    }
    data = 0x3082ff
    id = "\xff\""
  }
}
"#;
        assert_eq!(shown(Format::Text), expected);
        let mut raw = Vec::new();
        push_raw(&mut raw, &message());
        let start = r#"{up=yes msg="a \"b\" \x1b[2J" up {local-id="C=CH, CN=x" ""="" ts=["#;
        assert!(String::from_utf8(raw).unwrap().starts_with(start));
    }

    #[test]
    fn json_keeps_order_and_what_is_there_twice() {
        let json = shown(Format::Json);
        let expected = r#"{"v":1,"type":"vici","event":"ike-updown","message":{"up":"yes","msg":"a \"b\" \u001b[2J","up#2":{"local-id":"C=CH, CN=x","":"","ts":["10.0.0.0/8[tcp/https]","a b"],"child-sas":{},"data":"3082ff","id":"\\xff\""}}}"#;
        assert_eq!(json.trim_end(), expected);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["message"]["up#2"]["data"], "3082ff");
    }
}
