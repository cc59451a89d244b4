//! OCSF's connection, its two ends, the traffic, and where it was seen.

use super::{Class, creator, state_ids};
use crate::event::Event;
use crate::packet::{Transport, proto};
use crate::pf::Family;
use crate::sink::community::Namer;
use crate::sink::json::{Emit, Key, Line, Writer, key};
use crate::sink::pf::push_spi;
use crate::sink::site::{Site, Way};
use crate::sink::subject::{Side, Subject, counter};
use crate::text::{push_hex, push_ip};
use crate::wire::pfsync::{Body, Message};

/// What `connection_info` begins with: which way, and which protocol.
pub(in crate::sink) fn describe_way(subject: &Subject, site: &Site, e: &mut Writer<'_>) {
    let way = site.way(subject.src.ip, subject.dst.ip);
    e.number(key!("direction_id"), way.map_or(0, Way::direction_id));
    if let Some(number) = subject.proto {
        e.number(key!("protocol_num"), number);
        if let Some(name) = proto::name(number) {
            e.word(key!("protocol_name"), name);
        }
    }
    match subject.family {
        Some(Family::Inet) => e.number(key!("protocol_ver_id"), 4u8),
        Some(Family::Inet6) => e.number(key!("protocol_ver_id"), 6u8),
        None => {}
    }
}

/// Names all of a line's network side.
pub(super) fn describe(
    event: &Event<'_>,
    line: Line<'_>,
    subject: &Subject,
    site: &Site,
    class: Class,
    namer: &mut Namer,
    e: &mut Writer<'_>,
) {
    if class == Class::Tunnel {
        describe_tunnel(line, subject, e);
        return;
    }
    e.open(key!("connection_info"));
    describe_way(subject, site, e);
    if let Some(tuple) = subject.tuple() {
        e.optional(key!("community_uid"), |out| namer.push(out, &tuple));
    }
    if let Some(Transport::Tcp(tcp)) = event.packet.as_ref().map(|packet| packet.transport)
        && event.pfsync.is_none()
    {
        e.some(key!("tcp_flags"), tcp.offset_flags.map(|(_, flags)| flags.0));
    }
    let ids = match line {
        Line::Message(message) => state_ids(message),
        _ => event.frame.flow.map(|flow| flow.ids),
    };
    if let Some(ids) = ids {
        e.string(key!("uid"), |out| {
            push_hex(out, &ids.id.to_be_bytes());
            out.push(b'/');
            push_hex(out, &ids.creatorid.to_be_bytes());
        });
    }
    e.close();
    if subject.src.ip.is_none() && subject.dst.ip.is_none() {
        describe_sender(event, line, site, e);
    } else {
        describe_end(key!("src_endpoint"), &subject.src, e);
        describe_end(key!("dst_endpoint"), &subject.dst, e);
    }
    describe_place(event, line, e);
    describe_traffic(subject, e);
    let mut addresses = subject.addresses().peekable();
    if addresses.peek().is_some() {
        e.list(key!("observables"), |out| {
            for (i, ip) in addresses.enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                // IP Address
                out.extend_from_slice(b"{\"type_id\":2,\"value\":\"");
                push_ip(out, ip);
                out.extend_from_slice(b"\"}");
            }
        });
    }
}

pub(in crate::sink) fn describe_end(key: Key, side: &Side, e: &mut Writer<'_>) {
    let Some(ip) = side.ip else { return };
    e.open(key);
    e.address(key!("ip"), Some(ip));
    e.some(key!("port"), side.port);
    if let Some((ip, port)) = side.nat {
        e.open(key!("proxy_endpoint"));
        e.address(key!("ip"), Some(ip));
        e.some(key!("port"), port);
        e.close();
    }
    e.close();
}

/// A message that is about no connection, or one of which only the identifiers are known, has the
/// firewall whose states they are as its only end: the schema demands one.
fn describe_sender(event: &Event<'_>, line: Line<'_>, site: &Site, e: &mut Writer<'_>) {
    e.open(key!("src_endpoint"));
    let sender = event.packet.as_ref().filter(|_| event.pfsync.is_some());
    e.address(key!("ip"), sender.and_then(|packet| packet.ip.src));
    match line {
        Line::Message(message) if creator(message).is_some() => {
            e.string(key!("uid"), |out| {
                push_hex(out, &creator(message).unwrap_or_default().to_be_bytes());
            });
        }
        _ => e.bytes(key!("name"), site.observer.as_bytes()),
    }
    e.close();
}

/// The interface at which it was seen.
fn describe_place(event: &Event<'_>, line: Line<'_>, e: &mut Writer<'_>) {
    let name = match (&event.pflog, line) {
        (Some(header), _) => header.ifname,
        (None, Line::Message(message)) => match &message.body {
            Body::State(state) => state.ifname,
            Body::Clear { ifname, .. } => ifname,
            _ => &[],
        },
        _ => &[],
    };
    if name.is_empty() {
        return;
    }
    // Neither of the two ends
    e.members(r#","observation_point_id":3"#);
    e.open(key!("network_observation_point"));
    e.bytes(key!("interface_name"), name);
    e.close();
}

pub(in crate::sink) fn describe_traffic(subject: &Subject, e: &mut Writer<'_>) {
    if let Some(len) = subject.packet_len {
        e.open(key!("traffic"));
        e.number(key!("bytes"), len);
        e.number(key!("packets"), 1u8);
        e.close();
    }
    let sent = subject.src.sent.zip(subject.dst.sent);
    if let (Some(((packets, bytes), (back, bytes_back))), Some((all, all_bytes))) =
        (sent, subject.total())
    {
        e.open(key!("cumulative_traffic"));
        e.number(key!("bytes"), counter(all_bytes));
        e.number(key!("bytes_in"), counter(bytes_back));
        e.number(key!("bytes_out"), counter(bytes));
        e.number(key!("packets"), counter(all));
        e.number(key!("packets_in"), counter(back));
        e.number(key!("packets_out"), counter(packets));
        e.close();
    }
}

/// An SA: its SPI as the session, its far end, what it has carried.
fn describe_tunnel(line: Line<'_>, subject: &Subject, e: &mut Writer<'_>) {
    let Line::Message(Message { body: Body::Tdb(tdb), .. }) = line else { return };
    e.word(key!("protocol_name"), "IPSec");
    e.open(key!("session"));
    e.string(key!("uid"), |out| push_spi(out, tdb.spi));
    e.members(r#","is_vpn":true"#);
    e.close();
    describe_end(key!("dst_endpoint"), &subject.dst, e);
    e.open(key!("cumulative_traffic"));
    e.number(key!("bytes"), counter(tdb.cur_bytes));
    e.close();
}
