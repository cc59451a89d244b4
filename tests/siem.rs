//! What contrib/siem gives to a SIEM fits what pfscope sends it.
#![cfg(feature = "feed")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod servers;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pfscope::feed::output::syslog::{Address, Framing, Settings, Syslog};
use serde_json::Value;
use servers::{Authority, Daemon, deliver, free_port, parcel, program, until};

fn contrib(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/siem").join(name)
}

fn json(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(contrib(name)).unwrap()).unwrap()
}

/// The leaves of a schema's or a mapping's `properties`, by their names.
fn leaves(node: &Value, name: &str, found: &mut BTreeMap<String, Value>) {
    if let Some(properties) = node["properties"].as_object() {
        for (key, inner) in properties {
            let dot = if name.is_empty() { "" } else { "." };
            leaves(inner, &format!("{name}{dot}{key}"), found);
        }
    } else if node["type"] == "array" {
        leaves(&node["items"], name, found);
    } else {
        found.insert(name.to_owned(), node.clone());
    }
}

fn schema() -> BTreeMap<String, Value> {
    let run = Command::new(env!("CARGO_BIN_EXE_pfscope")).args(["schema", "ecs"]).output().unwrap();
    let mut found = BTreeMap::new();
    leaves(&serde_json::from_slice(&run.stdout).unwrap(), "", &mut found);
    assert!(found.len() > 100, "{}", found.len());
    found
}

fn mapping(file: &str) -> BTreeMap<String, Value> {
    let template = json(file);
    assert_eq!(template["index_patterns"][0], "logs-pf-*");
    assert!(template["data_stream"].is_object());
    let mut found = BTreeMap::new();
    leaves(&template["template"]["mappings"], "", &mut found);
    found
}

/// Would the store take this value for this type?
fn fits(kind: &str, value: &Value) -> bool {
    match (kind, value) {
        (_, Value::Array(all)) => all.iter().all(|one| fits(kind, one)),
        ("long", Value::Number(number)) => number.is_i64(),
        ("boolean", Value::Bool(_)) => true,
        ("ip", Value::String(text)) => text.parse::<std::net::IpAddr>().is_ok(),
        ("date", Value::String(text)) => text.parse::<jiff::Timestamp>().is_ok(),
        ("keyword", Value::String(_) | Value::Number(_)) => true,
        ("text" | "match_only_text", Value::String(_)) => true,
        _ => false,
    }
}

fn check(value: &Value, name: &str, types: &BTreeMap<String, Value>) -> usize {
    if let Some(object) = value.as_object() {
        let dot = if name.is_empty() { "" } else { "." };
        return object
            .iter()
            .map(|(key, inner)| check(inner, &format!("{name}{dot}{key}"), types))
            .sum();
    }
    let kind = types.get(name).unwrap_or_else(|| panic!("{name} has no type"));
    assert!(fits(kind["type"].as_str().unwrap(), value), "{name}: {value} is no {kind}");
    1
}

#[test]
fn index_templates_have_every_field_and_every_golden_document_fits_them() {
    let schema = schema();
    for file in ["elasticsearch-template.json", "opensearch-template.json"] {
        let types = mapping(file);
        let names = |map: &BTreeMap<String, Value>| map.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&types), names(&schema), "{file}");
        for (name, field) in &schema {
            let kind = types[name]["type"].as_str().unwrap();
            assert_eq!(field["type"] == "integer", kind == "long", "{file}: {name}");
        }
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/golden-siem");
        let mut checked = 0;
        for entry in fs::read_dir(golden).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "ecs") {
                for line in fs::read_to_string(path).unwrap().lines() {
                    checked += check(&serde_json::from_str(line).unwrap(), "", &types);
                }
            }
        }
        assert!(checked > 1000, "{checked}");
    }
}

#[test]
fn the_dashboard_and_the_aliases_ask_for_fields_that_there_are() {
    let schema = schema();
    let known = |name: &str| assert!(schema.contains_key(name), "{name}");
    let dashboard = json("grafana-loki.json");
    let panels = dashboard["panels"].as_array().unwrap();
    let mut asked = 0;
    for panel in panels {
        let query = panel["targets"][0]["expr"].as_str().unwrap();
        assert_eq!(query.matches('(').count(), query.matches(')').count(), "{query}");
        assert!(query.contains("{job=\"pf\"}"));
        if let Some((_, names)) = query.split_once("| json ") {
            for part in names.split('|').next().unwrap().split(", ") {
                known(part.split('"').nth(1).unwrap());
                asked += 1;
            }
        }
    }
    let props = fs::read_to_string(contrib("splunk-props.conf")).unwrap();
    for line in props.lines().filter(|line| line.starts_with("FIELDALIAS")) {
        let words: Vec<_> = line.split_once(" = ").unwrap().1.split(' ').collect();
        for alias in words.chunks_exact(3) {
            assert_eq!(alias[1], "AS");
            known(alias[0]);
            asked += 1;
        }
    }
    for line in props.lines().filter(|line| line.starts_with("EVAL")) {
        for name in line.split('\'').skip(1).step_by(2) {
            known(name);
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked}");
    let vector: toml::Table = fs::read_to_string(contrib("vector.toml")).unwrap().parse().unwrap();
    known(vector["transforms"]["pf_once"]["fields"]["match"][0].as_str().unwrap());
}

#[test]
fn rsyslog_runs_its_receiver() {
    let Some(program) = program("rsyslogd") else { return };
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "ca");
    authority.issue("server");
    let port = free_port();
    let here = folder.path().to_str().unwrap();
    let config = fs::read_to_string(contrib("rsyslog.conf")).unwrap();
    for changed in ["/etc/rsyslog.d/tls/", "/var/log/pf/", "\"6514\"", "0.0.0.0"] {
        assert!(config.contains(changed), "{changed}");
    }
    let config = config
        .replace("/etc/rsyslog.d/tls/", &format!("{here}/"))
        .replace("/var/log/pf/", &format!("{here}/"))
        .replace("\"6514\"", &format!("\"{port}\""))
        .replace("0.0.0.0", "127.0.0.1");
    let path = folder.path().join("rsyslog.conf");
    fs::write(&path, config).unwrap();
    let log = fs::File::create(folder.path().join("log")).unwrap();
    let mut command = Command::new(program);
    command.args(["-n", "-iNONE", "-f"]).arg(path).stdout(Stdio::null()).stderr(log);
    let _daemon = Daemon::start(&mut command).listens(port);
    let mut output = Syslog::new(Settings {
        address: Address::parse(&format!("tls://127.0.0.1:{port}")).unwrap(),
        framing: Framing::Octets,
        tls: authority.member("client"),
        facility: 16,
        severity: 6,
        host: "gw1".to_owned(),
        app: "pfscope".to_owned(),
        timeout: std::time::Duration::from_secs(5),
    })
    .unwrap();
    let sent = parcel(0..1000);
    assert!(deliver(&mut output, &sent).troubles.is_empty());
    let out = folder.path().join("events.json");
    let read = || fs::read_to_string(&out).unwrap_or_default();
    until("all events are there", || read().lines().count() >= sent.len());
    for (number, line) in read().lines().enumerate() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!(event, serde_json::json!({"n": number, "word": "é\""}));
    }
    assert!(!folder.path().join("other.log").exists());
}
