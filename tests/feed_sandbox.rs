//! A feed that is confined: its outputs work, what feed.toml does not name is out of reach, and
//! SIGHUP goes on within that. What is out of reach is tried from inside, by this test program
//! started anew.
#![cfg(all(feature = "feed", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod servers;

use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use async_nats::ConnectOptions;
use pfscope::cli::{self, Status};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use servers::http::{Server, State};
use servers::{Authority, free_port, skipped, until};

/// The folder that the process is to run in, of one that this program starts.
const FOLDER: &str = "PFSCOPE_FEED_SANDBOX_FOLDER";
const EPERM: i32 = 1;
const EACCES: i32 = 13;
/// Records of the log.
const EVENTS: usize = 59;

fn capture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/genuine/openbsd80-pflog0.pcap")
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn errno<T>(result: io::Result<T>) -> i32 {
    result.err().expect("it is out of reach").raw_os_error().unwrap()
}

/// Keeps the lines of everybody who connects.
fn lines_of<S: Read + Send + 'static>(
    listener: TcpListener,
    open: impl Fn(TcpStream) -> S + Send + Clone + 'static,
) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&lines);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, all) = (open(stream.unwrap()), Arc::clone(&all));
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    all.lock().unwrap().push(line);
                }
            });
        }
    });
    lines
}

fn tls_config(authority: &Authority) -> Arc<ServerConfig> {
    let (cert, key) = authority.issue("server");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth();
    let chain = vec![CertificateDer::from_pem_file(cert).unwrap()];
    Arc::new(config.with_single_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap())
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// The process that the next test starts: it runs a feed to its end, and then tries what the feed
/// had no reason to do.
#[test]
fn inside() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else { return };
    let secret = if is_root() { "/etc/shadow" } else { "/etc/hostname" };
    let (_other, port) = listener();
    File::open(secret).unwrap();
    assert!(Command::new("/bin/true").status().unwrap().success());
    drop(TcpStream::connect(("127.0.0.1", port)).unwrap());
    let config = folder.join("feed.toml");
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = ["pfscope", "feed", "--once", "--config", config.to_str().unwrap()];
    let status = cli::run_process(arguments, &mut out, &mut err);
    assert_eq!((status, String::from_utf8(err).unwrap().as_str()), (Status::Done, ""));
    // Threads that are begun now have what the feed's had.
    thread::spawn(move || {
        assert_eq!(errno(File::open(secret)), EACCES);
        assert_eq!(errno(File::open(capture())), EACCES);
        assert_eq!(errno(File::create(folder.join("elsewhere"))), EACCES);
        assert_eq!(errno(fs::write(folder.join("feed.toml"), "")), EACCES);
        assert_eq!(errno::<()>(Err(Command::new("/bin/true").exec())), EPERM);
        assert_eq!(errno(TcpStream::connect(("127.0.0.1", port))), EACCES);
        assert!(TcpListener::bind("127.0.0.1:0").is_err());
        File::open(folder.join("log")).unwrap();
        fs::write(folder.join("out/more"), "").unwrap();
    })
    .join()
    .unwrap();
    println!("done inside");
}

#[test]
fn every_output_works_and_nothing_else_can_be_reached() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::copy(capture(), path("log")).unwrap();
    fs::create_dir(path("out")).unwrap();
    // Full already: put aside and packed.
    fs::write(path("out/pf.ndjson"), format!("{}\n", "x".repeat(6000))).unwrap();
    fs::write(path("password"), "s3cret\n").unwrap();
    let authority = Authority::new(folder.path(), "ours");
    let tls = tls_config(&authority);
    let (tcp, tcp_port) = listener();
    let tcp = lines_of(tcp, |stream| stream);
    let (secure, tls_port) = listener();
    let server_config = Arc::clone(&tls);
    let secure = lines_of(secure, move |stream| {
        StreamOwned::new(ServerConnection::new(Arc::clone(&server_config)).unwrap(), stream)
    });
    let local = UnixDatagram::bind(path("local")).unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp_port = udp.local_addr().unwrap().port();
    let plain = Server::start();
    let https = Server::serve(listener().0, State::default(), Some(tls));
    // By its name.
    let by_name = plain.url.replace("127.0.0.1", "localhost");
    let mut config = format!(
        "state_dir = {state:?}\nnotices = false\n\
         [[source]]\nfile = {log:?}\n\
         [[output.file]]\nname = \"file\"\npath = {file:?}\nrotate_size = 5000\ncompress = \"zstd\"\n\
         [[output.syslog]]\nname = \"tcp\"\naddress = \"tcp://127.0.0.1:{tcp_port}\"\nframing = \"lines\"\n\
         [[output.syslog]]\nname = \"tls\"\naddress = \"tls://127.0.0.1:{tls_port}\"\nframing = \"lines\"\nca_file = {ca:?}\n\
         [[output.syslog]]\nname = \"unix\"\naddress = \"unix:{local}\"\n\
         [[output.syslog]]\nname = \"udp\"\naddress = \"udp://127.0.0.1:{udp_port}\"\n\
         [[output.elasticsearch]]\nname = \"bulk\"\nindex = \"pf\"\nurl = {by_name:?}\n\
         login = {{ user = \"u\", password_file = {password:?} }}\n\
         [[output.http]]\nname = \"https\"\nurl = {https:?}\nca_file = {ca:?}\n",
        state = path("state"),
        log = path("log"),
        file = path("out/pf.ndjson"),
        ca = path("ours.pem"),
        local = path("local"),
        password = path("password"),
        https = https.url,
    );
    let nats = servers::nats::Server::start(folder.path(), "");
    if let Some(nats) = &nats {
        nats.stream(ConnectOptions::new(), |_| {});
        config += &format!(
            "[[output.nats]]\nname = \"nats\"\nsubject = \"pf.events\"\nurl = \"nats://127.0.0.1:{}\"\n",
            nats.port
        );
    }
    fs::write(path("feed.toml"), config).unwrap();
    let datagrams = thread::spawn(move || {
        let (mut counts, mut buffer) = ([0, 0], [0; 65536]);
        local.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        udp.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        while counts[0] < EVENTS {
            local.recv(&mut buffer).unwrap();
            counts[0] += 1;
        }
        while counts[1] < EVENTS {
            udp.recv(&mut buffer).unwrap();
            counts[1] += 1;
        }
        counts
    });
    let output = Command::new(env::current_exe().unwrap())
        .args(["inside", "--exact", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("done inside"), "{text}\n{err}");
    assert_eq!(datagrams.join().unwrap(), [EVENTS; 2]);
    for (name, lines) in [("tcp", tcp), ("tls", secure)] {
        until(name, || lines.lock().unwrap().len() == EVENTS);
    }
    assert_eq!(plain.state.lock().unwrap().stored.len(), EVENTS);
    assert_eq!(https.state.lock().unwrap().stored.len(), EVENTS);
    if let Some(nats) = &nats {
        assert_eq!(nats.count(ConnectOptions::new()), EVENTS as u64);
    }
    let parts: Vec<_> =
        fs::read_dir(path("out")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let packed = parts.iter().filter(|name| name.to_string_lossy().ends_with(".zst")).count();
    assert!(packed > 0, "{parts:?}");
}

/// A feed that runs, ended with the test.
struct Run(Child);

impl Run {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pfscope"));
        command.arg("feed").args(arguments).stdin(Stdio::null()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn signal(&self, signal: &str) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// A line of /proc/PID/status.
    fn status(&self, key: &str) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        line[key.len()..].split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn end(mut self) -> (Option<i32>, String) {
        self.signal("-TERM");
        let mut said = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.0.wait().unwrap().code(), said)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn count(path: &Path) -> usize {
    fs::read_to_string(path).unwrap_or_default().matches("\"rule\"").count()
}

#[test]
fn sighup_goes_on_within_the_sandbox_and_says_what_needs_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["in", "out", "new"] {
        fs::create_dir(path(name)).unwrap();
    }
    fs::copy(capture(), path("in/log")).unwrap();
    let configure = |outputs: &[(&str, PathBuf)]| {
        let mut text = format!(
            "state_dir = {:?}\nnotices = false\n[[source]]\nfile = {:?}\nfollow = true\n",
            path("state"),
            path("in/log")
        );
        for (name, path) in outputs {
            text +=
                &format!("[[output.file]]\nname = {name:?}\nformat = \"ecs\"\npath = {path:?}\n");
        }
        // As an editor does it: another file takes the name.
        fs::write(path("feed.new"), text).unwrap();
        fs::rename(path("feed.new"), path("feed.toml")).unwrap();
    };
    let one = ("one", path("out/one"));
    configure(std::slice::from_ref(&one));
    let address = format!("127.0.0.1:{}", free_port());
    let config = path("feed.toml").display().to_string();
    let run = Run::start(&["--config", &config, "--metrics", &address]);
    until("the first output", || count(&one.1) > 0);
    assert_eq!((run.status("Seccomp:"), run.status("NoNewPrivs:")), ("2".into(), "1".into()));
    // The log is rotated: what takes its place is read, too.
    let first = count(&one.1);
    fs::rename(path("in/log"), path("in/log.0")).unwrap();
    fs::copy(capture(), path("in/log")).unwrap();
    until("what was rotated", || count(&one.1) == 2 * first);
    configure(&[one.clone(), ("far", path("new/far"))]);
    run.signal("-HUP");
    thread::sleep(Duration::from_millis(500));
    let two = ("two", path("out/two"));
    configure(&[one.clone(), two.clone()]);
    run.signal("-HUP");
    until("the second output", || count(&two.1) > 0);
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut shown = String::new();
    stream.read_to_string(&mut shown).unwrap();
    assert!(shown.contains("{output=\"two\"}"), "{shown}");
    let (status, said) = run.end();
    assert_eq!(status, Some(0), "{said}");
    let refused = format!(
        "goes on as before: {} is out of reach since the feed started, by its sandbox: restart the feed",
        path("new").display()
    );
    assert!(said.contains(&refused) && said.contains("was read again"), "{said}");
    assert!(!path("new/far").exists());
}

#[test]
fn a_feed_becomes_another_user() {
    if !is_root() {
        return skipped("the change of user needs root");
    }
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::copy(capture(), path("log")).unwrap();
    let mine = |name: &str| {
        fs::create_dir(path(name)).unwrap();
        chown(path(name), Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw())).unwrap();
    };
    mine("out");
    mine("state");
    let (log, to, state) = (path("log"), format!("file:{}", path("out/pf")), path("state"));
    let arguments = ["-Z", "nobody", "-r", &log, "--follow", "--format", "ecs", "--to", &to];
    let run = Run::start(&[&arguments[..], &["--state-dir", &state]].concat());
    until("its events", || count(Path::new(&path("out/pf"))) > 0);
    let id = nobody.uid.as_raw();
    assert_eq!(run.status("Uid:"), [id; 4].map(|id| id.to_string()).join(" "));
    assert_eq!(run.status("CapEff:"), "0000000000000000");
    assert_eq!(fs::metadata(path("out/pf")).unwrap().uid(), id);
    let (status, said) = run.end();
    assert_eq!((status, said.as_str()), (Some(0), ""));
}

#[test]
fn no_sandbox_is_said_and_none_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let log = capture().display().to_string();
    let state = folder.path().join("state").display().to_string();
    let to = format!("file:{}", folder.path().join("out").display());
    let arguments = ["--no-sandbox", "-r", &log, "--follow", "--to", &to];
    let more = ["--format", "ecs", "--state-dir", &state];
    let root: &[_] = if is_root() { &["-Z", "root"] } else { &[] };
    let run = Run::start(&[&arguments[..], &more, root].concat());
    until("its events", || count(&folder.path().join("out")) > 0);
    assert_eq!(run.status("Seccomp:"), "0");
    let begun = Instant::now();
    let (status, said) = run.end();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(status, Some(0));
    assert!(said.starts_with("pfscope: --no-sandbox: ") && said.lines().count() == 1, "{said}");
}
