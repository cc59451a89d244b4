//! `pfscope feed` and what cannot be read again: devices (veth pairs in network namespaces that the
//! tests make, with servers that come and go in them) and standard input. Devices need root and
//! iproute2; says SKIPPED without.
#![cfg(all(feature = "feed", feature = "live", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test may panic anywhere"
)]

#[path = "common/pace.rs"]
mod pace;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pace::{END, in_time};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::Value;

const PFSCOPE: &str = env!("CARGO_BIN_EXE_pfscope");
/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);
const SERVER: &str = "127.0.0.1:8080";
const METRICS: &str = "127.0.0.1:9108";

fn ip(arguments: &str) -> bool {
    let run = Command::new("ip").args(arguments.split(' ')).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

fn within<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = done() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A network namespace with a pair of devices, `v0` and `v1`, and the loopback address; and a
/// folder.
struct Net {
    name: String,
    folder: tempfile::TempDir,
}

impl Net {
    /// `None`, said aloud, where none can be made.
    fn new() -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("pfscope-feed-{}-{number}", std::process::id());
        if !ip(&format!("netns add {name}")) {
            // Not by a macro: the test runner would keep that to itself.
            let _ =
                writeln!(io::stderr(), "SKIPPED: no network namespace (root and ip are needed)");
            return None;
        }
        let net = Self { name, folder: tempfile::tempdir().unwrap() };
        for which in ["all", "default"] {
            let quiet = format!("echo 1 > /proc/sys/net/ipv6/conf/{which}/disable_ipv6");
            assert!(net.command("sh").args(["-c", &quiet]).status().unwrap().success());
        }
        net.pair("v0", "v1");
        assert!(ip(&format!("-n {} link set lo up", net.name)));
        Some(net)
    }

    fn pair(&self, one: &str, other: &str) {
        let ns = &self.name;
        assert!(ip(&format!("-n {ns} link add {one} type veth peer name {other}")));
        for name in [one, other] {
            assert!(ip(&format!("-n {ns} link set {name} arp off up")));
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// A command within. The process that is started becomes the command.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Runs something on a thread within.
    fn inside<T: Send + 'static>(&self, run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        let path = format!("/run/netns/{}", self.name);
        thread::spawn(move || {
            let file = File::open(path).unwrap();
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            run()
        })
    }

    /// Sends frames with these numbers to v1, which v0 gets.
    fn send(&self, numbers: std::ops::Range<u32>) {
        self.send_to("v1", numbers);
    }

    fn send_to(&self, device: &str, numbers: std::ops::Range<u32>) {
        let device = device.to_owned();
        let sent = self.inside(move || {
            let mut device = pcap::Capture::from_device(&*device).unwrap().open().unwrap();
            for (nth, n) in numbers.enumerate() {
                device.sendpacket(frame(n)).unwrap();
                if nth % 2000 == 1999 {
                    // A sender that never rests is not what is tested.
                    thread::sleep(Duration::from_millis(10));
                }
            }
        });
        sent.join().unwrap();
    }

    /// A counter of an output, from the metrics.
    fn metric(&self, output: &str, name: &str) -> u64 {
        let read = self.inside(|| {
            let mut text = String::new();
            let mut stream = TcpStream::connect(METRICS).ok()?;
            stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").ok()?;
            stream.read_to_string(&mut text).ok()?;
            Some(text)
        });
        let text = read.join().unwrap().unwrap_or_default();
        let key = format!("pfscope_feed_{name}{{output=\"{output}\"}} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&key));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// A feed of v0 with the state folder, whose outputs stand in `more`.
    fn configure(&self, more: &str) {
        let text = format!(
            "state_dir = {:?}\nobserver = \"fw1\"\nmetrics = \"{METRICS}\"\n\
             [[source]]\ndevice = \"v0\"\n{more}",
            self.path("state"),
        );
        fs::write(self.path("feed.toml"), text).unwrap();
    }

    fn start(&self) -> Run {
        let mut command = self.command(PFSCOPE);
        command.args(["feed", "--config", &self.text("feed.toml")]);
        Run::start(command, "listening on v0")
    }

    /// The events in a file, without notices.
    fn events(&self, file: &str) -> Vec<Value> {
        packets(&lines(&fs::read_to_string(self.path(file)).unwrap_or_default()))
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        ip(&format!("netns del {}", self.name));
    }
}

/// UDP over IPv4 over Ethernet; the source address is the number.
fn frame(number: u32) -> Vec<u8> {
    let mut frame = vec![1, 0, 0x5e, 0, 0, 0xf0, 2, 0, 0, 0, 0, 1, 8, 0];
    frame.extend([0x45, 0, 0, 28, 0, 0, 0x40, 0, 255, 17, 0, 0]);
    frame.extend(((10 << 24) | number & 0xff_ffff).to_be_bytes());
    frame.extend([224, 0, 0, 240, 0, 7, 0x27, 0x0f, 0, 8, 0, 0]);
    frame
}

/// The number of a packet, of an ECS document.
fn number(event: &Value) -> u32 {
    let ip: std::net::Ipv4Addr = event["source"]["ip"].as_str().unwrap().parse().unwrap();
    u32::from_be_bytes(ip.octets()) & 0xff_ffff
}

fn numbers(events: &[Value]) -> Vec<u32> {
    events.iter().map(number).collect()
}

fn sequences(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["event"]["sequence"].as_u64().unwrap()).collect()
}

fn ids(events: &[Value]) -> BTreeSet<String> {
    events.iter().map(|event| event["event"]["id"].as_str().unwrap().to_owned()).collect()
}

fn lines(text: &str) -> Vec<Value> {
    // The last line may be half written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn packets(events: &[Value]) -> Vec<Value> {
    let is_packet = |event: &&Value| event["event"]["dataset"] != "pf.notice";
    events.iter().filter(is_packet).cloned().collect()
}

/// A feed that runs; killed if its test fails.
struct Run {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Run {
    /// Starts it and waits for words on standard error.
    fn start(mut command: Command, words: &str) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (mut pipe, said) = (child.stderr.take().unwrap(), Arc::<Mutex<String>>::default());
        let kept = Arc::clone(&said);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = pipe.read(&mut buffer) {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..n]));
            }
        });
        let mut run = Self { child, said };
        within(words, || {
            assert!(run.child.try_wait().unwrap().is_none(), "it ended: {}", run.said());
            run.said().contains(words).then_some(())
        });
        run
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    fn says(&self, words: &str) {
        within(words, || self.said().contains(words).then_some(()));
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Ends it; how long that took, and its status.
    fn end(mut self, signal: &str) -> (Duration, Option<i32>) {
        let start = Instant::now();
        self.signal(signal);
        let status = self.child.wait().unwrap();
        (start.elapsed(), status.code())
    }

    /// Its greatest resident memory so far, in KiB. The pages of a program that was built to be
    /// debugged are no measure: they are left out.
    fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let of = |key: &str| -> u64 {
            let line = status.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        of("VmHWM:") - if cfg!(debug_assertions) { of("RssFile:") } else { 0 }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What an HTTP server got, however often it was up.
#[derive(Clone, Default)]
struct Got(Arc<Mutex<String>>);

impl Got {
    fn events(&self) -> Vec<Value> {
        lines(&self.0.lock().unwrap())
    }

    fn packets(&self) -> Vec<Value> {
        packets(&self.events())
    }

    fn wait_for(&self, count: usize) -> Vec<Value> {
        within(&format!("{count} packets"), || {
            let got = self.packets();
            (got.len() >= count).then_some(got)
        })
    }
}

/// An HTTP server while it is up: nobody listens once it is dropped.
struct Server {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn up(net: &Net, got: &Got) -> Self {
        let (got, stop) = (got.clone(), Arc::new(AtomicBool::new(false)));
        let own = Arc::clone(&stop);
        let thread = net.inside(move || {
            let address: SocketAddr = SERVER.parse().unwrap();
            let listener = within("the address", || TcpListener::bind(address).ok());
            listener.set_nonblocking(true).unwrap();
            while !own.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => serve(stream, &got, &own),
                    Err(_) => thread::sleep(Duration::from_millis(10)),
                }
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
    }
}

/// Takes the requests of a connection, one at a time, until the stop.
fn serve(stream: TcpStream, got: &Got, stop: &AtomicBool) {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while !stop.load(Ordering::Relaxed) {
        // Between requests the wait is over now and then.
        match reader.fill_buf() {
            Ok([]) => return,
            Ok(_) => {}
            Err(_) => continue,
        }
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        got.0.lock().unwrap().push_str(&String::from_utf8(body).unwrap());
        if stream.write_all(b"HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n").is_err() {
            return;
        }
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    }
}

const HTTP: &str = "[[output.http]]\nname = \"http\"\nurl = \"http://127.0.0.1:8080/\"\n\
                    format = \"ecs\"\nlinger = \"100ms\"\n";

fn to_file(net: &Net, name: &str) -> String {
    let path = net.path(name);
    format!("[[output.file]]\nname = \"{name}\"\npath = {path:?}\nformat = \"ecs\"\n")
}

#[test]
fn a_server_that_comes_and_goes_gets_every_packet_once_and_in_order() {
    in_time(|| {
        let Some(net) = Net::new() else { return };
        net.configure(HTTP);
        let (run, got) = (net.start(), Got::default());
        net.send(0..1000);
        within("the spool", || (net.metric("http", "spool_events") >= 1000).then_some(()));
        run.says("Connection refused");
        let server = Server::up(&net, &got);
        got.wait_for(1000);
        net.send(1000..2000);
        got.wait_for(2000);
        drop(server);
        net.send(2000..3000);
        let _server = Server::up(&net, &got);
        let events = got.wait_for(3000);
        assert_eq!(numbers(&events), (0..3000).collect::<Vec<_>>());
        assert_eq!(sequences(&events), (1..=3000).collect::<Vec<_>>());
        assert_eq!(ids(&events).len(), 3000);
        within("the spool is empty", || (net.metric("http", "spool_events") == 0).then_some(()));
        assert_eq!(net.metric("http", "received_total"), 3000);
        assert_eq!(net.metric("http", "dropped_total"), 0);
        run.says("works again");
        let (took, status) = run.end("-TERM");
        assert!(took < END && status == Some(0), "{took:?}, {status:?}");
    });
}

#[test]
fn what_is_in_the_spool_outlives_kill_and_the_numbers_go_on() {
    let Some(net) = Net::new() else { return };
    net.configure(HTTP);
    let (run, got) = (net.start(), Got::default());
    net.send(0..1000);
    // This is the promise: what is in the spool.
    within("the spool", || (net.metric("http", "spool_events") >= 1000).then_some(()));
    run.end("-KILL");
    let run = net.start();
    net.send(1000..1500);
    within("the spool", || (net.metric("http", "spool_events") >= 1500).then_some(()));
    let server = Server::up(&net, &got);
    let events = got.wait_for(1500);
    assert_eq!(numbers(&events), (0..1500).collect::<Vec<_>>());
    assert_eq!(sequences(&events), (1..=1500).collect::<Vec<_>>());
    // While it works, too: what was acknowledged shortly before may come twice, as it was.
    net.send(1500..2500);
    got.wait_for(2000);
    run.end("-KILL");
    let run = net.start();
    net.send(2500..3000);
    within("the last one", || {
        got.packets().iter().any(|event| number(event) == 2999).then_some(())
    });
    let events = got.packets();
    let mut once = std::collections::BTreeMap::new();
    for event in &events {
        let id = event["event"]["id"].as_str().unwrap();
        let before = once.insert(id.to_owned(), event.clone());
        assert!(before.is_none_or(|before| before == *event), "twice, and not the same: {event}");
    }
    let sent: BTreeSet<u64> = sequences(&events).into_iter().collect();
    assert!(sent.iter().copied().eq(1..=sent.len() as u64), "a gap");
    let numbers: BTreeSet<u32> = numbers(&events).into_iter().collect();
    assert_eq!(numbers.len(), sent.len(), "a number for two packets");
    // What had not reached the spool when it was killed: a moment's packets, the last sent.
    let lost = 3000 - numbers.len();
    assert!(lost < 1000 && (0..1500).chain(2500..3000).all(|n| numbers.contains(&n)), "{lost}");
    drop(server);
    assert_eq!(run.end("-TERM").1, Some(0));
}

#[test]
fn an_output_that_is_down_holds_up_no_other() {
    in_time(|| {
        let Some(net) = Net::new() else { return };
        let only =
            "[[output.file]]\nname = \"odd\"\nformat = \"json\"\nfilter = \"src host 10.0.0.7\"\n";
        let more = format!("{HTTP}{}{only}path = {:?}\n", to_file(&net, "file"), net.path("odd"));
        net.configure(&more);
        let run = net.start();
        net.send(0..5000);
        within("the file", || (net.events("file").len() >= 5000).then_some(()));
        assert_eq!(numbers(&net.events("file")), (0..5000).collect::<Vec<_>>());
        let odd = fs::read_to_string(net.path("odd")).unwrap();
        assert_eq!(odd.matches("\"src\":\"10.0.0.7\"").count(), 1, "a filter of its own: {odd}");
        within("the spool", || (net.metric("http", "spool_events") >= 5000).then_some(()));
        // What is there when the end comes is in the spool, or acknowledged.
        net.send(5000..6000);
        let (took, status) = run.end("-TERM");
        assert!(took < END && status == Some(0), "{took:?}, {status:?}");
        assert_eq!(numbers(&net.events("file")), (0..6000).collect::<Vec<_>>());
        let (got, run) = (Got::default(), net.start());
        let _server = Server::up(&net, &got);
        assert_eq!(numbers(&got.wait_for(6000)), (0..6000).collect::<Vec<_>>());
        assert_eq!(run.end("-TERM").1, Some(0));
    });
}

#[test]
fn a_full_spool_drops_the_oldest_counts_it_and_says_so() {
    let Some(net) = Net::new() else { return };
    net.configure(&format!("{HTTP}spool = \"1MiB\"\n"));
    let (run, got) = (net.start(), Got::default());
    net.send(0..5000);
    within("all are read", || (net.metric("http", "received_total") >= 5000).then_some(()));
    let dropped = within("the dropped", || {
        let dropped = net.metric("http", "dropped_total");
        (dropped > 1000).then_some(dropped)
    });
    assert!(net.metric("http", "spool_bytes") <= 1 << 20);
    let files = fs::read_dir(net.path("state/http.spool")).unwrap();
    let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= (1 << 20) + 4096, "{bytes}");
    // The loss is told behind what was there by then.
    thread::sleep(Duration::from_secs(1));
    let _server = Server::up(&net, &got);
    let events = within("the last one and the notice", || {
        let events = got.events();
        let last = packets(&events).last().is_some_and(|event| number(event) == 4999);
        let told = events.iter().any(|event| event["event"]["action"] == "capture-loss");
        (last && told).then_some(events)
    });
    // What was in hand when the spool ran over, what was gathered while it did, and what is left of it:
    // all else is lost, and counted.
    let left = packets(&events);
    let (numbers, lost) = (numbers(&left), 5000 - left.len() as u64);
    assert!(numbers.is_sorted() && ids(&left).len() == left.len());
    let counted: Vec<_> = numbers.iter().map(|&number| u64::from(number) + 1).collect();
    assert_eq!(sequences(&left), counted);
    // Notices of the feed may have been dropped with them.
    let notices = events.iter().filter(|event| !event["pf"]["feed"].is_null());
    let notices = sequences(&notices.cloned().collect::<Vec<_>>());
    let missing = notices.iter().max().unwrap() - notices.len() as u64;
    let now = net.metric("http", "dropped_total");
    assert!(now >= dropped && now == lost + missing, "{now}, {lost}, {missing}");
    let told = events.iter().rfind(|event| event["event"]["action"] == "capture-loss").unwrap();
    assert_eq!(told["pf"]["feed"]["dropped"].as_u64(), Some(now), "{told}");
    assert!(told["message"].as_str().unwrap().contains("were lost"), "{told}");
    assert_eq!(run.end("-TERM").1, Some(0));
}

/// A file system that is full; unmounted with the test.
struct Full(PathBuf);

impl Full {
    fn new(path: PathBuf) -> Self {
        fs::create_dir(&path).unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=1M", "none", path.to_str().unwrap()];
        assert!(Command::new("mount").args(mount).status().unwrap().success());
        Self(path)
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_nobody_who_takes_what_comes() {
    let Some(net) = Net::new() else { return };
    let disk = Full::new(net.path("state"));
    net.configure(&format!("{HTTP}{}", to_file(&net, "file")));
    let (run, got) = (net.start(), Got::default());
    net.send(0..5000);
    run.says("the spool cannot be written: No space left on device");
    within("the file", || (net.events("file").len() >= 5000).then_some(()));
    net.send(5000..10_000);
    within("the file", || (net.events("file").len() >= 10_000).then_some(()));
    assert_eq!(numbers(&net.events("file")), (0..10_000).collect::<Vec<_>>());
    assert_eq!(sequences(&net.events("file")), (1..=10_000).collect::<Vec<_>>());
    assert_eq!(net.metric("file", "dropped_total"), 0);
    // What had no room on the disk waits in memory.
    let _server = Server::up(&net, &got);
    let lost = || net.metric("http", "dropped_total");
    let events = within("all are sent or counted", || {
        let events = got.packets();
        (events.len() as u64 + lost() >= 10_000).then_some(events)
    });
    assert!(sequences(&events).is_sorted() && ids(&events).len() == events.len());
    // Once there is room again the disk has what comes.
    within("the spool is empty", || (net.metric("http", "spool_events") == 0).then_some(()));
    net.send(10_000..10_010);
    within("the next", || got.packets().iter().any(|e| number(e) == 10_009).then_some(()));
    assert_eq!(run.end("-TERM").1, Some(0));
    drop(disk);
}

#[test]
fn a_reload_costs_no_packet() {
    let Some(net) = Net::new() else { return };
    net.configure(&to_file(&net, "first"));
    let run = net.start();
    net.send(0..1000);
    within("the file", || (net.events("first").len() >= 1000).then_some(()));
    let both = format!("{}{}", to_file(&net, "first"), to_file(&net, "second"));
    thread::scope(|scope| {
        let sender = scope.spawn(|| (1..40).for_each(|n| net.send(n * 1000..(n + 1) * 1000)));
        net.configure(&both);
        run.signal("-HUP");
        run.says("the configuration was read again");
        // One that is wrong changes nothing.
        net.configure("[[source]]\ndevice = \"nowhere0\"\n[[output.stdout]]\nname = \"x\"\n");
        run.signal("-HUP");
        run.says("goes on as before: source nowhere0: nowhere0: ");
        sender.join().unwrap();
    });
    within("the file", || (net.events("first").len() >= 40_000).then_some(()));
    let first = net.events("first");
    assert_eq!(numbers(&first), (0..40_000).collect::<Vec<_>>());
    assert_eq!(sequences(&first), (1..=40_000).collect::<Vec<_>>());
    // The new one gets all from the reload on.
    let second = within("the other file", || {
        let second = net.events("second");
        (second.last().map(number) == Some(39_999)).then_some(second)
    });
    assert!(numbers(&second).iter().copied().eq(number(&second[0])..40_000));
    assert_eq!(sequences(&second), (1..=second.len() as u64).collect::<Vec<_>>());
    assert_eq!(run.end("-TERM").1, Some(0));
}

#[test]
fn what_the_kernel_drops_is_counted_and_told_in_its_place() {
    let Some(net) = Net::new() else { return };
    let file = to_file(&net, "file");
    net.configure(&format!("buffer = \"1MiB\"\n{file}"));
    let run = net.start();
    net.send(0..100);
    within("the file", || (net.events("file").len() >= 100).then_some(()));
    run.signal("-STOP");
    net.send(100..30_000);
    run.signal("-CONT");
    let lost = |name: &str| net.metric("file", &format!("{name}_total"));
    let lost = || lost("kernel_dropped") + lost("ring_dropped") + lost("dropped");
    within("all are delivered or counted", || {
        (net.events("file").len() as u64 + lost() == 30_000).then_some(())
    });
    assert!(lost() > 0, "the kernel's buffer had room for all");
    let text = fs::read_to_string(net.path("file")).unwrap();
    let all = lines(&text);
    let told = all.iter().find(|event| event["pf"]["capture"]["where"] == "kernel").unwrap();
    assert_eq!(
        told["pf"]["capture"]["lost"].as_u64(),
        Some(net.metric("file", "kernel_dropped_total"))
    );
    // It has a number in the stream, as the packets around it.
    let of_stream = all.iter().filter(|event| event["pf"]["feed"].is_null());
    let numbers: Vec<_> = sequences(&of_stream.cloned().collect::<Vec<_>>());
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!(run.end("-TERM").1, Some(0));
}

#[test]
fn a_device_that_goes_and_comes_back_is_told_of_and_read_on() {
    let Some(net) = Net::new() else { return };
    net.configure(&to_file(&net, "file"));
    let run = net.start();
    net.send(0..10);
    within("the file", || (net.events("file").len() >= 10).then_some(()));
    assert!(ip(&format!("-n {} link del v0", net.name)));
    let told = |action: &str| {
        within(action, || {
            let text = fs::read_to_string(net.path("file")).unwrap();
            text.contains(&format!("\"action\":\"{action}\"")).then_some(())
        });
    };
    told("capture-gone");
    net.pair("v0", "v1");
    told("capture-reopen");
    net.send(10..20);
    within("the file", || (net.events("file").len() >= 20).then_some(()));
    assert_eq!(numbers(&net.events("file")), (0..20).collect::<Vec<_>>());
    assert_eq!(run.end("-TERM").1, Some(0));
}

/// 128 MiB whatever the outage, with the default settings: the issue's bound.
#[test]
fn an_outage_costs_disk_and_not_memory() {
    in_time(|| {
        let Some(net) = Net::new() else { return };
        let down = |name: &str| HTTP.replacen("name = \"http\"", &format!("name = \"{name}\""), 1);
        net.configure(&format!("{}{}{}", down("http"), down("other"), to_file(&net, "file")));
        let run = net.start();
        let packets = if cfg!(debug_assertions) { 60_000 } else { 300_000 };
        net.send(0..packets);
        let all = u64::from(packets);
        let taken = || {
            let of = |output| {
                net.metric(output, "received_total")
                    + net.metric(output, "kernel_dropped_total")
                    + net.metric(output, "ring_dropped_total")
            };
            of("http") >= all && of("other") >= all
        };
        within("all", || taken().then_some(()));
        assert!(net.metric("http", "spool_bytes") > 10 << 20);
        let peak = run.peak();
        let _ = writeln!(io::stderr(), "a device, two outputs down: {peak} KiB at most");
        assert!(peak < 128 * 1024, "{peak} KiB");
        let (took, status) = run.end("-TERM");
        assert!(took < END && status == Some(0), "{took:?}, {status:?}");
    });
}

#[test]
fn an_outage_costs_no_memory_where_a_file_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let packets = if cfg!(debug_assertions) { 60_000 } else { 1_000_000 };
    fs::write(path("log"), capture(0..packets)).unwrap();
    // Nobody listens there.
    let down = HTTP.replacen("8080", "1", 1);
    let other = down.replacen("name = \"http\"", "name = \"other\"", 1);
    let text = format!(
        "state_dir = {:?}\n[[source]]\nfile = {:?}\n{down}{other}[[output.file]]\n\
         name = \"file\"\nformat = \"ecs\"\npath = {:?}\n",
        path("state"),
        path("log"),
        path("out"),
    );
    fs::write(path("feed.toml"), text).unwrap();
    let mut command = Command::new(PFSCOPE);
    command.args(["feed", "--config", path("feed.toml").to_str().unwrap()]);
    let run = Run::start(command, "Connection refused");
    let last = format!("\"ip\":\"{}\"", std::net::Ipv4Addr::from((10 << 24) | (packets - 1)));
    within("the file", || {
        let mut file = File::open(path("out")).ok()?;
        let start = file.metadata().unwrap().len().saturating_sub(4096);
        io::Seek::seek(&mut file, io::SeekFrom::Start(start)).unwrap();
        let mut end = Vec::new();
        file.read_to_end(&mut end).unwrap();
        String::from_utf8_lossy(&end).contains(&last).then_some(())
    });
    let peak = run.peak();
    let _ = writeln!(io::stderr(), "a file, two outputs down: {peak} KiB at most");
    assert!(peak < 128 * 1024, "{peak} KiB");
    assert_eq!(run.end("-TERM").1, Some(0));
}

#[test]
fn the_options_take_a_device_and_a_filter() {
    let Some(net) = Net::new() else { return };
    let mut command = net.command(PFSCOPE);
    let to = format!("file:{}", net.text("out"));
    command.args(["feed", "-i", "v0", "--format", "ecs", "--no-notices", "--to", &to]);
    command.args(["src", "host", "10.0.0.3"]);
    let run = Run::start(command, "listening on v0");
    net.send(0..10);
    within("the file", || (net.events("out").len() == 1).then_some(()));
    assert_eq!(number(&net.events("out")[0]), 3);
    assert_eq!(run.end("-TERM").1, Some(0));
    let mut once = Command::new(PFSCOPE);
    let once = once.args(["feed", "-i", "v0", "--once", "--to", "stdout"]).output().unwrap();
    assert_eq!(once.status.code(), Some(2));
}

/// A capture of the frames with these numbers.
fn capture(numbers: std::ops::Range<u32>) -> Vec<u8> {
    let mut out =
        [&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0][..], &[0; 8], &[0, 0, 4, 0], &[1, 0, 0, 0]].concat();
    for n in numbers {
        let frame = frame(n);
        let len = u32::try_from(frame.len()).unwrap();
        out.extend([n / 1_000_000, n % 1_000_000, len, len].map(u32::to_le_bytes).concat());
        out.extend(frame);
    }
    out
}

#[test]
fn standard_input_reaches_all_outputs_and_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    for state in [true, false] {
        let mut command = Command::new(PFSCOPE);
        command.args(["feed", "-r", "-", "--once", "--format", "ecs", "--no-notices"]);
        let (out, state_dir) = (path(&format!("out-{state}")), path("state"));
        command.args(["--to", &format!("file:{out}"), "--to", &url]);
        if state {
            command.args(["--state-dir", &state_dir]);
        }
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let written = thread::spawn(move || stdin.write_all(&capture(0..6000)));
        // The server is slow to come, and the file does not wait for it.
        within("the file", || {
            let text = fs::read_to_string(&out).unwrap_or_default();
            (text.lines().count() >= 2000).then_some(())
        });
        let (got, stop) = (Got::default(), AtomicBool::new(false));
        listener.set_nonblocking(true).unwrap();
        within("the end", || {
            if let Ok((stream, _)) = listener.accept() {
                serve(stream, &got, &stop);
            }
            child.try_wait().unwrap()
        });
        written.join().unwrap().unwrap();
        for events in [got.packets(), lines(&fs::read_to_string(&out).unwrap())] {
            assert_eq!(numbers(&events), (0..6000).collect::<Vec<_>>());
            assert_eq!(sequences(&events), (1..=6000).collect::<Vec<_>>());
        }
    }
}
