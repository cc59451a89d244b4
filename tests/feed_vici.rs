//! `pfscope feed` and the events of an IKE daemon: recorded ones, told by a daemon of the test's
//! own that ends and comes back.
#![cfg(feature = "feed")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test may panic anywhere"
)]

#[path = "vici/fake.rs"]
#[allow(dead_code, unreachable_pub, reason = "each includer uses its own part")]
mod fake;
#[path = "common/recorded.rs"]
mod recorded;

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pfscope::vici::codec::Packet;
use pfscope::vici::message::Section;
use serde_json::Value;

/// How long the test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);
const DELIVERED: [&str; 6] =
    ["ike-updown", "child-updown", "ike-rekey", "child-rekey", "ike-update", "alert"];

/// Events of a recording that are delivered.
fn events() -> Vec<(String, Section)> {
    let all = recorded::events("ipsec/598-rekey.events.hex").into_iter();
    let all = all.map(|(_, name, message)| (String::from_utf8(name).unwrap(), message));
    all.filter(|(name, _)| DELIVERED.contains(&name.as_str())).collect()
}

#[test]
fn a_daemon_s_events_reach_every_format_through_its_restart() {
    let told = events();
    let kinds: std::collections::BTreeSet<_> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert!(kinds.len() >= 3, "{kinds:?}");
    let count = told.len();
    let daemon = fake::daemon(move |number, mut peer| {
        let alert = Section::new().with("type", "peer-auth-failed");
        while let Some(said) = peer.hear() {
            match said {
                (0, name, _) if name == "version" => {
                    peer.reply(&Section::new().with("version", "5.9.8"));
                    match number {
                        0 => {
                            told.iter().for_each(|(name, message)| peer.event(name, message));
                            return;
                        }
                        _ => peer.event("alert", &alert),
                    }
                }
                (0, ..) => peer.reply(&Section::new()),
                _ => peer.say(&Packet::EventConfirm),
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let formats = ["json", "ecs", "ocsf", "text", "filterlog"];
    let outputs = formats.map(|format| {
        let path = path(format);
        format!("[[output.file]]\nname = \"{format}\"\nformat = \"{format}\"\npath = {path:?}\n")
    });
    let source = format!("[[source]]\nname = \"ike\"\nvici = \"{}\"\n", daemon.uri);
    let state = path("state");
    let text = format!("state_dir = {state:?}\nnotices = false\n{source}{}", outputs.concat());
    fs::write(path("feed.toml"), text).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_pfscope"))
        .args(["feed", "--config", path("feed.toml").to_str().unwrap()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = |format: &str| -> Vec<Value> {
        let text = fs::read_to_string(path(format)).unwrap_or_default();
        // The last line may be half written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let until = Instant::now() + PATIENCE;
    // The daemon's events, that it went and came back, and the alert.
    while lines("json").len() < count + 3 && Instant::now() < until {
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(Duration::from_millis(500));
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let status = child.wait().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("source ike: ") && said.contains("the daemon answers"), "{said}");

    let json = lines("json");
    let kinds: Vec<_> = json.iter().map(|line| line["kind"].as_str()).collect();
    let mut expected = vec![None; count];
    expected.extend([Some("gone"), Some("reopen"), None]);
    assert_eq!(kinds, expected, "{json:?}");
    let names = json.iter().take(count).map(|line| line["event"].as_str().unwrap());
    assert!(names.eq(events().iter().map(|(name, _)| name.as_str())));
    assert_eq!(json[count + 2]["message"]["type"], "peer-auth-failed");

    for (format, schema) in [
        ("json", pfscope::sink::json::SCHEMA),
        ("ecs", pfscope::sink::ecs::SCHEMA),
        ("ocsf", pfscope::sink::ocsf::SCHEMA),
    ] {
        let schema = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
        for line in lines(format) {
            let wrong: Vec<_> = schema.iter_errors(&line).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{format}: {wrong:?}: {line}");
        }
    }
    let numbered = |numbers: Vec<u64>| {
        assert!(numbers.len() >= count + 3);
        assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "{numbers:?}");
    };
    let ecs = lines("ecs");
    numbered(ecs.iter().map(|line| line["event"]["sequence"].as_u64().unwrap()).collect());
    assert!(ecs.iter().any(|line| line["observer"]["version"] == "5.9.8"));
    let ocsf = lines("ocsf");
    numbered(ocsf.iter().map(|line| line["metadata"]["sequence"].as_u64().unwrap()).collect());
    assert!(ocsf.iter().filter(|line| line["class_uid"] == 4014).count() >= count - 1);
    let text = fs::read_to_string(path("text")).unwrap();
    assert!(text.contains("peer-auth-failed") && text.contains("notice gone: "), "{text}");
    assert_eq!(fs::read_to_string(path("filterlog")).unwrap_or_default(), "");
}
