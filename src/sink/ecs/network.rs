//! ECS's `network`, `source`, `destination` and `related`.

use crate::packet::proto;
use crate::pf::Family;
use crate::sink::community::Namer;
use crate::sink::json::{Emit, Key, Writer, key};
use crate::sink::site::Site;
use crate::sink::subject::{Side, Subject, counter};
use crate::text::push_dec;

/// Names what is known of the two ends and of what went between them; `through` is its direction
/// where the site's networks do not tell it.
pub(super) fn describe(
    subject: &Subject,
    site: &Site,
    through: Option<&str>,
    namer: &mut Namer,
    e: &mut Writer<'_>,
) {
    if *subject == Subject::default() {
        return;
    }
    e.open(key!("network"));
    if let Some(family) = subject.family {
        e.word(key!("type"), network_type(family));
    }
    if let Some(number) = subject.proto {
        if let Some(name) = proto::name(number) {
            e.word(key!("transport"), name);
        }
        e.string(key!("iana_number"), |out| push_dec(out, number));
    }
    if let Some(tuple) = subject.tuple() {
        e.optional(key!("community_id"), |out| namer.push(out, &tuple));
    }
    let way = site.way(subject.src.ip, subject.dst.ip).map(|way| way.name());
    if let Some(way) = way.or(through) {
        e.word(key!("direction"), way);
    }
    if let Some(len) = subject.packet_len {
        e.number(key!("bytes"), len);
        e.number(key!("packets"), 1u8);
    } else if let Some((packets, bytes)) = subject.total() {
        e.number(key!("bytes"), counter(bytes));
        e.number(key!("packets"), counter(packets));
    }
    e.close();
    describe_side(key!("source"), &subject.src, e);
    describe_side(key!("destination"), &subject.dst, e);
    if subject.addresses().next().is_some() {
        e.open(key!("related"));
        e.addresses(key!("ip"), subject.addresses());
        e.close();
    }
}

/// IP's version, in ECS's words.
pub(super) const fn network_type(family: Family) -> &'static str {
    match family {
        Family::Inet => "ipv4",
        Family::Inet6 => "ipv6",
    }
}

pub(in crate::sink) fn describe_side(key: Key, side: &Side, e: &mut Writer<'_>) {
    if *side == Side::default() {
        return;
    }
    e.open(key);
    e.address(key!("address"), side.ip);
    e.address(key!("ip"), side.ip);
    e.some(key!("port"), side.port);
    if let Some((packets, bytes)) = side.sent {
        e.number(key!("bytes"), counter(bytes));
        e.number(key!("packets"), counter(packets));
    }
    if let Some((ip, port)) = side.nat {
        e.open(key!("nat"));
        e.address(key!("ip"), Some(ip));
        e.some(key!("port"), port);
        e.close();
    }
    e.close();
}
