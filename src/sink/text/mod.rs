//! A line an event, in tcpdump's manner.

mod carp;
mod demux;
mod fields;
mod gre;
mod icmp;
mod icmp6;
mod igmp;
mod inner;
mod ipsec;
mod ndp;
#[cfg(test)]
mod oracle;
mod pfsync;
mod put;
mod routing;
mod sctp;
mod words;

use crate::event::Event;
use crate::packet::{Packet, proto};
use crate::sink::Sink;
use crate::sink::page::Page;
use crate::time::{Clock, TimeStyle};

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
}

/// The renderer.
#[derive(Debug)]
pub struct Text {
    options: Options,
    clock: Clock,
}

impl Sink for Text {
    fn event(&mut self, event: &Event<'_>, page: &mut Page) {
        let _ = (&self.options, &self.clock, event, page);
    }
}

/// What follows `SRC > DST: `, by protocol.
fn push_transport(page: &mut Page, packet: &Packet<'_>, options: &Options) {
    match packet.ip.proto {
        Some(proto::TCP | proto::UDP) => {}
        _ => demux::push(page, packet, options),
    }
}
