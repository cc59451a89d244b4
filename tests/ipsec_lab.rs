//! The real thing: two strongSwan daemons of contrib/lab/ipsec-lab, and all that pfscope says of
//! them. Needs root, /dev/net/tun and strongSwan (`contrib/setup lab`): `make test-ipsec`.
#![cfg(all(feature = "live", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test may panic anywhere"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

const CHARON: &str = "/usr/lib/ipsec/charon";
/// Pings of each of the three parts between rekeys.
const PINGS: usize = 30;

/// There is one lab.
static LAB: Mutex<()> = Mutex::new(());

/// The lab, up until it is dropped.
struct Lab {
    folder: tempfile::TempDir,
    _only: MutexGuard<'static, ()>,
}

impl Lab {
    /// `None`, said aloud, where it cannot be.
    fn up() -> Option<Self> {
        let uid = Command::new("id").arg("-u").output().unwrap().stdout;
        let missing = [
            (uid != b"0\n", "not root"),
            (!Path::new(CHARON).exists(), "no strongSwan (contrib/setup lab)"),
            (!Path::new("/dev/net/tun").exists(), "no /dev/net/tun"),
            (!may_make_namespaces(), "no right to make network namespaces"),
        ];
        if let Some((_, why)) = missing.iter().find(|(missing, _)| *missing) {
            // Not by a macro: the test runner would keep that to itself.
            let _ = writeln!(io::stderr(), "SKIPPED: the IPsec lab: {why}");
            return None;
        }
        let only = LAB.lock().unwrap_or_else(PoisonError::into_inner);
        let lab = Self { folder: tempfile::tempdir().unwrap(), _only: only };
        // What a run that was killed has left.
        lab.run(&["down"]);
        lab.run(&["up"]);
        Some(lab)
    }

    fn script(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("contrib/lab/ipsec-lab");
        command.args(arguments).env("IPSEC_LAB_DIR", self.folder.path().join("lab"));
        // The daemons outlive the script: pipes would stay open with them.
        let path = self.path("script.out");
        let file = File::create(&path).unwrap();
        let status = command.stdout(file.try_clone().unwrap()).stderr(file).status().unwrap();
        Output { status, stdout: fs::read(&path).unwrap(), stderr: Vec::new() }
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = self.script(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}");
        text
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn uri(&self, side: &str) -> String {
        format!("unix://{}/charon.vici", self.path("lab").join(side).display())
    }

    /// pfscope in the namespace of a, its output in files of this name.
    fn start(&self, name: &str, arguments: &[&str]) -> Running {
        let file = |end: &str| File::create(self.path(&format!("{name}.{end}"))).unwrap();
        let child = Command::new("ip")
            .args(["netns", "exec", "pfscope-a", env!("CARGO_BIN_EXE_pfscope")])
            .args(arguments)
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("err"))
            .spawn();
        Running { child: child.unwrap() }
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Waits until a file says so.
    fn wait(&self, name: &str, what: &str, times: usize) {
        let begin = Instant::now();
        while self.text(name).matches(what).count() < times {
            assert!(
                begin.elapsed() < Duration::from_secs(20),
                "{name} without {what}: {}",
                self.text(name)
            );
            sleep(Duration::from_millis(50));
        }
    }
}

fn may_make_namespaces() -> bool {
    let tried = Command::new("unshare").args(["--net", "--mount", "true"]).output();
    tried.is_ok_and(|output| output.status.success())
}

impl Drop for Lab {
    fn drop(&mut self) {
        let output = self.script(&["down"]);
        if !output.status.success() {
            let _ = io::stderr().write_all(&output.stdout);
        }
    }
}

/// A program that is ended with the test.
struct Running {
    child: Child,
}

impl Running {
    /// SIGINT, and its end.
    fn interrupt(mut self) -> bool {
        self.signal("-INT");
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(10) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            sleep(Duration::from_millis(20));
        }
        panic!("pfscope does not end");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pfscope(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pfscope"));
    command.args(arguments).env("TZ", "UTC").output().unwrap()
}

fn json(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The SPIs that the daemon itself told of: each with its direction and CHILD_SA.
fn told(journal: &str) -> BTreeMap<String, (String, String)> {
    fn walk(value: &Value, found: &mut BTreeMap<String, (String, String)>) {
        let Value::Object(map) = value else { return };
        for (key, dir) in [("spi-in", "in"), ("spi-out", "out")] {
            if let (Some(spi), Some(id)) = (map.get(key), map.get("uniqueid")) {
                let sa = (dir.to_owned(), id.as_str().unwrap().to_owned());
                found.insert(format!("0x{}", spi.as_str().unwrap()), sa);
            }
        }
        map.values().for_each(|value| walk(value, found));
    }
    let mut found = BTreeMap::new();
    json(journal).iter().for_each(|line| walk(&line["message"], &mut found));
    found
}

/// Every ESP packet has the CHILD_SA that the daemon has said its SPI is of.
fn check(lines: &[Value], told: &BTreeMap<String, (String, String)>) -> BTreeMap<u64, usize> {
    let mut sas = BTreeMap::new();
    for line in lines.iter().filter(|line| line["net"]["esp"].is_object()) {
        let ipsec = &line["ipsec"];
        let (dir, uniqueid) = &told[line["net"]["esp"]["spi"].as_str().unwrap()];
        assert_eq!(
            (ipsec["dir"].as_str(), ipsec["by"].as_str()),
            (Some(&**dir), Some("spi")),
            "{line}"
        );
        assert_eq!(ipsec["uniqueid"].to_string(), *uniqueid, "{line}");
        assert_eq!(
            (&ipsec["ike"], &ipsec["child"]),
            (&"gw-gw".into(), &"net-net".into()),
            "{line}"
        );
        *sas.entry(ipsec["uniqueid"].as_u64().unwrap()).or_insert(0) += 1;
    }
    sas
}

#[test]
#[ignore = "needs root and strongSwan: make test-ipsec"]
fn packets_have_their_child_sa_live_and_offline() {
    let Some(lab) = Lab::up() else { return };
    let (uri, journal, pcap) = (lab.uri("a"), lab.path("sas.ndjson"), lab.path("wire.pcap"));
    let (journal, pcap) = (journal.to_str().unwrap(), pcap.to_str().unwrap());
    let record =
        lab.start("record", &["ipsec", "record", "--to", journal, "--vici", &uri, "--every", "2"]);
    lab.wait("record.err", "connected", 1);
    let live = lab.start("live", &["--format", "json", "-n", "-i", "pfscope0", "--vici", &uri]);
    let clear = lab.start("clear", &["--format", "json", "-n", "-i", "ipsec0", "--vici", &uri]);
    let mut dump = Command::new("ip")
        .args(["netns", "exec", "pfscope-a", "tcpdump", "-U", "-i", "pfscope0", "-w", pcap])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while fs::metadata(pcap).map_or(0, |file| file.len()) < 24 {
        assert!(begin.elapsed() < Duration::from_secs(10), "tcpdump does not begin");
        sleep(Duration::from_millis(50));
    }
    sleep(Duration::from_millis(500));
    let pings = PINGS.to_string();
    let ping = || assert!(lab.run(&["ping", &pings]).contains(&format!("{PINGS} received")));
    lab.run(&["initiate"]);
    ping();
    lab.run(&["rekey", "child"]);
    ping();
    lab.run(&["rekey", "child"]);
    ping();
    lab.run(&["rekey", "ike"]);
    ping();
    lab.run(&["terminate"]);
    sleep(Duration::from_millis(1500));
    let _ = Command::new("kill").args(["-INT", &dump.id().to_string()]).status();
    let _ = dump.wait();
    assert!(live.interrupt() && clear.interrupt() && record.interrupt());

    let spis = told(&lab.text("sas.ndjson"));
    let expected = BTreeMap::from([(1, 2 * PINGS), (2, 2 * PINGS), (3, 4 * PINGS)]);
    let lines = json(&lab.text("live.out"));
    assert_eq!(check(&lines, &spis), expected, "live: {}", lab.text("live.err"));
    let ike = lines.iter().filter(|line| line["net"]["ike"].is_object());
    let by: BTreeSet<_> = ike.map(|line| line["ipsec"]["by"].to_string()).collect();
    assert_eq!(by, BTreeSet::from(["\"ike\"".to_owned()]), "IKE's own packets too");

    let clear = json(&lab.text("clear.out"));
    let pings = clear.iter().filter(|line| line["net"]["proto"] == "icmp");
    // The first packet cannot wait for what nobody has told yet.
    let named = pings.skip(2).map(|line| {
        let out = line["net"]["src"] == "10.1.0.1";
        let ipsec = &line["ipsec"];
        assert_eq!(
            (&ipsec["by"], &ipsec["child"]),
            (&"selector".into(), &"net-net".into()),
            "{line}"
        );
        assert_eq!(ipsec["dir"], if out { "out" } else { "in" }, "{line}");
    });
    assert_eq!(named.count(), 8 * PINGS - 2, "{}", lab.text("clear.err"));

    let offline = pfscope(&["--format", "json", "-r", pcap, "--sas", journal]);
    assert_eq!(String::from_utf8_lossy(&offline.stderr), "");
    let lines = json(&String::from_utf8(offline.stdout).unwrap());
    assert_eq!(check(&lines, &spis), expected, "offline");
    let text =
        pfscope(&["-n", "-r", pcap, "--sas", journal, "tunnel net-net and esp or udp port 4500"]);
    assert!(String::from_utf8(text.stdout).unwrap().contains(" ike gw-gw child net-net[3]\n"));

    let totals = pfscope(&["ipsec", "totals", "--format", "json", "--sas", journal]);
    let [totals] = &json(&String::from_utf8(totals.stdout).unwrap())[..] else { panic!() };
    assert_eq!(totals["sas"], 3);
    // Pings of 84 bytes; of what the daemon sends it forgets the last of each SA at a rekey.
    assert_eq!(totals["packets_in"].as_u64(), Some(4 * PINGS as u64), "{totals}");
    assert_eq!(totals["bytes_in"].as_u64(), Some(4 * 84 * PINGS as u64), "{totals}");
}

#[test]
#[ignore = "needs root and strongSwan: make test-ipsec"]
fn a_daemon_that_ends_stops_nothing_and_comes_back() {
    let Some(lab) = Lab::up() else { return };
    let (uri, journal) = (lab.uri("a"), lab.path("sas.ndjson"));
    let journal = journal.to_str().unwrap();
    let record = lab.start("record", &["ipsec", "record", "--to", journal, "--vici", &uri]);
    let live = lab.start("live", &["--format", "json", "-n", "-i", "pfscope0", "--vici", &uri]);
    lab.wait("record.err", "connected", 1);
    sleep(Duration::from_millis(1500));
    lab.run(&["initiate"]);
    lab.run(&["ping", "5"]);
    lab.wait("live.out", "\"by\":\"spi\"", 10);
    for (times, end) in [(1, "stop"), (2, "kill")] {
        lab.run(&[end, "a"]);
        lab.wait("live.err", "packets are printed without tunnels until it answers", times);
        // Packets go on being printed, at once.
        let before = lab.text("live.out").lines().count();
        let begin = Instant::now();
        let arp =
            ["netns", "exec", "pfscope-b", "ping", "-c", "3", "-i", "0.2", "-W", "1", "192.0.2.1"];
        let pinged = Command::new("ip").args(arp).stdout(Stdio::null()).status().unwrap();
        assert!(pinged.success());
        while lab.text("live.out").lines().count() < before + 6 {
            assert!(begin.elapsed() < Duration::from_secs(5), "{}", lab.text("live.out"));
            sleep(Duration::from_millis(20));
        }
        lab.run(&["start", "a"]);
        lab.wait("live.err", "the daemon answers", times);
        lab.wait("record.err", "connected", times + 1);
        lab.run(&["initiate"]);
        let named = lab.text("live.out").matches("\"by\":\"spi\"").count();
        lab.run(&["ping", "5"]);
        lab.wait("live.out", "\"by\":\"spi\"", named + 10);
    }
    assert!(live.interrupt());
    let err = lab.text("live.err");
    assert_eq!(err.matches("until it answers").count(), 2, "one notice an outage: {err}");
    // SIGKILL of the recorder leaves whole lines.
    record.signal("-KILL");
    drop(record);
    assert!(lab.text("sas.ndjson").ends_with('\n'));
    let kinds: BTreeSet<_> = json(&lab.text("sas.ndjson"))
        .iter()
        .map(|line| line["type"].as_str().unwrap().to_owned())
        .collect();
    for kind in ["start", "totals", "up", "down", "event", "listed"] {
        assert!(kinds.contains(kind), "{kind} is not among {kinds:?}");
    }
    let totals = pfscope(&["ipsec", "totals", "--format", "json", "--sas", journal]);
    let [totals] = &json(&String::from_utf8(totals.stdout).unwrap())[..] else { panic!() };
    assert_eq!(totals["sas"], 3, "one a daemon: {totals}");
}

/// Every command that reads, and every event, as the daemon of Debian answers them.
#[test]
#[ignore = "needs root and strongSwan: make test-ipsec"]
fn the_daemon_answers_every_command_that_reads() {
    let Some(lab) = Lab::up() else { return };
    let uri = lab.uri("a");
    let listen = lab.start("listen", &["vici", "listen", "--uri", &uri, "--format", "json"]);
    sleep(Duration::from_secs(1));
    lab.run(&["initiate"]);
    for command in READ {
        let run = pfscope(&[&["vici"][..], command, &["--uri", &uri, "--format", "json"]].concat());
        let (out, err) =
            (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert!(run.status.success(), "{command:?}: {err}");
        assert!(
            out.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()),
            "{command:?}: {out}"
        );
    }
    lab.run(&["rekey", "child"]);
    lab.run(&["rekey", "ike"]);
    sleep(Duration::from_millis(500));
    lab.run(&["terminate"]);
    for event in ["ike-updown", "child-updown", "child-rekey", "ike-rekey"] {
        lab.wait("listen.out", event, 1);
    }
    drop(listen);
}

/// The commands of the README that change nothing, with what they need.
const READ: [&[&str]; 14] = [
    &["version"],
    &["stats"],
    &["list-sas"],
    &["list-policies", "trap=yes"],
    &["list-conns"],
    &["get-conns"],
    &["list-certs"],
    &["list-authorities"],
    &["get-authorities"],
    &["get-keys"],
    &["get-shared"],
    &["get-pools"],
    &["get-algorithms"],
    &["get-counters"],
];
