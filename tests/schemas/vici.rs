//! The IKE daemon's events in every format.

use std::collections::BTreeSet;
use std::sync::Arc;

use pfscope::sink::ecs::Version;
use pfscope::sink::page::Page;
use pfscope::sink::site::Site;
use pfscope::sink::status::Form;
use pfscope::sink::vici::Vici;
use pfscope::time::Timestamp;
use pfscope::vici::message::Section;
use serde_json::Value;

use super::{own_schema, recorded};

pub(super) const FORMS: [(&str, Form); 4] = [
    ("ecs", Form::Ecs(Version::V9_4)),
    ("ocsf", Form::Ocsf),
    ("json", Form::Json),
    ("txt", Form::Text),
];

type Events = Vec<(Timestamp, Vec<u8>, Section)>;

/// The recordings whose lines are kept as golden files.
pub(super) fn golden() -> Vec<(&'static str, Events)> {
    let kept = ["vici-events-initiate-rekey-terminate", "vici-mobike-ike-update", "vici-made"];
    all().into_iter().filter(|(name, _)| kept.contains(name)).collect()
}

/// Every recording, and what no recording has.
pub(super) fn all() -> Vec<(&'static str, Events)> {
    let changes = |path: &str| -> Events {
        let events = recorded::events(path).into_iter();
        let is_log = |name: &[u8]| name == b"log" || name == b"control-log";
        // Of thousands of lines of the log a few will do.
        let mut logged = 0;
        events
            .filter(|(_, name, _)| {
                logged += u32::from(is_log(name));
                !name.starts_with(b"list-") && (!is_log(name) || logged < 4)
            })
            .collect()
    };
    vec![
        ("vici-conn-named-up", changes("vici/conn-named-up.hex")),
        (
            "vici-events-initiate-rekey-terminate",
            changes("vici/events-initiate-rekey-terminate.hex"),
        ),
        ("vici-long-child-name", changes("vici/long-child-name.hex")),
        ("vici-mobike-ike-update", changes("vici/mobike-ike-update.hex")),
        ("vici-peer-rekey-reauth", changes("vici/peer-rekey-reauth.hex")),
        ("vici-two-ike-sas-same-name", changes("vici/two-ike-sas-same-name.hex")),
        ("vici-598-rekey", changes("ipsec/598-rekey.events.hex")),
        ("vici-made", made()),
    ]
}

/// A client with a virtual address and a name of its own; IPComp and an XFRM interface.
fn client() -> Section {
    let mut child = Section::new()
        .with("name", "all")
        .with("uniqueid", "7")
        .with("reqid", "3")
        .with("state", "INSTALLED")
        .with("mode", "TUNNEL")
        .with("protocol", "ESP")
        .with("spi-in", "c0000001")
        .with("spi-out", "c0000002")
        .with("cpi-in", "1f2e")
        .with("cpi-out", "2e1f")
        .with("if-id-in", "2a")
        .with("if-id-out", "2a")
        .with("bytes-in", "18446744073709551615")
        .with("packets-in", "12")
        .with("use-in", "3")
        .with("bytes-out", "900")
        .with("packets-out", "9")
        .with("use-out", "4")
        .with("rekey-time", "-5")
        .with("life-time", "300")
        .with("install-time", "3600");
    child.push_list("local-ts", ["0.0.0.0/0", "::/0"]);
    child.push_list("remote-ts", ["10.9.0.7/32"]);
    let mut children = Section::new();
    children.push_section("all-7", child);
    let mut ike = Section::new()
        .with("uniqueid", "4")
        .with("version", "2")
        .with("state", "ESTABLISHED")
        .with("local-host", "2001:db8::1")
        .with("local-port", "500")
        .with("local-id", "gw.example.org")
        .with("remote-host", "2001:db8::99")
        .with("remote-port", "500")
        .with("remote-id", b"CN=\xff\x1b[2J\"".as_slice())
        .with("remote-eap-id", "alice")
        .with("remote-xauth-id", "alice@example.org")
        .with("initiator-spi", "0102030405060708")
        .with("responder-spi", "1112131415161718")
        .with("nat-local", "yes")
        .with("nat-remote", "yes")
        .with("nat-any", "yes")
        .with("established", "3601")
        .with("reauth-time", "10000");
    ike.push_list("local-vips", ["10.9.0.1", "not an address"]);
    ike.push_list("remote-vips", ["10.9.0.7", "2001:db8:9::7"]);
    ike.push_section("child-sas", children);
    let mut root = Section::new();
    root.push_section("rw", ike);
    root
}

/// Events that no recording has, of the shape that strongSwan's documentation gives.
fn made() -> Events {
    let at = |second: i64| Timestamp((1_795_290_000 + second) * 1_000_000_000);
    let up = |mut message: Section| {
        message.push_value("up", "yes");
        message
    };
    let alert = |kind: &str, sas: Option<Section>| {
        let mut alert = Section::new().with("type", kind);
        sas.into_iter().for_each(|sas| alert.push_section("ike-sa", sas));
        alert
    };
    let mut transport = client();
    transport.insert(&["rw", "child-sas", "all-7", "mode"], value("ignored: the second"));
    let mut half_open = Section::new();
    half_open.push_section("", Section::new().with("uniqueid", "9").with("state", "CONNECTING"));
    let log = Section::new()
        .with("group", "IKE")
        .with("level", "1")
        .with("thread", "12")
        .with("ikesa-name", "rw")
        .with("ikesa-uniqued", "4")
        .with("msg", "deleting IKE_SA \"rw\"[4]\x1b");
    let event = |second, name: &str, message| (at(second), name.as_bytes().to_vec(), message);
    vec![
        event(0, "ike-updown", up(client())),
        event(1, "child-updown", up(client())),
        event(2, "alert", alert("peer-auth-failed", Some(half_open.clone()))),
        event(3, "alert", alert("ts-narrowed", Some(client()))),
        event(4, "alert", alert("radius-not-responding", None)),
        event(5, "log", log),
        event(6, "child-updown", transport),
        event(7, "ike-updown", client()),
        // Nothing is left out silently: neither what is empty nor what nobody knows.
        event(8, "child-updown", Section::new()),
        event(9, "of-a-later\x1bdaemon", Section::new().with("key", "value")),
        event(10, "ike-updown", half_open),
    ]
}

fn value(text: &str) -> pfscope::vici::message::Item {
    pfscope::vici::message::Item::Value(text.into())
}

/// The lines of events.
pub(super) fn rendered(form: Form, events: &Events) -> String {
    let internal = ["10.0.0.0/8", "192.0.2.0/24"].map(|net| net.parse().unwrap());
    let site = Arc::new(Site { observer: "fw1".into(), internal: internal.into() });
    let mut vici = Vici::new(form, "unix:///var/run/charon.vici", &site);
    vici.set_version(b"5.9.8");
    let mut page = Page::default();
    for (at, name, message) in events {
        vici.event(name, *at, message, &mut page);
    }
    assert_eq!(page.events(), events.len());
    String::from_utf8(page.text).unwrap()
}

fn documents(form: Form, events: &Events) -> Vec<Value> {
    rendered(form, events).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn native_lines_are_of_their_schema() {
    let schema = jsonschema::validator_for(&own_schema("json")).unwrap();
    for (name, events) in all() {
        let lines = documents(Form::Json, &events);
        assert_eq!(lines.len(), events.len());
        for line in lines {
            let wrong: Vec<_> = schema.iter_errors(&line).map(|e| e.to_string()).collect();
            assert!(wrong.is_empty(), "{name}: {wrong:?}");
        }
    }
    for wrong in [
        r#"{"v":1,"type":"vici","ts":"2026-11-22T00:00:00.000000Z","event":"x","message":"x"}"#,
        r#"{"v":1,"type":"vici","ts":"2026-11-22T00:00:00.000000Z","message":{}}"#,
        r#"{"v":1,"type":"notice","kind":"loss","ts":"2026-11-22T00:00:00.000000Z","message":{"a":"b"}}"#,
    ] {
        assert!(!schema.is_valid(&serde_json::from_str(wrong).unwrap()), "{wrong}");
    }
}

/// Both schemas say the same of the same event, and name it alike.
#[test]
fn ecs_and_ocsf_agree() {
    for (name, events) in all() {
        let ecs = documents(Form::Ecs(Version::V9_4), &events);
        let ocsf = documents(Form::Ocsf, &events);
        assert_eq!(ecs.len(), ocsf.len(), "{name}");
        let mut ids = BTreeSet::new();
        for (ecs, ocsf) in ecs.iter().zip(&ocsf) {
            assert_eq!(ecs["event"]["id"], ocsf["metadata"]["uid"]);
            assert!(
                ids.insert(ecs["event"]["id"].as_str().unwrap().to_owned()),
                "{name}: an id twice"
            );
            assert_eq!(ecs["event"]["sequence"], ocsf["metadata"]["sequence"]);
            assert_eq!(ecs["pf"]["ipsec"], ocsf["unmapped"]["pf"]["ipsec"]);
            for (ecs, ocsf) in [("source", "src_endpoint"), ("destination", "dst_endpoint")]
                .map(|(a, b)| (&ecs[a], &ocsf[b]))
            {
                assert_eq!((&ecs["ip"], &ecs["port"]), (&ocsf["ip"], &ocsf["port"]));
            }
            let bytes = &ocsf["cumulative_traffic"]["bytes"];
            assert_eq!(&ecs["network"]["bytes"], bytes);
        }
    }
}

/// What a rekey, an address change and an end say, by the recording and by the daemon's README.
#[test]
fn changes_are_told_as_they_were() {
    let of = |name: &str| all().into_iter().find(|(own, _)| *own == name).unwrap().1;
    let events = of("vici-events-initiate-rekey-terminate");
    let ecs = documents(Form::Ecs(Version::V9_4), &events);
    let ocsf = documents(Form::Ocsf, &events);
    let nth = |action: &str| ecs.iter().position(|line| line["event"]["action"] == action).unwrap();
    let at = nth("child-rekey");
    let ipsec = &ecs[at]["pf"]["ipsec"];
    assert_eq!((&ipsec["ike"], &ipsec["child"]), (&"site".into(), &"net1".into()));
    assert_eq!((&ipsec["uniqueid"], &ipsec["old"]["uniqueid"]), (&3.into(), &1.into()));
    assert_eq!(ipsec["spi_in"], "0x765dc2bf");
    assert_eq!(ipsec["old"]["spi_in"], "0x6d1517da");
    assert_eq!(ocsf[at]["activity_id"], 3);
    assert_eq!(ocsf[at]["session"]["uid"], "0x765dc2bf");
    let at = nth("child-sa-down");
    assert_eq!(ecs[at]["event"]["duration"], 9_000_000_000_i64);
    assert_eq!((&ocsf[at]["activity_id"], &ocsf[at]["duration"]), (&2.into(), &9000.into()));
    assert_eq!(ecs[nth("ike-sa-up")]["event"]["type"], serde_json::json!(["start"]));

    let mobike = documents(Form::Ecs(Version::V9_4), &of("vici-mobike-ike-update"));
    let update = mobike.iter().find(|line| line["event"]["action"] == "ike-update").unwrap();
    assert_eq!(update["source"]["ip"], "192.0.2.11");
    assert_eq!(update["pf"]["ipsec"]["old"]["local"]["ip"], "192.0.2.1");

    let made = documents(Form::Ecs(Version::V9_4), &of("vici-made"));
    // The peer is the initiator: what came in is the source's.
    let up = &made[1];
    assert_eq!(
        (&up["source"]["ip"], &up["source"]["packets"]),
        (&"2001:db8::99".into(), &12.into())
    );
    assert_eq!(up["source"]["bytes"], i64::MAX);
    assert!(up["source"]["port"].is_null(), "bare ESP has no ports");
    assert_eq!(
        (&up["user"]["name"], &up["related"]["user"][0]),
        (&"alice".into(), &"alice".into())
    );
    assert_eq!(made[2]["event"]["outcome"], "failure");
    assert!(made[3]["event"]["outcome"].is_null());
    assert_eq!(documents(Form::Ocsf, &of("vici-made"))[1]["tunnel_type_id"], 2);
}

/// A stream's numbers have no gaps; each line is a document with the id that stands in it.
#[test]
fn documents_are_numbered_and_named() {
    let site = Arc::new(Site { observer: "fw1".into(), internal: Vec::new() });
    for (_, form) in FORMS {
        let mut vici = Vici::new(form, "x", &site).numbered();
        let mut page = Page::default();
        for (at, name, message) in made() {
            vici.event(&name, at, &message, &mut page);
        }
        let zone = pfscope::time::TimeStyle::None;
        let mut binder =
            pfscope::sink::page::Binder::new(zone, pfscope::time::Precision::Micros, None);
        binder.number_from(5);
        let mut all = Vec::new();
        binder.documents(&page, &mut Vec::new(), |document, text| {
            all.push((document.id, String::from_utf8(text.to_vec()).unwrap()));
        });
        assert_eq!(all.len(), page.text.split(|&byte| byte == b'\n').count() - 1);
        for ((id, text), number) in all.iter().zip(5u64..) {
            let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
            match form {
                Form::Ecs(_) => {
                    let line: Value = serde_json::from_str(text).unwrap();
                    assert_eq!(line["event"]["sequence"], number);
                    assert_eq!(line["event"]["id"], hex);
                }
                Form::Ocsf => {
                    let line: Value = serde_json::from_str(text).unwrap();
                    assert_eq!(line["metadata"]["sequence"], number);
                    assert_eq!(line["metadata"]["uid"], hex);
                }
                _ => assert_eq!(text.matches('\n').count(), 1),
            }
        }
    }
}
