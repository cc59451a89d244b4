//! Live devices: veth pairs in network namespaces that the tests make, and frames that they send
//! there. Needs root and iproute2; says SKIPPED without.
//!
//! `PFSCOPE_SOAK_SECONDS=60 cargo test --test live -- --ignored soak` runs for that long (ten
//! minutes without the variable).
#![cfg(all(feature = "live", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test may panic anywhere"
)]

mod common;
#[path = "common/pace.rs"]
mod pace;

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::testdata;
use pace::{END, in_time};
use serde_json::Value;

const PFSCOPE: &str = env!("CARGO_BIN_EXE_pfscope");
const SYNC: &str = "genuine/openbsd80-sync-eth.pcap";
/// The frames of a flood are UDP to this port.
const PORT: u16 = 9999;

fn ip(arguments: &str) -> bool {
    let run = Command::new("ip").args(arguments.split(' ')).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

/// A network namespace of one test.
struct Net(String);

impl Net {
    /// `None`, said aloud, where none can be made.
    fn new() -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let net = Self(format!("pfscope-{}-{number}", std::process::id()));
        if !ip(&format!("netns add {}", net.0)) {
            // Not by a macro: the test runner would keep that to itself.
            let _ =
                writeln!(io::stderr(), "SKIPPED: no network namespace (root and ip are needed)");
            std::mem::forget(net);
            return None;
        }
        // Nothing but what the test sends.
        for which in ["all", "default"] {
            let quiet = format!("echo 1 > /proc/sys/net/ipv6/conf/{which}/disable_ipv6");
            assert!(net.command("sh").args(["-c", &quiet]).status().unwrap().success());
        }
        Some(net)
    }

    /// A pair of interfaces, both up.
    fn pair(&self, one: &str, other: &str) {
        let ns = &self.0;
        assert!(ip(&format!("-n {ns} link add {one} type veth peer name {other}")));
        for name in [one, other] {
            assert!(ip(&format!("-n {ns} link set {name} arp off up")));
        }
    }

    fn delete(&self, device: &str) {
        assert!(ip(&format!("-n {} link del {device}", self.0)));
    }

    /// A command within. The process that is started becomes the command.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]);
        command
    }

    /// Sends `count` frames of a flood of `len` bytes, to the devices in turn.
    fn flood(&self, devices: &str, first: u32, count: u32, len: usize) {
        self.send(&format!("flood {devices} {first} {count} {len}"));
    }

    /// Runs [`sender`] within.
    fn send(&self, what: &str) {
        let me = std::env::current_exe().unwrap();
        let status = self
            .command(me.to_str().unwrap())
            .args(["--exact", "sender", "--ignored", "--quiet"])
            .env("PFSCOPE_SEND", what)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{what}");
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        ip(&format!("netns del {}", self.0));
    }
}

/// Not a test: what sends frames, started by tests within a namespace.
#[test]
#[ignore = "started by other tests"]
fn sender() {
    let Ok(what) = std::env::var("PFSCOPE_SEND") else { return };
    let words: Vec<&str> = what.split(' ').collect();
    let open = |name: &str| {
        let capture = pcap::Capture::from_device(name).unwrap().snaplen(64);
        let mut capture = capture.open().unwrap();
        // What it sends is not for itself.
        capture.filter("less 1", true).unwrap();
        capture
    };
    match words[..] {
        ["flood", devices, first, count, len] => {
            let mut devices: Vec<_> = devices.split(',').map(open).collect();
            let (first, count): (u32, u32) = (first.parse().unwrap(), count.parse().unwrap());
            let turns = devices.len();
            for n in first..first + count {
                let frame = numbered(n, len.parse().unwrap());
                devices[n as usize % turns].sendpacket(frame).unwrap();
            }
        }
        // Over so many seconds, so many a second.
        ["steady", device, seconds, rate] => {
            let mut device = open(device);
            let (seconds, rate): (u64, u32) = (seconds.parse().unwrap(), rate.parse().unwrap());
            let start = Instant::now();
            let mut sent = 0;
            while start.elapsed().as_secs() < seconds {
                for _ in 0..rate / 100 {
                    device.sendpacket(numbered(sent, 200)).unwrap();
                    sent = (sent + 1) & 0xff_ffff;
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
        ["file", device, file] => {
            let mut device = open(device);
            let mut capture = pcap::Capture::from_file(file).unwrap();
            while let Ok(packet) = capture.next_packet() {
                device.sendpacket(packet.data).unwrap();
            }
        }
        ["hex", device, frames] => {
            let mut device = open(device);
            for frame in frames.split(',') {
                let byte = |at: usize| u8::from_str_radix(&frame[at..at + 2], 16).unwrap();
                let frame: Vec<u8> = (0..frame.len()).step_by(2).map(byte).collect();
                device.sendpacket(frame).unwrap();
            }
        }
        _ => panic!("{what}"),
    }
}

/// Ethernet and IPv4 before a payload of this protocol; the source address is the number.
fn frame(number: u32, proto: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![1, 0, 0x5e, 0, 0, 0xf0, 2, 0, 0, 0, 0, 1, 8, 0];
    let len = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    frame.extend([0x45, 0, len[0], len[1], 0, 0, 0x40, 0, 255, proto, 0, 0]);
    frame.extend(((10 << 24) | number & 0xff_ffff).to_be_bytes());
    frame.extend([224, 0, 0, 240]);
    frame.extend(payload);
    frame
}

fn numbered(number: u32, len: usize) -> Vec<u8> {
    let [hi, lo] = PORT.to_be_bytes();
    let udp = u16::try_from(len - 34).unwrap().to_be_bytes();
    let mut payload = vec![0, 7, hi, lo, udp[0], udp[1], 0, 0];
    payload.resize(len - 34, b'x');
    frame(number, 17, &payload)
}

/// The number of a frame of a flood, from its source address.
fn number(src: &str) -> u32 {
    let octets = src.parse::<std::net::Ipv4Addr>().unwrap().octets();
    u32::from_be_bytes(octets) & 0xff_ffff
}

/// A running pfscope; ended with the test.
struct Scope {
    child: Child,
    stderr: Arc<Mutex<String>>,
}

impl Scope {
    fn start(net: &Net, arguments: &str) -> Self {
        Self::of(net, PFSCOPE, arguments, Stdio::piped())
    }

    fn of(net: &Net, program: &str, arguments: &str, stdout: Stdio) -> Self {
        let mut child = net
            .command(program)
            .args(arguments.split(' '))
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut pipe, stderr) = (child.stderr.take().unwrap(), Arc::<Mutex<String>>::default());
        let kept = Arc::clone(&stderr);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = pipe.read(&mut buffer) {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..n]));
            }
        });
        let scope = Self { child, stderr };
        // The devices are open before this is said.
        scope.says(": ");
        scope
    }

    fn err(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Waits for words on standard error.
    fn says(&self, words: &str) {
        within(10, words, || self.err().contains(words));
    }

    fn stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().unwrap()
    }

    /// Its lines, as they come.
    fn lines(&mut self) -> Lines {
        let (stdout, lines) = (self.stdout(), Lines::default());
        let kept = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                kept.0.lock().unwrap().push((Instant::now(), line));
            }
        });
        lines
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Ends it; how long that took, and its exit status.
    fn end(&mut self, signal: &str) -> (Duration, Option<i32>) {
        self.signal(signal);
        self.ended()
    }

    fn ended(&mut self) -> (Duration, Option<i32>) {
        let start = Instant::now();
        let mut status = None;
        within(20, "the end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        // Its last words are read by another thread.
        thread::sleep(Duration::from_millis(100));
        (start.elapsed(), status.unwrap().code())
    }

    /// A counter of the summary.
    fn counted(&self, what: &str) -> u64 {
        let err = self.err();
        let line = err.lines().rev().find(|line| line.ends_with(what));
        let line = line.unwrap_or_else(|| panic!("{what}: {err}"));
        line.split(' ').next().unwrap().parse().unwrap()
    }

    /// Nanoseconds of processor time and voluntary switches of all its threads.
    fn spent(&self) -> (u64, u64) {
        let (mut nanos, mut switches) = (0, 0);
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap() {
            let task = task.unwrap().path();
            let text = fs::read_to_string(task.join("schedstat")).unwrap();
            nanos += text.split(' ').next().unwrap().parse::<u64>().unwrap();
            let text = fs::read_to_string(task.join("status")).unwrap();
            let line = text.lines().find(|line| line.starts_with("voluntary_ctxt_switches"));
            switches += line.unwrap().split('\t').nth(1).unwrap().parse::<u64>().unwrap();
        }
        (nanos, switches)
    }

    /// Resident memory in KiB.
    fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(Instant, String)>>>);

impl Lines {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(_, line)| line.clone()).collect()
    }

    fn json(&self) -> Vec<Value> {
        self.all().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn wait_for(&self, count: usize) {
        within(20, "lines", || self.0.lock().unwrap().len() >= count);
    }

    fn wait_for_kind(&self, kind: &str) {
        let key = format!("\"kind\":\"{kind}\"");
        let has = || self.0.lock().unwrap().iter().any(|(_, line)| line.contains(&key));
        within(20, kind, has);
    }
}

fn within(seconds: u64, what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed().as_secs() < seconds, "waited for {what} in vain");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The frames of a flood in a stream of JSON, and what its notices say was lost.
fn tell(lines: &[Value]) -> (Vec<u32>, u64) {
    let (mut numbers, mut lost) = (Vec::new(), 0);
    for line in lines {
        match line["type"].as_str().unwrap() {
            "packet" => numbers.push(number(line["net"]["src"].as_str().unwrap())),
            "notice" => lost += line["lost"].as_u64().unwrap_or(0),
            other => panic!("{other}"),
        }
    }
    (numbers, lost)
}

#[test]
fn devices_are_merged_by_time_and_nothing_is_lost() {
    in_time(|| {
        let Some(net) = Net::new() else { return };
        net.pair("a0", "a1");
        net.pair("b0", "b1");
        net.pair("c0", "c1");
        // The third device is silent, and delays nobody for long.
        let mut scope = Scope::start(&net, "--format json -i a1 -i b1 -i c1 udp");
        let lines = scope.lines();
        net.flood("a0,b0", 0, 5000, 100);
        lines.wait_for(5000);
        net.flood("a0", 5000, 1, 100);
        let sent = Instant::now();
        lines.wait_for(5001);
        // The sender's own end is in it.
        assert!(sent.elapsed() < Duration::from_millis(300), "{:?}", sent.elapsed());
        assert_eq!(scope.end("-INT").1, Some(0));
        let lines = lines.json();
        let (numbers, lost) = tell(&lines);
        assert_eq!(lost, 0);
        assert_eq!(numbers, (0..5001).collect::<Vec<_>>());
        for (n, line) in lines.iter().enumerate() {
            assert_eq!(line["iface"], if n % 2 == 0 { "a1" } else { "b1" });
            assert_eq!(line["frame"], n + 1);
            // Nanoseconds, as the device has them.
            assert_eq!(line["ts"].as_str().unwrap().len(), "2026-01-01T00:00:00.000000000Z".len());
        }
        assert_eq!(scope.counted("packets captured"), 5001);
        assert_eq!(scope.counted("packets received by filter"), 5001);
        assert_eq!(scope.counted("packets dropped by kernel"), 0);
        assert_eq!(scope.counted("packets dropped by ring"), 0);
    });
}

#[test]
fn pfsync_esp_and_carp_on_a_wire() {
    let Some(net) = Net::new() else { return };
    net.pair("a0", "a1");
    let file = testdata(SYNC);
    let fields = "net.src,net.proto_num,net.esp.spi,pfsync.action,pfsync.index,pfsync.state.id";
    let read = Command::new(PFSCOPE).args(["--fields", fields, "-r"]).arg(&file).output().unwrap();
    let expected = String::from_utf8(read.stdout).unwrap();
    let mut scope = Scope::start(&net, &format!("--fields {fields} -i a1"));
    let lines = scope.lines();
    net.send(&format!("file a0 {}", file.display()));
    lines.wait_for(expected.lines().count());
    let hex = |frame: &[u8]| frame.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let esp = frame(1, 50, &[0, 0, 0x10, 1, 0, 0, 0, 9, 1, 2, 3, 4]);
    let carp = frame(2, 112, &[0x21, 7, 0, 1, 0, 1, 0, 0]);
    net.send(&format!("hex a0 {},{}", hex(&esp), hex(&carp)));
    lines.wait_for(expected.lines().count() + 2);
    let lines = lines.all();
    let (live, more) = lines.split_at(expected.lines().count());
    assert_eq!(live.join("\n"), expected.trim_end_matches('\n'));
    assert_eq!(more, ["10.0.0.1\t50\t0x00001001\t\t\t", "10.0.0.2\t112\t\t\t\t"]);
    assert_eq!(scope.end("-TERM").1, Some(0));
    // The state table is followed live too.
    let mut states = Scope::start(&net, "states -q -i a1");
    let lines = states.lines();
    net.send(&format!("file a0 {}", file.display()));
    assert_eq!(states.end("-INT").1, Some(0));
    let read = Command::new(PFSCOPE).args(["states", "-q", "-r"]).arg(&file).output().unwrap();
    assert_eq!(lines.all().join("\n"), String::from_utf8(read.stdout).unwrap().trim_end());
    assert!(!lines.all().is_empty());
}

#[test]
fn a_device_that_is_destroyed_and_made_again_is_read_again() {
    let Some(net) = Net::new() else { return };
    net.pair("pflog0", "p1");
    net.pair("b0", "b1");
    let mut scope = Scope::start(&net, "--format json -i pflog0 -i b1 udp");
    let lines = scope.lines();
    net.flood("p1", 0, 100, 100);
    lines.wait_for(100);
    net.delete("pflog0");
    lines.wait_for_kind("gone");
    // The other one goes on meanwhile.
    net.flood("b0", 100, 100, 100);
    lines.wait_for(201);
    net.pair("pflog0", "p1");
    lines.wait_for_kind("reopen");
    net.flood("p1", 200, 100, 100);
    lines.wait_for(302);
    assert_eq!(scope.end("-INT").1, Some(0));
    let lines = lines.json();
    let (numbers, lost) = tell(&lines);
    assert_eq!((numbers, lost), ((0..300).collect(), 0));
    let notices: Vec<&Value> = lines.iter().filter(|line| line["type"] == "notice").collect();
    assert_eq!(notices.iter().map(|n| &n["kind"]).collect::<Vec<_>>(), ["gone", "reopen"]);
    assert!(notices.iter().all(|notice| notice["iface"] == "pflog0"));
    assert_eq!(lines[100]["kind"], "gone");
    assert_eq!(lines[201]["kind"], "reopen");
    assert_eq!(scope.counted("packets received by filter"), 300);
}

#[test]
fn any_pf_takes_the_devices_that_appear() {
    let Some(net) = Net::new() else { return };
    net.pair("pflog0", "p0");
    net.pair("em0", "e0");
    let mut scope = Scope::start(&net, "--format json -i any-pf udp");
    assert!(scope.err().contains("listening on pflog0"), "{}", scope.err());
    assert!(!scope.err().contains("em0"), "{}", scope.err());
    let lines = scope.lines();
    net.flood("p0,e0", 0, 10, 100);
    lines.wait_for(5);
    net.pair("pfsync7", "p7");
    lines.wait_for_kind("start");
    net.flood("p7", 10, 10, 100);
    lines.wait_for(16);
    assert_eq!(scope.end("-INT").1, Some(0));
    let lines = lines.json();
    assert_eq!((&lines[5]["kind"], &lines[5]["iface"]), (&"start".into(), &"pfsync7".into()));
    assert_eq!(lines.len(), 16);
}

/// Nobody reads for a while: what is lost is counted, to the packet, and told where it was lost.
#[test]
fn a_slow_reader_loses_what_is_counted_and_nothing_else() {
    let Some(net) = Net::new() else { return };
    net.pair("a0", "a1");
    const SENT: u32 = 60_000;
    let mut scope = Scope::start(&net, "--format json --ring-size 2 -i a0 udp");
    net.flood("a0", 0, SENT, 1000);
    let mut stdout = scope.stdout();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text).unwrap()
    });
    net.flood("a0", SENT, 10, 1000);
    thread::sleep(Duration::from_millis(500));
    assert_eq!(scope.end("-INT").1, Some(0));
    let text = reader.join().unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (numbers, lost) = tell(&lines);
    let kept = numbers.len() as u64;
    assert!(lost > 10_000, "{lost}");
    assert_eq!(kept + lost, u64::from(SENT) + 10, "kept {kept}, lost {lost}");
    assert!(numbers.is_sorted_by(|a, b| a < b));
    assert_eq!(numbers.last(), Some(&(SENT + 9)));
    // Each gap is told of in its place.
    let notices = lines.iter().filter(|line| line["type"] == "notice");
    let mut places: Vec<_> = notices.map(|n| n["where"].as_str().unwrap()).collect();
    places.dedup();
    assert!(places.contains(&"ring"), "{places:?}");
    let mut before: Option<(usize, u32)> = None;
    let mut gaps = 0;
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line["type"] == "packet") {
        let number = number(line["net"]["src"].as_str().unwrap());
        if let Some((last_at, last)) = before
            && number != last + 1
            && scope.counted("packets dropped by kernel") == 0
        {
            assert!(at > last_at + 1, "no notice between {last} and {number}");
            gaps += 1;
        }
        before = Some((at, number));
    }
    assert!(gaps > 0 || scope.counted("packets dropped by kernel") > 0);
    let counted =
        scope.counted("packets dropped by ring") + scope.counted("packets dropped by kernel");
    assert_eq!(counted, lost);
    assert_eq!(scope.counted("packets captured"), kept);
    assert_eq!(scope.counted("packets received by filter"), u64::from(SENT) + 10);
}

/// Nobody reads at all.
#[test]
fn a_hanging_output_does_not_keep_the_program() {
    in_time(|| {
        let Some(net) = Net::new() else { return };
        net.pair("a0", "a1");
        let mut scope = Scope::start(&net, "-n -i a1 udp");
        net.flood("a0", 0, 20_000, 1000);
        let (took, status) = scope.end("-TERM");
        assert!(took < END, "{took:?}");
        assert_eq!(status, Some(0));
        let err = scope.err();
        assert!(err.contains("the output hangs"), "{err}");
        assert_eq!(scope.counted("packets received by filter"), 20_000);
        // A second signal ends it at once.
        let mut scope = Scope::start(&net, "-n -i a1 udp");
        net.flood("a0", 0, 20_000, 1000);
        scope.signal("-INT");
        thread::sleep(Duration::from_millis(300));
        assert!(scope.child.try_wait().unwrap().is_none());
        let (took, status) = scope.end("-INT");
        assert!(took < Duration::from_millis(500), "{took:?}");
        assert_eq!(status, None);
    });
}

#[test]
fn counters_are_printed_when_asked_and_the_kernel_filters() {
    in_time(|| {
        let Some(net) = Net::new() else { return };
        net.pair("a0", "a1");
        let mut scope = Scope::start(&net, "-n -i a1 udp and host 10.0.0.3");
        let lines = scope.lines();
        net.flood("a0", 0, 100, 100);
        lines.wait_for(1);
        scope.signal("-USR1");
        scope.says("packets dropped by ring\n");
        let counters = "pfscope: 1 packets captured, 1 packets received by filter, \
        0 packets dropped by kernel, 0 packets dropped by ring\n";
        assert!(scope.err().contains(counters), "{}", scope.err());
        scope.signal("-USR1");
        net.flood("a0", 0, 100, 100);
        lines.wait_for(2);
        let (took, status) = scope.end("-INT");
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!(status, Some(0));
        assert_eq!(scope.counted("packets received by filter"), 2);
        assert_eq!(lines.all().len(), 2);
    });
}

/// Numbers of the frames in a folder's capture files, in the order of their names.
fn saved(folder: &Path) -> Vec<u32> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut numbers = Vec::new();
    for path in paths {
        let mut file = pcap::Capture::from_file(&path).unwrap();
        while let Ok(packet) = file.next_packet() {
            let src: [u8; 4] = packet.data[26..30].try_into().unwrap();
            let number = u32::from_be_bytes(src) & 0xff_ffff;
            assert_eq!(packet.data, numbered(number, packet.data.len()), "{}", path.display());
            assert_eq!(packet.header.len as usize, packet.data.len());
            numbers.push(number);
        }
    }
    numbers
}

/// Without a filter packets go from the devices into files as they are; whatever the files, each
/// is there once, and in order.
#[test]
fn devices_are_written_as_they_are() {
    in_time(|| {
        let Some(net) = Net::new() else { return };
        net.pair("a0", "a1");
        net.pair("b0", "b1");
        const SENT: u32 = 30_000;
        for (arguments, devices, kept) in [
            ("-i a1", "a0", SENT),
            ("-i a1 --pcapng", "a0", SENT),
            // 20 files and more, cut within what comes at once.
            ("-i a1 -C 250k -W 1000", "a0", SENT),
            ("-i a1 -i b1", "a0,b0", SENT),
            ("-i a1 -i b1 -U", "a0,b0", SENT),
            ("-i a1 -c 12345", "a0", 12_345),
            ("-i a1 --offset a1=+1s", "a0", SENT),
            // With a filter, and so decoded.
            ("-i a1 udp", "a0", SENT),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let log = folder.path().join("log");
            let arguments = format!("{arguments} -w {}", log.display());
            let mut scope = Scope::start(&net, &arguments);
            scope.says("listening on");
            net.flood(devices, 0, SENT, 200);
            let counted = if kept < SENT { scope.ended() } else { scope.end("-TERM") };
            assert!(counted.0 < END && counted.1 == Some(0), "{counted:?}");
            assert_eq!(scope.counted("packets captured"), u64::from(kept), "{arguments}");
            let names = fs::read_dir(folder.path()).unwrap().count();
            assert!(names == 1 || (arguments.contains("-C") && names > 20), "{names}");
            assert!(saved(folder.path()).into_iter().eq(0..kept), "{arguments}");
            if arguments.contains("--offset") {
                let mut file = pcap::Capture::from_file(&log).unwrap();
                let ts = file.next_packet().unwrap().header.ts.tv_sec;
                let made = fs::metadata(&log).unwrap().created();
                let made = made.unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
                assert!(ts.cast_unsigned() > made, "{ts} {made}");
            }
        }
    });
}

/// A capture of which nothing comes does nothing: under a thousandth of a processor, and no
/// wake-ups, whether it prints or writes. `PFSCOPE_IDLE_SECONDS=60 PFSCOPE_LOAD=target/release/pfscope`
/// looks for longer, and at that program.
#[test]
fn an_idle_capture_sleeps() {
    let Some(net) = Net::new() else { return };
    net.pair("a0", "a1");
    net.pair("b0", "b1");
    let ours = std::env::var("PFSCOPE_LOAD").unwrap_or_else(|_| PFSCOPE.to_owned());
    let ours = fs::canonicalize(ours).unwrap();
    let seconds = std::env::var("PFSCOPE_IDLE_SECONDS").map_or(5, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let log = log.to_str().unwrap();
    for arguments in [
        "-n -i a1 -i b1".to_owned(),
        format!("-i a1 -i b1 -w {log}"),
        format!("-i a1 -i b1 -w {log}ng --pcapng -C 1 --compress zstd udp"),
    ] {
        let mut scope = Scope::of(&net, ours.to_str().unwrap(), &arguments, Stdio::null());
        scope.says("listening on b1");
        net.flood("a0", 0, 10, 100);
        // The last look at the kernel's counters, and the last flush.
        thread::sleep(Duration::from_secs(3));
        let (nanos, switches) = scope.spent();
        thread::sleep(Duration::from_secs(seconds));
        let (nanos, switches) = (scope.spent().0 - nanos, scope.spent().1 - switches);
        let _ = writeln!(
            io::stderr(),
            "idle for {seconds} s: {nanos} ns of CPU, {switches} wake-ups: {arguments}"
        );
        assert!(nanos < seconds * 1_000_000 && switches < 5, "{arguments}: {nanos}, {switches}");
        assert_eq!(scope.end("-INT").1, Some(0));
        assert_eq!(scope.counted("packets captured"), 10);
    }
}

#[test]
fn lists_parts_and_warnings() {
    let Some(net) = Net::new() else { return };
    net.pair("pflog3", "em0");
    let run = |arguments: &str| {
        let output = net.command(PFSCOPE).args(arguments.split(' ')).output().unwrap();
        let (out, err) = (String::from_utf8(output.stdout), String::from_utf8(output.stderr));
        (output.status.code().unwrap(), out.unwrap(), err.unwrap())
    };
    let (_, list, _) = run("-D");
    let line = list.lines().find(|line| line.contains("pflog3")).unwrap();
    assert!(line.ends_with("pflog3 (pflog: packets that pf logged) [Up, Running]"), "{line}");
    let number = line.split('.').next().unwrap();
    let (status, out, err) = run("-L");
    let message =
        "pfscope: -L lists the link types of a device: name it with -i (-D lists devices)\n";
    assert_eq!((status, out.as_str(), err.as_str()), (2, "", message));
    let (_, links, _) = run(&format!("-L -i {number}"));
    assert!(links.contains("  EN10MB (Ethernet)\n"), "{links}");
    assert_eq!(run("-i 4711").0, 1);
    assert!(run("-i 4711").2.starts_with("pfscope: 4711: there is no device with this number"));
    let (status, parts, _) = run("-d -i em0 tcp port 22 and action block");
    assert_eq!(status, 0);
    assert!(parts.starts_with("# the kernel's part for em0, link-type EN10MB:\n(000) "), "{parts}");
    assert!(
        parts.ends_with("passes:\ntcp port 22 and action block\n")
            || parts.ends_with("pass:\ntcp port 22 and action block\n"),
        "{parts}"
    );
    assert!(run("-d -y PFLOG dst port 22").1.contains("# none: every packet passes\n"));
    assert_eq!(run("-y nonsense -d").0, 2);
    let mut scope = Scope::start(&net, "-n -s 40 -i em0");
    scope.says("-s 40 may cut the IP header");
    assert_eq!(scope.end("-INT").1, Some(0));
}

/// What each tool keeps, loses and costs when so many packets a second come. Prints a table.
///
/// `PFSCOPE_LOAD=target/release/pfscope cargo test --release --test live -- --ignored load`
#[test]
#[ignore = "minutes, and of use with a release build"]
fn load() {
    let Some(net) = Net::new() else { return };
    net.pair("a0", "a1");
    let ours = std::env::var("PFSCOPE_LOAD").unwrap_or_else(|_| PFSCOPE.to_owned());
    let ours = fs::canonicalize(ours).unwrap();
    let ours = ours.to_str().unwrap();
    let help = Command::new(ours).arg("--help").output().unwrap().stdout;
    let writes =
        String::from_utf8_lossy(&help).lines().any(|line| line.trim_start().starts_with("-w"));
    let mut runs = vec![
        ("tcpdump", "-n -e -i a1"),
        (ours, "-n -e -i a1"),
        (ours, "--format json -i a1"),
        ("tcpdump", "-n -i a1 -w FILE"),
        (ours, "-n -i a1 -w FILE"),
        ("tcpdump", "-n -i a1 -w /dev/null"),
        (ours, "-n -i a1 -w /dev/null"),
    ];
    if !writes {
        runs.truncate(3);
    }
    let file = std::env::temp_dir().join(format!("pfscope-load-{}", std::process::id()));
    let mut table = String::from(
        "| packets a second sent | command | kept | lost | CPU seconds |\n|---|---|---|---|---|\n",
    );
    for rate in ["20000", "100000", "400000"] {
        for (program, arguments) in &runs {
            let whole = arguments.replace("FILE", file.to_str().unwrap());
            let mut scope = Scope::of(&net, program, &whole, Stdio::null());
            scope.says("listening on");
            let start = Instant::now();
            net.send(&format!("steady a0 5 {rate}"));
            let seconds = start.elapsed().as_secs_f64();
            thread::sleep(Duration::from_secs(1));
            let spent = scope.spent().0 as f64 / 1e9;
            assert_eq!(scope.end("-INT").1, Some(0));
            let _ = fs::remove_file(&file);
            let received = scope.counted("packets received by filter");
            let mut lost = scope.counted("packets dropped by kernel");
            if *program == ours {
                lost += scope.counted("packets dropped by ring");
            }
            let name = Path::new(program).file_name().unwrap().to_str().unwrap();
            let each = received as f64 / seconds.min(5.0);
            let kept = received - lost;
            table +=
                &format!("| {each:.0} | `{name} {arguments}` | {kept} | {lost} | {spent:.2} |\n");
        }
    }
    let _ = writeln!(io::stderr(), "{table}");
}

/// Memory does not grow, however long it runs, and however slow its reader is now and then.
#[test]
#[ignore = "ten minutes"]
fn soak() {
    let Some(net) = Net::new() else { return };
    net.pair("a0", "a1");
    net.pair("b0", "b1");
    let seconds = std::env::var("PFSCOPE_SOAK_SECONDS").map_or(600, |text| text.parse().unwrap());
    let ours = std::env::var("PFSCOPE_LOAD").unwrap_or_else(|_| PFSCOPE.to_owned());
    let ours = fs::canonicalize(ours).unwrap();
    let arguments = "--format json --ring-size 8 -i a1 -i b1 udp";
    let mut scope = Scope::of(&net, ours.to_str().unwrap(), arguments, Stdio::piped());
    let mut stdout = scope.stdout();
    let counts = Arc::new(Mutex::new((0_u64, 0_u64)));
    let kept = Arc::clone(&counts);
    let over = Arc::new(AtomicBool::new(false));
    let done = Arc::clone(&over);
    thread::spawn(move || {
        let (mut reader, mut line) = (BufReader::new(&mut stdout), String::new());
        let mut rested = Instant::now();
        while reader.read_line(&mut line).unwrap_or(0) > 0 {
            let value: Value = serde_json::from_str(&line).unwrap();
            let mut counts = kept.lock().unwrap();
            match value["lost"].as_u64() {
                Some(lost) => counts.1 += lost,
                None => counts.0 += 1,
            }
            drop(counts);
            line.clear();
            if !done.load(Ordering::Relaxed) && rested.elapsed() > Duration::from_secs(8) {
                thread::sleep(Duration::from_secs(4));
                rested = Instant::now();
            }
        }
    });
    let mut resident = Vec::new();
    thread::scope(|threads| {
        for device in ["a0", "b0"] {
            let net = &net;
            threads.spawn(move || net.send(&format!("steady {device} {seconds} 5000")));
        }
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(seconds * 1000 / 20));
            resident.push(scope.resident());
        }
    });
    over.store(true, Ordering::Relaxed);
    let mut before = (0, 0);
    within(120, "the reader", || {
        let last = std::mem::replace(&mut before, *counts.lock().unwrap());
        thread::sleep(Duration::from_secs(5));
        before == last
    });
    assert_eq!(scope.end("-INT").1, Some(0));
    // Each rest of the reader fills the ring; once it has been full, nothing grows.
    let (first, last) = (resident[8..14].iter().max(), resident[14..].iter().max());
    let _ = writeln!(io::stderr(), "resident KiB: {resident:?}\n{}", scope.err());
    assert!(last.unwrap() <= &(first.unwrap() * 11 / 10 + 1024), "{resident:?}");
    assert!(resident.iter().all(|&kib| kib < 64 * 1024), "{resident:?}");
    let (kept, lost) = *counts.lock().unwrap();
    let _ = writeln!(io::stderr(), "printed {kept}, counted as lost {lost}");
    assert_eq!(kept + lost, scope.counted("packets received by filter"));
    assert!(kept > 0);
}
