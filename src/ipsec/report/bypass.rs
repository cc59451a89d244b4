//! `-bypass`: the pass policies, and those that discard.

use super::answers::Answers;
use super::field::Field;
use super::form::{Block, Form, entry, more, row};
use super::traffic::{Traffic, protocol};
use crate::vici::views;

/// What is done with the packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// They pass in the clear.
    Bypass,
    /// They are dropped.
    Discard,
}

impl Which {
    /// The line above the list.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Bypass => "--------------------- Configured Bypass IP List ---------------------",
            Self::Discard => {
                "--------------------- Configured Discard IP List ---------------------"
            }
        }
    }
}

/// An address of a policy, or several.
#[derive(Debug, Clone)]
pub struct Row {
    /// Of which list.
    pub which: Which,
    /// What it is of.
    pub id: Vec<u8>,
    /// Addresses of this side.
    pub address: Field,
    /// Those of the other side, if it is not all.
    pub remote: Field,
    /// Protocol, if it is not all.
    pub protocol: Field,
    /// Policy's name.
    pub name: Field,
}

impl Block for Row {
    fn form(self) -> Form {
        let kind = match self.which {
            Which::Bypass => "bypass",
            Which::Discard => "discard",
        };
        let lines = vec![
            row([
                entry("IP Address", "address", self.address),
                entry("Dst IP Addr", "remote", self.remote),
                entry("Network Protocol", "protocol", self.protocol),
            ]),
            more("Rule Name", "name", self.name),
        ];
        Form { kind, title: "".into(), id: self.id, lines }
    }
}

/// The policies of a list.
pub fn rows(answers: &Answers, which: Which) -> Vec<Row> {
    let mode: &[u8] = match which {
        Which::Bypass => b"PASS",
        Which::Discard => b"DROP",
    };
    let mut rows = Vec::new();
    for policy in answers.policies.iter().flatten().flat_map(views::policies) {
        if policy.mode() != Some(mode) {
            continue;
        }
        let remotes = Traffic::all(policy.remote_ts(), &answers.services);
        let locals = Traffic::all(policy.local_ts(), &answers.services);
        let pairs = locals.iter().flat_map(|l| remotes.iter().map(move |r| (l, r)));
        for (number, (local, remote)) in pairs.enumerate() {
            let end = |traffic: &Traffic| match (&traffic.addr, traffic.is_any_port()) {
                (Field::Known(addr), false) => {
                    let (mut text, mut port) = (Vec::new(), Vec::new());
                    super::text::push_value(&mut text, addr);
                    if let Field::Known(value) = &traffic.port {
                        super::text::push_value(&mut port, value);
                    }
                    Field::known([text.as_slice(), b" port ", &port].concat())
                }
                (addr, _) => addr.clone(),
            };
            let all = [Field::known("0.0.0.0/0"), Field::known("::/0"), Field::known("dynamic")];
            let remote_end = end(remote);
            let protocol = protocol(std::slice::from_ref(local), std::slice::from_ref(remote));
            let or_absent = |field: Field, absent: bool| if absent { Field::Absent } else { field };
            rows.push(Row {
                which,
                id: [policy.name, format!(" {number}").as_bytes()].concat(),
                address: end(local),
                remote: or_absent(remote_end.clone(), all.contains(&remote_end)),
                protocol: or_absent(protocol.clone(), protocol == Field::known("ALL")),
                name: Field::known(policy.name),
            });
        }
    }
    rows
}
