//! `-ip`: the interfaces of the daemon's host with their addresses (getifaddrs(3)), and whether
//! IPsec is used there.

use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

use super::answers::Answers;
use super::field::{Field, Value};
use super::form::{Block, Form, Line, entry, line, more, row};
use crate::ipsec::selector::Selector;
use crate::vici::message::Section;
use crate::vici::views;

const ON: &str = "an SA, or a connection that is configured, is from this address or covers it, and \
                  no pass policy does";
const NO_DAEMON: &str = "neither SAs nor the configuration are known";
/// Interfaces that are read.
const MAX: usize = 100_000;

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Name: untrusted bytes.
    pub name: Vec<u8>,
    /// Address.
    pub address: IpAddr,
    /// It is up.
    pub up: bool,
}

impl Interface {
    /// As a journal keeps it.
    pub fn section(&self) -> Section {
        let up = if self.up { "yes" } else { "no" };
        let section = Section::new().with("name", self.name.clone());
        section.with("address", self.address.to_string()).with("up", up)
    }

    /// From there.
    pub fn read(section: &Section) -> Option<Self> {
        let address = std::str::from_utf8(section.value("address")?).ok()?.parse().ok()?;
        let up = section.value("up") == Some(b"yes");
        Some(Self { name: section.value("name")?.to_vec(), address, up })
    }
}

/// Those of this host, without those whose address is all zero.
///
/// # Errors
/// When the system does not tell.
pub fn of_system() -> std::io::Result<Vec<Interface>> {
    let all = getifaddrs()?.filter_map(|told| {
        let address = told.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        let v6 = || address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip()));
        let address = v4.or_else(v6).filter(|address| !address.is_unspecified())?;
        let up = told.flags.contains(InterfaceFlags::IFF_UP);
        Some(Interface { name: told.interface_name.into_bytes(), address, up })
    });
    Ok(all.take(MAX).collect())
}

/// An interface in the report.
#[derive(Debug, Clone)]
pub struct Row {
    /// What it is of.
    pub id: Vec<u8>,
    /// Name, marked where it is down.
    pub name: Field,
    /// Address.
    pub address: Field,
    /// On or Off.
    pub ipsec: Field,
    /// What ipsec_report(1M) has not.
    pub more: Vec<Line>,
}

impl Block for Row {
    fn form(self) -> Form {
        let mut lines = vec![
            row([
                entry("Interface Name", "name", self.name),
                entry("Address", "address", self.address),
            ]),
            line("IPSec", "ipsec", self.ipsec),
        ];
        lines.extend(self.more);
        let title = "--------------------------- System Configured Interface --------------";
        Form { kind: "interface", title: title.into(), id: self.id, lines }
    }
}

/// The interfaces of a daemon's host.
pub fn rows(answers: &Answers) -> Vec<Row> {
    let coverage = Coverage::of(answers);
    let interfaces = answers.interfaces.iter().flatten();
    let rows = interfaces.map(|interface| {
        let Interface { name, address, up } = interface;
        let on = coverage.as_ref().map(|coverage| coverage.is_on(*address));
        let word = on.map(|on| if on { "On" } else { "Off" });
        let starred = if *up { Value::Text(name.clone()) } else { Value::Starred(name.clone()) };
        Row {
            id: [name.as_slice(), b" ", address.to_string().as_bytes()].concat(),
            name: Field::Known(starred),
            address: Field::known(*address),
            ipsec: Field::concluded(word, ON, NO_DAEMON),
            more: vec![more("Up", "up", Field::known(*up))],
        }
    });
    rows.collect()
}

/// Where IPsec is used, and where it is bypassed.
struct Coverage {
    hosts: Vec<IpAddr>,
    used: Vec<Selector>,
    any: bool,
    passed: Vec<Selector>,
}

impl Coverage {
    fn of(answers: &Answers) -> Option<Self> {
        let services = &answers.services;
        let read = |list: &[Vec<u8>]| -> Vec<Selector> {
            list.iter().filter_map(|text| Selector::parse(text, services).ok()).collect()
        };
        if answers.conns.is_none() && answers.sas.is_empty() {
            return None;
        }
        let hosts = answers.ikes().filter_map(|ike| ike.local_host()).collect();
        let (mut used, mut passed, mut any) = (Vec::new(), Vec::new(), false);
        for conn in answers.conns.iter().flatten().flat_map(views::conns) {
            let is_shunt = |mode: Option<&[u8]>| matches!(mode, Some(b"PASS" | b"DROP"));
            let mut real = conn.children().filter(|child| !is_shunt(child.mode())).peekable();
            if real.peek().is_none() {
                continue;
            }
            any |= conn.local_addrs().iter().any(|address| address.starts_with(b"%any"));
            used.extend(read(conn.local_addrs()));
            used.extend(real.flat_map(|child| read(child.local_ts())));
        }
        for policy in answers.policies.iter().flatten().flat_map(views::policies) {
            if policy.mode() == Some(b"PASS") {
                passed.extend(read(policy.local_ts()));
            }
        }
        Some(Self { hosts, used, any, passed })
    }

    fn is_on(&self, address: IpAddr) -> bool {
        let within = |list: &[Selector]| {
            // Of a protocol or port alone it is still used.
            list.iter().any(|s| s.admits(address, None, s.proto, None))
        };
        let used = self.any || self.hosts.contains(&address) || within(&self.used);
        used && !within(&self.passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipsec::services::Services;

    #[test]
    fn a_host_has_its_loopback() {
        let all = of_system().unwrap();
        let here = |i: &Interface| i.address.is_loopback() && i.up;
        assert!(all.iter().any(here), "{all:?}");
        for interface in all {
            assert_eq!(Interface::read(&interface.section()), Some(interface));
        }
    }

    #[test]
    fn on_and_off() {
        let mut answers = Answers::empty(crate::time::Timestamp(0), String::new());
        answers.services = Services::default();
        let interface = |name: &str, address: &str, up| Interface {
            name: name.into(),
            address: address.parse().unwrap(),
            up,
        };
        answers.interfaces = Some(vec![
            interface("lan0", "192.1.1.1", true),
            interface("lan1", "192.2.2.1", true),
            interface("lan2", "192.3.3.1", false),
        ]);
        let words =
            |answers: &Answers| rows(answers).into_iter().map(|row| row.ipsec).collect::<Vec<_>>();
        assert_eq!(words(&answers), vec![Field::Missing(NO_DAEMON); 3]);
        let child = |mode: &str, ts: &str| {
            let mut child = Section::new().with("mode", mode);
            child.push_list("local-ts", [ts]);
            child
        };
        let mut conn = Section::new();
        let mut children = Section::new();
        children.push_section("net", child("TUNNEL", "192.0.0.0/8[tcp]"));
        conn.push_section("children", children);
        let mut conns = Section::new();
        conns.push_section("gw", conn);
        answers.conns = Some(vec![conns]);
        let mut policies = Section::new();
        policies.push_section("local", child("PASS", "192.2.2.0/24"));
        answers.policies = Some(vec![policies]);
        let on = |word: &str| Field::derived(word, ON);
        assert_eq!(words(&answers), [on("On"), on("Off"), on("On")]);
    }
}
