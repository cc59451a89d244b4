//! The real thing: two strongSwan daemons of contrib/lab/ipsec-lab, and all that pfscope says of
//! them. Needs root, /dev/net/tun and strongSwan (`contrib/setup lab`): `make test-ipsec`.
#![cfg(all(feature = "live", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test may panic anywhere"
)]

#[path = "common/pace.rs"]
mod pace;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use pace::in_time;
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
    in_time(|| {
        let Some(lab) = Lab::up() else { return };
        let (uri, journal, pcap) = (lab.uri("a"), lab.path("sas.ndjson"), lab.path("wire.pcap"));
        let (journal, pcap) = (journal.to_str().unwrap(), pcap.to_str().unwrap());
        let record = lab
            .start("record", &["ipsec", "record", "--to", journal, "--vici", &uri, "--every", "2"]);
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
        let text = pfscope(&[
            "-n",
            "-r",
            pcap,
            "--sas",
            journal,
            "tunnel net-net and esp or udp port 4500",
        ]);
        assert!(String::from_utf8(text.stdout).unwrap().contains(" ike gw-gw child net-net[3]\n"));

        let totals = pfscope(&["ipsec", "totals", "--format", "json", "--sas", journal]);
        let [totals] = &json(&String::from_utf8(totals.stdout).unwrap())[..] else { panic!() };
        assert_eq!(totals["sas"], 3);
        // Pings of 84 bytes; of what the daemon sends it forgets the last of each SA at a rekey.
        assert_eq!(totals["packets_in"].as_u64(), Some(4 * PINGS as u64), "{totals}");
        assert_eq!(totals["bytes_in"].as_u64(), Some(4 * 84 * PINGS as u64), "{totals}");
    });
}

#[test]
#[ignore = "needs root and strongSwan: make test-ipsec"]
fn a_daemon_that_ends_stops_nothing_and_comes_back() {
    in_time(|| {
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
            let arp = [
                "netns",
                "exec",
                "pfscope-b",
                "ping",
                "-c",
                "3",
                "-i",
                "0.2",
                "-W",
                "1",
                "192.0.2.1",
            ];
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
    });
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

/// What swanctl has of a key, behind the first of these words.
fn raw<'t>(text: &'t str, behind: &str, key: &str) -> Option<&'t str> {
    let rest = &text[text.find(behind)? + behind.len()..];
    let (_, value) = rest.split_once(&format!("{key}="))?;
    value.split([' ', '}', ']']).next().map(|value| value.trim_start_matches('['))
}

/// Every value of a report that swanctl and ip have too is what they say.
#[test]
#[ignore = "needs root and strongSwan: make test-ipsec"]
fn reports_say_what_swanctl_and_ip_say() {
    let Some(lab) = Lab::up() else { return };
    let uri = lab.uri("a");
    let conf = lab.path("more.conf");
    let more = "connections {
        gw-gw {
            local_addrs = 192.0.2.1
            remote_addrs = 192.0.2.2
            local { auth = psk \n id = a.example }
            remote { auth = psk \n id = b.example }
            children {
                net-net { local_ts = 10.1.0.0/16 \n remote_ts = 10.2.0.0/16 \n rekey_bytes = 5000000 }
                late { local_ts = 10.1.0.1[udp/53] \n remote_ts = 10.2.0.9 \n start_action = trap \n priority = 7 }
            }
        }
        shunts { \n remote_addrs = 127.0.0.1
            children {
                lan { mode = pass \n local_ts = 10.1.0.1 \n remote_ts = 10.1.0.0/24 \n start_action = trap }
                no { mode = drop \n local_ts = 10.1.0.1 \n remote_ts = 10.66.0.0/24 \n start_action = trap }
            }
        }
    }";
    fs::write(&conf, more).unwrap();
    let swanctl = |arguments: &[&str]| -> String {
        let output =
            Command::new("swanctl").args(arguments).args(["--uri", &uri]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let loaded = swanctl(&["--load-conns", "--file", conf.to_str().unwrap()]);
    assert!(loaded.contains("loaded 2 connections"), "{loaded}");
    lab.run(&["initiate"]);
    lab.run(&["ping", "7"]);
    // In the namespace of the daemon, for its interfaces.
    let report = |options: &[&str]| -> Vec<Value> {
        let output = Command::new("ip")
            .args(["netns", "exec", "pfscope-a", env!("CARGO_BIN_EXE_pfscope"), "ipsec", "report"])
            .args(options)
            .args(["--format", "json", "--vici", &uri])
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && err.is_empty(), "{options:?}: {err}");
        json(&String::from_utf8(output.stdout).unwrap())
    };
    let (sas, conns, policies) = (
        swanctl(&["--list-sas", "--raw"]),
        swanctl(&["--list-conns", "--raw"]),
        swanctl(&["--list-pols", "--trap", "--drop", "--pass", "--raw"]),
    );
    let all = report(&["-sa", "all"]);
    let (ike, child) = sas.split_once("child-sas {").unwrap();
    let ike = |key: &str| raw(ike, "", key).unwrap_or_else(|| panic!("{key}: {sas}"));
    let child = |key: &str| raw(child, "", key).unwrap_or_else(|| panic!("{key}: {sas}"));
    let [sa, out, inward] = &all[..] else { panic!("{all:?}") };
    for (field, expected) in [
        ("index", format!("{}:{}", ike("initiator-spi"), ike("responder-spi"))),
        ("local", format!("{}/{}", ike("local-host"), ike("local-port"))),
        ("remote", format!("{}/{}", ike("remote-host"), ike("remote-port"))),
        ("auth_record", format!("{} - {}", ike("local-id"), ike("remote-id"))),
        ("local_id", ike("local-id").to_owned()),
        ("remote_id", ike("remote-id").to_owned()),
        ("ke", ike("dh-group").to_owned()),
        ("policy", "gw-gw".to_owned()),
        ("role", "Initiator".to_owned()),
        ("state", "Established".to_owned()),
        ("auth_method", "PSK".to_owned()),
    ] {
        assert_eq!(sa[field], expected, "{field}: {sas}");
    }
    assert_eq!((ike("initiator"), ike("state")), ("yes", "ESTABLISHED"));
    assert!(conns.contains("class=pre-shared key"));
    assert_eq!(sa["version"].to_string(), ike("version"));
    assert_eq!(sa["uniqueid"].to_string(), ike("uniqueid"));
    // The manner of ipsec_report: the bits behind the cipher's first word.
    let (cipher, bits) = (ike("encr-alg"), ike("encr-keysize"));
    let (head, tail) = cipher.split_once('_').unwrap();
    assert_eq!(sa["encr"], format!("{head}{bits}-{}", tail.replace('_', "-")));
    let hash = sa["hash"].as_str().unwrap().replace('-', "_");
    assert!(ike("integ-alg").starts_with(&hash), "{hash}");
    let prf = sa["prf"].as_str().unwrap().replace('-', "_");
    assert_eq!(ike("prf-alg"), format!("PRF_{prf}"));
    let known = [("CURVE_25519", 31), ("ECP_256", 19), ("MODP_2048", 14), ("MODP_3072", 15)];
    let number = known.iter().find(|(name, _)| *name == ike("dh-group")).unwrap().1;
    assert_eq!(sa["dh_group"], number);
    // Seconds may have passed between the two.
    let near = |value: &Value, expected: i64| (value.as_i64().unwrap() - expected).abs() <= 2;
    let seconds = |key: &str| -> i64 { child(key).parse().unwrap() };
    for (row, way) in [(out, "out"), (inward, "in")] {
        let of = |key: &str| child(&format!("{key}-{way}")).to_owned();
        assert_eq!(row["spi"], format!("0x{}", of("spi")));
        assert_eq!(row["current"]["bytes"].to_string(), of("bytes"));
        assert_eq!(row["packets"].to_string(), of("packets"));
        assert_eq!((&row["packets"], &row["current"]["bytes"]), (&7.into(), &(7 * 84).into()));
        assert!(near(&row["last_used_s"], of("use").parse().unwrap()));
        assert!(near(&row["current"]["addtime_s"], seconds("install-time")));
        assert_eq!(row["hard"]["addtime_s"], seconds("install-time") + seconds("life-time"));
        assert_eq!(row["soft"]["addtime_s"], seconds("install-time") + seconds("rekey-time"));
        assert_eq!(row["soft"]["bytes"], 5_000_000);
        assert_eq!((&row["state"], child("state")), (&"MATURE".into(), "INSTALLED"));
        assert_eq!(row["reqid"].to_string(), child("reqid"));
        assert_eq!(row["encr_alg"], child("encr-alg"));
        assert_eq!(row["protocol"], child("protocol"));
        assert_eq!(row["encap"], child("encap") == "yes");
        let hosts = [ike("local-host"), ike("remote-host")];
        let [src, dst] = if way == "out" { hosts } else { [hosts[1], hosts[0]] };
        assert_eq!((&row["src"], &row["dst"]), (&src.into(), &dst.into()));
    }
    let active = report(&["-host", "active"]);
    let find = |rows: &[Value], name: &str| -> Value {
        rows.iter()
            .find(|row| row["name"] == name)
            .unwrap_or_else(|| panic!("{name}: {rows:?}"))
            .clone()
    };
    let net = find(&active, "net-net");
    assert_eq!(net["src"][0]["addr"], child("local-ts"));
    assert_eq!(net["dst"][0]["addr"], child("remote-ts"));
    assert_eq!(net["cookie"].to_string(), child("reqid"));
    assert_eq!(net["state"], "Ready");
    assert_eq!(net["sa_pairs"][0]["spi_in"], inward["spi"]);
    assert_eq!(net["sa_pairs"][0]["spi_out"], out["spi"]);
    let conf = |key: &str| raw(&conns, "net-net {", key).unwrap().to_owned();
    assert_eq!(net["proposals"][0]["lifetime_s"].to_string(), conf("rekey_time"));
    let kbytes = conf("rekey_bytes").parse::<u64>().unwrap() / 1024;
    assert_eq!(net["proposals"][0]["lifetime_kbytes"], kbytes);
    for (name, action, mode) in
        [("late", "Dynamic key SA", "TUNNEL"), ("lan", "Pass", "PASS"), ("no", "Discard", "DROP")]
    {
        let (row, policy) = (find(&active, name), format!("/{name} {{"));
        assert_eq!(row["action"], action);
        assert_eq!(raw(&policies, &policy, "mode"), Some(mode), "{policies}");
        let local = raw(&policies, &policy, "local-ts").unwrap();
        assert_eq!(row["src"][0]["addr"], local.split('[').next().unwrap());
        assert_eq!(row["dst"][0]["addr"], raw(&policies, &policy, "remote-ts").unwrap());
    }
    let late = find(&active, "late");
    assert_eq!((&late["state"], &late["priority"]), (&"SPI(s) Not Established".into(), &7.into()));
    assert_eq!((&late["protocol"], &late["src"][0]["port"]), (&"UDP".into(), &53.into()));
    assert_eq!(active.last().unwrap()["name"], "default");
    let configured = report(&["-host", "configured"]);
    assert_eq!(configured.len(), 5, "{configured:?}");
    let ike_policy = &report(&["-ike"])[0];
    assert_eq!(ike_policy["lifetime_s"].to_string(), raw(&conns, "gw-gw {", "rekey_time").unwrap());
    assert_eq!(ike_policy["local"], raw(&conns, "gw-gw {", "local_addrs").unwrap());
    assert_eq!(ike_policy["version"], raw(&conns, "gw-gw {", "version").unwrap());
    let tunnel = find(&report(&["-tunnel"]), "net-net");
    assert_eq!(tunnel["tunnel_src"], ike("local-host"));
    assert_eq!(tunnel["sas"][0]["spi"], inward["spi"]);
    assert_eq!(tunnel["sas"][1]["direction"], "OUTBOUND");
    let lists = report(&["-bypass"]);
    let listed: Vec<_> =
        lists.iter().map(|row| (row["type"].as_str(), row["address"].as_str())).collect();
    assert_eq!(
        listed,
        [(Some("bypass"), Some("10.1.0.1/32")), (Some("discard"), Some("10.1.0.1/32"))]
    );
    let down = report(&["--down"]);
    assert_eq!(
        (down.len(), &down[0]["child"], &down[0]["state"]),
        (1, &"late".into(), &"Trap".into())
    );
    let told = Command::new("ip").args(["-n", "pfscope-a", "-o", "addr"]).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let mut expected: Vec<(String, String)> = told
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            (words[1].to_owned(), words[3].split('/').next().unwrap().to_owned())
        })
        .collect();
    let interfaces = report(&["-ip"]);
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let mut found: Vec<_> =
        interfaces.iter().map(|row| (text(row, "name"), text(row, "address"))).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    let wire = interfaces.iter().find(|row| row["address"] == "192.0.2.1").unwrap();
    assert_eq!((&wire["ipsec"], &wire["up"]), (&"On".into(), &true.into()));
    let loopback = interfaces.iter().find(|row| row["address"] == "127.0.0.1").unwrap();
    assert_eq!(loopback["ipsec"], "Off");
    let counters = report(&["--counters"]);
    let told = swanctl(&["--counters", "--all", "--raw"]);
    for key in ["ike-init-out-req", "ike-init-in-resp", "child-rekey"] {
        let count = counters.iter().find(|row| row["id"] == "gw-gw").unwrap()[key].to_string();
        assert_eq!(Some(&*count), raw(&told, "gw-gw {", key), "{key}: {told}");
    }
    assert_eq!(report(&["--stats"])[0]["ikesas.total"], 1);
}
