//! ECS, OCSF and filterlog lines: golden files, pfscope's own JSON Schemas, and the published
//! schemas where they are at hand.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "schemas/ocsf.rs"]
mod ocsf;
#[path = "common/recorded.rs"]
mod recorded;
#[path = "schemas/vici.rs"]
mod vici;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use pfscope::cli::{Status, run};
use serde_json::Value;

/// Every capture, by folder and name.
fn captures() -> Vec<PathBuf> {
    let folders = ["testdata/pflog", "testdata/pfsync", "testdata/genuine"];
    let mut all: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    all.sort();
    assert!(all.len() > 60, "testdata is not whole: {} captures", all.len());
    all
}

/// Those whose lines are kept as golden files: every kind of event, and what is odd.
const GOLDEN: [&str; 14] = [
    "genuine/freebsd14-pflog.pcap",
    "genuine/freebsd15-pfsync-1500.pcap",
    "genuine/openbsd80-pflog0.pcap",
    "pflog/cut-header.pcap",
    "pflog/hostile-names.pcap",
    "pflog/interfaces.pcapng",
    "pflog/link-ethernet.pcap",
    "pflog/packets-ipv4.pcap",
    "pflog/packets-ipv6.pcap",
    "pflog/rewritten-new.pcap",
    "pflog/suspect.pcap",
    "pfsync/lifecycle.pcap",
    "pfsync/openbsd6.pcap",
    "pfsync/v3.pcap",
];

const FORMATS: [(&str, &[&str]); 4] = [
    ("ecs", &["--format", "ecs", "--observer", "fw1", "--internal-net", "10.0.0.0/8,192.0.2.0/24"]),
    (
        "ocsf",
        &["--format", "ocsf", "--observer", "fw1", "--internal-net", "10.0.0.0/8,192.0.2.0/24"],
    ),
    ("pfsense", &["--format", "filterlog"]),
    ("opnsense", &["--format", "filterlog", "--flavour", "opnsense"]),
];

fn printed(arguments: &[&str]) -> (String, String, Status) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = run(["pfscope"].iter().chain(arguments), &mut out, &mut err);
    (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), status)
}

/// The lines of a capture in a format.
fn lines_of(capture: &Path, flags: &[&str]) -> String {
    let capture = capture.to_str().unwrap();
    let arguments: Vec<&str> = flags.iter().copied().chain(["-r", capture]).collect();
    printed(&arguments).0
}

#[test]
fn captures_print_as_the_golden_files_say() {
    let mut differing = Vec::new();
    let mut wanted = BTreeSet::new();
    let mut compare = |name: &str, output: &str| {
        let path = Path::new("testdata/golden-siem").join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, output).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        let mut both = expected.lines().zip(output.lines());
        if let Some((a, b)) = both.find(|(a, b)| a != b) {
            differing.push(format!("{}:\n  expected {a}\n  printed  {b}", path.display()));
        } else if expected != output {
            differing.push(format!("{}: another number of lines", path.display()));
        }
        wanted.insert(path);
    };
    for capture in GOLDEN {
        for (extension, flags) in FORMATS {
            let output = lines_of(&Path::new("testdata").join(capture), flags);
            let name = Path::new(capture).file_name().unwrap().to_str().unwrap();
            compare(&format!("{name}.{extension}"), &output);
        }
    }
    for (name, form) in vici::FORMS {
        for (recording, events) in vici::golden() {
            compare(&format!("{recording}.{name}"), &vici::rendered(form, &events));
        }
    }
    assert!(differing.is_empty(), "{}\n", differing.join("\n"));
    for entry in fs::read_dir("testdata/golden-siem").unwrap() {
        let path = entry.unwrap().path();
        assert!(wanted.contains(&path), "{} belongs to no capture", path.display());
    }
}

/// Calls `each` for every line of every capture in a format, as text and as JSON.
fn each_line(format: &str, mut each: impl FnMut(&str, &Value)) {
    let (_, flags) = FORMATS.iter().find(|(name, _)| *name == format).unwrap();
    let mut lines = 0;
    for capture in captures() {
        let mut flags = flags.to_vec();
        // So that notices are among them.
        flags.extend(["--pfsync-peers", "10.255.0.1,10.255.0.2"]);
        if let Some(rules) = ruleset(&capture) {
            flags.extend(["--rules", rules]);
        }
        for line in lines_of(&capture, &flags).lines() {
            each(line, &serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")));
            lines += 1;
        }
    }
    for line in beside_captures(format).lines() {
        each(line, &serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")));
    }
    assert!(lines > 1000, "only {lines} lines");
}

/// What needs more than a capture: packets with their tunnels, and what the IKE daemon told.
fn beside_captures(format: &str) -> String {
    let (_, flags) = FORMATS.iter().find(|(name, _)| *name == format).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let journal = recorded::journal(folder.path());
    let mut flags = flags.to_vec();
    flags.extend(["--sas", journal.to_str().unwrap()]);
    let wire = lines_of(Path::new("testdata/ipsec/598-rekey.veth.pcap"), &flags);
    let clear = lines_of(Path::new("testdata/ipsec/598-rekey.tun.pcap"), &flags);
    let (_, form) = vici::FORMS.into_iter().find(|(name, _)| *name == format).unwrap();
    let told = vici::all().iter().map(|(_, events)| vici::rendered(form, events)).collect();
    [wire, clear, told].concat()
}

/// The ruleset that a capture was logged by, where it is known.
fn ruleset(capture: &Path) -> Option<&'static str> {
    match capture.file_name()?.to_str()? {
        "openbsd80-pflog0.pcap" => Some("testdata/rules/openbsd.rules"),
        "freebsd14-pflog.pcap" => Some("testdata/rules/freebsd.rules"),
        _ => None,
    }
}

/// What native JSON says of the rule stands in every format.
#[test]
fn rules_have_their_names() {
    let capture = Path::new("testdata/genuine/openbsd80-pflog0.pcap");
    let lines = |format: &[&str]| {
        let flags = [format, &["--observer", "fw1", "--rules", ruleset(capture).unwrap()]].concat();
        lines_of(capture, &flags).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let parsed = |format| -> Vec<Value> {
        let lines = lines(&["--format", format]);
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (native, ecs, ocsf) = (parsed("json"), parsed("ecs"), parsed("ocsf"));
    let listed = printed(&["rules", "--format", "json", ruleset(capture).unwrap()]).0;
    let listed: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    let checksum = listed["checksum"].as_str().unwrap().to_owned();
    let csv = lines(&["--format", "filterlog", "--flavour", "opnsense"]);
    let (mut labels, mut texts, mut dropped) = (0, 0, 0);
    for (((native, ecs), ocsf), csv) in native.iter().zip(&ecs).zip(&ocsf).zip(&csv) {
        let (label, text) = (&native["rule"]["label"], &native["rule"]["text"]);
        assert_eq!((&ecs["rule"]["name"], &ecs["rule"]["description"]), (label, text));
        let rule = &ocsf["firewall_rule"];
        assert_eq!((&rule["name"], &rule["desc"]), (label, text));
        let version = ecs["rule"]["version"].as_str();
        assert_eq!(version, text.is_string().then_some(checksum.as_str()));
        assert_eq!(rule["version"].as_str(), version);
        for pf in [&ecs["pf"], &ocsf["unmapped"]["pf"]] {
            assert_eq!(pf["rule"]["join"], native["rule"]["join"]);
        }
        assert_eq!(csv.split(',').nth(3), label.as_str().or(Some("0")), "{csv}");
        if text.as_str().is_some_and(|text| text.starts_with("block drop")) {
            assert_eq!(ocsf["disposition_id"], 6);
            dropped += 1;
        }
        labels += u32::from(label.is_string());
        texts += u32::from(text.is_string());
    }
    assert!(labels > 0 && texts > labels && dropped > 0, "{labels} {texts} {dropped}");
}

/// A compressed update or a deletion has only the state's name: its ends are those that a message
/// before it told, in both schemas.
#[test]
fn states_that_are_only_named_have_their_ends() {
    let capture = Path::new("testdata/genuine/openbsd80-pfsync0.pcap");
    let parsed = |format| -> Vec<Value> {
        let lines = lines_of(capture, &["--format", format, "--observer", "fw1"]);
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (mut told, mut named, mut unknown) = (BTreeMap::new(), 0, 0);
    for (ecs, ocsf) in parsed("ecs").iter().zip(&parsed("ocsf")) {
        let state = &ecs["pf"]["state"];
        let Some(id) = state["id"].as_str() else { continue };
        let name = (id.to_owned(), state["creator_id"].to_string());
        let ends = |ecs: &Value| {
            let end =
                |side: &Value| (side["ip"].clone(), side["port"].clone(), side["nat"].clone());
            let id = &ecs["network"]["community_id"];
            (end(&ecs["source"]), end(&ecs["destination"]), id.clone())
        };
        if state["partial"].is_null() {
            told.insert(name, ends(ecs));
            continue;
        }
        match told.get(&name) {
            Some(before) => {
                assert_eq!(&ends(ecs), before, "{ecs}");
                assert_eq!(ocsf["dst_endpoint"]["ip"], ecs["destination"]["ip"]);
                assert!(ecs["source"]["bytes"].is_null(), "counters are not told again");
                named += 1;
            }
            None => {
                assert!(ecs["source"].is_null() && ocsf["dst_endpoint"].is_null(), "{ecs}");
                unknown += 1;
            }
        }
    }
    assert!(named > 0, "{named} {unknown}");
}

/// What differs where Elastic's package for pfSense is the reader, and that nothing else does.
#[test]
fn elastic_s_package_finds_its_fields() {
    let capture = Path::new("testdata/genuine/openbsd80-pflog0.pcap");
    let parsed = |flags: &[&str]| -> Vec<Value> {
        let flags = [&["--format", "ecs", "--observer", "fw1"], flags].concat();
        lines_of(capture, &flags).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let compat = ["--compat", "elastic-pfsense"];
    let (plain, theirs) = (parsed(&["--ecs-version", "8.11"]), parsed(&compat));
    let mut out = 0;
    for (plain, theirs) in plain.into_iter().zip(theirs) {
        let mut expected = plain;
        let observer = expected["observer"].as_object_mut().unwrap();
        if let Some(egress) = observer.remove("egress") {
            observer.insert("ingress".to_owned(), egress);
            out += 1;
        }
        if expected["network"].is_object() {
            let way = match expected["network"]["direction"].as_str() {
                Some("ingress") => "inbound",
                Some("egress") => "outbound",
                other => panic!("{other:?}"),
            };
            expected["network"]["direction"] = way.into();
        }
        assert_eq!(theirs, expected);
    }
    assert!(out > 0);
    let inside = ["--internal-net", "10.0.0.0/8"];
    let way = |lines: Vec<Value>| {
        lines.iter().map(|line| line["network"]["direction"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(way(parsed(&[&compat[..], &inside].concat())), way(parsed(&inside)));
}

/// The schema that pfscope prints.
fn own_schema(format: &str) -> Value {
    let (schema, _, status) = printed(&["schema", format]);
    assert_eq!(status, Status::Done);
    serde_json::from_str(&schema).unwrap()
}

/// The keys of an object come in the order in which the schema names them.
fn assert_in_order(value: &Value, schema: &Value, line: &str) {
    let Some(object) = value.as_object() else { return };
    let named = schema["properties"].as_object().unwrap();
    let mut order = named.keys();
    for (key, inner) in object {
        assert!(order.any(|name| name == key), "{key} is out of order: {line}");
        assert_in_order(inner, &named[key], line);
    }
}

#[test]
fn every_line_is_as_the_own_schema_says() {
    for format in ["ecs", "ocsf"] {
        let schema = own_schema(format);
        let validator: Validator = jsonschema::validator_for(&schema).unwrap();
        let mut used = BTreeSet::new();
        each_line(format, |line, value| {
            if let Err(wrong) = validator.validate(value) {
                panic!("{} at {}\n{line}", wrong, wrong.instance_path());
            }
            assert_in_order(value, &schema, line);
            leaves(value, String::new(), &mut |path, _| {
                used.insert(path.to_owned());
            });
        });
        // What the schema names is written somewhere, but for what only devices have or
        // lose, and what the feed says.
        let mut unused = Vec::new();
        properties(&schema, String::new(), &mut |path| {
            if !used.contains(path) {
                unused.push(path.to_owned());
            }
        });
        let live = |path: &String| {
            ["created", "logged_time", "pf.capture", "pf.feed"]
                .iter()
                .any(|word| path.contains(word))
                || path == "count"
        };
        unused.retain(|path| !live(path));
        assert!(unused.is_empty(), "{format} never has {unused:?}");
    }
}

/// Calls `each` with the path and the value of all that is no object; of a list with its members.
fn leaves(value: &Value, path: String, each: &mut impl FnMut(&str, &Value)) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                leaves(value, below(key), each);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| leaves(value, path.clone(), each)),
        value => each(&path, value),
    }
}

/// Calls `each` with the path of every leaf of a schema.
fn properties(schema: &Value, path: String, each: &mut impl FnMut(&str)) {
    let schema = schema.get("items").unwrap_or(schema);
    match schema.get("properties").and_then(Value::as_object) {
        Some(properties_here) => {
            for (key, inner) in properties_here {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                properties(inner, path, each);
            }
        }
        None => each(&path),
    }
}

#[test]
fn an_unknown_key_is_not_valid() {
    for format in ["ecs", "ocsf"] {
        let validator = jsonschema::validator_for(&own_schema(format)).unwrap();
        let (_, flags) = FORMATS.iter().find(|(name, _)| *name == format).unwrap();
        let lines = lines_of(Path::new("testdata/pfsync/lifecycle.pcap"), flags);
        let good: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert!(validator.is_valid(&good));
        let objects = good.as_object().unwrap().iter().filter(|(_, value)| value.is_object());
        for (key, _) in objects {
            let mut wrong = good.clone();
            wrong[key]["surprise"] = Value::from(1);
            assert!(!validator.is_valid(&wrong), "{format} {key}");
        }
    }
}

/// A path among the published schemas; `None`, said aloud, without them.
fn published(path: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("PFSCOPE_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = shared.join("schemas").join(path);
    if path.exists() {
        return Some(path);
    }
    // Not by a macro: the test runner would keep that to itself.
    let _ = writeln!(io::stderr(), "SKIPPED: {} is not there", path.display());
    None
}

/// A line of comma separated values with quoted fields.
fn csv(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().unwrap().push(c),
        }
    }
    fields
}

#[test]
fn ecs_fields_are_those_of_the_published_schema() {
    for (version, file) in [("9.4", "ecs-9.4.0-fields.csv"), ("8.11", "ecs-8.11.0-fields.csv")] {
        let Some(path) = published(file) else { return };
        let text = fs::read_to_string(path).unwrap();
        let mut types = BTreeMap::new();
        let mut lists = BTreeSet::new();
        for fields in text.lines().skip(1).map(csv).filter(|fields| fields.len() > 6) {
            if fields[6] == "array" {
                lists.insert(fields[3].clone());
            }
            types.insert(fields[3].clone(), fields[4].clone());
        }
        assert!(types.len() > 800 && lists.contains("event.category"), "{file} is not read");
        let flags = ["--format", "ecs", "--ecs-version", version, "--observer", "fw1"];
        let of_captures = captures().into_iter().map(|capture| lines_of(&capture, &flags));
        let beside = beside_captures("ecs")
            .replace("\"version\":\"9.4.0\"", &format!("\"version\":\"{version}.0\""));
        for lines in of_captures.chain([beside]) {
            for line in lines.lines() {
                let value: Value = serde_json::from_str(line).unwrap();
                assert_eq!(value["ecs"]["version"], format!("{version}.0"));
                for list in ["event.category", "event.type", "related.ip", "related.user", "tags"] {
                    let found = list.split('.').try_fold(&value, |at, key| at.get(key));
                    assert!(found.is_none_or(Value::is_array) && lists.contains(list), "{list}");
                }
                leaves(&value, String::new(), &mut |path, leaf| {
                    // Filebeat's convention, and what ECS leaves to us.
                    if path == "log.offset" || path.starts_with("pf.") {
                        return;
                    }
                    let kind = types.get(path);
                    let kind = kind.unwrap_or_else(|| panic!("{path} is not of ECS {version}"));
                    let right = match kind.as_str() {
                        "keyword" | "match_only_text" | "wildcard" => leaf.is_string(),
                        "long" => leaf.is_i64(),
                        "date" => leaf.as_str().is_some_and(|text| text.ends_with('Z')),
                        "ip" => {
                            leaf.as_str().is_some_and(|ip| ip.parse::<std::net::IpAddr>().is_ok())
                        }
                        other => panic!("{path} is {other}"),
                    };
                    assert!(right, "{path} is no {kind}: {leaf}");
                });
            }
        }
    }
}
