//! What a feed says of itself among the events it delivers: that it has begun or ends, its
//! counters now and then, and what was lost. Each format has it in its own shape.

use jiff::tz::TimeZone;

use super::ecs::Version;
use super::json::{Emit, Writer, key, push_object};
use crate::text::{push_dec, push_escaped, push_hex};
use crate::time::{Clock, Precision, TimeStyle, Timestamp};

/// What it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The output's pipeline has begun.
    Start,
    /// It ends.
    Stop,
    /// It lives.
    Heartbeat,
    /// Events were lost.
    Loss,
}

impl Kind {
    /// JSON's `kind`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Heartbeat => "heartbeat",
            Self::Loss => "loss",
        }
    }

    /// ECS's `event.action`.
    const fn action(self) -> &'static str {
        match self {
            Self::Start => "feed-start",
            Self::Stop => "feed-stop",
            Self::Heartbeat => "heartbeat",
            Self::Loss => "capture-loss",
        }
    }
}

/// The shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A line.
    Text,
    /// pfscope's own JSON.
    Json,
    /// Elastic Common Schema.
    Ecs(Version),
    /// Open Cybersecurity Schema Framework.
    Ocsf,
}

/// Something that a feed says of itself.
#[derive(Debug, Clone)]
pub struct Status<'a> {
    /// What it is about.
    pub kind: Kind,
    /// When.
    pub ts: Timestamp,
    /// Its name.
    pub id: [u8; 16],
    /// Its number among what the feed says of itself to this output, from 1.
    pub sequence: u64,
    /// The machine that says so.
    pub observer: &'a str,
    /// The output it is about.
    pub output: &'a str,
    /// In words.
    pub message: &'a str,
    /// The output's counters, by their keys in JSON.
    pub counters: &'a [(super::json::Key, u64)],
}

impl Status<'_> {
    /// Appends it, without a line's end.
    pub fn push(&self, out: &mut Vec<u8>, form: Form) {
        match form {
            Form::Text => self.push_text(out),
            Form::Json => push_object(out, |e| self.describe_json(e)),
            Form::Ecs(version) => push_object(out, |e| self.describe_ecs(version, e)),
            Form::Ocsf => push_object(out, |e| self.describe_ocsf(e)),
        }
    }

    fn push_text(&self, out: &mut Vec<u8>) {
        Clock::new(TimeZone::UTC).push(out, self.ts, TimeStyle::Date, Precision::Micros);
        out.extend_from_slice(b"notice ");
        out.extend_from_slice(self.kind.name().as_bytes());
        out.extend_from_slice(b": output ");
        push_escaped(out, self.output.as_bytes());
        out.extend_from_slice(b": ");
        push_escaped(out, self.message.as_bytes());
        for (key, n) in self.counters {
            out.extend_from_slice(b", ");
            out.extend_from_slice(key.name().as_bytes());
            out.push(b' ');
            push_dec(out, *n);
        }
    }

    fn describe_json(&self, e: &mut Writer<'_>) {
        e.number(key!("v"), 1u8);
        e.word(key!("type"), "notice");
        e.word(key!("kind"), self.kind.name());
        self.describe_time(key!("ts"), e);
        e.bytes(key!("message"), self.message.as_bytes());
        e.open(key!("feed"));
        self.describe_feed(e);
        e.close();
    }

    fn describe_ecs(&self, version: Version, e: &mut Writer<'_>) {
        self.describe_time(key!("@timestamp"), e);
        e.open(key!("ecs"));
        e.word(key!("version"), version.name());
        e.close();
        e.open(key!("event"));
        e.word(key!("kind"), "metric");
        e.words(key!("category"), ["process"].into_iter());
        e.words(
            key!("type"),
            match self.kind {
                Kind::Start => ["start"],
                Kind::Stop => ["end"],
                Kind::Heartbeat | Kind::Loss => ["info"],
            }
            .into_iter(),
        );
        e.word(key!("action"), self.kind.action());
        e.members(r#","module":"pf","dataset":"pf.notice","provider":"pfscope""#);
        e.string(key!("id"), |out| push_hex(out, &self.id));
        e.number(key!("sequence"), self.sequence);
        e.close();
        e.open(key!("observer"));
        e.bytes(key!("name"), self.observer.as_bytes());
        e.members(r#","type":"firewall","product":"pf""#);
        e.close();
        e.bytes(key!("message"), self.message.as_bytes());
        e.open(key!("pf"));
        e.open(key!("feed"));
        self.describe_feed(e);
        e.close();
        e.close();
    }

    fn describe_ocsf(&self, e: &mut Writer<'_>) {
        e.number(key!("activity_id"), 99u8);
        e.word(key!("activity_name"), self.kind.action());
        e.members(r#","category_uid":0,"class_uid":0,"type_uid":99"#);
        e.number(key!("severity_id"), if self.kind == Kind::Loss { 3u8 } else { 1 });
        e.number(key!("time"), self.ts.0.div_euclid(1_000_000));
        self.describe_time(key!("time_dt"), e);
        e.bytes(key!("message"), self.message.as_bytes());
        e.open(key!("metadata"));
        e.members(r#","version":"1.8.0","profiles":["security_control","host","datetime"]"#);
        e.members(r#","product":{"name":"pf"}"#);
        e.string(key!("uid"), |out| push_hex(out, &self.id));
        e.number(key!("sequence"), self.sequence);
        e.word(key!("log_provider"), "pfscope");
        self.describe_time(key!("original_time"), e);
        e.close();
        e.open(key!("device"));
        e.members(r#","type_id":9"#);
        e.bytes(key!("name"), self.observer.as_bytes());
        e.close();
        e.open(key!("unmapped"));
        e.open(key!("pf"));
        e.open(key!("feed"));
        self.describe_feed(e);
        e.close();
        e.close();
        e.close();
    }

    fn describe_time(&self, key: super::json::Key, e: &mut Writer<'_>) {
        let mut clock = Clock::new(TimeZone::UTC);
        e.string(key, |out| clock.push_rfc3339(out, self.ts, Precision::Micros));
    }

    fn describe_feed(&self, e: &mut Writer<'_>) {
        e.bytes(key!("output"), self.output.as_bytes());
        for (key, n) in self.counters {
            e.number(*key, *n);
        }
    }
}

/// The keys of the counters, in the order they are written.
pub const COUNTERS: [super::json::Key; 14] = [
    key!("received"),
    key!("decoded"),
    key!("filtered"),
    key!("sent"),
    key!("acknowledged"),
    key!("spooled"),
    key!("dropped"),
    key!("kernel_dropped"),
    key!("interface_dropped"),
    key!("ring_dropped"),
    key!("spool_events"),
    key!("spool_bytes"),
    key!("refused"),
    key!("retries"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(form: Form) -> String {
        let counters = [(COUNTERS[0], 7), (COUNTERS[6], 1)];
        let status = Status {
            kind: Kind::Heartbeat,
            ts: Timestamp(1_500_000),
            id: [0xab; 16],
            sequence: 3,
            observer: "fw1",
            output: "siem",
            message: "works \"well\"",
            counters: &counters,
        };
        let mut out = Vec::new();
        status.push(&mut out, form);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_format_has_its_shape() {
        let text = "1970-01-01 00:00:00.001500 notice heartbeat: output siem: works \"well\", \
                    received 7, dropped 1";
        assert_eq!(shown(Form::Text), text);
        assert_eq!(
            shown(Form::Json),
            concat!(
                r#"{"v":1,"type":"notice","kind":"heartbeat","ts":"1970-01-01T00:00:00.001500Z","#,
                r#""message":"works \"well\"","feed":{"output":"siem","received":7,"dropped":1}}"#
            )
        );
        let ecs: serde_json::Value =
            serde_json::from_str(&shown(Form::Ecs(Version::V9_4))).unwrap();
        assert_eq!(ecs["event"]["sequence"], 3);
        assert_eq!(ecs["pf"]["feed"]["received"], 7);
        let ocsf: serde_json::Value = serde_json::from_str(&shown(Form::Ocsf)).unwrap();
        assert_eq!(ocsf["metadata"]["uid"], "ab".repeat(16));
        assert_eq!(ocsf["unmapped"]["pf"]["feed"]["dropped"], 1);
    }

    #[test]
    fn each_shape_is_of_its_schema() {
        for (form, schema) in [
            (Form::Json, crate::sink::json::SCHEMA),
            (Form::Ecs(Version::V9_4), crate::sink::ecs::SCHEMA),
            (Form::Ocsf, crate::sink::ocsf::SCHEMA),
        ] {
            let schema = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
            let line = serde_json::from_str(&shown(form)).unwrap();
            let wrong: Vec<_> = schema.iter_errors(&line).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{wrong:?}");
        }
    }
}
