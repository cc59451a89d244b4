//! `-tunnel`: the policies of tunnel mode, with the SAs of both directions.

use std::collections::HashSet;

use super::answers::{Answers, Configuration, child_name};
use super::field::{Field, Value};
use super::form::{Block, Form, Line, entry, item, line, more, row};
use super::host::{authentication, state, transform};
use super::ipsec_sa::{cipher, hosts, is_sa};
use super::traffic::{Traffic, protocol};
use crate::text::escaped;
use crate::vici::views;

const COOKIE: &str = "strongSwan's reqid: the same number for policies and their SAs, over rekeys";
const NO_COOKIE: &str = "no SA and no trap of it is there";
const NEGOTIATED: &str = "as negotiated: the configured proposals are not told";
const NO_TRANSFORM: &str = "list-conns has no proposals, and no SA shows one";
const DOWN: &str = "no SA of it is listed";
const ALERT: &str = "the last alert of the connection, which names no child; this one has not come \
                     up since";

/// An SA of one direction.
#[derive(Debug, Clone)]
pub struct Sa {
    /// SPI.
    pub spi: Field,
    /// ESP or AH.
    pub protocol: Field,
    /// Integrity algorithm.
    pub auth: Field,
    /// Cipher.
    pub encr: Field,
    /// Sender of its packets.
    pub src: Field,
    /// Their receiver.
    pub dst: Field,
    /// INBOUND or OUTBOUND.
    pub direction: Field,
}

/// A tunnel.
#[derive(Debug, Clone)]
pub struct Row {
    /// What it is of.
    pub id: Vec<u8>,
    /// Name of the child.
    pub name: Field,
    /// Number that joins it to policies.
    pub cookie: Field,
    /// Near end.
    pub tunnel_src: Field,
    /// Far end.
    pub tunnel_dst: Field,
    /// What is behind the near end.
    pub src: Vec<Traffic>,
    /// What is behind the far end.
    pub dst: Vec<Traffic>,
    /// Protocol of the selectors.
    pub protocol: Field,
    /// What is done with packets.
    pub action: Field,
    /// How far the SAs are.
    pub state: Field,
    /// Why there is no SA, as far as the daemon told it.
    pub error: Field,
    /// Seconds since it did.
    pub error_age: Field,
    /// Protocol and algorithms.
    pub transform: Field,
    /// SAs.
    pub sas: Vec<Sa>,
    /// What ipsec_report(1M) has not.
    pub more: Vec<Line>,
}

impl Block for Row {
    fn form(self) -> Form {
        let ends = |label: &'static str, key: &'static str, list: Vec<Traffic>| {
            list.into_iter().map(move |traffic| {
                let port = if traffic.is_any_port() { Field::Absent } else { traffic.port };
                let fields =
                    [entry(label, "addr", traffic.addr), entry("Port number", "port", port)];
                item("", key, vec![row(fields)])
            })
        };
        let mut lines = vec![
            row([entry("Tunnel Name", "name", self.name), entry("Cookie", "cookie", self.cookie)]),
            row([
                entry("Tunnel Src IP Addr", "tunnel_src", self.tunnel_src),
                entry("Tunnel Dst IP Addr", "tunnel_dst", self.tunnel_dst),
            ]),
        ];
        lines.extend(ends("Src IP Addr", "src", self.src));
        lines.extend(ends("Dst IP Addr", "dst", self.dst));
        lines.push(row([
            entry("Network Protocol", "protocol", self.protocol),
            entry("Action", "action", self.action),
        ]));
        lines.push(line("State", "state", self.state));
        lines.push(row([
            entry("Error", "error", self.error),
            entry("Seconds since", "error_age_s", self.error_age),
        ]));
        lines.push(line("Transform", "transform", self.transform));
        for (number, sa) in (1..).zip(self.sas) {
            let fields = vec![
                line("SPI (hex)", "spi", sa.spi),
                line("SA Type", "sa_type", sa.protocol),
                line("Authentication Algorithm", "auth", sa.auth),
                line("Encryption Algorithm", "encr", sa.encr),
                line("Src IP Addr", "src", sa.src),
                line("Dst IP Addr", "dst", sa.dst),
                line("SA direction", "direction", sa.direction),
            ];
            lines.push(item(format!("-- SA Number {number} --"), "sas", fields));
        }
        lines.extend(self.more);
        let title = "-------------------- Tunnel Policy Rule ----------------------";
        Form { kind: "tunnel", title: title.into(), id: self.id, lines }
    }
}

/// The tunnels: those with SAs, then the configured ones without.
pub fn rows(answers: &Answers, configuration: &Configuration<'_>) -> Vec<Row> {
    let (mut rows, mut live) = (Vec::new(), HashSet::new());
    for (ike, child) in answers.children().filter(|(_, c)| c.mode() == Some(b"TUNNEL")) {
        let name = child_name(&child);
        live.insert((ike.name, name));
        let number = format!(" {}", child.uniqueid().unwrap_or(0));
        let sa = |inward| {
            let (src, dst) = hosts(&ike, inward);
            let spi = if inward { child.spi_in() } else { child.spi_out() };
            Sa {
                spi: Field::told(spi.map(Value::Spi), "not told"),
                protocol: Field::told(child.protocol(), "not told"),
                auth: authentication(&child),
                encr: Field::maybe(cipher(&child)),
                src: Field::told(src, "not told"),
                dst: Field::told(dst, "not told"),
                direction: Field::known(if inward { "INBOUND" } else { "OUTBOUND" }),
            }
        };
        let (src, dst) = selectors(answers, child.local_ts(), child.remote_ts());
        rows.push(Row {
            id: [ike.name, b"/", name, number.as_bytes()].concat(),
            name: Field::known(name),
            cookie: Field::concluded(child.reqid(), COOKIE, NO_COOKIE),
            tunnel_src: Field::told(ike.local_host(), "not told"),
            tunnel_dst: Field::told(ike.remote_host(), "not told"),
            protocol: protocol(&src, &dst),
            src,
            dst,
            action: Field::known("Dynamic key SA"),
            state: Field::told(child.state().map(state), "not told"),
            error: Field::Absent,
            error_age: Field::Absent,
            transform: Field::concluded(transform(&child), NEGOTIATED, NO_TRANSFORM),
            sas: if is_sa(&child) { vec![sa(true), sa(false)] } else { Vec::new() },
            more: vec![more("Policy Name", "ike", Field::known(ike.name))],
        });
    }
    let traps = cookies(answers);
    let conns = answers.conns.iter().flatten().flat_map(views::conns);
    for conn in conns {
        let down = conn.children().filter(|c| c.mode() == Some(b"TUNNEL"));
        for conf in down.filter(|conf| !live.contains(&(conn.name, conf.name))) {
            // Of two of one name the first one counts, as for the SAs.
            if configuration.child(conn.name, conf.name).is_none() {
                continue;
            }
            let cookie = traps.get(&(conn.name, conf.name)).copied();
            let (src, dst) = selectors(answers, conf.local_ts(), conf.remote_ts());
            let failure = answers.failure(conn.name, conf.name);
            let age = failure.map(|f| answers.at.0.saturating_sub(f.at.0) / 1_000_000_000);
            rows.push(Row {
                id: [conn.name, b"/", conf.name].concat(),
                name: Field::known(conf.name),
                cookie: Field::concluded(cookie, COOKIE, NO_COOKIE),
                tunnel_src: addresses(conn.local_addrs()),
                tunnel_dst: addresses(conn.remote_addrs()),
                protocol: protocol(&src, &dst),
                src,
                dst,
                action: Field::known("Dynamic key SA"),
                state: Field::derived("SPI(s) Not Established", DOWN),
                error: failure.map_or(Field::Absent, |f| Field::derived(f.kind.as_slice(), ALERT)),
                error_age: Field::maybe(age),
                transform: Field::Missing(NO_TRANSFORM),
                sas: Vec::new(),
                more: vec![more("Policy Name", "ike", Field::known(conn.name))],
            });
        }
    }
    rows
}

fn selectors(
    answers: &Answers,
    local: &[Vec<u8>],
    remote: &[Vec<u8>],
) -> (Vec<Traffic>, Vec<Traffic>) {
    (Traffic::all(local, &answers.services), Traffic::all(remote, &answers.services))
}

/// Absent where none are configured, as in ipsec_report(1M).
fn addresses(list: &[Vec<u8>]) -> Field {
    let list: Vec<_> = list.iter().map(|address| escaped(address)).collect();
    Field::maybe((!list.is_empty()).then(|| list.join(", ")))
}

/// The reqids of traps.
fn cookies(answers: &Answers) -> std::collections::HashMap<(&[u8], &[u8]), u32> {
    let policies = answers.policies.iter().flatten().flat_map(views::policies);
    let known = policies.filter_map(|policy| {
        let reqid = std::str::from_utf8(policy.section.value("reqid")?).ok()?.parse().ok()?;
        Some(((policy.ike()?, policy.child()?), reqid))
    });
    known.collect()
}
