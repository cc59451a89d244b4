//! A change as a document of the Elastic Common Schema.

use super::change::{Action, Change};
use super::{Vici, pf};
use crate::packet::proto;
use crate::sink::ecs::Version;
use crate::sink::ecs::network::describe_side;
use crate::sink::json::{Emit, Writer, key};
use crate::sink::subject::counter;
use crate::text::{push_dec, push_hex, push_json_escaped};
use crate::time::{Precision, Timestamp};

impl Vici {
    pub(super) fn describe_ecs(
        &mut self,
        version: Version,
        at: Timestamp,
        id: [u8; 16],
        change: &Change<'_>,
        e: &mut Writer<'_>,
    ) {
        e.string(key!("@timestamp"), |out| self.clock.push_rfc3339(out, at, Precision::Micros));
        e.open(key!("ecs"));
        e.word(key!("version"), version.name());
        e.close();
        e.open(key!("event"));
        e.members(r#","kind":"event","category":["network"]"#);
        e.members(match change.action {
            Action::IkeUp | Action::ChildUp => r#","type":["start"]"#,
            Action::IkeDown | Action::ChildDown => r#","type":["end"]"#,
            _ => r#","type":["info"]"#,
        });
        e.word(key!("action"), change.action.name());
        if change.is_failure() {
            e.word(key!("outcome"), "failure");
        }
        e.bytes(key!("reason"), change.alert().unwrap_or_default());
        e.members(r#","module":"pf","dataset":"pf.ipsec""#);
        e.bytes(key!("provider"), &self.source);
        e.string(key!("id"), |out| push_hex(out, &id));
        self.sequence.describe(self.number, e);
        let began = change.began(at);
        if let Some((start, _)) = began {
            e.string(key!("start"), |out| {
                self.clock.push_rfc3339(out, Timestamp(start), Precision::Micros);
            });
        }
        if change.is_end() {
            e.string(key!("end"), |out| self.clock.push_rfc3339(out, at, Precision::Micros));
            e.some(key!("duration"), began.map(|(_, age)| age));
        }
        e.close();
        e.open(key!("observer"));
        e.bytes(key!("name"), self.site.observer.as_bytes());
        e.members(r#","type":"firewall","vendor":"strongSwan","product":"strongSwan""#);
        e.bytes(key!("version"), &self.version);
        e.close();
        self.describe_network(change, e);
        e.bytes(key!("message"), change.text());
        e.open(key!("pf"));
        e.open(key!("ipsec"));
        pf::describe(change, e);
        e.close();
        e.close();
    }

    fn describe_network(&self, change: &Change<'_>, e: &mut Writer<'_>) {
        let subject = change.subject();
        e.open(key!("network"));
        e.word(key!("type"), "ipsec");
        if let Some(number) = subject.proto.filter(|_| change.ike.is_some()) {
            if let Some(name) = proto::name(number) {
                e.word(key!("transport"), name);
            }
            e.string(key!("iana_number"), |out| push_dec(out, number));
        }
        if let Some(way) = self.site.way(subject.src.ip, subject.dst.ip) {
            e.word(key!("direction"), way.name());
        }
        if let Some((packets, bytes)) = subject.total() {
            e.number(key!("bytes"), counter(bytes));
            e.number(key!("packets"), counter(packets));
        }
        e.close();
        describe_side(key!("source"), &subject.src, e);
        describe_side(key!("destination"), &subject.dst, e);
        let addresses = change.addresses();
        let user = change.user();
        if !addresses.is_empty() || user.is_some() {
            e.open(key!("related"));
            e.addresses(key!("ip"), addresses.into_iter());
            if let Some(user) = user {
                e.list(key!("user"), |out| {
                    out.push(b'"');
                    push_json_escaped(out, user);
                    out.push(b'"');
                });
            }
            e.close();
        }
        if let Some(user) = user {
            e.open(key!("user"));
            e.bytes(key!("name"), user);
            e.close();
        }
    }
}
