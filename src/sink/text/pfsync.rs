//! pfsync in the words of OpenBSD's `tcpdump`: a line for the packet, one for each kind of message
//! in it, one for each message. Every line but the first starts with blanks or a tab.
//!
//! Where no more than a packet's outside is asked for (inside a packet that pf logged, inside
//! another packet, the first of some fragments) there is a short form on the line itself:
//! version, first action and its count.

use super::Options;
use super::fields::Fields;
use super::put::{Bytes, Hex8, put};
use super::state::{push_flags, push_timeout, push_window};
use super::words::{push_cut, push_field, push_name};
use super::{names, state};
use crate::error::{DecodeError, Fault};
use crate::event::Event;
use crate::packet::{Packet, proto};
use crate::pf::{SyncAction, Systems, Timeout};
use crate::sink::page::Page;
use crate::states::line::{push_ids, push_span};
use crate::text::push_escaped;
use crate::wire::pfsync::messages::Compressed;
use crate::wire::pfsync::{Body, Message, Pfsync};
use crate::wire::state::Ids;
use crate::wire::tdb::Tdb;

/// In front of a message that is no state.
const MESSAGE: &str = "\n\t";
/// In front of what `-v` adds below it.
const BELOW: &str = "\n\t    ";

/// Appends the short form of a pfsync packet.
pub(super) fn push(page: &mut Page, packet: &Packet<'_>, _options: &Options) {
    if page.sync {
        return;
    }
    let out = &mut page.text;
    if push_header(out, Fields(packet.payload), packet.payload_len).is_none() {
        push_cut(out, "pfsync");
    }
}

fn push_header(out: &mut Vec<u8>, header: Fields<'_>, len: usize) -> Option<()> {
    let version = header.u8(0)?;
    put!(out, "pfsync, version ", version);
    match version {
        1..=4 => {
            push_field(out, ", action ", header.u8(2))?;
            push_field(out, " count ", header.u8(3))?;
        }
        5 | 6 if len >= 24 => {
            push_field(out, ", action ", header.u8(20))?;
            push_field(out, " count ", header.u16(22))?;
        }
        _ => {}
    }
    put!(out, ", length ", len);
    Some(())
}

/// Appends what an event says of pfsync; link header and IP stand there already.
pub(super) fn push_event(out: &mut Vec<u8>, event: &Event<'_>, options: &Options) {
    push_separator(out, event);
    let Some(packet) = &event.pfsync else {
        if let Some(error) = &event.error {
            super::push_error(out, error, options);
        }
        return;
    };
    put!(out, "PFSYNCv", packet.version, " len ", packet.len.unwrap_or_else(|| length(event)));
    if let Some(layout) = packet.layout {
        put!(out, " (", layout.name(), ")");
    }
    if options.verbose > 1
        && let Some(sum) = packet.checksum
    {
        put!(out, ", checksum ", Bytes(sum));
    }
    if options.quiet {
        if event.error.is_some() {
            push_cut(out, "pfsync");
        }
        return;
    }
    for message in packet.messages().map_while(Result::ok) {
        push_message(out, packet, &message, options);
        if let Some(ipsec) = event.ipsec_of_message(message.index) {
            super::push_ipsec(out, ipsec);
        }
    }
    if let Some(error) = &event.error {
        push_fault(out, event, error);
    }
}

/// What IP's printer has written ends where a protocol's line begins, but for a packet's last
/// fragment, and for headers that it thinks little of.
fn push_separator(out: &mut Vec<u8>, event: &Event<'_>) {
    let Some(packet) = &event.packet else { return };
    if packet.ip.frag.is_some_and(|frag| frag.is_fragment()) {
        put!(out, ", reassembled: ");
    } else if !out.ends_with(b" ") {
        put!(out, ", ");
    }
}

/// The length of a packet whose header has none.
fn length(event: &Event<'_>) -> usize {
    match (event.frame.whole, &event.packet) {
        (Some(whole), _) => whole.len(),
        (None, Some(packet)) => packet.payload_len,
        (None, None) => event.frame.len,
    }
}

/// Why the messages end where they do.
fn push_fault(out: &mut Vec<u8>, event: &Event<'_>, error: &DecodeError) {
    put!(out, "\n    [|pfsync] ");
    match error.fault {
        Fault::Truncated { needed } => put!(out, "cut: the messages need ", needed, " bytes"),
        Fault::BadLength(0) => put!(out, "messages without a size or a count"),
        Fault::BadLength(len) => {
            put!(out, "the header says ", len, " bytes, the packet has ", length(event));
        }
        // No other is found in messages.
        _ => put!(out, error.fault.cause()),
    }
    put!(out, " (offset ", error.offset, " of the frame)");
}

fn push_message(out: &mut Vec<u8>, packet: &Pfsync<'_>, message: &Message<'_>, options: &Options) {
    if message.nth == 0 {
        push_action(out, packet, message);
    }
    match &message.body {
        Body::State(state) => state::push(out, state, options),
        Body::Ids { ids, states } => {
            put!(out, MESSAGE);
            push_ids(out, *ids);
            if message.action == SyncAction::UpdReq && *ids == (Ids { id: 0, creatorid: 0 }) {
                put!(out, " (everything: bulk request)");
            }
            // Of which protocol they are is not told.
            if let Some([src, dst]) = states
                && options.verbose > 0
            {
                put!(out, " states: ", src.0, ":", dst.0);
            }
        }
        Body::Compressed(update) => push_update(out, message, update, options),
        Body::Clear { ifname, creatorid } => {
            put!(out, MESSAGE, "creatorid: ", Hex8(*creatorid));
            if !ifname.is_empty() {
                put!(out, " interface: ");
                push_escaped(out, ifname);
            }
        }
        Body::Bus { status, endtime_s, creatorid } => {
            put!(out, MESSAGE, "creatorid: ", Hex8(*creatorid), " age: ");
            push_span(out, *endtime_s);
            put!(out, " status: ");
            push_name(out, status.name(), "UNKNOWN (", status.0, ")");
        }
        Body::Tdb(tdb) => push_tdb(out, tdb, options),
        Body::None => {}
        Body::Unknown(bytes) => put!(out, MESSAGE, "not decoded, length ", bytes.len()),
    }
}

/// The line above the messages of one kind.
fn push_action(out: &mut Vec<u8>, packet: &Pfsync<'_>, message: &Message<'_>) {
    put!(out, "\n    act ");
    match (message.action.text(packet.version), message.action) {
        (None, SyncAction::Other(number)) => put!(out, "UNKNOWN id ", number),
        (name, _) => put!(out, name.unwrap_or("UNKNOWN")),
    }
    put!(out, " count ", message.count);
}

/// The protocol that a timeout is for; a compressed update does not tell it.
fn protocol(timeout: Timeout) -> Option<u8> {
    Some(match timeout.0 {
        0..=5 => proto::TCP,
        6..=8 => proto::UDP,
        9 | 10 => proto::ICMP,
        _ => return None,
    })
}

fn push_update(out: &mut Vec<u8>, message: &Message<'_>, update: &Compressed, options: &Options) {
    put!(out, MESSAGE);
    push_ids(out, update.ids);
    if options.verbose == 0 {
        return;
    }
    let number = protocol(update.timeout);
    put!(out, BELOW);
    for (label, peer) in [("src ", &update.src), (", dst ", &update.dst)] {
        let name = number.and_then(|number| peer.state.name(number));
        put!(out, label);
        push_name(out, name, "", peer.state.0, "");
        if number == Some(proto::TCP) {
            put!(out, " ");
            push_window(out, peer);
        }
    }
    if update.expire_s != 0 {
        put!(out, ", expires in ");
        push_span(out, update.expire_s);
    }
    if options.verbose > 1 {
        let systems = Systems::OPENBSD.or(Systems::FREEBSD);
        let systems = message.layout.map_or(systems, |layout| layout.systems());
        put!(out, BELOW);
        push_timeout(out, update.timeout, systems, number);
        push_flags(out, update.state_flags.unwrap_or_default(), systems);
        if let Some(updates) = update.updates {
            put!(out, ", updates ", updates);
        }
    }
}

fn push_tdb(out: &mut Vec<u8>, tdb: &Tdb, options: &Options) {
    put!(out, MESSAGE, "spi: 0x", Hex8(tdb.spi));
    put!(out, " rpl: ", tdb.rpl, " cur_bytes: ", tdb.cur_bytes);
    if let Some(dst) = tdb.dst {
        put!(out, " dst: ");
        names::push_ip(out, dst, options);
    }
    put!(out, " sproto: ");
    push_name(out, proto::name(tdb.sproto), "", tdb.sproto, "");
    if let Some(rdomain) = tdb.rdomain {
        put!(out, " rdomain: ", rdomain);
    }
    if options.verbose > 1 {
        put!(out, " updates: ", tdb.updates);
    }
}

#[cfg(test)]
mod tests;
