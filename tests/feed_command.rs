//! `pfscope feed`, by the program as a user runs it: files to files and servers that come and go,
//! ends of every kind, each event once in the end.
#![cfg(feature = "feed")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A capture of UDP packets, each of another microsecond.
fn pcap(range: std::ops::Range<u32>) -> Vec<u8> {
    let mut out =
        [&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0][..], &[0; 8], &[0, 0, 4, 0], &[101, 0, 0, 0]]
            .concat();
    out.extend(records(range));
    out
}

fn records(range: std::ops::Range<u32>) -> Vec<u8> {
    let record = |n: u32| {
        let head = [n / 1_000_000, n % 1_000_000, 28, 28].map(u32::to_le_bytes).concat();
        let ip = [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 198, 51, 100, 20, 192, 0, 2, 10];
        [&head[..], &ip, &[0, 1, 0, 2, 0, 8, 0, 0]].concat()
    };
    range.flat_map(record).collect()
}

/// A folder with a log in it.
struct Room {
    folder: tempfile::TempDir,
}

impl Room {
    fn new(log: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("log"), log).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// A feed from the log to the output, with the state folder.
    fn feed(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pfscope"));
        let (log, state) = (self.text("log"), self.text("state"));
        command.args(["feed", "-r", &log, "--state-dir", &state, "--observer", "fw1"]);
        command.args(arguments).stdin(Stdio::null());
        command
    }

    fn once(&self, arguments: &[&str]) -> Output {
        self.feed(&[&["--once"], arguments].concat()).output().unwrap()
    }

    fn to_file(&self) -> String {
        format!("file:{}", self.text("out"))
    }

    /// The events in the output, without notices.
    fn events(&self) -> Vec<Value> {
        events(&fs::read_to_string(self.path("out")).unwrap_or_default())
    }

    fn wait_for(&self, count: usize) -> Vec<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let events = self.events();
            if events.len() >= count {
                return events;
            }
            assert!(Instant::now() < until, "{} of {count} events came", events.len());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn events(text: &str) -> Vec<Value> {
    // The last line may be half written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let all = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|event| event["event"]["dataset"] != "pf.notice").collect()
}

fn sequences(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["event"]["sequence"].as_u64().unwrap()).collect()
}

fn ids(events: &[Value]) -> BTreeSet<String> {
    events.iter().map(|event| event["event"]["id"].as_str().unwrap().to_owned()).collect()
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A feed that runs; killed if its test fails.
struct Run(Child);

impl Run {
    fn start(mut command: Command) -> Self {
        Self(command.stderr(Stdio::piped()).spawn().unwrap())
    }

    fn signal(&self, signal: &str) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Ends it; its status and what it said.
    fn end(mut self, signal: &str) -> (Option<i32>, String) {
        self.signal(signal);
        let status = self.0.wait().unwrap();
        let mut said = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status.code(), said)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_file_is_delivered_once_and_numbered_without_gaps() {
    let room = Room::new(&pcap(0..5000));
    let to = room.to_file();
    let output = room.once(&["--to", &to, "--format", "ecs", "src port 1"]);
    assert!(output.status.success(), "{}", error(&output));
    let first = room.events();
    assert_eq!(sequences(&first), (1..=5000).collect::<Vec<_>>());
    assert_eq!(ids(&first).len(), 5000);
    // Nothing is new: nothing is sent again.
    assert!(room.once(&["--to", &to, "--format", "ecs", "src port 1"]).status.success());
    assert_eq!(room.events().len(), 5000);
    // What was added comes, numbered on.
    let log = [pcap(0..5000), records(5000..5003)].concat();
    fs::write(room.path("log"), log).unwrap();
    assert!(room.once(&["--to", &to, "--format", "ecs", "src port 1"]).status.success());
    assert_eq!(sequences(&room.events())[5000..], [5001, 5002, 5003]);
}

#[test]
fn a_filter_leaves_no_gap_and_a_wrong_one_is_said() {
    let room = Room::new(&pcap(0..10));
    let to = room.to_file();
    let output = room.once(&["--to", &to, "--format", "ecs", "src port 2"]);
    assert!(output.status.success());
    assert_eq!(room.events().len(), 0);
    let state = fs::read_to_string(room.path("state/file.json")).unwrap();
    let state: Value = serde_json::from_str(&state).unwrap();
    assert_eq!(state[room.text("log")]["sequence"], 1);
    let wrong = room.once(&["--to", &to, "prot tcp"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(error(&wrong).contains("output file: wrong filter"), "{}", error(&wrong));
}

#[test]
fn a_followed_log_goes_on_after_sigterm_and_kill() {
    let room = Room::new(&pcap(0..1000));
    let to = room.to_file();
    let follow = || Run::start(room.feed(&["--follow", "--to", &to, "--format", "ecs"]));
    let append = |range| {
        let mut log = fs::OpenOptions::new().append(true).open(room.path("log")).unwrap();
        log.write_all(&records(range)).unwrap();
    };
    let run = follow();
    room.wait_for(1000);
    let (status, said) = run.end("-TERM");
    assert_eq!(status, Some(0), "{said}");
    append(1000..2000);
    let run = follow();
    room.wait_for(2000);
    assert_eq!(room.events().len(), 2000, "SIGTERM leaves nothing to send again");
    run.end("-KILL");
    append(2000..2500);
    fs::rename(room.path("log"), room.path("log.0")).unwrap();
    fs::write(room.path("log"), pcap(2500..3000)).unwrap();
    let run = follow();
    let until = Instant::now() + PATIENCE;
    while ids(&room.events()).len() < 3000 {
        assert!(Instant::now() < until, "{} events", ids(&room.events()).len());
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(run.end("-TERM").0, Some(0));
    let numbers: BTreeSet<u64> = sequences(&room.events()).into_iter().collect();
    assert!(numbers.into_iter().eq(1..=3000), "no gap, and what came twice has the same number");
}

#[test]
fn once_reads_what_was_just_rotated_and_what_came_after() {
    let room = Room::new(&pcap(100..120));
    fs::write(room.path("log.0"), pcap(0..100)).unwrap();
    let to = room.to_file();
    let output = room.once(&["--follow", "--from-start", "--to", &to, "--format", "ecs"]);
    assert!(output.status.success(), "{}", error(&output));
    assert_eq!(sequences(&room.events()), (1..=120).collect::<Vec<_>>());
}

#[test]
fn a_server_that_was_down_gets_all_in_order() {
    let room = Room::new(&pcap(0..300));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}/in");
    let run = Run::start(room.feed(&["--once", "--to", &url, "--format", "ecs"]));
    thread::sleep(Duration::from_millis(700));
    let listener = TcpListener::bind(address).unwrap();
    // 503 first, then a refusal of all that has the number 7, then what comes is taken.
    let (mut got, mut busy) = (String::new(), true);
    let until = Instant::now() + PATIENCE;
    listener.set_nonblocking(true).unwrap();
    let mut run = run;
    while run.0.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "it does not end");
        let Ok((stream, _)) = listener.accept() else {
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        serve(stream, |body| {
            if std::mem::take(&mut busy) {
                return 503;
            }
            if body.contains("\"sequence\":7}") || body.contains("\"sequence\":7,") {
                return 400;
            }
            got.push_str(body);
            200
        });
    }
    assert_eq!(run.0.wait().unwrap().code(), Some(1), "something was refused");
    let numbers = sequences(&events(&got));
    assert!(numbers.iter().copied().eq((1..=300).filter(|&n| n != 7)), "{numbers:?}");
    let dead = fs::read_to_string(room.path("state/http.dead.ndjson")).unwrap();
    // The stream of notices has numbers of its own.
    let letter: Value = serde_json::from_str(dead.lines().next().unwrap()).unwrap();
    assert_eq!((dead.lines().count(), letter["output"].as_str()), (1, Some("http")));
    assert!(letter["reason"].as_str().unwrap().contains("400"));
}

/// Answers the requests of a connection.
fn serve(stream: TcpStream, mut status_of: impl FnMut(&str) -> u16) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
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
        reader.read_exact(&mut body).unwrap();
        let status = status_of(&String::from_utf8(body).unwrap());
        let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n");
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn a_corrupt_checkpoint_is_kept_aside_and_all_is_sent_again() {
    let room = Room::new(&pcap(0..10));
    let to = room.to_file();
    fs::create_dir(room.path("state")).unwrap();
    fs::write(room.path("state/file.json"), "{\"log\":").unwrap();
    let output = room.once(&["--to", &to, "--format", "ecs"]);
    assert!(output.status.success() && error(&output).contains("file.bad"), "{}", error(&output));
    assert_eq!(room.events().len(), 10);
}

#[test]
fn two_feeds_do_not_share_a_state_folder() {
    let room = Room::new(&pcap(0..10));
    let to = room.to_file();
    let run = Run::start(room.feed(&["--follow", "--to", &to, "--format", "ecs"]));
    room.wait_for(10);
    let second = room.once(&["--to", &to]);
    assert_eq!(second.status.code(), Some(1));
    assert!(error(&second).contains("another feed uses it"), "{}", error(&second));
    assert_eq!(run.end("-TERM").0, Some(0));
}

fn config(room: &Room, more: &str) {
    let text = format!(
        "state_dir = {:?}\nobserver = \"fw1\"\nheartbeat = \"200ms\"\n[[source]]\nfile = {:?}\n\
         follow = true\n[[output.file]]\nname = \"file\"\nformat = \"ecs\"\npath = {:?}\n{more}",
        room.path("state"),
        room.path("log"),
        room.path("out"),
    );
    fs::write(room.path("feed.toml"), text).unwrap();
}

fn with_config(room: &Room, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pfscope"));
    command.args(["feed", "--config", &room.text("feed.toml")]).args(arguments);
    command.stdin(Stdio::null());
    command
}

#[test]
fn check_says_what_works_and_sends_nothing() {
    let room = Room::new(&pcap(0..10));
    config(&room, "[[output.http]]\nname = \"down\"\nurl = \"http://127.0.0.1:1/\"\n");
    let output = with_config(&room, &["--check"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("output file: ok\n") && said.contains("output down: http://127.0.0.1:1/: "),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(!room.path("out").exists());
    config(&room, "colour = 1\n");
    let output = with_config(&room, &["--check"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        error(&output).contains("feed.toml: line 11, column 1: unknown field `colour`"),
        "{}",
        error(&output)
    );
}

#[test]
fn a_wrong_configuration_is_wrong_usage_and_nothing_is_delivered() {
    let room = Room::new(&pcap(0..10));
    let file = |more: &str| format!("[[output.file]]\nname = \"x\"\n{more}\n");
    for (more, expected) in [
        (
            file("path = \"x\"\nfilter = \"prot tcp\""),
            "line 14, column 10: wrong filter:\n  prot tcp\n",
        ),
        (
            file("path = \"x\"\nfilter = \"label web\""),
            "output x: the filter's 'label' needs a ruleset",
        ),
        (file("path = \"x\"\nkeep = 3"), "output x: keep and compress need rotate_size"),
        (file(&format!("path = {:?}", room.path("out"))), "output file and output x share "),
        (file(&format!("path = {:?}", room.path("log"))), "and output x share "),
    ] {
        config(&room, &more);
        for arguments in [&["--check"][..], &["--once"]] {
            let output = with_config(&room, arguments).output().unwrap();
            let said = error(&output);
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(said.starts_with("pfscope: ") && said.contains(expected), "{said}");
        }
    }
    assert!(!room.path("out").exists());
}

#[test]
fn frames_are_counted_on_from_run_to_run() {
    let room = Room::new(&pcap(0..100));
    let to = room.to_file();
    let once = || room.once(&["--follow", "--to", &to, "--no-notices"]);
    assert!(once().status.success());
    fs::write(room.path("log"), [pcap(0..100), records(100..130)].concat()).unwrap();
    assert!(once().status.success());
    fs::rename(room.path("log"), room.path("log.0")).unwrap();
    fs::write(room.path("log"), pcap(130..140)).unwrap();
    assert!(once().status.success());
    let frames = room.events().into_iter().map(|event| event["frame"].as_u64().unwrap());
    assert!(frames.eq(1..=140));
}

#[test]
fn a_reload_that_fails_late_leaves_all_as_it_was() {
    let room = Room::new(&pcap(0..100));
    config(&room, "");
    let run = Run::start(with_config(&room, &[]));
    room.wait_for(100);
    // The checkpoint of the new output cannot be read: seen when the old ones have ended already.
    fs::create_dir(room.path("state/second.json")).unwrap();
    let second = format!("[[output.file]]\nname = \"second\"\npath = {:?}\n", room.path("out2"));
    config(&room, &second);
    let text = fs::read_to_string(room.path("feed.toml")).unwrap();
    let changed = text.replacen("name = \"file\"", "name = \"file\"\nqueue = \"1MiB\"", 1);
    fs::write(room.path("feed.toml"), changed).unwrap();
    run.signal("-HUP");
    let until = Instant::now() + PATIENCE;
    // The old output has begun again.
    while fs::read_to_string(room.path("out")).unwrap().matches("feed-start").count() < 3 {
        assert!(Instant::now() < until, "it does not go on");
        thread::sleep(Duration::from_millis(20));
    }
    let mut log = fs::OpenOptions::new().append(true).open(room.path("log")).unwrap();
    log.write_all(&records(100..120)).unwrap();
    room.wait_for(120);
    let (status, said) = run.end("-TERM");
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("goes on as before: output second: "), "{said}");
    assert_eq!(sequences(&room.events()), (1..=120).collect::<Vec<_>>());
}

#[test]
fn sighup_changes_what_changed_and_refuses_what_is_wrong() {
    let room = Room::new(&pcap(0..100));
    config(&room, "");
    let run = Run::start(with_config(&room, &[]));
    room.wait_for(100);
    config(&room, "colour = 1\n");
    run.signal("-HUP");
    thread::sleep(Duration::from_millis(300));
    let more = format!(
        "[[output.file]]\nname = \"second\"\nformat = \"json\"\npath = {:?}\n",
        room.path("out2")
    );
    config(&room, &more);
    run.signal("-HUP");
    let until = Instant::now() + PATIENCE;
    let lines =
        || fs::read_to_string(room.path("out2")).unwrap_or_default().matches("\"frame\"").count();
    while lines() < 100 {
        assert!(Instant::now() < until, "the new output gets {} lines", lines());
        thread::sleep(Duration::from_millis(20));
    }
    let (status, said) = run.end("-TERM");
    assert_eq!(status, Some(0));
    assert!(
        said.contains("goes on as before: ") && said.contains("unknown field `colour`"),
        "{said}"
    );
    assert!(said.contains("the configuration was read again"), "{said}");
    assert_eq!(sequences(&room.events()), (1..=100).collect::<Vec<_>>());
    let starts = fs::read_to_string(room.path("out")).unwrap().matches("feed-start").count();
    assert_eq!(starts, 1, "what is not changed goes on");
}

#[test]
fn heartbeats_and_metrics_count() {
    let room = Room::new(&pcap(0..50));
    config(&room, "");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = Run::start(with_config(&room, &["--metrics", &free.to_string()]));
    room.wait_for(50);
    let until = Instant::now() + PATIENCE;
    let beat = loop {
        let text = fs::read_to_string(room.path("out")).unwrap();
        let beat = text.lines().find(|line| line.contains("\"heartbeat\"") && line.ends_with('}'));
        if let Some(beat) = beat {
            break serde_json::from_str::<Value>(beat).unwrap();
        }
        assert!(Instant::now() < until, "no heartbeat");
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(
        (beat["event"]["kind"].as_str(), beat["event"]["sequence"].as_u64()),
        (Some("metric"), Some(2))
    );
    assert_eq!(beat["pf"]["feed"]["received"], 50);
    let mut stream = TcpStream::connect(free).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut shown = String::new();
    stream.read_to_string(&mut shown).unwrap();
    assert!(shown.contains("pfscope_feed_received_total{output=\"file\"} 50"), "{shown}");
    assert_eq!(run.end("-TERM").0, Some(0));
}

#[test]
fn the_example_is_a_configuration() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/feed.toml");
    let text = fs::read_to_string(path).unwrap();
    let config = pfscope::feed::config::Config::parse(&text).unwrap();
    let names: Vec<_> = config.outputs.names().collect();
    let all = ["screen", "local", "rsyslog", "elastic", "splunk", "loki", "vector", "nats"];
    assert_eq!(names, all);
}
