//! The JSON of a plain record, from where it stands: the same bytes as those of
//! [`describe()`](super::describe()), in fewer and longer pieces.

use super::describe::{Emit, Origin, describe_header, describe_transport, key};
use super::{Writer, address, push_object};
use crate::event::Frame;
use crate::glance::Glance;
use crate::packet::{Ports, TcpFlags, proto};
use crate::pf::Family;
use crate::time::Clock;
use crate::wire::pflog::Pflog;

/// The members of a source that is one file.
pub(super) fn source(origin: &Origin) -> Vec<u8> {
    let mut out = Vec::new();
    if let Origin::File(name) = origin {
        super::push_members(&mut out, |e| e.bytes(key!("file"), name));
    }
    out
}

/// All of `pflog` but its addresses; the object is left open.
pub(super) fn header(header: &Pflog<'_>, e: &mut Writer<'_>) {
    e.open(key!("pflog"));
    describe_header(header, e);
}

/// Appends the record's line. `header` and `source` are members that are ready.
#[inline]
pub(super) fn push(
    out: &mut Vec<u8>,
    frame: &Frame<'_>,
    glance: &Glance<'_>,
    header: &[u8],
    (origin, source): (&Origin, &[u8]),
    clock: &mut Clock,
) {
    push_object(out, |e| {
        e.members(r#","v":1,"type":"pflog""#);
        e.string(key!("ts"), |out| clock.push_rfc3339(out, frame.ts, frame.precision));
        e.number(key!("frame"), frame.number);
        match origin {
            Origin::File(_) => e.members(source),
            Origin::Devices => e.bytes(key!("iface"), frame.iface.unwrap_or_default()),
        }
        e.number(key!("caplen"), frame.data.len());
        e.number(key!("len"), frame.len);
        if frame.is_truncated() {
            e.truth(key!("truncated"));
        }
        e.members(header);
        push_other(frame, glance, e);
        push_net(glance, e);
        e.members("}");
    });
    out.extend_from_slice(b"\n");
}

#[inline]
fn push_other(frame: &Frame<'_>, glance: &Glance<'_>, e: &mut Writer<'_>) {
    let Some(other) = glance.other(frame) else { return };
    let Some(family) = other.family else { return };
    e.address(key!("saddr"), Some(address(other.saddr, family)));
    e.address(key!("daddr"), Some(address(other.daddr, family)));
    e.number(key!("sport"), other.sport);
    e.number(key!("dport"), other.dport);
}

/// Appends `net`, which is left open, behind the end of `pflog`.
#[inline]
fn push_net(glance: &Glance<'_>, e: &mut Writer<'_>) {
    e.members(match glance.family {
        Family::Inet => r#"},"net":{"family":"inet","src":""#,
        Family::Inet6 => r#"},"net":{"family":"inet6","src":""#,
    });
    e.push_ip(glance.src);
    e.members(r#"","dst":""#);
    e.push_ip(glance.dst);
    match (glance.proto, glance.ports) {
        (proto::TCP, Some(ports)) => push_ports(r#"","proto":"tcp","proto_num":6"#, ports, e),
        (proto::UDP, Some(ports)) => push_ports(r#"","proto":"udp","proto_num":17"#, ports, e),
        (number, ports) => {
            e.members("\"");
            if let Some(name) = proto::name(number) {
                e.word(key!("proto"), name);
            }
            e.number(key!("proto_num"), number);
            if let Some(ports) = ports {
                push_ports("", ports, e);
            }
        }
    }
    e.number(key!("ttl"), glance.ttl());
    e.number(key!("len"), glance.len);
    e.some(key!("frag_off"), glance.frag_off());
    push_transport(glance, e);
}

#[inline]
fn push_ports(before: &str, ports: Ports, e: &mut Writer<'_>) {
    e.members(before);
    e.number(key!("sport"), ports.src);
    e.number(key!("dport"), ports.dst);
}

/// Appends what stands behind IP, but for the ports.
#[inline]
pub(in crate::sink) fn push_transport(glance: &Glance<'_>, e: &mut Writer<'_>) {
    let (bytes, behind) = glance.bytes();
    let payload = bytes.get(behind..).unwrap_or_default();
    match (glance.proto, glance.ports, payload.first_chunk()) {
        // IKE and ESP in UDP have ports of their own.
        (proto::UDP, Some(ports), _) if ![ports.src, ports.dst].iter().any(is_ipsec) => {}
        (proto::TCP, Some(_), Some(&[_, _, _, _, a, b, c, d, f, g, h, i, offset, low, j, k])) => {
            e.open(key!("tcp"));
            let flags = TcpFlags(u16::from_be_bytes([offset & 1, low]));
            e.string(key!("flags"), |out| flags.push(out));
            e.number(key!("seq"), u32::from_be_bytes([a, b, c, d]));
            e.number(key!("ack"), u32::from_be_bytes([f, g, h, i]));
            e.number(key!("win"), u16::from_be_bytes([j, k]));
            e.close();
        }
        _ => describe_transport(&glance.packet(), e),
    }
}

const fn is_ipsec(port: &u16) -> bool {
    matches!(port, 500 | 4500)
}
