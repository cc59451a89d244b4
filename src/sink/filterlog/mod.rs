//! `--format filterlog`: the line that pfSense's and OPNsense's filterlog give to syslog for a
//! packet, without syslog's own header, for the many parsers that know it.
//!
//! ```text
//! rulenr,subrulenr,anchor,tracker or label,interface,reason,action,dir,version,
//! 4: tos,ecn,ttl,id,offset,flags,proto number,proto name,length,src,dst,
//! 6: class,flow,hop limit,proto name,proto number,payload length,src,dst,
//! then by protocol: ports and length, TCP's fields, ICMP's, CARP's, or datalength=N
//! ```
//! Byte for byte what those programs print, also where that is odd, as parsers expect it; but
//! where they print what is not in the packet (a format string, memory behind the capture, one
//! address twice) the right value stands here. `docs/siem.md` lists these places. A field of
//! which the capture has no bytes is empty. Frames without a pf header have no line.

mod icmp;
mod icmp_pfsense;
mod ip;
mod ip6;
mod names;
mod tcp;

use super::Sink;
use super::page::Page;
use crate::event::{Event, Kind, Rule};
use crate::pf::{Action, Direction, Reason};
use crate::text::{Integer, push_dec, push_hex_byte};
use crate::wire::link::LinkType;
use crate::wire::pflog::{MIN_LEN, Pflog};

/// Whose filterlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flavour {
    /// pfSense's: the fourth field is the rule's tracker.
    #[default]
    Pfsense,
    /// OPNsense's: the fourth field is the rule's label.
    Opnsense,
}

/// The renderer.
#[derive(Debug)]
pub struct Filterlog {
    flavour: Flavour,
}

impl Filterlog {
    /// A renderer of lines as this system's filterlog writes them.
    pub const fn new(flavour: Flavour) -> Self {
        Self { flavour }
    }
}

impl Sink for Filterlog {
    fn event(&mut self, event: &Event<'_>, page: &mut Page) {
        page.begin(event.frame.ts);
        if matches!(event.frame.link, LinkType::PFLOG | LinkType::OLD_PFLOG) {
            push_line(&mut page.text, self.flavour, event);
            page.text.push(b'\n');
        }
        page.end();
    }
}

fn push_line(out: &mut Vec<u8>, flavour: Flavour, event: &Event<'_>) {
    let frame = &event.frame;
    let Some(header) = event.pflog.as_ref().filter(|_| event.kind != Kind::Undecoded) else {
        let short = frame.data.first().is_some_and(|&len| len < MIN_LEN);
        let what: &[u8] = if short && frame.link == LinkType::PFLOG {
            b"[pflog: invalid header length!]"
        } else {
            b"[|pflog]"
        };
        return out.extend_from_slice(what);
    };
    push_header(out, flavour, header, event.rule.as_ref());
    let packet = Bytes(frame.data.get(header.skip..).unwrap_or_default());
    let len = frame.len.saturating_sub(header.skip);
    match packet.byte(0).map(|first| first >> 4) {
        Some(version) if len < 4 => {
            push_dec(out, version);
            match flavour {
                Flavour::Pfsense => out.extend_from_slice(b", IP(truncated-ip "),
                Flavour::Opnsense => out.extend_from_slice(b",truncated-ip="),
            }
            push_dec(out, len);
            if flavour == Flavour::Pfsense {
                out.extend_from_slice(b") ");
            }
        }
        Some(4) => ip::push(out, flavour, packet, len),
        Some(6) => ip6::push(out, flavour, packet, len),
        Some(version) => push_dec(out, version),
        None => {}
    }
}

fn push_header(out: &mut Vec<u8>, flavour: Flavour, h: &Pflog<'_>, rule: Option<&Rule<'_>>) {
    match (h.rulenr, flavour) {
        (Some(number), _) => push_dec(out, number),
        // The default rule, as "%u" of -1.
        (None, Flavour::Pfsense) => push_dec(out, u32::MAX),
        (None, Flavour::Opnsense) => {}
    }
    out.push(b',');
    if let Some(number) = h.subrulenr {
        push_dec(out, number);
        out.push(b',');
        push_name(out, h.ruleset);
    } else {
        out.push(b',');
    }
    out.push(b',');
    match flavour {
        Flavour::Pfsense => push_dec(out, h.ridentifier.unwrap_or(0)),
        Flavour::Opnsense => match rule.and_then(Rule::label).filter(|_| !is_translation(h)) {
            Some(label) => push_name(out, label.as_bytes()),
            None => out.push(b'0'),
        },
    }
    out.push(b',');
    push_name(out, h.ifname);
    out.push(b',');
    push_code(out, flavour, reason(h), h.reason.0);
    push_code(out, flavour, action(h), h.action.0);
    if let Some(Direction(dir)) = h.dir {
        push_code(out, flavour, direction(dir), dir);
    } else {
        out.push(b',');
    }
}

/// Translation rules have numbers of their own, and OPNsense no labels for them.
fn is_translation(h: &Pflog<'_>) -> bool {
    matches!(action(h), Some("nat" | "binat" | "rdr"))
}

/// filterlog knows the reasons that all systems share.
fn reason(h: &Pflog<'_>) -> Option<&'static str> {
    let Reason(number) = h.reason;
    h.reason.name(h.systems).filter(|_| number <= 14)
}

/// filterlog knows the actions that all systems share, and says of a "no nat" that it is "nat".
fn action(h: &Pflog<'_>) -> Option<&'static str> {
    let Action(number) = h.action;
    match h.action.name(h.systems).filter(|_| number <= 10)? {
        "nonat" => Some("nat"),
        "nobinat" => Some("binat"),
        "nordr" => Some("rdr"),
        "noscrub" => None,
        name => Some(name),
    }
}

const fn direction(dir: u8) -> Option<&'static str> {
    match dir {
        0 => Some("in/out"),
        1 => Some("in"),
        2 => Some("out"),
        _ => None,
    }
}

/// A code's name, or its number as unknown, and a comma.
fn push_code(out: &mut Vec<u8>, flavour: Flavour, name: Option<&str>, number: u8) {
    match name {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => {
            out.extend_from_slice(match flavour {
                Flavour::Pfsense => b"unkn(",
                Flavour::Opnsense => b"unknown(",
            });
            push_dec(out, number);
            out.push(b')');
        }
    }
    out.push(b',');
}

/// An untrusted name. A comma in it would move all fields behind it, so it is escaped too.
fn push_name(out: &mut Vec<u8>, name: &[u8]) {
    for &byte in name {
        match byte {
            b',' | b'\\' | ..b' ' | 0x7f.. => {
                out.extend_from_slice(b"\\x");
                push_hex_byte(out, byte);
            }
            _ => out.push(byte),
        }
    }
}

/// The captured bytes of a header and what follows it, in network order.
#[derive(Debug, Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn byte(self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    fn word(self, at: usize) -> Option<u16> {
        self.0.get(at..)?.first_chunk().map(|&bytes| u16::from_be_bytes(bytes))
    }

    fn long(self, at: usize) -> Option<u32> {
        self.0.get(at..)?.first_chunk().map(|&bytes| u32::from_be_bytes(bytes))
    }

    /// What stands behind the first `at` bytes.
    fn behind(self, at: usize) -> Self {
        Self(self.0.get(at..).unwrap_or_default())
    }
}

/// A number, or nothing where the capture has no bytes of it.
fn push_some(out: &mut Vec<u8>, n: Option<impl Integer>) {
    if let Some(n) = n {
        push_dec(out, n);
    }
}

/// What [`push_some`] appends, and a comma.
fn push_field(out: &mut Vec<u8>, n: Option<impl Integer>) {
    push_some(out, n);
    out.push(b',');
}

/// UDP: ports and the length that its header claims.
fn push_udp(out: &mut Vec<u8>, udp: Bytes<'_>) {
    push_field(out, udp.word(0));
    push_field(out, udp.word(2));
    push_some(out, udp.word(4));
}

/// SCTP: ports and the length behind the common header; pfSense's.
fn push_sctp(out: &mut Vec<u8>, sctp: Bytes<'_>, len: usize) {
    push_field(out, sctp.word(0));
    push_field(out, sctp.word(2));
    push_dec(out, len.saturating_sub(12));
}

/// CARP, and VRRP with its number: type, TTL, vhid, version, advskew, advbase.
fn push_carp(out: &mut Vec<u8>, carp: Bytes<'_>, ttl: Option<u8>) {
    if let Some(first) = carp.byte(0) {
        let kind: &[u8] = if first & 0x0f == 1 { b"advertise" } else { b"unkwn" };
        out.extend_from_slice(kind);
    }
    out.push(b',');
    push_field(out, ttl);
    push_field(out, carp.byte(1));
    push_field(out, carp.byte(0).map(|first| first >> 4));
    push_field(out, carp.byte(2));
    push_some(out, carp.byte(5));
}

/// What is not taken apart: its length. pfSense has a blank behind it.
fn push_other(out: &mut Vec<u8>, flavour: Flavour, len: usize) {
    out.extend_from_slice(b"datalength=");
    push_dec(out, len);
    if flavour == Flavour::Pfsense {
        out.push(b' ');
    }
}

#[cfg(test)]
mod tests;
