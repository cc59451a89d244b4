//! `pfscope ipsec report`, from recorded daemons and from journals.
//! After a change that is meant: `UPDATE_GOLDEN=1 cargo test --test report`, and read the diff.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    dead_code,
    reason = "a test fails by panicking, and uses a part of the fake daemon"
)]

#[path = "vici/fake.rs"]
mod fake;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use fake::{Daemon, daemon, transcript};
use pfscope::ipsec::journal::{Limits, Record, Writer};
use pfscope::time::Timestamp;
use pfscope::vici::codec::{Packet, Segments, decode};
use pfscope::vici::message::Section;
use serde_json::Value;

const SECOND: i64 = 1_000_000_000;
/// 2026-11-22T00:00:00Z
const BEGIN: i64 = 1_795_305_600;

/// What a daemon answers.
#[derive(Debug, Clone, Default)]
struct Told {
    sas: Vec<Section>,
    conns: Vec<Section>,
    policies: Vec<Section>,
    counters: Section,
    stats: Section,
}

/// The events and the replies that were recorded.
fn recorded(name: &str) -> (Vec<(String, Section)>, Vec<Section>) {
    let (mut segments, mut events, mut replies) = (Segments::default(), Vec::new(), Vec::new());
    for step in transcript(name, 1).into_iter().filter(|step| step.is_daemon) {
        segments.push(&step.bytes);
        while let Some(segment) = segments.next_segment().unwrap() {
            match Packet::parse(segment).unwrap() {
                Packet::Event { name, body } => {
                    // Some cannot be decoded, of a daemon with that fault.
                    let name = String::from_utf8(name.to_vec()).unwrap();
                    events.extend(decode(body).ok().map(|body| (name, body)));
                }
                Packet::CmdResponse(body) => replies.push(decode(body).unwrap()),
                _ => {}
            }
        }
    }
    (events, replies)
}

fn list(name: &str) -> Vec<Section> {
    recorded(name).0.into_iter().map(|(_, message)| message).collect()
}

/// As the daemon of Debian 12 was recorded.
fn genuine() -> Told {
    let reply = |name: &str| recorded(name).1.remove(0);
    Told {
        sas: list("list-sas"),
        conns: list("list-conns"),
        policies: list("list-policies"),
        counters: reply("get-counters"),
        stats: reply("stats"),
    }
}

fn lists(section: Section, lists: &[(&str, &[&str])]) -> Section {
    lists.iter().fold(section, |mut section, (name, items)| {
        section.push_list(*name, items.iter().copied());
        section
    })
}

fn values(pairs: &[(&str, &str)]) -> Section {
    pairs.iter().fold(Section::new(), |section, (name, value)| section.with(*name, *value))
}

fn inside(name: impl Into<Vec<u8>>, section: Section) -> Section {
    let mut outer = Section::new();
    outer.push_section(name, section);
    outer
}

/// What the recorded one had not: shunts, priorities, AH, transport mode, SAs that come and go, a
/// responder, a group of its own, names that are not text.
fn strange() -> Told {
    let mut ike = values(&[
        ("uniqueid", "7"),
        ("version", "2"),
        ("state", "DELETING"),
        ("local-host", "2001:db8::1"),
        ("local-port", "500"),
        ("local-id", "a"),
        ("remote-host", "2001:db8::2"),
        ("remote-port", "500"),
        ("remote-id", "b\u{1b}[31m"),
        ("initiator-spi", "00000000000000ff"),
        ("responder-spi", "0000000000000000"),
        ("encr-alg", "3DES_CBC"),
        ("integ-alg", "AES_XCBC_96"),
        ("prf-alg", "PRF_HMAC_SHA1"),
        ("dh-group", "NEWER_THAN_THIS"),
        ("rekey-time", "-5"),
    ]);
    let child = |name: &str, id: &str, state: &str, more: &[(&str, &str)], ts: [&[&str]; 2]| {
        let common = [("name", name), ("uniqueid", id), ("state", state)];
        let child = values(&[&common[..], more].concat());
        lists(child, &[("local-ts", ts[0]), ("remote-ts", ts[1])])
    };
    let mut children = Section::new();
    let ah = [
        ("reqid", "4"),
        ("mode", "TRANSPORT"),
        ("protocol", "AH"),
        ("spi-in", "0000000a"),
        ("spi-out", "0a00000b"),
        ("integ-alg", "HMAC_SHA1_96"),
        ("dh-group", "MODP_2048"),
        ("bytes-in", "10"),
        ("bytes-out", "20"),
        ("install-time", "100"),
        ("rekey-time", "-20"),
        ("life-time", "200"),
    ];
    let hosts: [&[&str]; 2] =
        [&["dynamic[tcp/1000-2000]", "dynamic[udp/53]"], &["2001:db8::2/128"]];
    children.push_section("ah-1", child("ah", "1", "INSTALLED", &ah, hosts));
    let nets: [&[&str]; 2] = [&["10.0.0.0/8"], &["nonsense"]];
    let coming = [("mode", "TUNNEL"), ("protocol", "ESP")];
    children.push_section("coming-2", child("coming", "2", "INSTALLING", &coming, nets));
    ike.push_section("child-sas", children);
    let conn = |class: Option<&str>, children: Vec<(&str, Section)>| {
        let mut conn = lists(
            values(&[("version", "IKEv2"), ("rekey_time", "14400"), ("dpd_delay", "30")]),
            &[("local_addrs", &["%any"]), ("remote_addrs", &["192.0.2.7", "gw.example"])],
        );
        for side in ["local-1", "remote-1"] {
            let auth = class.map_or(Section::new(), |class| values(&[("class", class)]));
            conn.push_section(side, lists(auth, &[("groups", &[]), ("certs", &["CN=x"])]));
        }
        let mut all = Section::new();
        children.into_iter().for_each(|(name, child)| all.push_section(name, child));
        conn.push_section("children", all);
        conn
    };
    let conf = |mode: &str, priority: &str, ts: [&[&str]; 2]| {
        let child = values(&[
            ("mode", mode),
            ("priority", priority),
            ("rekey_time", "3600"),
            ("rekey_bytes", "2048000"),
        ]);
        lists(child, &[("local-ts", ts[0]), ("remote-ts", ts[1])])
    };
    let all: [&[&str]; 2] = [&["192.0.2.0/24"], &["0.0.0.0/0"]];
    let web: [&[&str]; 2] = [&["10.9.0.0/16"], &["10.8.0.0/16[tcp/443]"]];
    let policy = |ike: &str, child: &str, mode: &str, ts: [&[&str]; 2]| {
        let policy = values(&[("child", child), ("ike", ike), ("mode", mode)]);
        let policy = lists(policy, &[("local-ts", ts[0]), ("remote-ts", ts[1])]);
        inside(format!("{ike}/{child}"), policy)
    };
    let late: [&[&str]; 2] = [&["10.7.0.0/16"], &["10.6.0.0/16"]];
    Told {
        sas: vec![inside(b"o\xffdd\n".as_slice(), ike)],
        conns: vec![
            inside(
                b"o\xffdd\n".as_slice(),
                conn(
                    Some("public key"),
                    vec![
                        ("ah", conf("TRANSPORT", "0", hosts)),
                        ("late", conf("TUNNEL", "20", late)),
                        ("early", conf("TUNNEL", "3", web)),
                    ],
                ),
            ),
            inside(
                "shunts",
                conn(None, vec![("lan", conf("PASS", "1", all)), ("web", conf("DROP", "2", web))]),
            ),
        ],
        policies: vec![
            policy("o\u{fffd}dd", "late", "TUNNEL", late),
            policy("shunts", "lan", "PASS", all),
            policy("shunts", "web", "DROP", web),
        ],
        ..Told::default()
    }
}

/// A daemon that tells it.
fn serve(told: Told) -> Daemon {
    let told = Arc::new(told);
    daemon(move |_, mut peer| {
        let told = Arc::clone(&told);
        peer.serve(move |peer, (kind, name, body)| {
            if *kind != 0 {
                return false;
            }
            let (event, items) = match name.as_str() {
                "list-sas" => ("list-sa", &told.sas),
                "list-conns" => ("list-conn", &told.conns),
                // charon lists none that are not asked for.
                "list-policies" => {
                    let request = decode(body).unwrap();
                    for kind in ["trap", "drop", "pass"] {
                        assert_eq!(request.value(kind), Some(&b"yes"[..]), "{kind}");
                    }
                    ("list-policy", &told.policies)
                }
                "get-counters" => {
                    peer.reply(&told.counters);
                    return true;
                }
                "stats" => {
                    peer.reply(&told.stats);
                    return true;
                }
                _ => return false,
            };
            items.iter().for_each(|item| peer.event(event, item));
            false
        });
    })
}

fn at(seconds: i64) -> Timestamp {
    Timestamp((BEGIN + seconds) * SECOND)
}

fn writer(path: &Path) -> Writer {
    Writer::open(path, Limits { size: None, age: None, keep: 0 }, at(0)).unwrap()
}

/// The journal that a recorder would have written of it.
fn journal(told: &Told, path: &Path) {
    let mut journal = writer(path);
    let mut write = |record: &Record| journal.record(at(0), record).unwrap();
    write(&Record::Start);
    write(&Record::Up);
    told.sas.iter().for_each(|sa| write(&Record::Event(b"list-sa".to_vec(), sa.clone())));
    write(&Record::Listed { complete: true });
    let interface = |name: &str, address: &str, up: &str| {
        values(&[("name", name), ("address", address), ("up", up)])
    };
    let interfaces = vec![
        interface("em0", "192.0.2.1", "yes"),
        interface("em1", "203.0.113.1", "no"),
        interface("em1", "2001:db8::1", "yes"),
    ];
    for (name, sections) in [
        ("list-conns", told.conns.clone()),
        ("list-policies", told.policies.clone()),
        ("get-counters", vec![told.counters.clone()]),
        ("stats", vec![told.stats.clone()]),
        ("interfaces", interfaces),
    ] {
        write(&Record::Snapshot(name.into(), sections));
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pfscope"));
    command.args(["ipsec", "report"]).args(arguments).env("TZ", "UTC").stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn joined<'a>(parts: &[&[&'a str]]) -> Vec<&'a str> {
    parts.concat()
}

fn good(arguments: &[&str]) -> String {
    let (status, out, err) = run(arguments);
    assert_eq!((status, err.as_str()), (0, ""), "{arguments:?}: {out}");
    out
}

/// Holds every line against the schema.
fn valid(lines: &str) -> Vec<Value> {
    let schema = Command::new(env!("CARGO_BIN_EXE_pfscope")).args(["schema", "report"]).output();
    let schema: Value = serde_json::from_slice(&schema.unwrap().stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        let definition = &schema["$defs"][line["type"].as_str().unwrap()];
        let own = jsonschema::validator_for(&serde_json::json!({
            "$defs": schema["$defs"], "allOf": [definition]
        }));
        // What is wrong is told better by the type's own schema.
        if let (Ok(own), false) = (&own, definition.is_null()) {
            let wrong: Vec<String> = own.iter_errors(line).map(|e| e.to_string()).collect();
            assert!(wrong.is_empty(), "{line}: {wrong:?}");
        }
        assert!(validator.is_valid(line), "{line}");
    }
    lines
}

fn hold(name: &str, output: &str) {
    let path = PathBuf::from("testdata/golden-report").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, output).unwrap();
        return;
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), output, "{}", path.display());
}

/// The options of reports that a daemon alone is enough for, and the names of their files.
const REPORTS: [(&str, &[&str]); 12] = [
    ("sa-ike", &["-sa", "ike"]),
    ("sa-ipsec", &["-sa", "ipsec"]),
    ("sa-all", &["-sa", "all"]),
    ("ike", &["-ike"]),
    ("host-active", &["-host", "active"]),
    ("host-configured", &["-host", "configured"]),
    ("tunnel", &["-tunnel"]),
    ("bypass", &["-bypass"]),
    ("down", &["--down"]),
    ("counters", &["--counters"]),
    ("stats", &["--stats"]),
    ("ip", &["-ip"]),
];

#[test]
fn every_report_of_recorded_daemons_and_their_journals() {
    let folder = tempfile::tempdir().unwrap();
    for (daemon, told) in [("recorded", genuine()), ("made", strange())] {
        let path = folder.path().join(daemon);
        journal(&told, &path);
        let (fake, journal) = (serve(told), path.to_str().unwrap());
        let (uri, sas) = (fake.uri.to_string(), ["--sas", journal]);
        for (name, options) in REPORTS {
            let with = |more: &[&'static str]| joined(&[options, &sas, more]);
            let text = good(&with(&[]));
            hold(&format!("{daemon}-{name}.txt"), &text);
            hold(&format!("{daemon}-{name}.explain.txt"), &good(&with(&["-v", "--explain"])));
            let json = good(&with(&["--format", "json"]));
            let blocks = valid(&json);
            hold(&format!("{daemon}-{name}.json"), &json);
            // A title above each block, or one above the list.
            let titles =
                text.lines().filter(|line| line.starts_with("----") && line.ends_with('-'));
            if name != "bypass" {
                assert_eq!(titles.count(), blocks.len(), "{daemon} {name}: {text}");
            }
            // The interfaces are the journal's, not this host's.
            if name != "ip" {
                let live = |more: &[&str]| good(&[options, &["--vici", &uri], more].concat());
                assert_eq!(live(&[]), text, "{daemon} {name}");
                assert_eq!(live(&["--format", "json"]), json, "{daemon} {name}");
            }
        }
        let all = good(&["-all", "--sas", journal]);
        assert_eq!(all, good(&["--sas", journal]), "no option is all");
        for (name, options) in REPORTS.iter().filter(|(name, _)| *name != "sa-all") {
            let alone = good(&[options, &sas[..]].concat());
            assert!(all.contains(&format!("\n{alone}")), "{name} is not in all of them: {all}");
        }
        // Two dashes, and one.
        let long = good(&["--sa", "ike", "--host=active", "--sas", journal]);
        assert_eq!(long, good(&["-sa", "ike", "-host", "active", "--sas", journal]));
        assert!(!all.contains('\u{1b}') && !all.contains('\u{fffd}'), "{all}");
    }
}

#[test]
fn interfaces_of_this_host() {
    let fake = serve(genuine());
    let uri = fake.uri.to_string();
    let blocks = valid(&good(&["-ip", "--format", "json", "--vici", &uri]));
    let here = |block: &&Value| block["address"] == "127.0.0.1" && block["up"] == true;
    assert_eq!(blocks.iter().filter(here).count(), 1);
    assert!(good(&["-ip", "--vici", &uri]).contains("Address: 127.0.0.1\nIPSec: Off (derived)\n"));
}

/// Times are counted on, events change what the last list said, and a time before them does not.
#[test]
fn a_journal_at_times() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let told = genuine();
    journal(&told, &path);
    let mut more = writer(&path);
    let mut write = |seconds: i64, name: &str, message: Section| {
        more.record(at(seconds), &Record::Event(name.into(), message)).unwrap();
    };
    let own = |uniqueid: &str, spi: &str| {
        values(&[("uniqueid", uniqueid), ("initiator-spi", spi), ("local-host", "192.0.2.1")])
    };
    // site's net1-4 is rekeyed, v1 goes down, site-2 gets another address.
    let child = |id: &str, spi: &str| {
        values(&[
            ("name", "net1"),
            ("uniqueid", id),
            ("state", "INSTALLED"),
            ("spi-in", spi),
            ("spi-out", spi),
            ("install-time", "0"),
            ("protocol", "ESP"),
        ])
    };
    let mut rekey = Section::new();
    rekey.push_section("old", child("4", "bd571b07"));
    rekey.push_section("new", child("9", "00c0ffee"));
    let mut site = own("3", "c1046dec1242f7e9");
    site.push_section("child-sas", inside("net1", rekey));
    write(10, "child-rekey", inside("site", site));
    write(20, "ike-updown", inside("v1", own("5", "1ac8663330d277fe")));
    let mut moved = values(&[("local-host", "192.0.2.99"), ("remote-host", "192.0.2.2")]);
    moved.push_section("site-2/(Lab)@x_y", {
        let site = told.sas[1].section("site-2/(Lab)@x_y").unwrap();
        let mut own = Section::new();
        for (name, item) in site.entries().filter(|(name, _)| *name != b"child-sas") {
            own.push(name, item.clone());
        }
        own
    });
    write(30, "ike-update", moved);
    let journal = path.to_str().unwrap();
    let spis = |time: &str| -> Vec<String> {
        let report = good(&["-sa", "ipsec", "--format", "json", "--sas", journal, "--at", time]);
        let inward = |block: &&Value| block["dir"] == "in";
        let all = valid(&report);
        let spi = |block: &Value| block["spi"].as_str().unwrap().to_owned();
        all.iter().filter(inward).map(spi).collect()
    };
    assert_eq!(spis("2026-11-22T00:00:05Z"), ["0xe4a898a8", "0xff0903c4", "0xbd571b07"]);
    assert_eq!(spis("2026-11-22T00:00:15Z"), ["0xe4a898a8", "0xff0903c4", "0x00c0ffee"]);
    assert_eq!(spis("2026-11-22T00:00:25Z"), ["0xff0903c4", "0x00c0ffee"]);
    let ike = |time: &str| good(&["-sa", "ike", "-v", "--sas", journal, "--at", time]);
    let later = ike("2026-11-22T00:01:00Z");
    assert!(later.contains("Local IP Addr: 192.0.2.99/4500\n"), "{later}");
    // 4 seconds old when it was told of, at the 10th second it was told of again without an age.
    assert!(ike("2026-11-22T00:00:05Z").contains("Established (seconds): 9\n"));
    assert!(ike("2026-11-22T00:00:05Z").contains("Rekeying in (seconds): 14225\n"));
    let (status, out, err) = run(&["-sa", "ike", "--sas", journal, "--at", "2026-11-21T00:00:00Z"]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert_eq!(err, "pfscope: --sas: the journal has nothing up to that time\n");
}

/// A tunnel without an SA has the alert that tells why, until it comes up.
#[test]
fn why_a_tunnel_is_down() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    journal(&genuine(), &path);
    let mut more = writer(&path);
    let mut write = |seconds: i64, name: &str, message: Section| {
        more.record(at(seconds), &Record::Event(name.into(), message)).unwrap();
    };
    let alert = |kind: &str| {
        let sas = inside("site", values(&[("uniqueid", "3")]));
        inside("ike-sa", sas).with("type", kind)
    };
    write(10, "alert", alert("proposal-mismatch-child"));
    // Of something else: the reason stays.
    write(20, "alert", alert("retransmit-send"));
    let mut site = values(&[("uniqueid", "3"), ("initiator-spi", "c1046dec1242f7e9")]);
    let net2 = [("name", "net2"), ("uniqueid", "8"), ("state", "INSTALLED"), ("mode", "TUNNEL")];
    site.push_section("child-sas", inside("net2-8", values(&net2)));
    write(40, "child-updown", inside("site", site.clone()).with("up", "yes"));
    write(50, "child-updown", inside("site", site));
    drop(more);
    let journal = path.to_str().unwrap();
    let tunnels = |second: u32| -> Vec<Value> {
        let time = format!("2026-11-22T00:00:{second:02}Z");
        valid(&good(&["-tunnel", "--format", "json", "--sas", journal, "--at", &time]))
    };
    let of = |second, id: &str| {
        tunnels(second).into_iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("{id}"))
    };
    assert!(of(5, "site/net2")["error"].is_null());
    let down = of(30, "site/net2");
    assert_eq!(down["error"], "proposal-mismatch-child", "{down}");
    assert_eq!(down["error_age_s"], 20);
    assert!(down["derived"]["error"].is_string(), "{down}");
    assert!(of(30, "site/net1 4")["error"].is_null(), "it has SAs");
    assert!(of(55, "site/net2")["error"].is_null(), "it came up since");
    let text = good(&["-tunnel", "--sas", journal, "--at", "2026-11-22T00:00:30Z"]);
    assert!(text.contains("Error: proposal-mismatch-child"), "{text}");
}

#[test]
fn the_audit_trail() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let mut journal = writer(&path);
    journal.record(at(0), &Record::Start).unwrap();
    journal.record(at(0), &Record::Up).unwrap();
    let (events, _) = recorded("events-initiate-rekey-terminate");
    let count = events.len();
    for (second, (name, message)) in (1..).zip(events) {
        journal.record(at(second), &Record::Event(name.into_bytes(), message)).unwrap();
    }
    let alert = inside("ike-sa", inside("site", values(&[("uniqueid", "2")])));
    let mut alert = alert.with("type", "proposal-mismatch-child");
    alert.push_value("x", "y");
    journal.record(at(500), &Record::Event(b"alert".to_vec(), alert)).unwrap();
    journal.record(at(501), &Record::Dropped(3)).unwrap();
    journal.record(at(502), &Record::Down("gone".to_owned())).unwrap();
    drop(journal);
    let journal = path.to_str().unwrap();
    let text = good(&["-audit", journal]);
    hold("audit.txt", &text);
    let json = good(&["-audit", journal, "--format", "json"]);
    let all = valid(&json);
    assert_eq!(all.len(), count + 5);
    hold("audit.json", &json);
    let of = |options: &[&str]| {
        valid(&good(&[&["-audit", journal, "--format", "json"], options].concat()))
    };
    let entity = |name: &str| -> Vec<Value> { of(&["-entity", name]) };
    let groups = entity("IKE");
    assert!(!groups.is_empty() && groups.iter().all(|row| row["entity"] == "IKE"));
    let site = entity("site");
    assert!(site.iter().any(|row| row["event"] == "alert"));
    assert!(site.iter().any(|row| row["event"] == "log" && row["entity"] == "IKE"));
    assert!(site.len() < all.len());
    let child = entity("net1");
    assert!(child.iter().any(|row| row["event"] == "child-rekey"), "{child:?}");
    assert!(child.iter().all(|row| row["event"].as_str().unwrap().starts_with("child-")));
    assert_eq!(entity("nobody"), Vec::<Value>::new());
    let between = of(&["--since", "2026-11-22T00:00:02Z", "--until", "2026-11-22T00:00:04Z"]);
    let numbers: Vec<u64> = between.iter().map(|row| row["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [4, 5], "numbers are those of the whole journal");
    let (status, _, err) = run(&["-entity", "site"]);
    assert_eq!(status, 1);
    assert!(err.contains("--audit"), "{err}");
    let (status, _, err) = run(&["-audit", "/nonexistent/journal"]);
    assert_eq!(status, 1);
    assert_eq!(err, "pfscope: /nonexistent/journal: No such file or directory (os error 2)\n");
}

/// The flows of a firewall's own log and states, with SAs and shunts that are made to fit.
#[test]
fn the_cache() {
    let ts = |local: &str, remote: &str| {
        [("local-ts", vec![local.to_owned()]), ("remote-ts", vec![remote.to_owned()])]
    };
    let with_ts = |mut section: Section, local: &str, remote: &str| {
        ts(local, remote).into_iter().for_each(|(name, list)| section.push_list(name, list));
        section
    };
    let child = values(&[
        ("name", "net"),
        ("uniqueid", "1"),
        ("reqid", "3"),
        ("state", "INSTALLED"),
        ("mode", "TUNNEL"),
        ("protocol", "ESP"),
        ("spi-in", "00241988"),
        ("spi-out", "001fe472"),
        ("install-time", "1"),
    ]);
    let mut ike = values(&[
        ("uniqueid", "1"),
        ("state", "ESTABLISHED"),
        ("local-host", "203.0.113.1"),
        ("remote-host", "203.0.113.2"),
        ("initiator-spi", "01"),
        ("responder-spi", "02"),
    ]);
    ike.push_section(
        "child-sas",
        inside("net-1", with_ts(child, "198.51.100.0/24", "192.0.2.0/24")),
    );
    let policy = |name: &str, mode: &str, local: &str, remote: &str| {
        let policy = values(&[("child", name), ("ike", "s"), ("mode", mode)]);
        inside(format!("s/{name}"), with_ts(policy, local, remote))
    };
    let told = Told {
        sas: vec![inside("gw", ike)],
        policies: vec![policy("v6", "PASS", "2001:db8::/32", "::/0")],
        ..Told::default()
    };
    let fake = serve(told);
    let uri = fake.uri.to_string();
    let files = [
        "-r",
        "testdata/genuine/openbsd80-pflog0.pcap",
        "-r",
        "testdata/genuine/openbsd80-pfsync0.pcap",
    ];
    let options = |more: &[&'static str]| -> String {
        good(&[&["-cache", "--vici", &uri], &files[..], more].concat())
    };
    let text = options(&[]);
    hold("cache.txt", &text);
    let json = options(&["--format", "json"]);
    hold("cache.json", &json);
    let rows = valid(&json);
    let actions = |action: &str| rows.iter().filter(|row| row["action"] == action).count();
    assert!(actions("Secure") > 0 && actions("Pass") > 0 && actions("Discard") > 0, "{text}");
    for row in rows.iter().filter(|row| row["action"] == "Secure") {
        let near = |key: &str| row[key].as_str().unwrap().starts_with("198.51.100.");
        assert_eq!(row["cookie"], 3, "{row}");
        // As ipsec_report has it: of what is received there is no SA here.
        let out = row["direction"] == "outbound";
        assert_eq!((near("src"), row["sas"].is_array()), (out, out), "{row}");
        if out {
            assert_eq!(row["sas"][0]["spi"], "0x001fe472");
            assert_eq!(row["sas"][0]["dst"], "203.0.113.2");
        }
    }
    assert!(options(&["--explain"]).contains("the kernel's cache is not told"));
    let (status, _, err) = run(&["-cache", "--vici", &uri]);
    assert_eq!(status, 1);
    assert!(err.starts_with("pfscope: -cache needs what pf says"), "{err}");
}

#[test]
fn a_report_file_is_whole_or_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("report"), folder.path().join("link"));
    fs::write(&file, "before").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let fake = serve(genuine());
    let uri = fake.uri.to_string();
    let names = || fs::read_dir(folder.path()).unwrap().count();
    let (status, _, err) =
        run(&["-sa", "all", "--vici", "unix:///nonexistent", "-file", file.to_str().unwrap()]);
    assert_eq!(status, 1);
    assert_eq!(
        err,
        "pfscope: IPsec cannot be reported: unix:///nonexistent: there is no such socket: is \
         strongSwan running, with its vici plugin?\n"
    );
    assert_eq!((fs::read_to_string(&file).unwrap().as_str(), names()), ("before", 2));
    let out = good(&["-sa", "all", "--vici", &uri, "-file", link.to_str().unwrap()]);
    assert_eq!(out, "");
    assert_eq!(fs::read_to_string(&file).unwrap(), good(&["-sa", "all", "--vici", &uri]));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(names(), 2, "nothing else is left there");
    for wrong in [folder.path().to_str().unwrap(), "/nonexistent/report"] {
        let (status, _, err) = run(&["-sa", "all", "--vici", &uri, "-file", wrong]);
        assert_eq!(status, 1);
        assert!(err.starts_with(&format!("pfscope: -file {wrong}: ")), "{err}");
    }
    let (status, out, _) = run(&["-sa", "all", "--vici", &uri, "-file", "/dev/stdout"]);
    assert_eq!((status, out), (0, good(&["-sa", "all", "--vici", &uri])));
}

#[test]
fn wrong_usage_is_one_and_says_so() {
    for (arguments, what) in [
        (&["-nonsense"][..], "unexpected argument"),
        (&["-sa", "esp"], "invalid value 'esp' for '--sa"),
        (&["-host"], "a value is required for '--host"),
        (&["--at", "12:00"], "--sas"),
        (&["--watch", "2x"], "a time is meant"),
        (&["--diff", "/nonexistent"], "--diff /nonexistent: No such file"),
        (&["--sas", "/nonexistent"], "--sas /nonexistent: No such file"),
        (&["--vici", "http://x"], "--vici"),
    ] {
        let (status, out, err) = run(arguments);
        assert_eq!((status, out.as_str()), (1, ""), "{arguments:?}");
        assert!(err.contains(what), "{arguments:?}: {err}");
    }
    // Elsewhere one dash is what it was.
    let other = Command::new(env!("CARGO_BIN_EXE_pfscope")).args(["-all"]).output().unwrap();
    assert_eq!(other.status.code(), Some(2));
}

#[test]
fn what_has_changed_since() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old.json");
    let mut told = genuine();
    let before = serve(told.clone());
    fs::write(
        &old,
        good(&[
            "-sa",
            "all",
            "-host",
            "active",
            "--format",
            "json",
            "--vici",
            &before.uri.to_string(),
        ]),
    )
    .unwrap();
    let old = old.to_str().unwrap();
    let same = ["-sa", "all", "--diff", old, "--vici", &before.uri.to_string()];
    assert_eq!(good(&[&same[..], &["--format", "json"]].concat()), "");
    // v1 is gone, its successor has an SA of another SPI.
    told.sas.remove(0);
    told.sas.push(strange().sas.remove(0));
    let after = serve(told);
    let uri = after.uri.to_string();
    let text = good(&["-sa", "all", "--diff", old, "--vici", &uri]);
    for line in [
        "- ike_sa v1 1ac8663330d277fe",
        "- ipsec_sa v1/v1net in e4a898a8",
        "+ ipsec_sa o\\xffdd\\x0a/ah out 0a00000b",
    ] {
        assert!(text.lines().any(|own| own == line), "{line}: {text}");
    }
    let changes = valid(&good(&["-sa", "all", "--diff", old, "--format", "json", "--vici", &uri]));
    let of = |kind: &str| changes.iter().filter(|change| change["change"] == kind).count();
    assert_eq!((of("added"), of("removed")), (3, 3), "{changes:?}");
    let wrong = folder.path().join("wrong");
    fs::write(&wrong, "{}\n").unwrap();
    let (status, _, err) = run(&["-sa", "all", "--diff", wrong.to_str().unwrap(), "--vici", &uri]);
    assert_eq!(status, 1);
    assert!(err.contains("line 1 is no block of a report"), "{err}");
}

#[test]
fn watching_on_a_pipe_prints_pages() {
    let fake = serve(genuine());
    let uri = fake.uri.to_string();
    let mut child = command(&["-sa", "ike", "--watch", "100ms", "--vici", &uri])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let page = good(&["-sa", "ike", "--vici", &uri]) + "\n";
    let mut pages = vec![0; page.len() * 3];
    out.read_exact(&mut pages).unwrap();
    assert_eq!(String::from_utf8(pages).unwrap(), page.repeat(3));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(rest.len().is_multiple_of(page.len()), "a page is printed as a whole");
}

/// Ten thousand IKE_SAs of a CHILD_SA each (`cargo test --release`): twenty thousand IPsec SAs, in
/// two seconds and 256 MiB.
#[test]
fn ten_thousand_sas() {
    // Without optimization it takes longer.
    const SAS: usize = if cfg!(debug_assertions) { 1000 } else { 10_000 };
    let genuine = genuine();
    let mut told = Told { stats: values(&[("x", "y")]), ..Told::default() };
    let (sa, conn) =
        (genuine.sas[2].section("site").unwrap(), genuine.conns[0].section("site").unwrap());
    for number in 0..SAS {
        let mut ike = Section::new();
        for (name, item) in sa.entries() {
            match name {
                b"uniqueid" => ike.push_value(name, number.to_string()),
                b"initiator-spi" => ike.push_value(name, format!("{number:016x}")),
                b"child-sas" => {
                    let mut child = Section::new();
                    for (name, item) in
                        sa.section("child-sas").unwrap().section("net1-4").unwrap().entries()
                    {
                        match name {
                            b"spi-in" => child.push_value(name, format!("{number:08x}")),
                            b"spi-out" => child.push_value(name, format!("{:08x}", number + SAS)),
                            _ => child.push(name, item.clone()),
                        }
                    }
                    ike.push_section("child-sas", inside(format!("net1-{number}"), child));
                }
                _ => ike.push(name, item.clone()),
            }
        }
        told.sas.push(inside(format!("site{number}"), ike));
        told.conns.push(inside(format!("site{number}"), conn.clone()));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    journal(&told, &path);
    let fake = serve(told);
    let uri = fake.uri.to_string();
    let reports = ["-sa", "all", "-host", "active", "-tunnel"];
    for (what, source) in
        [("live", ["--vici", &uri]), ("journal", ["--sas", path.to_str().unwrap()])]
    {
        let out = folder.path().join("out");
        let begin = Instant::now();
        let mut child = command(&[&reports[..], &source].concat())
            .stdout(fs::File::create(&out).unwrap())
            .spawn()
            .unwrap();
        let mut peak = 0;
        let status = loop {
            peak = peak.max(memory(child.id()));
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            sleep(Duration::from_millis(2));
        };
        let took = begin.elapsed();
        assert!(status.success());
        let text = fs::read_to_string(&out).unwrap();
        assert_eq!(text.matches("-- IPsec SA --").count(), 2 * SAS);
        assert_eq!(text.matches("-- Tunnel Policy Rule --").count(), SAS + SAS);
        eprintln!("{what}: {} SAs, {took:?}, {} KiB", 2 * SAS, peak);
        let limit = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 2 });
        assert!(took < limit, "{what}: {took:?}");
        assert!(peak < 256 * 1024, "{what}: {peak} KiB");
    }
}

/// The most memory that a process has had, in KiB; 0 where that is not told.
fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
