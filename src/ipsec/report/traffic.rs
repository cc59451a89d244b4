//! Traffic selectors as a report shows them: address, port and protocol apart. Port 0 is any, as
//! in ipsec_report(1M).

use super::field::{Field, Value};
use crate::ipsec::selector::{Ports, Selector};
use crate::ipsec::services::Services;
use crate::packet::proto;

const UNREAD: &str = "the traffic selector is of a notation that is not known";

/// A selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traffic {
    /// The addresses, as the daemon writes them.
    pub addr: Field,
    /// A port, a range of them, or 0.
    pub port: Field,
    /// The protocol's name; ALL.
    pub protocol: Field,
}

impl Traffic {
    /// As strongSwan prints it.
    pub(super) fn read(text: &[u8], services: &Services) -> Self {
        let addr = text.split(|&c| c == b'[').next().unwrap_or_default();
        let addr = if addr.is_empty() { b"dynamic" } else { addr };
        let Ok(selector) = Selector::parse(text, services) else {
            let missing = Field::Missing(UNREAD);
            return Self { addr: Field::known(text), port: missing.clone(), protocol: missing };
        };
        let port: Value = match selector.ports {
            Ports::Any => 0_u32.into(),
            Ports::Opaque => "OPAQUE".into(),
            Ports::Range(first, last) if first == last => u32::from(first).into(),
            Ports::Range(first, last) => format!("{first}-{last}").into(),
        };
        let protocol = selector.proto.map_or_else(|| "ALL".to_owned(), name);
        Self {
            addr: Field::known(addr),
            port: Field::Known(port),
            protocol: Field::known(protocol),
        }
    }

    /// All of a list.
    pub(super) fn all(list: &[Vec<u8>], services: &Services) -> Vec<Self> {
        list.iter().map(|text| Self::read(text, services)).collect()
    }

    /// True if it is of any port.
    pub(super) fn is_any_port(&self) -> bool {
        self.port == Field::Known(Value::Number(0))
    }
}

/// The protocols that the selectors of both sides name: ALL if none does.
pub(super) fn protocol(local: &[Traffic], remote: &[Traffic]) -> Field {
    let mut names: Vec<&[u8]> = Vec::new();
    for traffic in local.iter().chain(remote) {
        match &traffic.protocol {
            Field::Known(Value::Text(name)) if name == b"ALL" || names.contains(&&**name) => {}
            Field::Known(Value::Text(name)) => names.push(name),
            unread => return unread.clone(),
        }
    }
    Field::known(if names.is_empty() { b"ALL".to_vec() } else { names.join(b", ".as_slice()) })
}

/// A protocol's name in capitals, or its number.
pub(super) fn name(number: u8) -> String {
    proto::name(number).map_or_else(|| number.to_string(), str::to_ascii_uppercase)
}
