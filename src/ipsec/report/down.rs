//! `--down`: connections and children that are configured, and have no SA.

use std::collections::HashSet;

use super::answers::{Answers, child_name};
use super::field::Field;
use super::form::{Block, Form, entry, line, row};
use super::ipsec_sa::is_sa;
use crate::text::escaped;
use crate::vici::views;

const STATE: &str = "list-conns has it, list-sas has no SA of it";
const TRAP: &str = "list-policies has a trap for it: a packet brings it up";

/// A child without an SA.
#[derive(Debug, Clone)]
pub struct Row {
    /// Connection.
    pub ike: Vec<u8>,
    /// Child.
    pub child: Vec<u8>,
    /// The peer.
    pub remote: Field,
    /// Whether the IKE_SA is there.
    pub ike_state: Field,
    /// What there is in its place.
    pub state: Field,
}

impl Block for Row {
    fn form(self) -> Form {
        let id = [self.ike.as_slice(), b"/", &self.child].concat();
        let lines = vec![
            row([
                entry("Policy Name", "ike", Field::known(self.ike)),
                entry("Rule Name", "child", Field::known(self.child)),
            ]),
            line("Remote IP Addr", "remote", self.remote),
            row([
                entry("IKE SA", "ike_state", self.ike_state),
                entry("State", "state", self.state),
            ]),
        ];
        let title = "------------------- Configured, but Down ---------------------";
        Form { kind: "down", title: title.into(), id, lines }
    }
}

/// The children that are down.
pub fn rows(answers: &Answers) -> Vec<Row> {
    let up = answers.children().filter(|(_, child)| is_sa(child));
    let up: HashSet<_> = up.map(|(ike, child)| (ike.name, child_name(&child))).collect();
    let ikes = answers.ikes().filter(|ike| ike.state() == Some(b"ESTABLISHED"));
    let ikes: HashSet<_> = ikes.map(|ike| ike.name).collect();
    let policies = answers.policies.iter().flatten().flat_map(views::policies);
    let traps: HashSet<_> = policies.filter_map(|p| Some((p.ike()?, p.child()?))).collect();
    let mut rows = Vec::new();
    for conn in answers.conns.iter().flatten().flat_map(views::conns) {
        for child in conn.children() {
            let is_shunt = matches!(child.mode(), Some(b"PASS" | b"DROP"));
            if is_shunt || up.contains(&(conn.name, child.name)) {
                continue;
            }
            let remote: Vec<_> = conn.remote_addrs().iter().map(|a| escaped(a)).collect();
            let trap = traps.contains(&(conn.name, child.name));
            rows.push(Row {
                ike: conn.name.to_vec(),
                child: child.name.to_vec(),
                remote: Field::maybe((!remote.is_empty()).then(|| remote.join(", "))),
                ike_state: Field::derived(
                    if ikes.contains(conn.name) { "Established" } else { "Down" },
                    "whether list-sas has an established one of this name",
                ),
                state: if trap {
                    Field::derived("Trap", TRAP)
                } else {
                    Field::derived("Down", STATE)
                },
            });
        }
    }
    rows
}
