//! The JSON of a plain record, from where it stands: the same bytes as those of
//! [`describe()`](super::describe()), in fewer and longer pieces.

use super::describe::{Emit, Origin, describe_header, describe_transport, key};
use super::{Writer, address, push_members};
use crate::event::Frame;
use crate::glance::Glance;
use crate::packet::{Icmp, TcpFlags, proto};
use crate::pf::Family;
use crate::text::line::{Line, Number, Piece, Room};
use crate::time::Clock;
use crate::wire::pflog::Pflog;

/// The members of a source that is one file.
pub(super) fn source(origin: &Origin) -> Vec<u8> {
    let mut out = Vec::new();
    if let Origin::File(name) = origin {
        push_members(&mut out, |e| e.bytes(key!("file"), name));
    }
    out
}

/// All of `pflog` but its addresses; the object is left open.
pub(super) fn header(header: &Pflog<'_>, e: &mut Writer<'_>) {
    e.open(key!("pflog"));
    describe_header(header, e);
}

/// Appends the record's line; `None`, and nothing appended, if it is too long for the room. `header`
/// and `source` are members that are ready.
#[inline]
pub(super) fn push(
    out: &mut Vec<u8>,
    room: &mut Room,
    frame: &Frame<'_>,
    glance: &Glance<'_>,
    header: &Piece<'_>,
    source: &[u8],
    clock: &mut Clock,
) -> Option<()> {
    let mut line = Line::new(room);
    line.put(br#"{"v":1,"type":"pflog","ts":""#);
    clock.put_rfc3339(&mut line, frame.ts, frame.precision);
    line.put(br#"","frame":"#);
    line.dec(frame.number);
    line.bytes(source);
    line.put(br#","caplen":"#);
    put_lengths(&mut line, frame);
    line.piece(header);
    put_ends(&mut line, frame, glance);
    line.put(br#","ttl":"#);
    line.octet(glance.ttl());
    line.put(br#","len":"#);
    line.dec(glance.len);
    put_frag_off(&mut line, glance);
    let is_whole = put_transport(&mut line, glance);
    out.extend_from_slice(line.text()?);
    if !is_whole {
        push_transport(out, glance);
    }
    out.extend_from_slice(b"}}\n");
    Some(())
}

/// Appends `caplen`, of which the key is there, and what belongs to it.
#[inline(always)]
pub(in crate::sink) fn put_lengths(line: &mut Line<'_>, frame: &Frame<'_>) {
    match u16::try_from(frame.len) {
        Ok(len) if frame.data.len() == frame.len => {
            let len = Number::new(len);
            line.number(&len);
            line.put(br#","len":"#);
            line.number(&len);
        }
        _ => {
            line.dec(frame.data.len());
            line.put(br#","len":"#);
            line.dec(frame.len);
            if frame.is_truncated() {
                line.put(br#","truncated":true"#);
            }
        }
    }
}

/// Appends pf's addresses, the end of `pflog` and those of the packet, protocol and ports.
#[inline(always)]
fn put_ends(line: &mut Line<'_>, frame: &Frame<'_>, glance: &Glance<'_>) {
    let [src, dst] = glance.addresses();
    let begin = |line: &mut Line<'_>| match glance.family {
        Family::Inet => line.put(br#"},"net":{"family":"inet","src":""#),
        Family::Inet6 => line.put(br#"},"net":{"family":"inet6","src":""#),
    };
    let other = glance.other(frame);
    let ports = glance.ports.map(|ports| (ports.src, ports.dst));
    let (sport, dport) = ports.unwrap_or_default();
    let (first_port, second_port) = (Number::new(sport), Number::new(dport));
    if let Some((other, family)) = other.and_then(|other| Some((other, other.family?))) {
        let (saddr, daddr) = (address(other.saddr, family), address(other.daddr, family));
        let (first, second) = (line.address(saddr), line.address(daddr));
        line.put(br#","saddr":""#);
        line.ip(&first);
        line.put(br#"","daddr":""#);
        line.ip(&second);
        line.put(br#"","sport":"#);
        line.number(&if other.sport == sport { first_port } else { Number::new(other.sport) });
        line.put(br#","dport":"#);
        line.number(&if other.dport == dport { second_port } else { Number::new(other.dport) });
        begin(line);
        let first = if src == saddr { first } else { line.address(src) };
        line.ip(&first);
        line.put(br#"","dst":""#);
        let second = if dst == daddr { second } else { line.address(dst) };
        line.ip(&second);
    } else {
        begin(line);
        line.addr(src);
        line.put(br#"","dst":""#);
        line.addr(dst);
    }
    match glance.proto {
        proto::TCP => line.put(br#"","proto":"tcp","proto_num":6"#),
        proto::UDP => line.put(br#"","proto":"udp","proto_num":17"#),
        number => {
            if let Some(name) = proto::name(number) {
                line.put(br#"","proto":""#);
                line.bytes(name.as_bytes());
            }
            line.put(br#"","proto_num":"#);
            line.octet(number);
        }
    }
    if ports.is_some() {
        line.put(br#","sport":"#);
        line.number(&first_port);
        line.put(br#","dport":"#);
        line.number(&second_port);
    }
}

/// Appends where the packet belongs in a larger one, where its header tells.
#[inline(always)]
pub(in crate::sink) fn put_frag_off(line: &mut Line<'_>, glance: &Glance<'_>) {
    match glance.frag().map(|frag| frag.offset) {
        Some(0) => line.put(br#","frag_off":0"#),
        Some(offset) => {
            line.put(br#","frag_off":"#);
            line.dec(offset);
        }
        None => {}
    }
}

/// Appends what stands behind IP, but for the ports; false, and nothing appended, if it must be
/// decoded.
#[inline(always)]
pub(in crate::sink) fn put_transport(line: &mut Line<'_>, glance: &Glance<'_>) -> bool {
    let (bytes, behind) = glance.bytes();
    let payload = bytes.get(behind..).unwrap_or_default();
    match (glance.proto, glance.ports) {
        // IKE and ESP in UDP have ports of their own.
        (proto::UDP, Some(ports)) => !ports.lead_to_ipsec(),
        (proto::TCP, Some(_)) => {
            let Some(header) = payload.first_chunk() else { return false };
            let &[_, _, _, _, a, b, c, d, f, g, h, i, offset, low, j, k] = header;
            line.put(br#","tcp":{"flags":""#);
            line.part(TcpFlags(u16::from_be_bytes([offset & 1, low])).letters());
            line.put(br#"","seq":"#);
            line.dec(u32::from_be_bytes([a, b, c, d]));
            line.put(br#","ack":"#);
            line.dec(u32::from_be_bytes([f, g, h, i]));
            line.put(br#","win":"#);
            line.dec(u16::from_be_bytes([j, k]));
            line.put(b"}");
            true
        }
        (proto::ICMP | proto::ICMP6, _) => {
            if let Some(Icmp { kind, code }) = glance.icmp() {
                line.put(br#","icmp":{"type":"#);
                line.octet(kind);
                if let Some(code) = code {
                    line.put(br#","code":"#);
                    line.octet(code);
                }
                line.put(b"}");
            }
            true
        }
        _ => false,
    }
}

/// Appends what [`put_transport`] does not.
pub(in crate::sink) fn push_transport(out: &mut Vec<u8>, glance: &Glance<'_>) {
    push_members(out, |e| describe_transport(&glance.packet(), e));
}
