//! services(5): the names that charon prints for ports in traffic selectors (getservbyport(3)).

use std::collections::HashMap;
use std::fs;
use std::sync::OnceLock;

use crate::packet::proto;

/// Ports by name and protocol.
#[derive(Debug, Clone, Default)]
pub struct Services(HashMap<(Box<str>, u8), u16>);

impl Services {
    /// The system's, read once; none where it has no such file.
    pub fn of_system() -> Self {
        static KEPT: OnceLock<Services> = OnceLock::new();
        let read = || {
            let bytes = fs::read("/etc/services").unwrap_or_default();
            Self::parse(&String::from_utf8_lossy(&bytes))
        };
        KEPT.get_or_init(read).clone()
    }

    /// Those of a file's text: `name port/protocol [alias ...] [# comment]`, a line each.
    pub fn parse(text: &str) -> Self {
        let mut services = HashMap::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_ascii_whitespace();
            let (Some(name), Some(port)) = (words.next(), words.next()) else { continue };
            let Some((port, protocol)) = port.split_once('/') else { continue };
            let protocol = match protocol {
                "tcp" => proto::TCP,
                "udp" => proto::UDP,
                "sctp" => proto::SCTP,
                _ => continue,
            };
            let Ok(port) = port.parse() else { continue };
            for name in std::iter::once(name).chain(words) {
                services.entry((name.into(), protocol)).or_insert(port);
            }
        }
        Self(services)
    }

    /// The port of a name; without a protocol, or of one that has no names of its own, TCP's, else
    /// UDP's, as getservbyport without a protocol finds it.
    pub fn port(&self, name: &str, protocol: Option<u8>) -> Option<u16> {
        let own = protocol.into_iter().chain([proto::TCP, proto::UDP]);
        let mut found = own.filter_map(|protocol| self.0.get(&(name.into(), protocol)));
        found.next().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_aliases_and_protocols() {
        let services = Services::parse(
            "# x\nhttps 443/tcp # y\nhttps 443/udp\ndomain 53/tcp nameserver\nwho 513/udp whod\n\
             login 513/tcp\nbad x/tcp\nshort\nodd 1/ddp\n",
        );
        for (name, protocol, port) in [
            ("https", Some(proto::TCP), Some(443)),
            ("nameserver", Some(proto::UDP), Some(53)),
            ("whod", Some(proto::UDP), Some(513)),
            ("whod", None, Some(513)),
            ("bad", None, None),
            ("odd", None, None),
            ("", None, None),
        ] {
            assert_eq!(services.port(name, protocol), port, "{name}");
        }
    }
}
