//! `pfscope feed` and its server are killed (SIGKILL) at random moments: in the end every event is
//! there, and what was sent twice was the same event under the same id.
//!
//! By default a small run each; `make crash` kills fifty times over half a million events. The
//! moments come from `PFSCOPE_SEED`.
#![cfg(feature = "feed")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod servers;

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use async_nats::ConnectOptions;
use servers::http::{Server, State};
use servers::{Daemon, free_port};

const PFSCOPE: &str = env!("CARGO_BIN_EXE_pfscope");

/// How much, how often, and how long in milliseconds between two kills at most.
#[derive(Clone, Copy)]
struct Plan {
    events: usize,
    kills: usize,
    pause: u64,
}

const SMALL: Plan = Plan { events: 20_000, kills: 8, pause: 250 };
const LONG: Plan = Plan { events: 500_000, kills: 50, pause: 600 };

/// Records of a genuine log of pf, again and again, each at a time of its own.
struct Records {
    header: Vec<u8>,
    records: Vec<Vec<u8>>,
}

impl Records {
    fn new() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/genuine/openbsd80-pflog0.pcap");
        let bytes = fs::read(path).unwrap();
        let (header, mut rest) = bytes.split_at(24);
        let mut records = Vec::new();
        while let Some(length) = rest.get(8..12) {
            let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
            let (record, more) = rest.split_at(16 + length);
            records.push(record.to_vec());
            rest = more;
        }
        assert!(records.len() > 10);
        Self { header: header.to_vec(), records }
    }

    fn push(&self, out: &mut Vec<u8>, number: usize) {
        let record = &self.records[number % self.records.len()];
        let number = u32::try_from(number).unwrap();
        out.extend_from_slice(&(1_780_000_000 + number / 1_000_000).to_le_bytes());
        out.extend_from_slice(&(number % 1_000_000).to_le_bytes());
        out.extend_from_slice(&record[8..]);
    }
}

/// The ids that these files' events have, by the command that only prints them.
fn ids(files: &[PathBuf]) -> HashMap<String, usize> {
    let mut ids = HashMap::new();
    for file in files {
        let mut command = Command::new(PFSCOPE);
        command.args(["--format", "ecs", "--observer", "gw1", "-r"]).arg(file);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        for line in io::BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let (_, id) = line.split_once("\"id\":\"").unwrap();
            *ids.entry(id[..32].to_owned()).or_default() += 1;
        }
        assert!(child.wait().unwrap().success());
    }
    ids
}

/// What is delivered to, and killed.
enum Store {
    Bulk { port: u16, file: PathBuf, process: Option<Daemon> },
    Nats(Box<servers::nats::Server>),
}

impl Store {
    fn bulk(folder: &Path) -> Self {
        let mut store =
            Self::Bulk { port: free_port(), file: folder.join("bulk.txt"), process: None };
        store.restart();
        store
    }

    fn nats(folder: &Path) -> Option<Self> {
        let server = servers::nats::Server::start(folder, "")?;
        server.stream(ConnectOptions::new(), |_| {});
        Some(Self::Nats(Box::new(server)))
    }

    fn kill(&mut self) {
        match self {
            Self::Bulk { process, .. } => process.take().unwrap().kill(),
            Self::Nats(server) => server.kill(),
        }
    }

    fn restart(&mut self) {
        match self {
            Self::Bulk { port, file, process } => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.args(["--ignored", "--exact", "bulk_server"]);
                command.env("PFSCOPE_TEST_STORE", file).env("PFSCOPE_TEST_PORT", port.to_string());
                command.stdout(Stdio::null());
                *process = Some(Daemon::start(&mut command).listens(*port));
            }
            Self::Nats(server) => server.restart(),
        }
    }

    /// Its part of the configuration.
    fn config(&self) -> String {
        match self {
            Self::Bulk { port, .. } => format!(
                "[[output.elasticsearch]]\nname = \"store\"\nformat = \"ecs\"\nindex = \"logs-pf\"\n\
                 url = \"http://127.0.0.1:{port}\"\nbatch_events = 1000\nlinger = \"50ms\"\n\
                 timeout = \"5s\"\n"
            ),
            Self::Nats(server) => format!(
                "[[output.nats]]\nname = \"store\"\nformat = \"ecs\"\nsubject = \"pf.events\"\n\
                 url = \"nats://127.0.0.1:{}\"\ntimeout = \"5s\"\n",
                server.port
            ),
        }
    }

    fn ids(&self) -> HashMap<String, usize> {
        match self {
            Self::Bulk { file, .. } => State::kept(file).stored,
            Self::Nats(server) => server.ids(ConnectOptions::new()),
        }
    }
}

/// The server that is killed: started by the tests as a process of its own.
#[test]
#[ignore = "started by the others"]
fn bulk_server() {
    let Ok(port) = std::env::var("PFSCOPE_TEST_PORT") else { return };
    let state = State::kept(Path::new(&std::env::var("PFSCOPE_TEST_STORE").unwrap()));
    // The last one's connections are still in the kernel's memory.
    let address = format!("127.0.0.1:{port}");
    let listener = (0..100)
        .find_map(|_| {
            TcpListener::bind(&address).map_err(|_| sleep(Duration::from_millis(50))).ok()
        })
        .unwrap();
    let _server = Server::serve(listener, state, None);
    loop {
        sleep(Duration::from_secs(60));
    }
}

/// A feed that is killed with the test.
struct Feed(Child);

impl Feed {
    fn start(folder: &Path, once: bool) -> Self {
        let log = fs::File::options().create(true).append(true).open(folder.join("feed.log"));
        let mut command = Command::new(PFSCOPE);
        command.args(["feed", "--config"]).arg(folder.join("feed.toml"));
        command.args(once.then_some("--once")).stdin(Stdio::null()).stderr(log.unwrap());
        Self(command.spawn().unwrap())
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits for its end.
    fn ends(mut self, folder: &Path) -> ExitStatus {
        let end = Instant::now() + Duration::from_secs(900);
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "{}", said(folder));
            sleep(Duration::from_millis(20));
        }
    }

    fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn said(folder: &Path) -> String {
    fs::read_to_string(folder.join("feed.log")).unwrap_or_default()
}

fn configure(folder: &Path, store: &Store, source: &str) {
    let state = folder.join("state");
    let config = format!(
        "state_dir = \"{}\"\nobserver = \"gw1\"\nnotices = false\n[[source]]\n{source}\n{}",
        state.display(),
        store.config()
    );
    fs::write(folder.join("feed.toml"), config).unwrap();
}

/// Kills the feed or its server at random moments, as long as the feed runs and kills are left.
/// How often each was killed.
fn kill(folder: &Path, store: &mut Store, plan: Plan, once: bool) -> (usize, usize) {
    let seed = std::env::var("PFSCOPE_SEED").map_or(7, |seed| seed.parse().unwrap());
    let mut random = fastrand::Rng::with_seed(seed);
    let _ = writeln!(io::stderr(), "PFSCOPE_SEED={seed}");
    let (mut feeds, mut servers) = (0, 0);
    let mut feed = Feed::start(folder, once);
    while feeds + servers < plan.kills {
        sleep(Duration::from_millis(random.u64(20..plan.pause)));
        if !feed.runs() {
            break;
        }
        // Every third kill is the server's.
        if (feeds + servers) % 3 < 2 {
            feed.kill();
            feeds += 1;
            feed = Feed::start(folder, once);
        } else {
            store.kill();
            servers += 1;
            sleep(Duration::from_millis(random.u64(0..200)));
            store.restart();
        }
    }
    if once {
        assert!(feed.ends(folder).success(), "{}", said(folder));
    } else {
        feed.kill();
    }
    (feeds, servers)
}

fn check(folder: &Path, store: &Store, expected: &HashMap<String, usize>, killed: (usize, usize)) {
    let got = store.ids();
    let missing = expected.keys().filter(|&id| !got.contains_key(id)).count();
    let foreign = got.keys().filter(|&id| !expected.contains_key(id)).count();
    let twice = got.values().filter(|&&count| count > 1).count();
    let _ = writeln!(
        io::stderr(),
        "{} events, feed killed {} times, server {} times: {missing} missing, {foreign} foreign, \
         {twice} twice",
        expected.len(),
        killed.0,
        killed.1
    );
    assert_eq!((missing, foreign, twice), (0, 0, 0), "{}", said(folder));
    let dead = fs::read_to_string(folder.join("state/store.dead.ndjson")).unwrap_or_default();
    assert_eq!(dead, "", "nothing was refused");
}

fn file_is_delivered(folder: &Path, store: Option<Store>, plan: Plan) {
    let Some(mut store) = store else { return };
    let source = folder.join("pflog.pcap");
    let records = Records::new();
    let mut bytes = records.header.clone();
    (0..plan.events).for_each(|number| records.push(&mut bytes, number));
    fs::write(&source, bytes).unwrap();
    configure(folder, &store, &format!("file = \"{}\"", source.display()));
    let killed = kill(folder, &mut store, plan, true);
    assert!(killed.0 > 0 && killed.0 + killed.1 >= plan.kills / 2, "too fast: {killed:?}");
    let expected = ids(&[source]);
    assert_eq!(expected.len(), plan.events);
    check(folder, &store, &expected, killed);
    // All is done: another run has nothing to do.
    assert!(Feed::start(folder, true).ends(folder).success());
    check(folder, &store, &expected, killed);
}

/// Writes a log as pflogd does, and rotates it as newsyslog does: the oldest has the highest number.
fn write_and_rotate(log: &Path, events: usize, files: usize, time: Duration) {
    let records = Records::new();
    let numbered = |n: usize| match n {
        0 => log.to_owned(),
        n => log.with_extension(n.to_string()),
    };
    let pieces = 200;
    for piece in 0..pieces {
        if piece % (pieces / files) == 0 {
            for n in (0..files).rev() {
                if numbered(n).exists() {
                    fs::rename(numbered(n), numbered(n + 1)).unwrap();
                }
            }
            fs::write(log, &records.header).unwrap();
        }
        let mut bytes = Vec::new();
        let range = events * piece / pieces..events * (piece + 1) / pieces;
        range.for_each(|number| records.push(&mut bytes, number));
        let mut file = fs::File::options().append(true).open(log).unwrap();
        // A record is torn wherever the writer's buffer ends.
        for chunk in bytes.chunks(8192) {
            file.write_all(chunk).unwrap();
        }
        sleep(time / u32::try_from(pieces).unwrap());
    }
}

fn followed_file_is_delivered(folder: &Path, store: Option<Store>, plan: Plan) {
    let Some(mut store) = store else { return };
    let log = folder.join("pflog");
    fs::write(&log, Records::new().header).unwrap();
    let source = format!("file = \"{}\"\nfollow = true\nfrom_start = true", log.display());
    configure(folder, &store, &source);
    let files = 5;
    let done = Arc::new(AtomicBool::new(false));
    let writer = {
        let done = Arc::clone(&done);
        let time = Duration::from_millis(plan.kills as u64 * plan.pause / 2);
        thread::spawn(move || {
            write_and_rotate(&log, plan.events, files, time);
            done.store(true, Ordering::Relaxed);
        })
    };
    let killed = kill(folder, &mut store, plan, false);
    writer.join().unwrap();
    assert!(done.load(Ordering::Relaxed));
    assert_eq!(killed.0 + killed.1, plan.kills, "{}", said(folder));
    assert!(Feed::start(folder, true).ends(folder).success(), "{}", said(folder));
    let parts: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_stem().is_some_and(|stem| stem == "pflog"))
        .collect();
    assert!(parts.len() >= files, "{parts:?}");
    let expected = ids(&parts);
    assert_eq!(expected.len(), plan.events);
    check(folder, &store, &expected, killed);
}

/// A small test and a long one of each.
macro_rules! tests {
    ($($small:ident $long:ident $run:ident $store:expr;)*) => { $(
        #[test]
        fn $small() {
            let folder = tempfile::tempdir().unwrap();
            let store: fn(&Path) -> Option<Store> = $store;
            $run(folder.path(), store(folder.path()), SMALL);
        }

        #[test]
        #[ignore = "minutes: make crash"]
        fn $long() {
            let folder = tempfile::tempdir().unwrap();
            let store: fn(&Path) -> Option<Store> = $store;
            $run(folder.path(), store(folder.path()), LONG);
        }
    )* };
}

tests! {
    file_to_bulk long_file_to_bulk file_is_delivered |folder| Some(Store::bulk(folder));
    file_to_nats long_file_to_nats file_is_delivered Store::nats;
    log_to_bulk long_log_to_bulk followed_file_is_delivered |folder| Some(Store::bulk(folder));
    log_to_nats long_log_to_nats followed_file_is_delivered Store::nats;
}
