//! IKE_SAs and CHILD_SAs (RFC 7296, RFC 4301) as charon tells of them: the sections of `list-sa`
//! and of the events, which have the same keys. What is missing is `None`: SPIs and counters are
//! there from state INSTALLED on only.
//!
//! Not here: what an event does to the ones that are known (`table`).

use std::net::IpAddr;
use std::sync::Arc;

use super::selector::Selector;
use super::services::Services;
use crate::packet::proto;
use crate::vici::message::Section;
use crate::vici::views::{ChildSa, IkeSa};

/// Traffic selectors of one side that are read; charon's own limit is 255.
const MAX_SELECTORS: usize = 255;

/// An IKE_SA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ike {
    /// Name of its connection: untrusted bytes.
    pub name: Box<[u8]>,
    /// The daemon's number for it; starts again at 1 with the daemon.
    pub uniqueid: u32,
    /// This host's address.
    pub local: Option<IpAddr>,
    /// The peer's.
    pub remote: Option<IpAddr>,
    /// The initiator's SPI.
    pub initiator_spi: u64,
    /// The responder's; 0 before it has answered.
    pub responder_spi: u64,
}

/// A CHILD_SA: one SA in each direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// Name in the configuration: untrusted bytes.
    pub name: Box<[u8]>,
    /// The daemon's number for it.
    pub uniqueid: u32,
    /// Number of its policy, which stays over rekeys.
    pub reqid: Option<u32>,
    /// `TUNNEL`, `TRANSPORT`, `BEET`…
    pub mode: Box<[u8]>,
    /// ESP's number or AH's.
    pub proto: u8,
    /// SPI of the packets to this host.
    pub spi_in: Option<u32>,
    /// SPI of the packets from it.
    pub spi_out: Option<u32>,
    /// What is behind this host.
    pub local: Box<[Selector]>,
    /// What is behind the peer.
    pub remote: Box<[Selector]>,
}

/// What a CHILD_SA has carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Bytes received.
    pub bytes_in: u64,
    /// Packets received.
    pub packets_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Packets sent.
    pub packets_out: u64,
}

impl Counters {
    /// The larger of each: an SA's counters never fall.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        self.with(other, u64::max)
    }

    /// The sum of each.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    fn with(self, other: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            bytes_in: f(self.bytes_in, other.bytes_in),
            packets_in: f(self.packets_in, other.packets_in),
            bytes_out: f(self.bytes_out, other.bytes_out),
            packets_out: f(self.packets_out, other.packets_out),
        }
    }
}

/// How far a CHILD_SA has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It carries packets.
    Alive,
    /// Another one has taken its place, or it is being deleted; its packets may still come.
    Leaving,
}

/// A CHILD_SA as a message tells of it.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) child: Child,
    pub(super) counters: Counters,
    pub(super) phase: Phase,
    /// Seconds since it was installed.
    pub(super) age_s: u64,
}

impl Ike {
    /// What is told of an IKE_SA; `None` without a number.
    pub(super) fn read(told: &IkeSa<'_>) -> Option<Arc<Self>> {
        Some(Arc::new(Self {
            name: told.name.into(),
            uniqueid: told.uniqueid()?,
            local: told.local_host(),
            remote: told.remote_host(),
            initiator_spi: told.initiator_spi().unwrap_or(0),
            responder_spi: told.responder_spi().unwrap_or(0),
        }))
    }

    /// The same with the addresses of an `ike-update` event's root, where they are there.
    pub(super) fn moved(&self, root: &Section) -> Arc<Self> {
        let now = IkeSa { name: &self.name, section: root };
        let local = now.local_host().or(self.local);
        let remote = now.remote_host().or(self.remote);
        Arc::new(Self { local, remote, ..self.clone() })
    }
}

impl Told {
    /// What is told of a CHILD_SA; `None` as long as it has no SPI.
    pub(super) fn read(told: &ChildSa<'_>, services: &Services) -> Option<Self> {
        let (spi_in, spi_out) = (told.spi_in(), told.spi_out());
        spi_in.or(spi_out)?;
        let child = Child {
            name: told.name().unwrap_or(told.key).into(),
            uniqueid: told.uniqueid().unwrap_or(0),
            reqid: told.reqid(),
            mode: told.mode().unwrap_or_default().into(),
            proto: match told.protocol() {
                Some(b"AH") => proto::AH,
                _ => proto::ESP,
            },
            spi_in,
            spi_out,
            local: selectors(told.local_ts(), services),
            remote: selectors(told.remote_ts(), services),
        };
        let counters = Counters {
            bytes_in: told.bytes_in().unwrap_or(0),
            packets_in: told.packets_in().unwrap_or(0),
            bytes_out: told.bytes_out().unwrap_or(0),
            packets_out: told.packets_out().unwrap_or(0),
        };
        let phase = match told.state() {
            Some(b"REKEYED" | b"DELETING" | b"DELETED" | b"DESTROYING") => Phase::Leaving,
            _ => Phase::Alive,
        };
        Some(Self { child, counters, phase, age_s: told.install_time().unwrap_or(0) })
    }
}

/// The selectors of one side. One that cannot be read admits nothing.
fn selectors(list: &[Vec<u8>], services: &Services) -> Box<[Selector]> {
    let list = list.iter().take(MAX_SELECTORS);
    list.filter_map(|text| Selector::parse(text, services).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child() -> Section {
        let mut child = Section::new()
            .with("name", "net")
            .with("uniqueid", "7")
            .with("reqid", "1")
            .with("state", "INSTALLED")
            .with("mode", "TUNNEL")
            .with("protocol", "ESP")
            .with("spi-in", "0a571b07")
            .with("spi-out", "4d89fae1")
            .with("bytes-in", "84")
            .with("install-time", "4");
        child.push_list("local-ts", ["10.1.0.0/16", "?"]);
        child
    }

    #[test]
    fn a_child() {
        let (key, section) = (b"net-7", &child());
        let told = Told::read(&ChildSa { key, section }, &Services::default()).unwrap();
        let Child { name, uniqueid, reqid, mode, proto, .. } = &told.child;
        assert_eq!(
            (&**name, *uniqueid, *reqid, &**mode),
            (&b"net"[..], 7, Some(1), &b"TUNNEL"[..])
        );
        assert_eq!((*proto, told.child.spi_in, told.age_s), (50, Some(0x0a57_1b07), 4));
        assert_eq!((told.child.local.len(), told.child.remote.len()), (1, 0));
        assert_eq!((told.counters.bytes_in, told.counters.bytes_out), (84, 0));
        assert_eq!(told.phase, Phase::Alive);
    }

    #[test]
    fn what_is_missing_or_strange() {
        let without = Section::new().with("name", "net").with("state", "CREATED");
        let without = ChildSa { key: b"net-7", section: &without };
        assert!(Told::read(&without, &Services::default()).is_none());
        let strange = Section::new()
            .with("spi-in", "ffffffff")
            .with("spi-out", "fffffffff")
            .with("uniqueid", "x")
            .with("bytes-in", "-1")
            .with("state", "DELETED");
        let strange = ChildSa { key: b"n\xff-7", section: &strange };
        let told = Told::read(&strange, &Services::default()).unwrap();
        assert_eq!((told.child.spi_in, told.child.spi_out), (Some(u32::MAX), None));
        assert_eq!((&*told.child.name, told.child.uniqueid), (&b"n\xff-7"[..], 0));
        assert_eq!(told.phase, Phase::Leaving);
        assert!(Ike::read(&IkeSa { name: b"gw", section: &Section::new() }).is_none());
    }

    #[test]
    fn an_ike_sa_that_moves() {
        let section = Section::new()
            .with("uniqueid", "1")
            .with("local-host", "2001:db8::1")
            .with("remote-host", "192.0.2.2")
            .with("initiator-spi", "e962a2a3b71ed124")
            .with("responder-spi", "0000000000000000");
        let ike = Ike::read(&IkeSa { name: b"gw", section: &section }).unwrap();
        assert_eq!(ike.local, Some("2001:db8::1".parse().unwrap()));
        assert_eq!((ike.initiator_spi, ike.responder_spi), (0xe962_a2a3_b71e_d124, 0));
        let moved = ike.moved(&Section::new().with("remote-host", "192.0.2.9"));
        assert_eq!((moved.local, moved.remote), (ike.local, Some("192.0.2.9".parse().unwrap())));
    }
}
