//! What an expression says of a pfsync message: of what the message itself says and of the
//! packet that carries it, together.

use crate::event::Event;
use crate::packet::proto;
use crate::pf::{Family, SyncAction};
use crate::wire::pfsync::{Body, Layout, Message};
use crate::wire::state::{Ends, Ids, State};
use crate::wire::tdb::Tdb;

use super::expr::{Act, Expr, Protos, Test};

impl Expr {
    pub(super) fn of_message(&self, event: &Event<'_>, message: &Message<'_>) -> bool {
        let version = event.pfsync.map_or(0, |packet| packet.version);
        self.holds(&|test| match test {
            // What could not be read is no message.
            Test::Undecoded => false,
            Test::Tunnel(name) => {
                event.ipsec_of_message(message.index).is_some_and(|tunnel| name.is_of(tunnel))
            }
            _ => test.of_frame(event) || test.of_message(version, message),
        })
    }
}

impl Test {
    /// The answer of a message, whatever carries it.
    fn of_message(&self, version: u8, message: &Message<'_>) -> bool {
        match (self, &message.body) {
            (Self::Sync(act), _) => act.is(version, message),
            (Self::Creator(id), body) => creator(body) == Some(*id),
            (Self::State(id), body) => ids(body).is_some_and(|ids| ids.id == *id),
            (Self::Ifname(pattern), Body::Clear { ifname, .. }) => pattern.matches(ifname),
            (_, Body::State(state)) => self.of_state(state),
            (_, Body::Tdb(tdb)) => self.of_tdb(tdb),
            _ => false,
        }
    }

    fn of_state(&self, state: &State<'_>) -> bool {
        let keys = [&state.wire, &state.stack];
        match self {
            Self::Ip(family) => keys.iter().any(|key| key.family() == Some(*family)),
            Self::Proto { family, number } => keys
                .iter()
                .any(|key| key.proto == *number && (family.is_none() || key.family() == *family)),
            Self::Net { side, net } => {
                let has = |ends: Ends| side.of(ends.src.addr, ends.dst.addr, |a| net.has(a));
                has(state.wire_ends()) || has(state.stack_ends())
            }
            Self::Ports { protos, side, first, last } => {
                let has = |proto, ends: Ends| {
                    let is_in = |port| (*first..=*last).contains(&port);
                    !protos.and(Protos::of(proto)).is_empty()
                        && side.of(Some(ends.src.port), Some(ends.dst.port), is_in)
                };
                has(state.wire.proto, state.wire_ends())
                    || has(state.stack.proto, state.stack_ends())
            }
            Self::Ifname(pattern) => pattern.matches(state.ifname),
            Self::Rule(n) => state.rule == *n,
            Self::Dir(dir) => state.direction == *dir,
            _ => false,
        }
    }

    /// The SA's destination is where its packets go.
    fn of_tdb(&self, tdb: &Tdb) -> bool {
        let family = tdb.dst.map(|dst| if dst.is_ipv4() { Family::Inet } else { Family::Inet6 });
        match self {
            Self::Spi(n) => tdb.spi == *n,
            Self::Ip(wanted) => family == Some(*wanted),
            Self::Proto { family: wanted, number } => {
                tdb.sproto == *number && (wanted.is_none() || family == *wanted)
            }
            Self::Net { side, net } => side.of(None, tdb.dst, |a| net.has(a)),
            _ => false,
        }
    }
}

impl Protos {
    const fn of(number: u8) -> Self {
        match number {
            proto::TCP => Self::TCP,
            proto::UDP => Self::UDP,
            proto::SCTP => Self::SCTP,
            _ => Self(0),
        }
    }
}

impl Act {
    fn is(self, version: u8, message: &Message<'_>) -> bool {
        match self {
            Self::Name(action) => action == message.action,
            Self::Number(number) => {
                SyncAction::from_wire(version, number) == message.action
                    && (version != 5 || numbered(number, message))
            }
        }
    }
}

/// False if the message's layout is not that of this number: FreeBSD's ins and upd have a number
/// for each layout.
fn numbered(number: u8, message: &Message<'_>) -> bool {
    let Body::State(State { layout, .. }) = message.body else { return true };
    match number {
        1 | 3 => !matches!(layout, Layout::Freebsd1400 | Layout::Freebsd1500),
        13 | 14 => layout == Layout::Freebsd1400,
        15 | 16 => layout == Layout::Freebsd1500,
        _ => true,
    }
}

const fn ids(body: &Body<'_>) -> Option<Ids> {
    match body {
        Body::State(state) => state.ids,
        Body::Ids { ids, .. } => Some(*ids),
        Body::Compressed(update) => Some(update.ids),
        _ => None,
    }
}

fn creator(body: &Body<'_>) -> Option<u32> {
    match body {
        Body::Clear { creatorid, .. } | Body::Bus { creatorid, .. } => Some(*creatorid),
        _ => ids(body).map(|ids| ids.creatorid),
    }
}
