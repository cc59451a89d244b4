//! What an event of the IKE daemon tells, SA by SA. Events as in the README of strongSwan's vici
//! plugin.

use std::net::IpAddr;
use std::str::FromStr;

use crate::sink::subject::{Side, Subject, counter, family};
use crate::time::Timestamp;
use crate::vici::alert::is_failure;
use crate::vici::message::Section;
use crate::vici::views::{ChildSa, IkeSa, ike_sas, is_up};

/// What happened, as a SIEM's `event.action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    IkeUp,
    IkeDown,
    IkeRekey,
    IkeUpdate,
    ChildUp,
    ChildDown,
    ChildRekey,
    Alert,
    Log,
    /// An event of a later daemon, or one of a command's items.
    Other,
}

impl Action {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::IkeUp => "ike-sa-up",
            Self::IkeDown => "ike-sa-down",
            Self::IkeRekey => "ike-rekey",
            Self::IkeUpdate => "ike-update",
            Self::ChildUp => "child-sa-up",
            Self::ChildDown => "child-sa-down",
            Self::ChildRekey => "child-rekey",
            Self::Alert => "alert",
            Self::Log => "log",
            Self::Other => "unknown",
        }
    }
}

/// What happened to one SA.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change<'a> {
    pub(super) action: Action,
    /// The event's name: untrusted bytes.
    pub(super) event: &'a [u8],
    /// All that the event says.
    pub(super) message: &'a Section,
    /// The IKE_SA: after a rekey the new one, of an update what is told of the old addresses.
    pub(super) ike: Option<IkeSa<'a>>,
    /// The CHILD_SA: after a rekey the new one.
    pub(super) child: Option<ChildSa<'a>>,
    /// The IKE_SA before a rekey or an update.
    pub(super) old_ike: Option<IkeSa<'a>>,
    /// The CHILD_SA before a rekey.
    pub(super) old_child: Option<ChildSa<'a>>,
}

/// Calls `each` for every SA that an event tells of, once for an event that tells of none.
pub(super) fn changes<'a>(
    event: &'a [u8],
    message: &'a Section,
    mut each: impl FnMut(&Change<'a>),
) {
    let up_or = |up, down| if is_up(message) { up } else { down };
    let action = match event {
        b"ike-updown" => up_or(Action::IkeUp, Action::IkeDown),
        b"child-updown" => up_or(Action::ChildUp, Action::ChildDown),
        b"ike-rekey" => Action::IkeRekey,
        b"child-rekey" => Action::ChildRekey,
        b"ike-update" => Action::IkeUpdate,
        b"alert" => Action::Alert,
        b"log" => Action::Log,
        _ => Action::Other,
    };
    let none =
        Change { action, event, message, ike: None, child: None, old_ike: None, old_child: None };
    let mut told = false;
    let mut tell = |change: Change<'a>| {
        told = true;
        each(&change);
    };
    let sas = match action {
        Action::Log | Action::Other => None,
        Action::Alert => message.section("ike-sa"),
        _ => Some(message),
    };
    for ike in sas.into_iter().flat_map(ike_sas) {
        let with = Change { ike: Some(ike), ..none };
        match action {
            Action::ChildUp | Action::ChildDown => {
                ike.children().for_each(|child| tell(Change { child: Some(child), ..with }));
            }
            Action::ChildRekey => {
                for (old, new) in ike.children().filter_map(|child| child.rekeyed()) {
                    tell(Change { child: Some(new), old_child: Some(old), ..with });
                }
            }
            Action::IkeRekey => {
                if let Some((old, new)) = ike.rekeyed() {
                    tell(Change { ike: Some(new), old_ike: Some(old), ..none });
                }
            }
            Action::IkeUpdate => tell(Change { old_ike: Some(ike), ..with }),
            _ => tell(with),
        }
    }
    if !told {
        each(&none);
    }
}

impl<'a> Change<'a> {
    /// The name of the connection: of a line of the log the one it is about.
    pub(super) fn ike_name(&self) -> &'a [u8] {
        match self.ike {
            Some(ike) => ike.name,
            None => self.message.value("ikesa-name").unwrap_or_default(),
        }
    }

    /// The number of the IKE_SA.
    pub(super) fn ike_uniqueid(&self) -> Option<u32> {
        match self.ike {
            Some(ike) => ike.uniqueid(),
            None => self.number("ikesa-uniqued"),
        }
    }

    /// A number of the event itself.
    pub(super) fn number<T: FromStr>(&self, key: &str) -> Option<T> {
        std::str::from_utf8(self.message.value(key)?).ok()?.parse().ok()
    }

    /// The kind of an alert.
    pub(super) fn alert(&self) -> Option<&'a [u8]> {
        (self.action == Action::Alert).then(|| self.message.value("type")).flatten()
    }

    /// An alert that tells of a failure.
    pub(super) fn is_failure(&self) -> bool {
        self.alert().is_some_and(is_failure)
    }

    /// A line of the log.
    pub(super) fn text(&self) -> &'a [u8] {
        match self.action {
            Action::Log => self.message.value("msg").unwrap_or_default(),
            _ => &[],
        }
    }

    /// Whose peer the user is: the identity it proved by EAP or XAuth.
    pub(super) fn user(&self) -> Option<&'a [u8]> {
        let ike = self.ike?;
        ike.remote_eap_id().or_else(|| ike.remote_xauth_id()).filter(|user| !user.is_empty())
    }

    /// What the addresses of an IKE_SA stand in: those that hold now.
    fn hosts(&self) -> Option<IkeSa<'a>> {
        let ike = self.ike?;
        Some(match self.action {
            Action::IkeUpdate => IkeSa { name: ike.name, section: self.message },
            _ => ike,
        })
    }

    /// Initiator and responder of the tunnel, and what the CHILD_SA carried from each.
    pub(super) fn subject(&self) -> Subject {
        let Some((ike, hosts)) = self.ike.zip(self.hosts()) else { return Subject::default() };
        // ESP and AH have no ports unless they are in UDP.
        let shows_ports = self.child.is_none_or(|child| child.encap());
        let side = |ip: Option<IpAddr>, port: Option<u16>, sent: Option<(u64, u64)>| Side {
            ip,
            port: port.filter(|_| shows_ports),
            nat: None,
            sent,
        };
        let child = self.child;
        let sent_in = child.and_then(|child| child.packets_in().zip(child.bytes_in()));
        let sent_out = child.and_then(|child| child.packets_out().zip(child.bytes_out()));
        let local = side(hosts.local_host(), hosts.local_port(), sent_out);
        let remote = side(hosts.remote_host(), hosts.remote_port(), sent_in);
        let (src, dst) = if ike.initiator() { (local, remote) } else { (remote, local) };
        Subject {
            family: src.ip.or(dst.ip).map(family),
            proto: self.proto(),
            src,
            dst,
            ..Subject::default()
        }
    }

    /// The IP protocol of the SA's packets.
    fn proto(&self) -> Option<u8> {
        use crate::packet::proto::{AH, ESP, UDP};
        match self.child {
            None => Some(UDP),
            Some(child) => match child.protocol()? {
                b"ESP" => Some(ESP),
                b"AH" => Some(AH),
                _ => None,
            },
        }
    }

    /// Every address of the tunnel, each once: its ends, before and now, and the virtual ones.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        let mut all: Vec<IpAddr> = self.subject().addresses().collect();
        let old = self.old_ike.map(|ike| [ike.local_host(), ike.remote_host()]);
        let virtuals = self.ike.map(|ike| [ike.local_vips(), ike.remote_vips()]);
        let text = virtuals.iter().flatten().flat_map(|vips| vips.iter());
        let parsed = text.filter_map(|vip| std::str::from_utf8(vip).ok()?.parse().ok());
        for ip in old.into_iter().flatten().flatten().chain(parsed) {
            if !all.contains(&ip) {
                all.push(ip);
            }
        }
        all
    }

    /// When the SA began, in nanoseconds since 1970, and its age at the time of the event.
    pub(super) fn began(&self, at: Timestamp) -> Option<(i64, u64)> {
        const SECOND: u64 = 1_000_000_000;
        let seconds = match self.child {
            Some(child) => child.install_time()?,
            None => self.ike?.established()?,
        };
        let age = seconds.checked_mul(SECOND).filter(|&age| age == counter(age))?;
        Some((at.0.checked_sub_unsigned(age)?, age))
    }

    /// True if an SA is gone.
    pub(super) const fn is_end(&self) -> bool {
        matches!(self.action, Action::IkeDown | Action::ChildDown)
    }
}
