//! Names of hosts and services, looked up while an expression is compiled.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};

use super::expr::Protos;

/// Where names are looked up.
pub(super) trait Names {
    /// The text of services(5).
    fn services(&self) -> io::Result<String>;
    /// The addresses of a host.
    fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's files and resolver.
#[derive(Debug)]
pub(super) struct System;

impl Names for System {
    fn services(&self) -> io::Result<String> {
        std::fs::read("/etc/services").map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let mut addresses: Vec<IpAddr> = Vec::new();
        for address in (host, 0).to_socket_addrs()?.map(|socket| socket.ip()) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        Ok(addresses)
    }
}

/// Nowhere: every name is unknown.
#[derive(Debug)]
pub(super) struct Nowhere;

impl Names for Nowhere {
    fn services(&self) -> io::Result<String> {
        Ok(String::new())
    }

    fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Err(io::Error::other("names are not looked up"))
    }
}

/// The ports of a service and the protocol it has each in. A port of both TCP and UDP is taken
/// for one of every protocol.
pub(super) fn ports(services: &str, name: &str) -> Vec<(u16, Protos)> {
    let mut ports: Vec<(u16, Protos)> = Vec::new();
    for line in services.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        let (Some(first), Some(port)) = (words.next(), words.next()) else { continue };
        if first != name && !words.any(|alias| alias == name) {
            continue;
        }
        let Some((port, proto)) = port.split_once('/') else { continue };
        let proto = match proto {
            "tcp" => Protos::TCP,
            "udp" => Protos::UDP,
            "sctp" => Protos::SCTP,
            _ => continue,
        };
        let Ok(port) = port.parse::<u16>() else { continue };
        if !ports.contains(&(port, proto)) {
            ports.push((port, proto));
        }
    }
    let both: Vec<u16> = ports
        .iter()
        .filter(|&&(port, proto)| proto == Protos::TCP && ports.contains(&(port, Protos::UDP)))
        .map(|&(port, _)| port)
        .collect();
    ports.retain(|(port, _)| !both.contains(port));
    ports.extend(both.into_iter().map(|port| (port, Protos::ALL)));
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_listed_once() {
        // A machine may be without a resolver.
        if let Ok(addresses) = System.addresses("localhost") {
            assert!(addresses.iter().all(IpAddr::is_loopback) && addresses.len() <= 2);
        }
    }

    #[test]
    fn services_have_aliases_comments_and_protocols() {
        let text = "# x\nssh 22/tcp # y\ndomain\t53/tcp nameserver\ndomain 53/udp\nbad x/tcp\n\
                    who 513/udp whod\nodd 1/ddp\nshort\nsplit 10/tcp\nsplit 11/udp\n";
        assert_eq!(ports(text, "ssh"), [(22, Protos::TCP)]);
        assert_eq!(ports(text, "nameserver"), [(53, Protos::TCP)]);
        assert_eq!(ports(text, "domain"), [(53, Protos::ALL)]);
        assert_eq!(ports(text, "whod"), [(513, Protos::UDP)]);
        assert_eq!(ports(text, "split"), [(10, Protos::TCP), (11, Protos::UDP)]);
        for name in ["bad", "odd", "short", "", "#", "y", "22/tcp"] {
            assert_eq!(ports(text, name), [], "{name}");
        }
    }
}
