//! What ECS and OCSF have no field for, under `pf.ipsec` in both. Names and units as strongSwan has
//! them; of a CHILD_SA its own, of an IKE_SA its own.

use super::change::Change;
use crate::sink::json::{Emit, Key, Writer, key};
use crate::sink::pf::push_spi;
use crate::sink::subject::counter;
use crate::text::{push_hex, push_json_escaped};
use crate::vici::views::{ChildSa, IkeSa};

/// Names what is told of a change beside the schema's own fields.
pub(super) fn describe(change: &Change<'_>, e: &mut Writer<'_>) {
    e.bytes(key!("event"), change.event);
    e.bytes(key!("ike"), change.ike_name());
    if let Some(child) = change.child {
        e.bytes(key!("child"), child.name().unwrap_or(child.key));
        e.some(key!("reqid"), child.reqid());
        e.some(key!("uniqueid"), child.uniqueid());
        e.bytes(key!("mode"), child.mode().unwrap_or_default());
        e.some(key!("ike_uniqueid"), change.ike_uniqueid());
    } else {
        e.some(key!("uniqueid"), change.ike_uniqueid());
    }
    if let Some(ike) = change.ike {
        e.some(key!("version"), ike.version());
        let state = change.child.map_or_else(|| ike.state(), |child| child.state());
        e.bytes(key!("state"), state.unwrap_or_default());
        describe_ike_spis(ike, e);
        e.word(key!("role"), if ike.initiator() { "initiator" } else { "responder" });
        let ends = [(ike.nat_local(), "local"), (ike.nat_remote(), "remote")];
        let nat = ends.into_iter().filter(|(there, _)| *there).map(|(_, end)| end);
        e.words(key!("nat"), nat);
        match change.child {
            Some(child) => describe_child(child, e),
            None => describe_ike(ike, e),
        }
        describe_ends(ike, change.child, e);
    }
    describe_old(change, e);
    let (group, level) = (change.message.value("group"), change.number::<i32>("level"));
    if group.is_some() || level.is_some() {
        e.open(key!("log"));
        e.bytes(key!("group"), group.unwrap_or_default());
        e.some(key!("level"), level);
        e.some(key!("thread"), change.number::<u32>("thread"));
        e.close();
    }
}

/// Identities, traffic selectors and virtual addresses of both sides.
fn describe_ends(ike: IkeSa<'_>, child: Option<ChildSa<'_>>, e: &mut Writer<'_>) {
    let ts = child.map_or((&[][..], &[][..]), |child| (child.local_ts(), child.remote_ts()));
    let (id, vips) = (ike.local_id().unwrap_or_default(), ike.local_vips());
    if !(id.is_empty() && ts.0.is_empty() && vips.is_empty()) {
        e.open(key!("local"));
        e.bytes(key!("id"), id);
        strings(key!("ts"), ts.0, e);
        strings(key!("vips"), vips, e);
        e.close();
    }
    let ids = [
        (key!("id"), ike.remote_id()),
        (key!("eap_id"), ike.remote_eap_id()),
        (key!("xauth_id"), ike.remote_xauth_id()),
    ];
    let vips = ike.remote_vips();
    let named = ids.iter().any(|(_, id)| id.is_some_and(|id| !id.is_empty()));
    if named || !ts.1.is_empty() || !vips.is_empty() {
        e.open(key!("remote"));
        ids.into_iter().for_each(|(key, id)| e.bytes(key, id.unwrap_or_default()));
        strings(key!("ts"), ts.1, e);
        strings(key!("vips"), vips, e);
        e.close();
    }
}

fn describe_ike_spis(ike: IkeSa<'_>, e: &mut Writer<'_>) {
    for (key, spi) in
        [(key!("initiator_spi"), ike.initiator_spi()), (key!("responder_spi"), ike.responder_spi())]
    {
        if let Some(spi) = spi {
            e.string(key, |out| push_hex(out, &spi.to_be_bytes()));
        }
    }
}

fn describe_ike(ike: IkeSa<'_>, e: &mut Writer<'_>) {
    e.bytes(key!("encryption"), ike.encr_alg().unwrap_or_default());
    e.some(key!("key_bits"), ike.encr_keysize());
    e.bytes(key!("integrity"), ike.integ_alg().unwrap_or_default());
    e.bytes(key!("prf"), ike.prf_alg().unwrap_or_default());
    e.bytes(key!("dh_group"), ike.dh_group().unwrap_or_default());
    e.some(key!("age_s"), ike.established().map(counter));
    e.some(key!("rekey_s"), ike.rekey_time());
    e.some(key!("reauth_s"), ike.reauth_time());
}

fn describe_child(child: ChildSa<'_>, e: &mut Writer<'_>) {
    e.bytes(key!("protocol"), child.protocol().unwrap_or_default());
    if child.encap() {
        e.truth(key!("encap"));
    }
    describe_spis(child, e);
    for (key, number) in [
        (key!("cpi_in"), child.cpi_in()),
        (key!("cpi_out"), child.cpi_out()),
        (key!("if_id_in"), child.if_id_in()),
        (key!("if_id_out"), child.if_id_out()),
    ] {
        spi(key, number, e);
    }
    e.bytes(key!("encryption"), child.encr_alg().unwrap_or_default());
    e.some(key!("key_bits"), child.encr_keysize());
    e.bytes(key!("integrity"), child.integ_alg().unwrap_or_default());
    e.bytes(key!("dh_group"), child.dh_group().unwrap_or_default());
    e.some(key!("age_s"), child.install_time().map(counter));
    e.some(key!("rekey_s"), child.rekey_time());
    e.some(key!("expires_s"), child.life_time());
    e.some(key!("idle_in_s"), child.use_in().map(counter));
    e.some(key!("idle_out_s"), child.use_out().map(counter));
}

/// The SA before a rekey with what it carried to its end, and the addresses before an update.
fn describe_old(change: &Change<'_>, e: &mut Writer<'_>) {
    if change.old_ike.is_none() && change.old_child.is_none() {
        return;
    }
    e.open(key!("old"));
    if let Some(child) = change.old_child {
        e.some(key!("uniqueid"), child.uniqueid());
        e.bytes(key!("state"), child.state().unwrap_or_default());
        describe_spis(child, e);
        e.some(key!("bytes_in"), child.bytes_in().map(counter));
        e.some(key!("packets_in"), child.packets_in().map(counter));
        e.some(key!("bytes_out"), child.bytes_out().map(counter));
        e.some(key!("packets_out"), child.packets_out().map(counter));
    }
    if let Some(ike) = change.old_ike {
        e.some(key!("uniqueid"), ike.uniqueid());
        e.bytes(key!("state"), ike.state().unwrap_or_default());
        describe_ike_spis(ike, e);
        for (key, host, port) in [
            (key!("local"), ike.local_host(), ike.local_port()),
            (key!("remote"), ike.remote_host(), ike.remote_port()),
        ] {
            if host.is_some() {
                e.open(key);
                e.address(key!("ip"), host);
                e.some(key!("port"), port);
                e.close();
            }
        }
    }
    e.close();
}

fn describe_spis(child: ChildSa<'_>, e: &mut Writer<'_>) {
    spi(key!("spi_in"), child.spi_in(), e);
    spi(key!("spi_out"), child.spi_out(), e);
}

fn spi(key: Key, number: Option<u32>, e: &mut Writer<'_>) {
    if let Some(number) = number {
        e.string(key, |out| push_spi(out, number));
    }
}

/// Untrusted strings, unless there are none.
fn strings(key: Key, strings: &[Vec<u8>], e: &mut Writer<'_>) {
    if strings.is_empty() {
        return;
    }
    e.list(key, |out| {
        for (at, string) in strings.iter().enumerate() {
            out.extend_from_slice(if at > 0 { b",\"" } else { b"\"" });
            push_json_escaped(out, string);
            out.push(b'"');
        }
    });
}
