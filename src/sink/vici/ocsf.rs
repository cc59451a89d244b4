//! A change as an event of the Open Cybersecurity Schema Framework: Tunnel Activity (class 4014),
//! and what is about no tunnel a Base Event (0), since the class demands a session or an end.

use super::change::{Action, Change};
use super::{Vici, pf};
use crate::sink::json::{Emit, Key, Writer, key};
use crate::sink::ocsf::network::{describe_end, describe_traffic, describe_way};
use crate::sink::pf::push_spi;
use crate::text::{push_hex, push_ip};
use crate::time::{Precision, Timestamp};
use crate::vici::views::ChildSa;

impl Vici {
    pub(super) fn describe_ocsf(
        &mut self,
        at: Timestamp,
        id: [u8; 16],
        change: &Change<'_>,
        e: &mut Writer<'_>,
    ) {
        describe_class(change, e);
        self.describe_time(key!("time"), key!("time_dt"), at, e);
        let began = change.began(at);
        if let Some((start, _)) = began {
            let start = Timestamp(start);
            self.describe_time(key!("start_time"), key!("start_time_dt"), start, e);
        }
        if change.is_end() {
            self.describe_time(key!("end_time"), key!("end_time_dt"), at, e);
            e.some(key!("duration"), began.map(|(_, age)| age / 1_000_000));
        }
        if change.is_failure() {
            // Failure
            e.members(r#","status_id":2"#);
        }
        e.bytes(key!("status_detail"), change.alert().unwrap_or_default());
        e.bytes(key!("message"), change.text());
        e.open(key!("metadata"));
        e.members(r#","version":"1.8.0","profiles":["security_control","host","datetime"]"#);
        e.open(key!("product"));
        e.members(r#","name":"strongSwan","vendor_name":"strongSwan""#);
        e.bytes(key!("version"), &self.version);
        e.close();
        e.string(key!("uid"), |out| push_hex(out, &id));
        self.sequence.describe(self.number, e);
        e.bytes(key!("log_provider"), &self.source);
        e.string(key!("original_time"), |out| {
            self.clock.push_rfc3339(out, at, Precision::Micros);
        });
        e.close();
        e.open(key!("device"));
        // Firewall
        e.members(r#","type_id":9"#);
        e.bytes(key!("name"), self.site.observer.as_bytes());
        e.close();
        if change.ike.is_some() {
            self.describe_tunnel(change, began, e);
        }
        e.open(key!("unmapped"));
        e.open(key!("pf"));
        e.open(key!("ipsec"));
        pf::describe(change, e);
        e.close();
        e.close();
        e.close();
    }

    fn describe_time(&mut self, ms: Key, text: Key, at: Timestamp, e: &mut Writer<'_>) {
        e.number(ms, at.0.div_euclid(1_000_000));
        e.string(text, |out| self.clock.push_rfc3339(out, at, Precision::Micros));
    }

    fn describe_tunnel(&self, change: &Change<'_>, began: Option<(i64, u64)>, e: &mut Writer<'_>) {
        let subject = change.subject();
        e.word(key!("protocol_name"), "IPSec");
        e.open(key!("connection_info"));
        describe_way(&subject, &self.site, e);
        e.close();
        describe_session(change, began, e);
        describe_end(key!("src_endpoint"), &subject.src, e);
        describe_end(key!("dst_endpoint"), &subject.dst, e);
        describe_traffic(&subject, e);
        if let Some(child) = change.child {
            if let Some(interface) = child.if_id_in().or_else(|| child.if_id_out()) {
                e.open(key!("tunnel_interface"));
                // Tunnel
                e.members(r#","type_id":4"#);
                e.string(key!("uid"), |out| push_spi(out, interface));
                e.close();
            }
            e.number(key!("tunnel_type_id"), tunnel_type(child));
        }
        if let Some(user) = change.user() {
            e.open(key!("user"));
            e.bytes(key!("name"), user);
            e.close();
        }
        let addresses = change.addresses();
        if !addresses.is_empty() {
            e.list(key!("observables"), |out| {
                for (at, ip) in addresses.into_iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    // IP Address
                    out.extend_from_slice(b"{\"type_id\":2,\"value\":\"");
                    push_ip(out, ip);
                    out.extend_from_slice(b"\"}");
                }
            });
        }
    }
}

/// Names class and activity.
fn describe_class(change: &Change<'_>, e: &mut Writer<'_>) {
    let (activity, named) = match change.action {
        Action::IkeUp | Action::ChildUp => (1u8, false),
        Action::IkeDown | Action::ChildDown => (2, false),
        Action::IkeRekey | Action::ChildRekey => (3, false),
        _ => (99, true),
    };
    let severity = if change.is_failure() { 3u8 } else { 1 };
    let is_tunnel = change.ike.is_some();
    e.number(key!("activity_id"), if is_tunnel { activity } else { 99 });
    if named || !is_tunnel {
        e.word(key!("activity_name"), change.action.name());
    }
    if is_tunnel {
        e.members(r#","category_uid":4,"class_uid":4014"#);
        e.number(key!("type_uid"), 401_400 + u32::from(activity));
    } else {
        e.members(r#","category_uid":0,"class_uid":0,"type_uid":99"#);
    }
    e.number(key!("severity_id"), severity);
}

/// The SA: of a CHILD_SA its two SPIs, that of packets to us first; of an IKE_SA initiator's and
/// responder's.
fn describe_session(change: &Change<'_>, began: Option<(i64, u64)>, e: &mut Writer<'_>) {
    e.open(key!("session"));
    match (change.child, change.ike) {
        (Some(child), _) => {
            for (key, spi) in [(key!("uid"), child.spi_in()), (key!("uid_alt"), child.spi_out())] {
                if let Some(spi) = spi {
                    e.string(key, |out| push_spi(out, spi));
                }
            }
        }
        (None, Some(ike)) => {
            if let Some((initiator, responder)) = ike.initiator_spi().zip(ike.responder_spi()) {
                e.string(key!("uid"), |out| {
                    push_hex(out, &initiator.to_be_bytes());
                    out.push(b':');
                    push_hex(out, &responder.to_be_bytes());
                });
            }
        }
        (None, None) => {}
    }
    e.some(key!("created_time"), began.map(|(start, _)| start.div_euclid(1_000_000)));
    e.members(r#","is_vpn":true"#);
    e.close();
}

/// Full if all traffic of one side goes through the tunnel, else split; other than a tunnel is
/// transport mode.
fn tunnel_type(child: ChildSa<'_>) -> u8 {
    let is_all = |ts: &Vec<u8>| matches!(&**ts, b"0.0.0.0/0" | b"::/0");
    match child.mode() {
        None => 0,
        Some(b"TUNNEL") => {
            let full = child.local_ts().iter().chain(child.remote_ts()).any(is_all);
            if full { 2 } else { 1 }
        }
        Some(_) => 99,
    }
}
