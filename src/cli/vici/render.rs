//! What a command answers, as text in the manner of swanctl's `--pretty` and as JSON lines.

use std::io::{self, Write};

use crate::sink::vici::json::push_tree;
use crate::sink::vici::text::{push_pretty, push_quoted};
use crate::text::{push_escaped, push_json_escaped};
use crate::vici::message::Section;

pub(super) struct Renderer {
    json: bool,
    line: Vec<u8>,
}

impl Renderer {
    pub(super) const fn new(json: bool) -> Self {
        Self { json, line: Vec::new() }
    }

    /// An item of a command's stream.
    pub(super) fn item(
        &mut self,
        name: &str,
        message: &Section,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        if self.json {
            self.json("event", name.as_bytes(), message);
        } else if name == "control-log" {
            self.line.push(b'[');
            push_escaped(&mut self.line, message.value("group").unwrap_or_default());
            self.line.extend_from_slice(b"] ");
            push_escaped(&mut self.line, message.value("msg").unwrap_or_default());
            self.line.push(b'\n');
        } else {
            self.pretty(name, "event", message);
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
        if self.json {
            self.json("reply", name.as_bytes(), message);
        } else {
            self.pretty(name, "reply", message);
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
        self.line.extend_from_slice(b"\":\"");
        push_json_escaped(&mut self.line, name);
        self.line.extend_from_slice(b"\",\"message\":");
        push_tree(&mut self.line, message);
        self.line.extend_from_slice(b"}\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::vici::text::push_raw;

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

    fn shown(json: bool) -> String {
        let mut out = Vec::new();
        Renderer::new(json).item("ike-updown", &message(), &mut out).unwrap();
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
        assert_eq!(shown(false), expected);
        let mut raw = Vec::new();
        push_raw(&mut raw, &message());
        let start = r#"{up=yes msg="a \"b\" \x1b[2J" up {local-id="C=CH, CN=x" ""="" ts=["#;
        assert!(String::from_utf8(raw).unwrap().starts_with(start));
    }

    #[test]
    fn json_keeps_order_and_what_is_there_twice() {
        let json = shown(true);
        let expected = r#"{"v":1,"type":"vici","event":"ike-updown","message":{"up":"yes","msg":"a \"b\" \u001b[2J","up#2":{"local-id":"C=CH, CN=x","":"","ts":["10.0.0.0/8[tcp/https]","a b"],"child-sas":{},"data":"3082ff","id":"\\xff\""}}}"#;
        assert_eq!(json.trim_end(), expected);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["message"]["up#2"]["data"], "3082ff");
    }
}
