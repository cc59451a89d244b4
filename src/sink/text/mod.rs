//! A line an event, as `tcpdump` 4.99 writes it: byte for byte for whole packets. pfsync, which it
//! does not know, has a line for each message too, as OpenBSD's tcpdump writes them.
//!
//! Where tcpdump itself is wrong the right thing is written (`pflog.rs`), where it gives up on a
//! cut header all that is there, and where it goes on into an application's protocol (DNS, NTP,
//! HTTP) the line ends as it does for a port that it does not know.
//!
//! A line holds no byte of the wire but through an escape, and no newline but those of `-v` (a
//! second line for IPv4), pfsync's messages, `-x` and `-A`. What follows such a newline starts with
//! blanks or a tab, so that an event's first line can be told; `-A` alone shows tabs and newlines
//! of the packet as what they are, as tcpdump does.
//!
//! Not here: what depends on other lines ([`super::page`]).
#![forbid(unsafe_code)]

mod carp;
mod demux;
mod fields;
mod gre;
mod hex;
mod icmp;
mod icmp6;
mod igmp;
mod ip;
mod ip6;
mod ipopt;
mod ipsec;
mod link;
mod mptcp;
pub mod names;
mod ndp;
#[cfg(test)]
mod oracle;
mod pflog;
mod pfsync;
mod plain;
mod put;
mod routing;
mod sctp;
mod state;
mod tcp;
mod tcpopt;
mod udp;
mod words;

use std::io::Write as _;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::error::{DecodeError, Fault, Layer};
use crate::event::{Event, Flow, Frame, Ipsec};
use crate::glance::Glance;
use crate::packet::{Packet, proto};
use crate::sink::Sink;
use crate::sink::memo::{Memo, Write};
use crate::sink::page::Page;
use crate::text::line::{Line, Piece, Room};
use crate::text::{push_escaped, push_ip};
use crate::time::{Clock, Precision, TimeStyle, Timestamp};
use crate::wire::state::{End, Ids};

pub use hex::{Dump, Form};
use names::Names;
pub(super) use pflog::translated;
use put::{Bytes, Hex8, put};

/// What to show: tcpdump's flags.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `-e`: link header, or pf's rule, action and interface.
    pub link: bool,
    /// `-q`: less of each protocol.
    pub quiet: bool,
    /// `-v`, `-vv`.
    pub verbose: u8,
    /// `-S`: TCP sequence numbers as they are.
    pub absolute: bool,
    /// `-t` to `-ttttt`.
    pub time: TimeStyle,
    /// Digits after the second: six as tcpdump's, whatever the file has, or `--nano`'s nine.
    pub precision: Precision,
    /// `-x`, `-X`, `-A` and their doubles.
    pub dump: Option<Dump>,
    /// Names of ports and protocols, and with a resolver of hosts; none with `-n`.
    pub names: Option<Arc<Names>>,
    /// The action in colour.
    pub color: bool,
}

/// The renderer.
#[derive(Debug)]
pub struct Text {
    options: Options,
    clock: Clock,
    headers: Memo<1>,
    room: Box<Room>,
}

impl Text {
    /// A renderer that shows times of this zone.
    pub fn new(options: Options, zone: TimeZone) -> Self {
        let room = Box::default();
        Self { options, clock: Clock::new(zone), headers: Memo::new(), room }
    }
}

impl Sink for Text {
    fn event(&mut self, event: &Event<'_>, page: &mut Page) {
        let options = &self.options;
        begin(page, &mut self.clock, event.frame.ts, options);
        push_event(page, event, options);
        if let Some(rule) = event.rule.as_ref().filter(|_| !options.link) {
            page.text.push(b' ');
            pflog::push_name(&mut page.text, rule, options);
        }
        if let Some(flow) = event.frame.flow {
            push_flow(&mut page.text, event, flow);
        }
        if let Some(ipsec) = &event.ipsec {
            push_ipsec(&mut page.text, ipsec);
        }
        if let Some(dump) = options.dump {
            dump.push(&mut page.text, event);
        }
        page.text.push(b'\n');
        page.end();
    }

    /// With -v the header is compared with the packet.
    #[inline]
    fn plain(&mut self, frame: &Frame<'_>, glance: &Glance<'_>, page: &mut Page) -> bool {
        let options = &self.options;
        if options.verbose > 0 || options.dump.is_some() || frame.flow.is_some() {
            return false;
        }
        let header = if options.link {
            let write: Write<'_> = &|_, header, out| pflog::push(out, header, None, None, options);
            let Some(kept) = self.headers.get(frame, glance, [write]) else { return false };
            let [header] = kept.all();
            header
        } else {
            Piece::new(&[], 0)
        };
        let mut line = Line::new(&mut self.room);
        page.begin(frame.ts);
        if options.time.is_relative() {
            page.leave_delta();
        } else {
            self.clock.put(&mut line, frame.ts, options.time, options.precision);
        }
        line.piece(&header);
        if !plain::push(page, &mut line, glance, options) {
            self.clock.push(&mut page.text, frame.ts, options.time, options.precision);
            page.text.extend_from_slice(header.bytes());
            page.sync = false;
            ip::push(page, &glance.packet(), options);
        }
        page.text.push(b'\n');
        page.end();
        true
    }
}

/// Starts an event's text with its time.
#[inline]
fn begin(page: &mut Page, clock: &mut Clock, ts: Timestamp, options: &Options) {
    page.begin(ts);
    if options.time.is_relative() {
        page.leave_delta();
    } else {
        clock.push(&mut page.text, ts, options.time, options.precision);
    }
}

fn push_event(page: &mut Page, event: &Event<'_>, options: &Options) {
    match &event.pflog {
        Some(header) if options.link => {
            let rule = event.rule.as_ref();
            pflog::push(&mut page.text, header, event.packet.as_ref(), rule, options);
        }
        Some(_) => {}
        None => link::push(&mut page.text, event, options),
    }
    page.sync =
        event.pfsync.is_some() || event.error.is_some_and(|error| error.layer == Layer::Pfsync);
    if let Some(packet) = &event.packet {
        ip::push(page, packet, options);
    }
    match (&event.packet, &event.error) {
        _ if page.sync => pfsync::push_event(&mut page.text, event, options),
        (Some(_), _) => {}
        (None, Some(error)) => push_error(&mut page.text, error, options),
        (None, None) => link::push_other(&mut page.text, event, options),
    }
}

/// The state that a logged packet belongs to, and where pf's header does not have them its
/// addresses on the other side of it.
fn push_flow(out: &mut Vec<u8>, event: &Event<'_>, flow: &Flow) {
    let Ids { id, creatorid } = flow.ids;
    put!(out, " state ", Bytes(&id.to_be_bytes()), "/", Hex8(creatorid));
    let in_header = event.pflog.is_some_and(|header| header.other.is_some());
    if let Some((src, dst)) = flow.other.filter(|_| !in_header) {
        put!(out, " nat ");
        push_end(out, src);
        put!(out, " > ");
        push_end(out, dst);
    }
}

/// The tunnel of a packet, or of what a pfsync message tells of: ` ike gw child net[5]`.
fn push_ipsec(out: &mut Vec<u8>, ipsec: &Ipsec<'_>) {
    put!(out, " ike ");
    push_escaped(out, ipsec.ike);
    if let Some(child) = &ipsec.child {
        put!(out, " child ");
        push_escaped(out, child.name);
    }
    put!(out, "[", ipsec.uniqueid, "]");
}

fn push_end(out: &mut Vec<u8>, end: End) {
    if let Some(addr) = end.addr {
        push_ip(out, addr);
    }
    put!(out, ".", end.port);
}

/// What stands where the rest of the line would: which layer ended it, and why.
fn push_error(out: &mut Vec<u8>, error: &DecodeError, options: &Options) {
    if let DecodeError { layer: Layer::Ip, fault: Fault::BadLength(len), .. } = *error {
        put!(out, if options.link { "" } else { "IP " }, "bad-hlen ", len);
        return;
    }
    put!(out, "[|", error.layer.name(), "] ");
    // Writing into a Vec does not fail.
    let _ = write!(out, "{error}");
}

/// What follows `SRC > DST: `, by protocol.
fn push_transport(page: &mut Page, packet: &Packet<'_>, options: &Options) {
    ipsec::push_ah(page, packet, options);
    match packet.ip.proto {
        None | Some(proto::AH) => {}
        Some(proto::TCP) => tcp::push(page, packet, options),
        Some(proto::UDP) => udp::push(page, packet, options),
        _ => demux::push(page, packet, options),
    }
}

/// A protocol that is not taken apart.
fn push_unknown(out: &mut Vec<u8>, packet: &Packet<'_>, number: u8, options: &Options) {
    out.push(b' ');
    names::push_protocol(out, number, options);
    put!(out, " ", packet.payload_len);
}

#[cfg(test)]
mod tests;
