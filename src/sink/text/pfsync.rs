//! pfsync in an IP packet: version, and the first action with its count. The states are told
//! by the pfsync decoder, not by this line.

use super::Options;
use super::fields::Fields;
use super::put::put;
use super::words::{push_cut, push_field};
use crate::packet::Packet;
use crate::sink::page::Page;

/// Appends a pfsync packet's header.
pub(super) fn push(page: &mut Page, packet: &Packet<'_>, _options: &Options) {
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
