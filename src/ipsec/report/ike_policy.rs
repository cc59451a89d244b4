//! `-ike`: the IKE policies, which are the connections of the configuration.

use super::algorithm;
use super::answers::Answers;
use super::field::Field;
use super::form::entry;
use super::form::{Block, Form, Line, item, line, more, row};
use super::ike_sa::method;
use crate::text::escaped;
use crate::vici::views::{Auth, Conn, IkeSa};
use std::collections::HashMap;

const NO_SA: &str = "list-conns has no proposals, and no IKE_SA of the connection shows one";
const IN_USE: &str = "negotiated by an IKE_SA of the connection: list-conns has no proposals";
const NO_PRIORITY: &str = "strongSwan has no order of connections";
const NO_BYTES: &str = "strongSwan does not limit the bytes of an IKE_SA";

/// A connection.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its name.
    pub name: Vec<u8>,
    /// IKE's version.
    pub version: Field,
    /// Local addresses.
    pub local: Field,
    /// Remote addresses.
    pub remote: Field,
    /// Cipher.
    pub encr: Field,
    /// Integrity algorithm.
    pub hash: Field,
    /// Pseudo random function.
    pub prf: Field,
    /// Key exchange method.
    pub dh_group: Field,
    /// How both authenticate themselves.
    pub auth_method: Field,
    /// Seconds until rekeying.
    pub lifetime: Field,
    /// What ipsec_report(1M) has not.
    pub more: Vec<Line>,
}

impl Block for Row {
    fn form(self) -> Form {
        let name = Field::known(self.name.clone());
        let priority = Field::Missing(NO_PRIORITY);
        let mut lines = vec![
            row([entry("Rule Name", "name", name), entry("Priority", "priority", priority)]),
            line("IKE Version", "version", self.version),
            line("Local IP Addr", "local", self.local),
            line("Remote IP Addr", "remote", self.remote),
            line("Auth Method", "auth_method", self.auth_method),
            row([entry("ENCR", "encr", self.encr), entry("HASH", "hash", self.hash)]),
            row([entry("PRF", "prf", self.prf), entry("DH Group", "dh_group", self.dh_group)]),
            line("Lifetime Seconds", "lifetime_s", self.lifetime),
            line("Lifetime Kbytes", "lifetime_kbytes", Field::Missing(NO_BYTES)),
        ];
        lines.extend(self.more);
        let title = "------------------------ IKE Policy ------------------------";
        Form { kind: "ike_policy", title: title.into(), id: self.name, lines }
    }
}

/// The connections; those of shunts have no IKE.
pub fn rows(answers: &Answers) -> impl Iterator<Item = Row> {
    let mut live: HashMap<&[u8], IkeSa<'_>> = HashMap::new();
    for ike in answers.ikes().filter(|ike| ike.encr_alg().is_some()) {
        live.entry(ike.name).or_insert(ike);
    }
    let conns = answers.conns.iter().flatten().flat_map(crate::vici::views::conns);
    let with_ike = conns.filter(|conn| conn.local().any(|auth| auth.class().is_some()));
    with_ike.map(move |conn| Row::of(&conn, live.get(conn.name)))
}

impl Row {
    fn of(conn: &Conn<'_>, live: Option<&IkeSa<'_>>) -> Self {
        let used = |value: Option<String>| Field::concluded(value, IN_USE, NO_SA);
        let encr = live.and_then(|ike| {
            ike.encr_alg().map(|name| algorithm::ike_cipher(name, ike.encr_keysize()))
        });
        let hash =
            live.map(|ike| ike.integ_alg().map_or_else(|| "(AEAD)".into(), algorithm::integrity));
        let group = live.and_then(|ike| ike.dh_group()).map(|name| {
            algorithm::group(name).map_or_else(|| escaped(name), |number| number.to_string())
        });
        let class = conn.local().find_map(|auth| auth.class());
        Self {
            name: conn.name.to_vec(),
            version: Field::told(conn.version(), "not told"),
            local: Field::known(listed(conn.local_addrs())),
            remote: Field::known(listed(conn.remote_addrs())),
            encr: used(encr),
            hash: used(hash),
            prf: used(live.and_then(|ike| ike.prf_alg()).map(algorithm::prf)),
            dh_group: used(group),
            auth_method: Field::told(class.map(method), "not told"),
            lifetime: Field::told(conn.rekey_time(), "not told"),
            more: further(conn),
        }
    }
}

fn listed(items: &[Vec<u8>]) -> String {
    items.iter().map(|item| escaped(item)).collect::<Vec<_>>().join(", ")
}

fn further(conn: &Conn<'_>) -> Vec<Line> {
    let value = |key: &str| Field::maybe(conn.section.value(key));
    let mut lines = vec![
        more("Local port", "local_port", value("local_port")),
        more("Remote port", "remote_port", value("remote_port")),
        more("Reauthentication (seconds)", "reauth_s", Field::maybe(conn.reauth_time())),
        more("Uniqueness", "unique", Field::maybe(conn.unique())),
        more("DPD delay (seconds)", "dpd_delay", value("dpd_delay")),
        more("DPD timeout (seconds)", "dpd_timeout", value("dpd_timeout")),
        more("PPK ID", "ppk_id", value("ppk_id")),
        more("PPK required", "ppk_required", value("ppk_required")),
    ];
    lines.extend(conn.local().map(|auth| round("local_auth", &auth)));
    lines.extend(conn.remote().map(|auth| round("remote_auth", &auth)));
    lines
}

/// A round of authentication.
fn round(key: &'static str, auth: &Auth<'_>) -> Line {
    let list = |key: &str| {
        let items = auth.section.list(key).unwrap_or_default();
        Field::maybe((!items.is_empty()).then(|| listed(items)))
    };
    let value = |key: &str| Field::maybe(auth.section.value(key));
    let side = if key == "local_auth" { "Local" } else { "Remote" };
    let name = |what: &str| format!("{side} {what}");
    let lines = [
        ("authentication", "class", Field::maybe(auth.class())),
        ("ID", "id", Field::maybe(auth.id())),
        ("EAP", "eap_type", value("eap-type")),
        ("EAP ID", "eap_id", Field::maybe(auth.eap_id())),
        ("XAuth ID", "xauth_id", Field::maybe(auth.xauth_id())),
        ("groups", "groups", list("groups")),
        ("certificates", "certs", list("certs")),
        ("CA certificates", "cacerts", list("cacerts")),
    ];
    let lines = lines.map(|(label, key, field)| {
        Line::Row(vec![super::form::Entry { more: true, ..entry(name(label), key, field) }])
    });
    item("", key, lines.into())
}
