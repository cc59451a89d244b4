//! `-host active` and `-host configured`: the policies, those that are in force with their SAs.

use std::collections::HashSet;

use super::algorithm;
use super::answers::{Answers, Configuration, child_name};
use super::field::{Field, Value};
use super::form::{Block, Form, Line, entry, item, line, more, row};
use super::ipsec_sa::{cipher, integrity, is_sa};
use super::traffic::{Traffic, protocol};
use crate::vici::views::{self, ChildConf, ChildSa, Policy};

const COOKIE: &str = "strongSwan's reqid: the same number for policies and their SAs, over rekeys";
const NO_COOKIE: &str = "no reqid is told";
const NO_PRIORITY: &str = "strongSwan computes it from the selectors, and tells only one that is \
                           configured";
const TUNNEL: &str = "the mode is TUNNEL: strongSwan has no tunnel policies apart";
const NO_TRANSFORM: &str = "list-conns has no proposals";
const UNCONFIGURED: &str = "the child is not in the daemon's configuration";
const DEFAULT: &str = "the kernel passes what no policy is for";
const NEGOTIATED: &str = "as negotiated: the configured proposals are not told";

/// Which of the two reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// In force.
    Active,
    /// In the configuration.
    Configured,
}

/// A transform that is proposed.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// Protocol and algorithms.
    pub transform: Field,
    /// Seconds until rekeying.
    pub seconds: Field,
    /// Kilobytes until rekeying.
    pub kbytes: Field,
}

/// Two SAs.
#[derive(Debug, Clone)]
pub struct Pair {
    /// ESP or AH.
    pub protocol: Field,
    /// Cipher.
    pub encr: Field,
    /// Integrity algorithm.
    pub auth: Field,
    /// SPI of packets from the host.
    pub spi_out: Field,
    /// SPI of packets to it.
    pub spi_in: Field,
}

/// A policy.
#[derive(Debug, Clone)]
pub struct Row {
    /// Which report it is of.
    pub which: Which,
    /// What it is of.
    pub id: Vec<u8>,
    /// Name.
    pub name: Field,
    /// Priority.
    pub priority: Field,
    /// Number that joins it to SAs and the cache.
    pub cookie: Field,
    /// Local selectors.
    pub src: Vec<Traffic>,
    /// Remote selectors.
    pub dst: Vec<Traffic>,
    /// Protocol of the selectors.
    pub protocol: Field,
    /// What is done with packets.
    pub action: Field,
    /// How far the SAs are.
    pub state: Field,
    /// Flags.
    pub flags: Field,
    /// Tunnel.
    pub tunnel: Field,
    /// Transforms.
    pub proposals: Vec<Proposal>,
    /// SAs.
    pub pairs: Vec<Pair>,
    /// What ipsec_report(1M) has not.
    pub more: Vec<Line>,
}

impl Block for Row {
    fn form(self) -> Form {
        let (kind, title) = match self.which {
            Which::Active => {
                ("host_active", "------------------- Active Host Policy Rule ---------------------")
            }
            Which::Configured => (
                "host_configured",
                "----------------- Configured Host Policy Rule -------------------",
            ),
        };
        let mut lines = vec![row([
            entry("Rule Name", "name", self.name),
            entry("Priority", "priority", self.priority),
            entry("Cookie", "cookie", self.cookie),
        ])];
        lines.extend(ends("Src IP Addr", "src", self.src));
        lines.extend(ends("Dst IP Addr", "dst", self.dst));
        lines.push(row([
            entry("Network Protocol", "protocol", self.protocol),
            entry("Action", "action", self.action),
        ]));
        lines.push(line("State", "state", self.state));
        lines.push(line("FLAGS", "flags", self.flags));
        lines.push(line("Tunnel Name", "tunnel", self.tunnel));
        for (number, proposal) in (1..).zip(self.proposals) {
            let label = format!("Proposal {number}: Transform");
            let fields = vec![
                line(label, "transform", proposal.transform),
                line("Lifetime Seconds", "lifetime_s", proposal.seconds),
                line("Lifetime Kbytes", "lifetime_kbytes", proposal.kbytes),
            ];
            lines.push(item("", "proposals", fields));
        }
        for pair in self.pairs {
            let fields = vec![
                line("SA Type", "sa_type", pair.protocol),
                line("Encryption Algorithm", "encr", pair.encr),
                line("Authentication Algorithm", "auth", pair.auth),
                line("Outbound SPI (hex)", "spi_out", pair.spi_out),
                line("Inbound SPI (hex)", "spi_in", pair.spi_in),
            ];
            lines.push(item("-- SA Pair --", "sa_pairs", fields));
        }
        lines.extend(self.more);
        Form { kind, title: title.into(), id: self.id, lines }
    }
}

fn ends(label: &'static str, key: &'static str, list: Vec<Traffic>) -> impl Iterator<Item = Line> {
    list.into_iter().map(move |traffic| {
        let fields =
            [entry(label, "addr", traffic.addr), entry("Port number", "port", traffic.port)];
        item("", key, vec![row(fields)])
    })
}

/// The policies of a report: by ascending priority, those without one after them, and the
/// implicit one last.
pub fn rows(answers: &Answers, configuration: &Configuration<'_>, which: Which) -> Vec<Row> {
    let mut rows = match which {
        Which::Active => active(answers, configuration),
        Which::Configured => configured(answers),
    };
    rows.sort_by_key(|row| match row.priority {
        Field::Known(Value::Number(number)) => number,
        _ => i64::MAX,
    });
    rows.push(default(which));
    rows
}

fn active(answers: &Answers, configuration: &Configuration<'_>) -> Vec<Row> {
    let (mut rows, mut live) = (Vec::new(), HashSet::new());
    for (ike, child) in answers.children() {
        let name = child_name(&child);
        live.insert((ike.name, name));
        let conf = configuration.child(ike.name, name);
        let pairs = is_sa(&child).then(|| pair(&child)).into_iter().collect();
        let negotiated = transform(&child);
        let number = format!(" {}", child.uniqueid().unwrap_or(0));
        let id = [ike.name, b"/", name, number.as_bytes()];
        let lists = (child.local_ts(), child.remote_ts());
        rows.push(Row {
            id: id.concat(),
            cookie: Field::concluded(child.reqid(), COOKIE, NO_COOKIE),
            state: Field::told(child.state().map(state), "not told"),
            pairs,
            proposals: vec![Proposal {
                transform: Field::concluded(negotiated, NEGOTIATED, "not yet negotiated"),
                ..lifetimes(conf.as_ref())
            }],
            ..rule(Which::Active, answers, (ike.name, name), lists, child.mode(), conf)
        });
    }
    let policies = answers.policies.iter().flatten().flat_map(views::policies);
    for policy in policies {
        let (ike, name) = names(&policy);
        // A trap whose SAs are there is the policy above.
        if live.contains(&(ike, name)) {
            continue;
        }
        let conf = configuration.child(ike, name);
        let reqid: Option<u32> = policy
            .section
            .value("reqid")
            .and_then(|reqid| std::str::from_utf8(reqid).ok()?.parse().ok());
        let is_trap = !matches!(policy.mode(), Some(b"PASS" | b"DROP"));
        let not_there = Field::known("SPI(s) Not Established");
        let proposal =
            Proposal { transform: Field::Missing(NO_TRANSFORM), ..lifetimes(conf.as_ref()) };
        rows.push(Row {
            id: policy.name.to_vec(),
            cookie: Field::concluded(reqid, COOKIE, NO_COOKIE),
            state: if is_trap { not_there } else { Field::Absent },
            proposals: is_trap.then_some(proposal).into_iter().collect(),
            ..rule(
                Which::Active,
                answers,
                (ike, name),
                (policy.local_ts(), policy.remote_ts()),
                policy.mode(),
                conf,
            )
        });
    }
    rows
}

/// Names of connection and child, which daemons before 5.7 do not tell apart.
fn names<'a>(policy: &Policy<'a>) -> (&'a [u8], &'a [u8]) {
    (policy.ike().unwrap_or_default(), policy.child().unwrap_or(policy.name))
}

fn configured(answers: &Answers) -> Vec<Row> {
    let conns = answers.conns.iter().flatten().flat_map(views::conns);
    let children = conns.flat_map(|conn| conn.children().map(move |child| (conn.name, child)));
    let rows = children.map(|(ike, conf)| {
        let lists = (conf.local_ts(), conf.remote_ts());
        let is_shunt = matches!(conf.mode(), Some(b"PASS" | b"DROP"));
        let proposal =
            Proposal { transform: Field::Missing(NO_TRANSFORM), ..lifetimes(Some(&conf)) };
        Row {
            id: [ike, b"/", conf.name].concat(),
            proposals: (!is_shunt).then_some(proposal).into_iter().collect(),
            ..rule(Which::Configured, answers, (ike, conf.name), lists, conf.mode(), Some(conf))
        }
    });
    rows.collect()
}

/// What all rules have in common.
fn rule(
    which: Which,
    answers: &Answers,
    (ike, name): (&[u8], &[u8]),
    (local, remote): (&[Vec<u8>], &[Vec<u8>]),
    mode: Option<&[u8]>,
    conf: Option<ChildConf<'_>>,
) -> Row {
    let src = Traffic::all(local, &answers.services);
    let dst = Traffic::all(remote, &answers.services);
    let priority = conf.and_then(|conf| {
        let number: i64 =
            std::str::from_utf8(conf.section.value("priority")?).ok()?.parse().ok()?;
        (number != 0).then_some(number)
    });
    let tunnel = match mode {
        Some(b"TUNNEL") => Field::derived(name, TUNNEL),
        _ => Field::Absent,
    };
    let value = |key: &str| Field::maybe(conf.and_then(|conf| conf.section.value(key)));
    Row {
        which,
        id: Vec::new(),
        name: Field::known(name),
        priority: Field::told(priority, NO_PRIORITY),
        cookie: Field::Absent,
        protocol: protocol(&src, &dst),
        src,
        dst,
        action: Field::told(mode.map(action), "not told"),
        state: Field::Absent,
        flags: Field::Absent,
        tunnel,
        proposals: Vec::new(),
        pairs: Vec::new(),
        more: vec![
            more("Policy Name", "ike", Field::known(ike)),
            more("Mode", "mode", Field::maybe(mode)),
            more("Rekeying (packets)", "rekey_packets", value("rekey_packets")),
            more("DPD action", "dpd_action", value("dpd_action")),
            more("Close action", "close_action", value("close_action")),
            more("Interface", "interface", value("interface")),
        ],
    }
}

fn default(which: Which) -> Row {
    let field = |value: &str| Field::derived(value, DEFAULT);
    let is_active = which == Which::Active;
    Row {
        which,
        id: b" default".to_vec(),
        name: field("default"),
        priority: Field::Missing("it is no policy: it is what the kernel does without one"),
        cookie: if is_active { Field::Missing(NO_COOKIE) } else { Field::Absent },
        src: Vec::new(),
        dst: Vec::new(),
        protocol: Field::Absent,
        action: field("Pass"),
        state: Field::Absent,
        flags: Field::Absent,
        tunnel: Field::Absent,
        proposals: Vec::new(),
        pairs: Vec::new(),
        more: Vec::new(),
    }
}

pub(super) fn action(mode: &[u8]) -> &'static str {
    match mode {
        b"PASS" => "Pass",
        b"DROP" => "Discard",
        _ => "Dynamic key SA",
    }
}

/// HP's word where there is one.
pub(super) fn state(word: &[u8]) -> Vec<u8> {
    match word {
        b"INSTALLED" | b"UPDATING" | b"REKEYING" | b"REKEYED" => b"Ready".to_vec(),
        b"ROUTED" => b"SPI(s) Not Established".to_vec(),
        b"CREATED" | b"INSTALLING" | b"RETRYING" => b"SPI(s) Being Established".to_vec(),
        word => word.to_vec(),
    }
}

fn lifetimes(conf: Option<&ChildConf<'_>>) -> Proposal {
    let kbytes = conf.and_then(|conf| conf.rekey_bytes()).map(|bytes| bytes / 1024);
    Proposal {
        transform: Field::Absent,
        seconds: Field::told(conf.and_then(|conf| conf.rekey_time()), UNCONFIGURED),
        kbytes: Field::told(kbytes, UNCONFIGURED),
    }
}

/// The transform of a CHILD_SA, once it is negotiated.
pub(super) fn transform(child: &ChildSa<'_>) -> Option<String> {
    let (cipher, integrity) = (cipher(child), integrity(child));
    let protocol = child.protocol()?;
    let is_known = cipher.is_some() || integrity.is_some();
    is_known.then(|| algorithm::transform(protocol, cipher.as_deref(), integrity.as_deref()))
}

fn pair(child: &ChildSa<'_>) -> Pair {
    Pair {
        protocol: Field::told(child.protocol(), "not told"),
        encr: Field::maybe(cipher(child)),
        auth: authentication(child),
        spi_out: Field::told(child.spi_out().map(Value::Spi), "not told"),
        spi_in: Field::told(child.spi_in().map(Value::Spi), "not told"),
    }
}

/// The integrity algorithm, or that the cipher is one too.
pub(super) fn authentication(child: &ChildSa<'_>) -> Field {
    match (integrity(child), child.encr_alg()) {
        (Some(name), _) => Field::known(name),
        (None, Some(_)) => Field::derived("(AEAD)", "the cipher authenticates too (AEAD)"),
        (None, None) => Field::Missing("not yet negotiated"),
    }
}
