//! `--totals`: what tunnels have carried over rekeys, by the journal.

use super::answers::Answers;
use super::field::Field;
use super::form::{Block, Form, entry, line, row};
use crate::ipsec::totals::{Name, Total};

const COOKIE: &str = "strongSwan's reqid: the same number for policies and their SAs, over rekeys";
const SUM: &str = "the sum of the last counters that were told of each CHILD_SA";

/// A tunnel's account.
#[derive(Debug, Clone)]
pub struct Row {
    /// The tunnel.
    pub name: Name,
    /// What it has carried.
    pub total: Total,
}

impl Block for Row {
    fn form(self) -> Form {
        let Name { ike, child, reqid } = &self.name;
        let count = self.total.counters;
        let number = reqid.map(|reqid| format!(" {reqid}")).unwrap_or_default();
        let sum = |count: u64| Field::derived(count, SUM);
        let cookie = Field::concluded(*reqid, COOKIE, "no reqid is told");
        let lines = vec![
            row([
                entry("Policy Name", "ike", Field::known(&**ike)),
                entry("Rule Name", "child", Field::known(&**child)),
                entry("Cookie", "cookie", cookie),
            ]),
            line("SAs", "sas", Field::known(self.total.sas)),
            row([
                entry("bytes in", "bytes_in", sum(count.bytes_in)),
                entry("packets in", "packets_in", sum(count.packets_in)),
            ]),
            row([
                entry("bytes out", "bytes_out", sum(count.bytes_out)),
                entry("packets out", "packets_out", sum(count.packets_out)),
            ]),
        ];
        let id = [ike, b"/".as_slice(), child, number.as_bytes()].concat();
        let title = "------------------------ Over Rekeys ------------------------";
        Form { kind: "total", title: title.into(), id, lines }
    }
}

/// The accounts of all tunnels.
pub fn rows(answers: &Answers) -> Vec<Row> {
    let totals = answers.totals.iter().flat_map(|totals| totals.tunnels());
    totals.map(|(name, total)| Row { name, total }).collect()
}
