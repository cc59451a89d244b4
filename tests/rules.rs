//! Rules by name, as a user sees them: `--rules`, `pfscope rules`, `pfscope explain`, `label`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const OPENBSD: &str = "testdata/genuine/openbsd80-pflog0.pcap";
/// Rules of anchors, whose own numbers have not changed.
const RIGHT: u32 = 9;
/// One that fits by chance, and is marked as stale.
const WRONG: u32 = 1;
/// The others.
const UNNAMED: u32 = 38;

const FREEBSD: &str = "testdata/genuine/freebsd14-pflog.pcap";

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pfscope"));
    command.args(arguments).env("TZ", "UTC").env_remove("NO_COLOR").stdin(Stdio::null());
    command.output().unwrap()
}

fn done(arguments: &[&str]) -> String {
    let output = run(arguments);
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn failed(arguments: &[&str], status: i32) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A copy of a ruleset that was kept at a time.
fn kept(folder: &Path, name: &str, ruleset: &str) -> String {
    let path = folder.join(name);
    fs::copy(ruleset, &path).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Compares with a file of testdata; `PFSCOPE_BLESS=1` writes it.
fn golden(name: &str, text: &str) {
    let path = Path::new("testdata/rules/golden").join(name);
    if std::env::var_os("PFSCOPE_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    assert_eq!(text, expected, "{}", path.display());
}

/// The ruleset was printed while the one that logged was in force: process 4242 loaded both.
#[test]
fn a_line_has_the_rule_s_name_and_else_does_not_change() {
    let plain = done(&["-n", "-e", "-r", OPENBSD]);
    let named = done(&["-n", "-e", "-r", OPENBSD, "--rules", "testdata/rules/openbsd.rules"]);
    golden("openbsd.txt", &named);
    let mut count = 0;
    for (plain, named) in plain.lines().zip(named.lines()) {
        if plain == named {
            assert!(plain.contains("rule def/"), "{plain}");
            continue;
        }
        let (head, rest) = named.split_once(": [").unwrap();
        let (_, tail) = rest.split_once("] ").unwrap();
        assert_eq!(plain, format!("{head}: {tail}"));
        count += 1;
    }
    assert_eq!(count, 48);
    assert!(!named.contains("implausible") && !named.contains("stale"));
    let short = done(&["-n", "-r", OPENBSD, "--rules", "testdata/rules/openbsd.rules", "rnr 2"]);
    assert!(short.ends_with(" [no-telnet]\n"), "{short}");
}

#[test]
fn json_has_the_rule_where_the_contract_says() {
    let rules = "testdata/rules/openbsd.rules";
    let json = done(&["--format", "json", "-r", OPENBSD, "--rules", rules]);
    golden("openbsd.json", &json);
    let schema: Value = serde_json::from_str(&done(&["schema", "json"])).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let mut named = 0;
    for object in objects(&json) {
        assert!(schema.is_valid(&object), "{object}");
        let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
        if let Some(at) = keys.iter().position(|key| *key == "rule") {
            assert_eq!(keys[at - 1], "net");
            assert_eq!(object["rule"]["join"], "exact");
            named += 1;
        }
    }
    assert_eq!(named, 48);
    let fields = "pflog.rulenr,rule.label,rule.join";
    let fields = done(&["--fields", fields, "-r", OPENBSD, "--rules", rules, "rnr 5"]);
    assert_eq!(fields, "5\tweb\texact\n".repeat(4));
}

/// The same rules with one more in front, loaded by another process: every number means another
/// rule. What contradicts the packet is not named, and nothing is said to be exact.
#[test]
fn a_ruleset_that_has_changed_names_no_rule_that_contradicts() {
    let names = |rules: &str| {
        let json = done(&["--format", "json", "-r", OPENBSD, "--rules", rules]);
        let rule =
            |object: &Value| (object["rule"]["join"].clone(), object["rule"]["text"].clone());
        objects(&json).iter().map(rule).collect::<Vec<_>>()
    };
    let truth = names("testdata/rules/openbsd.rules");
    let (mut right, mut wrong, mut unnamed) = (0, 0, 0);
    for ((_, truth), (join, text)) in truth.iter().zip(names("testdata/rules/openbsd-later.rules"))
    {
        assert_ne!(join, "exact");
        match (join.as_str(), text == *truth) {
            (None, _) => {}
            (Some("implausible"), _) => unnamed += 1,
            (Some(_), true) => right += 1,
            (Some(_), false) => wrong += 1,
        }
    }
    assert_eq!((right, wrong, unnamed), (RIGHT, WRONG, UNNAMED));
}

#[test]
fn freebsd_s_trackers_labels_and_lists() {
    let folder = tempfile::tempdir().unwrap();
    // Kept after the packets were logged, and these do not say who loaded the rules.
    let later =
        |name| kept(folder.path(), &format!("20260601-{name}"), &format!("testdata/rules/{name}"));
    let rules = &later("freebsd.rules");
    let fields = "frame,rule.label,rule.join";
    let lines = done(&["--fields", fields, "-r", FREEBSD, "-c", "6", "--rules", rules]);
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines[0], "1\t\timplausible", "pass in, where a rule blocks");
    assert_eq!(lines[1], "2\tdns6\tstale");
    assert_eq!(lines[2], "3\tno tcp out\tstale");
    assert_eq!(lines[3], "4\tguest\tstale");
    assert_eq!(lines[4], "5\t\t", "scrub rule 4 is not there");
    let one = done(&["-r", FREEBSD, "--count", "--rules", rules, "label id:77"]);
    assert_eq!(one, "1 packet\n", "the second label counts too");
    let debug = &later("pfsense-rules.debug");
    let lines = done(&["--fields", fields, "-r", FREEBSD, "-c", "3", "--rules", debug]);
    assert_eq!(lines, "1\t\t\n2\tUSER_RULE: dns6\tstale\n3\t\t\n", "by tracker alone");
}

#[test]
fn a_folder_has_the_ruleset_of_each_time() {
    let folder = tempfile::tempdir().unwrap();
    kept(folder.path(), "2026-05-28T20:00:00Z.rules", "testdata/rules/openbsd.rules");
    kept(folder.path(), "20260601-0000.rules", "testdata/rules/openbsd-later.rules");
    fs::write(folder.path().join(".hidden"), "no rule").unwrap();
    let path = folder.path().to_str().unwrap();
    let fields = ["--fields", "rule.label,rule.join", "-r", OPENBSD, "--rules", path, "rnr 5"];
    assert_eq!(done(&fields), "web\texact\n".repeat(4));
    let listed = done(&["rules", "--utc", path]);
    let heads: Vec<&str> = listed.lines().filter(|line| line.contains(" rules, kept ")).collect();
    assert!(heads[0].contains("kept 2026-05-28 20:00:00"), "{listed}");
    assert!(heads[1].contains("kept 2026-06-01 00:00:00"), "{listed}");
    // A file that is none is named, the others are used.
    fs::write(folder.path().join("notes"), "remember the milk\n").unwrap();
    let output = run(&fields);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "web\texact\n".repeat(4));
    assert!(String::from_utf8(output.stderr).unwrap().contains("notes: no rule in it"));
}

#[test]
fn label_is_a_word_of_the_filter() {
    let rules = ["--rules", "testdata/rules/openbsd.rules"];
    let count = |filter: &str| {
        let arguments = [&["-r", OPENBSD, "--count"][..], &rules[..], &[filter][..]].concat();
        done(&arguments).trim().to_owned()
    };
    assert_eq!(count("label web"), "4 packets");
    assert_eq!(count("label no-*"), "3 packets");
    assert_eq!(count("label alpha* and ruleset alpha and not action pass"), "2 packets");
    assert_eq!(count("not label *"), "20 packets");
    for arguments in [
        &["-r", OPENBSD, "label web"][..],
        &["summary", OPENBSD, "-f", "label web"],
        &["states", "-r", OPENBSD, "label web"],
    ] {
        let err = failed(arguments, 2);
        assert!(err.contains("--rules"), "{err}");
    }
}

#[test]
fn summary_shows_names_beside_numbers() {
    let rules = "testdata/rules/openbsd.rules";
    let page = done(&["summary", OPENBSD, "--rules", rules]);
    assert!(page.contains("16.alpha.0  alpha-in "), "{page}");
    assert!(page.contains("22  block drop log all "), "{page}");
    let json = done(&["summary", OPENBSD, "--rules", rules, "--format", "json"]);
    let report: Value = serde_json::from_str(&json).unwrap();
    let all = report["rules"]["top"].as_array().unwrap();
    let web = all.iter().find(|rule| rule["rulenr"] == 5).unwrap();
    assert_eq!((&web["label"], &web["join"]), (&Value::from("web"), &Value::from("exact")));
    let page = done(&["summary", OPENBSD, "--rules", "testdata/rules/openbsd-later.rules"]);
    assert!(page.contains("discard (stale)") || page.contains("(stale)"), "{page}");
    // The numbers of a later ruleset contradict the packets of these.
    assert!(!page.contains("no-smtp "), "{page}");
}

#[test]
fn every_dialect_is_listed() {
    for name in ["openbsd", "openbsd-plain", "freebsd", "pfsense", "opnsense"] {
        let path = format!("testdata/rules/{name}.rules");
        let listed = done(&["rules", &path]);
        // The first line has the time at which the file was written.
        golden(&format!("{name}.list"), listed.split_once('\n').unwrap().1);
        let json = objects(&done(&["rules", "--format", "json", &path]));
        let lines = listed.lines().count() - 2;
        assert_eq!(json.len(), lines, "{name}");
        assert!(json.iter().all(|rule| rule["type"] == "rule" && rule["number"].is_u64()));
    }
    let debug = done(&["rules", "testdata/rules/pfsense-rules.debug"]);
    assert!(debug.lines().next().unwrap().contains("without numbers"));
    golden("pfsense-rules.debug.list", debug.split_once('\n').unwrap().1);
    let plain = done(&["rules", "testdata/rules/openbsd-plain.rules"]);
    assert!(plain.lines().next().unwrap().contains("numbers counted"));
}

/// What pfctl prints without numbers is counted as pfctl numbers it.
#[test]
fn counting_gives_pfctl_s_numbers() {
    let numbers = |path| {
        let json = objects(&done(&["rules", "--format", "json", path]));
        let places = json.iter().map(|rule| {
            (rule["number"].clone(), rule["text"].clone(), rule.get("anchor").cloned())
        });
        places.collect::<Vec<_>>()
    };
    let counted = numbers("testdata/rules/openbsd-plain.rules");
    // An anchor that a wildcard has found stands there as if it were a rule.
    let counted: Vec<_> = counted
        .into_iter()
        .filter(|(_, text, _)| text.as_str() != Some("anchor \"nested\" all"))
        .collect();
    assert_eq!(counted, numbers("testdata/rules/openbsd.rules"));
}

#[test]
fn explain_says_in_words_what_happened() {
    let rules = ["--rules", "testdata/rules/openbsd.rules"];
    let explain = |frame: &str| {
        done(&[&["explain", "--utc", "-r", OPENBSD, "--frame", frame][..], &rules[..]].concat())
    };
    let all = ["1", "4", "6", "9", "18", "21", "34", "45"].map(explain).join("\n");
    golden("explain-openbsd.txt", &all);
    let without = done(&["explain", "--utc", "-r", OPENBSD, "--frame", "6"]);
    assert!(without.contains("number 2 of the main ruleset"), "{without}");
    assert!(without.contains("--rules"), "{without}");
    let suspect = done(&["explain", "-r", "testdata/pflog/suspect.pcap", "--frame", "4"]);
    assert!(suspect.contains("most likely dropped"), "{suspect}");
    let implausible = done(&[
        "explain",
        "-r",
        FREEBSD,
        "--frame",
        "1",
        "--rules",
        "testdata/rules/freebsd.rules",
    ]);
    assert!(implausible.contains("contradicts the packet"), "{implausible}");
    assert!(!implausible.contains("v6 udp"), "{implausible}");
    let sync = "testdata/genuine/openbsd80-pfsync0.pcap";
    assert!(done(&["explain", "-r", sync, "--frame", "1"]).contains("pfsync"));
}

/// Every record of every capture has words, and they hold no control character.
#[test]
fn explain_has_words_for_every_record() {
    for path in [
        "testdata/pflog/p4-be.pcap",
        "testdata/pflog/p6-le.pcap",
        "testdata/pflog/p2-darwin-le.pcap",
        "testdata/pflog/hostile-names.pcap",
        "testdata/pflog/p7-ipfw69-le.pcap",
    ] {
        for frame in 1..=4 {
            let text = done(&[
                "explain",
                "-r",
                path,
                "--frame",
                &frame.to_string(),
                "--rules",
                "testdata/rules/freebsd.rules",
            ]);
            assert!(text.starts_with(&format!("Frame {frame}, captured ")), "{text}");
            assert!(text.lines().count() >= 3, "{text}");
            assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
        }
    }
}

#[test]
fn what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let missing = folder.path().join("missing").to_str().unwrap().to_owned();
    let empty = tempfile::tempdir().unwrap();
    let junk: Vec<u8> =
        (0..100_000_u32).map(|n| u8::try_from(n * 7919 / 8 % 256).unwrap()).collect();
    for (path, message) in [
        (missing, "No such file"),
        (file("empty", b""), "no rule in it"),
        (file("junk", &junk), "no rule in it"),
        (OPENBSD.to_owned(), "no rule in it"),
        (empty.path().to_str().unwrap().to_owned(), "no rule in it"),
    ] {
        for arguments in [&["-r", OPENBSD, "--rules", &path][..], &["rules", &path]] {
            let err = failed(arguments, 2);
            assert!(err.contains(message) && err.lines().count() == 1, "{err}");
            assert!(err.chars().all(|c| c == '\n' || !c.is_control()), "{err:?}");
        }
    }
    let mixed =
        file("mixed", b"@0 pass all label \"unclosed\n\xff\x1b[2J\n@1 block all {{{\n}}}}}\n");
    let output = run(&["rules", &mixed]);
    let (out, err) = (output.stdout, String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1), "not all of it was read");
    assert!(err.contains("line 2 is not a rule"), "{err}");
    assert!(out.iter().all(|byte| (b' '..=b'~').contains(byte) || *byte == b'\n'));
    let err = failed(&["explain", "-r", OPENBSD, "--frame", "60"], 1);
    assert!(err.contains("frame 60 is not there, the file has 59 records"), "{err}");
    assert!(failed(&["explain", "-r", OPENBSD], 2).contains("--frame"));
}

#[test]
fn a_ruleset_of_100_000_rules_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    let mut text = String::new();
    for number in 0..100_000 {
        text.push_str(&format!(
            "@{number} block drop in log quick on em{} all label \"r{number}\"\n",
            number % 7
        ));
    }
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    assert_eq!(done(&["rules", path]).lines().count(), 100_002);
    done(&["-r", OPENBSD, "--count", "--rules", path]);
}
