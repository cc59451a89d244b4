//! What is out of reach once a sandbox is entered, tried from inside: each case runs in a process
//! of its own, this test program started anew. And from outside: what the kernel says of a running
//! pfscope.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a failing test may panic anywhere"
)]

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pfscope::cli::{self, Status};
use pfscope::sandbox::{Peer, Plan, Report};

/// Names the case that this process is to run.
const CASE: &str = "PFSCOPE_SANDBOX_CASE";
/// The folder that it may use.
const FOLDER: &str = "PFSCOPE_SANDBOX_FOLDER";

/// What is said of threads that ran before, by kernels whose Landlock leaves them alone.
const EARLIER: &str = "Landlock for what ran before (1 threads): this kernel's is for new threads";

const EPERM: i32 = 1;
const EACCES: i32 = 13;

fn capture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/genuine/openbsd80-pflog0.pcap")
}

fn said(what: &str) {
    // Not by a macro: the test runner would keep that to itself.
    let _ = writeln!(io::stderr(), "{what}");
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// True, said aloud, if this needs root and is not.
fn lacks_root(test: &str) -> bool {
    if !is_root() {
        said(&format!("SKIPPED: {test} needs root"));
    }
    !is_root()
}

/// Runs a case in a process of its own; the case's panic is this test's.
fn run_inside(case: &str) {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env::current_exe().unwrap())
        .args(["inside", "--exact", "--nocapture", "--test-threads=1"])
        .env(CASE, case)
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{case}: {}\n{text}\n{err}", output.status);
    assert!(text.contains(&format!("done: {case}")), "{case} did not run:\n{text}\n{err}");
}

/// The process that [`run_inside`] starts.
#[test]
fn inside() {
    let Ok(case) = env::var(CASE) else { return };
    let folder = PathBuf::from(env::var_os(FOLDER).unwrap());
    match &*case {
        "nothing" => nothing(),
        "files" => files(&folder),
        "sockets" => sockets(&folder),
        "notify" => notify(&folder),
        "resolver" => resolver(),
        "threads" => threads(),
        "user" => user(),
        "lacking" => lacking(),
        other => panic!("no case {other}"),
    }
    println!("done: {case}");
}

/// What a process may open, start or connect to if nothing holds it: that the tries below fail is
/// then the sandbox's doing.
fn unconfined() {
    File::open(secret()).unwrap();
    assert!(Command::new("/bin/true").status().unwrap().success());
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    UnixDatagram::unbound().unwrap();
}

/// A file that only root may read, or for others one that everybody may.
fn secret() -> &'static str {
    if is_root() { "/etc/shadow" } else { "/etc/passwd" }
}

fn errno<T>(result: io::Result<T>) -> i32 {
    result.err().expect("it is out of reach").raw_os_error().unwrap()
}

/// execve(2) itself, without the fork before it.
fn exec() -> io::Result<()> {
    Err(Command::new("/bin/true").exec())
}

/// Runs it in this thread and in a new one.
fn in_two_threads(try_it: impl Fn() + Send + Sync) {
    try_it();
    thread::scope(|scope| scope.spawn(&try_it).join().unwrap());
}

/// Nothing may be missing on the kernels that this is tested on, but for the test runner's own
/// thread, which does nothing but wait.
fn enter(plan: &Plan) -> Report {
    let mut report = plan.enter().unwrap();
    if report.missing == [EARLIER] {
        report.missing.clear();
        report.in_force.push("Landlock".to_owned());
    }
    assert_eq!(report.missing, [""; 0], "{report:?}");
    report
}

/// The capture's lines as the command line prints them, within this process.
fn printed(options: &[&str]) -> (Status, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = ["pfscope", "-n", "-e", "-t", "--utc"].iter().chain(options);
    let status = cli::run(arguments, &mut out, &mut err);
    (status, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn a_plan_of_nothing_leaves_nothing() {
    run_inside("nothing");
}

fn nothing() {
    unconfined();
    let expected = printed(&["-r", capture().to_str().unwrap()]);
    assert_eq!(expected.0, Status::Done);
    let mut before = File::open(capture()).unwrap();
    let report = enter(&Plan { confine: true, ..Plan::default() });
    for held in ["Landlock", "seccomp"] {
        assert!(report.in_force.contains(&held.to_owned()), "{report:?}");
    }
    in_two_threads(|| {
        assert_eq!(errno(File::open(secret())), EPERM);
        assert_eq!(errno(File::create("/tmp/pfscope-sandbox-test")), EPERM);
        assert_eq!(errno(exec()), EPERM);
        assert_eq!(errno(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))), EPERM);
        assert_eq!(errno(TcpStream::connect((Ipv4Addr::LOCALHOST, 80))), EPERM);
        assert_eq!(errno(UnixDatagram::unbound()), EPERM);
        assert!(Command::new("/bin/true").status().is_err());
        assert!(fs::remove_file(capture()).is_err());
        assert!(fs::rename(capture(), "/tmp/x").is_err());
        assert!(fs::create_dir("/tmp/pfscope-sandbox-test").is_err());
    });
    // What is open can be read on.
    let mut bytes = Vec::new();
    before.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, fs::metadata(capture()).unwrap().len());
}

#[test]
fn only_the_files_of_a_plan_can_be_opened() {
    run_inside("files");
}

fn files(folder: &Path) {
    unconfined();
    let capture = capture();
    let (inside, outside) = (folder.join("inside"), folder.join("outside"));
    for folder in [&inside, &outside] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(outside.join("kept"), "kept").unwrap();
    let path = capture.to_str().unwrap();
    let expected = printed(&["-r", path]);
    assert!(expected.0 == Status::Done && expected.1.lines().count() == 59, "{expected:?}");
    enter(&Plan {
        confine: true,
        read: vec![capture.clone(), folder.join("absent")],
        write: vec![inside.clone()],
        ..Plan::default()
    });
    in_two_threads(|| {
        assert_eq!(errno(File::open(secret())), EACCES);
        assert_eq!(errno(OpenOptions::new().append(true).open(&capture)), EACCES);
        assert_eq!(errno(exec()), EPERM);
        assert_eq!(errno(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))), EPERM);
        assert_eq!(errno(File::create(outside.join("new"))), EACCES);
        assert_eq!(errno(fs::write(outside.join("kept"), "")), EACCES);
        assert_eq!(errno(fs::remove_file(outside.join("kept"))), EACCES);
        // Written, moved aside, cut, removed.
        let (new, old) = (inside.join("new"), inside.join("old"));
        fs::write(&new, "some").unwrap();
        File::open(&new).unwrap().sync_all().unwrap();
        fs::rename(&new, &old).unwrap();
        OpenOptions::new().write(true).open(&old).unwrap().set_len(1).unwrap();
        assert_eq!(fs::read(&old).unwrap(), b"s");
        fs::remove_file(&old).unwrap();
    });
    // Decoding goes on with all its threads, and gives what it gave before.
    assert_eq!(printed(&["-r", path]), expected);
    let (status, _, err) = printed(&["-r", secret()]);
    assert_eq!(status, Status::Failed);
    assert!(err.contains("Permission denied"), "{err}");
    let (_, _, err) = printed(&["-r", folder.join("absent").to_str().unwrap()]);
    assert!(err.contains("No such file"), "{err}");
}

#[test]
fn only_the_sockets_of_a_plan_can_be_connected_to() {
    run_inside("sockets");
}

fn sockets(folder: &Path) {
    let path = folder.join("vici");
    let unix = UnixListener::bind(&path).unwrap();
    let (tcp, other) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0"));
    let (tcp_at, other_at) = (tcp.local_addr().unwrap(), other.unwrap().local_addr().unwrap());
    let connect = vec![Peer::Unix(path.clone()), Peer::Tcp(tcp_at.port())];
    enter(&Plan { confine: true, connect, ..Plan::default() });
    in_two_threads(|| {
        UnixStream::connect(&path).unwrap().write_all(b"x").unwrap();
        TcpStream::connect(tcp_at).unwrap().write_all(b"x").unwrap();
        assert_eq!(errno(TcpStream::connect(other_at)), EACCES);
        assert_eq!(errno(File::open(secret())), EPERM);
        assert_eq!(errno(exec()), EPERM);
        assert_eq!(errno(TcpListener::bind("127.0.0.1:0")), EPERM);
        assert_eq!(errno(UdpSocket::bind("127.0.0.1:0")), EPERM);
        assert_eq!(errno(UnixDatagram::unbound().unwrap().send_to(b"x", &path)), EPERM);
        assert_eq!(errno(unix.accept()), EPERM);
    });
}

#[test]
fn a_message_goes_to_the_connected_socket_alone() {
    run_inside("notify");
}

fn notify(folder: &Path) {
    let (manager, other) = (folder.join("manager"), folder.join("other"));
    let receiver = UnixDatagram::bind(&manager).unwrap();
    let _other = UnixDatagram::bind(&other).unwrap();
    let socket = UnixDatagram::unbound().unwrap();
    socket.send_to(b"before", &other).unwrap();
    socket.connect(&manager).unwrap();
    enter(&Plan { confine: true, notify: true, ..Plan::default() });
    in_two_threads(|| {
        assert_eq!(socket.send(b"READY=1").unwrap(), 7);
        assert_eq!(errno(socket.send_to(b"x", &other)), EPERM);
        assert_eq!(errno(UnixDatagram::unbound()), EPERM);
    });
    let mut buf = [0; 16];
    assert_eq!(receiver.recv(&mut buf).unwrap(), 7);
}

#[test]
fn names_are_looked_up_and_nothing_else() {
    run_inside("resolver");
}

fn resolver() {
    enter(&Plan { confine: true, resolve: true, ..Plan::default() });
    in_two_threads(|| {
        use std::net::ToSocketAddrs;
        assert!(("localhost", 80).to_socket_addrs().unwrap().next().is_some());
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert_eq!(errno(exec()), EPERM);
        assert_eq!(errno(File::create("/etc/pfscope-sandbox-test")), EACCES);
        assert_eq!(errno(File::open(capture())), EACCES);
    });
}

#[test]
fn threads_that_were_there_before_are_confined_too() {
    run_inside("threads");
}

fn threads() {
    let (go, wait) = mpsc::channel();
    let early = thread::spawn(move || {
        wait.recv().unwrap();
        assert_eq!(errno(File::open(secret())), EPERM);
        assert_eq!(errno(exec()), EPERM);
        assert_eq!(errno(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))), EPERM);
    });
    let report = Plan { confine: true, ..Plan::default() }.enter().unwrap();
    // seccomp holds for all of them, Landlock since 7.0; that it does not is told.
    assert!(report.in_force.contains(&"seccomp".to_owned()), "{report:?}");
    let told = report.missing.iter().any(|missing| *missing == EARLIER.replace("(1 ", "(2 "));
    assert!(told || report.in_force.contains(&"Landlock".to_owned()), "{report:?}");
    go.send(()).unwrap();
    early.join().unwrap();
}

#[cfg(target_arch = "x86_64")]
#[test]
fn what_the_kernel_lacks_is_told_and_ends_nothing() {
    run_inside("lacking");
}

#[cfg(not(target_arch = "x86_64"))]
fn lacking() {}

/// On a kernel that has neither Landlock nor seccomp, or as good as.
#[cfg(target_arch = "x86_64")]
fn lacking() {
    use seccompiler::{SeccompAction, SeccompFilter, TargetArch, apply_filter_all_threads};

    let path = capture();
    let path = path.to_str().unwrap();
    let expected = run(&["-n", "-r", path]);
    assert_eq!(expected.stderr, b"");
    let none = SeccompAction::Errno(38);
    for (call, told) in [(444, "Landlock: this kernel has none"), (317, "seccomp: ")] {
        let rules = [(call, Vec::new())].into_iter().collect();
        let filter =
            SeccompFilter::new(rules, SeccompAction::Allow, none.clone(), TargetArch::x86_64);
        let program: seccompiler::BpfProgram = filter.unwrap().try_into().unwrap();
        apply_filter_all_threads(&program).unwrap();
        // For files nobody has to hear of it who does not ask.
        assert_eq!(run(&["-n", "-r", path]), expected);
        let output = run(&["-n", "-v", "-r", path]);
        assert!(output.status.success());
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(err.contains(&format!("pfscope: not confined by {told}")), "{err}");
    }
    let report = Plan { confine: true, ..Plan::default() }.enter().unwrap();
    assert_eq!((report.in_force.len(), report.missing.len()), (0, 2), "{report:?}");
}

#[test]
fn a_device_is_opened_again_by_a_user_who_is_not_root() {
    if !lacks_root("the change of user") {
        run_inside("user");
    }
}

#[cfg(not(feature = "live"))]
fn user() {}

#[cfg(feature = "live")]
fn user() {
    use pfscope::capture::list::devices;
    use pfscope::capture::live::{Live, Settings};
    use pfscope::sandbox::User;

    let open = || Live::open(&["lo".to_owned()], Settings::default(), <_>::default());
    let first = open().unwrap();
    unconfined();
    let plan = Plan {
        user: User::Named("nobody".to_owned()),
        confine: true,
        devices: vec!["lo".to_owned()],
        reopen: true,
        ..Plan::default()
    };
    let report = enter(&plan);
    assert!(report.in_force.contains(&"user nobody".to_owned()), "{report:?}");
    drop(first);
    let lines = fs::read_to_string("/proc/self/status");
    assert_eq!(errno(lines), EACCES);
    let listed = |name: &str| devices().unwrap().iter().any(|device| device.name == name);
    in_two_threads(|| {
        drop(open().unwrap());
        assert!(listed("lo"));
        assert!(nix::unistd::setuid(nix::unistd::Uid::from_raw(0)).is_err());
        assert_eq!(errno(File::open("/etc/shadow")), EACCES);
        assert_eq!(errno(exec()), EPERM);
        assert_eq!(errno(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))), EPERM);
    });
}

/// A running pfscope, ended when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn new(arguments: &[&str]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_pfscope"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self(child.unwrap())
    }

    /// The value of a line of /proc/PID/status, in every thread; waited for until it is this.
    fn becomes(&self, key: &str, wanted: &str) {
        let end = Instant::now() + Duration::from_secs(10);
        let tasks = format!("/proc/{}/task", self.0.id());
        loop {
            let threads = fs::read_dir(&tasks).unwrap().flatten();
            let values: Vec<String> = threads
                .filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok())
                .filter_map(|status| {
                    let line = status.lines().find(|line| line.starts_with(key))?;
                    Some(line[key.len()..].split_whitespace().collect::<Vec<_>>().join(" "))
                })
                .collect();
            if !values.is_empty() && values.iter().all(|value| value == wanted) {
                return;
            }
            assert!(Instant::now() < end, "{key} {values:?}, not {wanted}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pfscope")).args(arguments).output().unwrap()
}

#[test]
fn the_program_is_confined_while_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for source in ["-", fifo.to_str().unwrap()] {
        let mut running = Running::new(&["-n", "-r", source]);
        let bytes = fs::read(capture()).unwrap();
        let mut pipe: Box<dyn Write> = match source {
            "-" => Box::new(running.0.stdin.take().unwrap()),
            fifo => Box::new(OpenOptions::new().write(true).open(fifo).unwrap()),
        };
        pipe.write_all(&bytes[..1024]).unwrap();
        running.becomes("Seccomp:", "2");
        running.becomes("NoNewPrivs:", "1");
        pipe.write_all(&bytes[1024..]).unwrap();
        drop(pipe);
        let lines = BufReader::new(running.0.stdout.take().unwrap()).lines().count();
        assert_eq!(lines, 59);
        assert!(running.0.wait().unwrap().success());
    }
}

/// Whoever may write what a command reads may try it.
#[test]
fn every_command_that_reads_is_confined() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let fifo = path("fifo");
    nix::unistd::mkfifo(fifo.as_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    // They wait for somebody who writes: those that open one source and give up rights then, for a
    // first piece of it.
    let bytes = fs::read(capture()).unwrap();
    for arguments in [
        &["summary", &fifo][..],
        &["states", "-r", &fifo],
        &["explain", "--frame", "59", "-r", &fifo],
        &["-r", &fifo, "-w", &path("saved")],
    ] {
        let mut running = Running::new(arguments);
        let mut pipe = OpenOptions::new().write(true).open(&fifo).unwrap();
        pipe.write_all(&bytes[..1024]).unwrap();
        running.becomes("Seccomp:", "2");
        pipe.write_all(&bytes[1024..]).unwrap();
        drop(pipe);
        assert!(running.0.wait().unwrap().success(), "{arguments:?}");
    }
    for arguments in [
        &["rules", &fifo][..],
        &["ipsec", "totals", "--sas", &fifo],
        &["ipsec", "report", "-all", "--sas", &fifo],
        &["ipsec", "report", "-audit", &fifo],
    ] {
        let running = Running::new(arguments);
        running.becomes("Seccomp:", "2");
        running.becomes("NoNewPrivs:", "1");
        let free = Running::new(&[arguments, &["--no-sandbox"]].concat());
        free.becomes("Seccomp:", "0");
    }
}

/// A daemon that says nothing: whoever asks it is confined before an answer comes.
#[test]
fn who_asks_a_daemon_is_confined() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (socket, uri) = (path("vici"), format!("unix://{}", path("vici")));
    let daemon = UnixListener::bind(socket).unwrap();
    let journal = path("journal");
    for (arguments, becomes_nobody) in [
        (&["vici", "stats", "--uri", &uri][..], true),
        (&["vici", "listen", "--uri", &uri], false),
        (&["ipsec", "record", "--to", &journal, "--vici", &uri], false),
        (&["ipsec", "report", "-all", "--vici", &uri], false),
    ] {
        let running = Running::new(arguments);
        let (mut asked, _) = daemon.accept().unwrap();
        running.becomes("Seccomp:", "2");
        running.becomes("NoNewPrivs:", "1");
        if becomes_nobody && is_root() {
            let nobody = nix::unistd::User::from_name("_pfscope").unwrap();
            let nobody = nobody.or_else(|| nix::unistd::User::from_name("nobody").unwrap());
            let ids = [nobody.unwrap().uid.as_raw(); 4].map(|id| id.to_string()).join(" ");
            running.becomes("Uid:", &ids);
        }
        // It has come so far as to ask.
        asked.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        asked.read_exact(&mut [0; 6]).unwrap();
    }
    assert!(fs::metadata(journal).unwrap().len() > 0);
}

/// The thread that asks for the tunnels of a file's packets begins after rights are given up: on a
/// kernel whose Landlock is for new threads alone it would keep its own.
#[test]
fn the_thread_that_asks_for_tunnels_is_confined() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("vici");
    let daemon = UnixListener::bind(&socket).unwrap();
    let uri = format!("unix://{}", socket.display());
    let path = capture();
    let running = Running::new(&["-v", "-n", "-r", path.to_str().unwrap(), "--vici", &uri]);
    let (asked, _) = daemon.accept().unwrap();
    running.becomes("Seccomp:", "2");
    drop((asked, daemon));
    let mut running = running;
    let mut err = String::new();
    running.0.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert!(!err.contains("Landlock for what ran before"), "{err}");
    assert!(running.0.wait().is_ok());
}

/// Signals that the process sends itself go through.
#[test]
fn a_second_interrupt_ends_at_once() {
    let mut running = Running::new(&["--count", "-r", "-"]);
    // Nothing comes, and the first interrupt waits for that.
    running.becomes("Seccomp:", "2");
    let pid = running.0.id().to_string();
    for _ in 0..2 {
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        thread::sleep(Duration::from_millis(300));
    }
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(running.0.wait().unwrap().signal(), Some(2));
}

#[test]
fn no_sandbox_is_said() {
    let path = capture();
    let path = path.to_str().unwrap();
    let (with, without) = (run(&["-n", "-r", path]), run(&["-n", "--no-sandbox", "-r", path]));
    assert_eq!(with.stdout, without.stdout);
    assert_eq!(String::from_utf8_lossy(&with.stderr), "");
    let err = String::from_utf8_lossy(&without.stderr);
    assert!(err.starts_with("pfscope: --no-sandbox: ") && err.lines().count() == 1, "{err}");
    let mut running = Running::new(&["-n", "--no-sandbox", "-r", "-"]);
    let mut err = BufReader::new(running.0.stderr.take().unwrap());
    err.read_line(&mut String::new()).unwrap();
    running.becomes("Seccomp:", "0");
}

#[test]
fn several_files_are_read_each_in_its_turn() {
    let (log, sync) = (capture(), capture().with_file_name("../pfsync/pair.pcap"));
    let (log, sync) = (log.to_str().unwrap(), sync.to_str().unwrap());
    for arguments in [
        &["-n", "-e", "-r", log, "-r", sync, "-r", log][..],
        &["--format", "json", "-r", sync, "-r", log],
        &["states", "-r", sync, "-r", sync],
        &["summary", log, sync],
        &["--resolve", "-c", "2", "-r", log],
    ] {
        let confined = run(arguments);
        let free = run(&[arguments, &["--no-sandbox"]].concat());
        assert!(confined.status.success(), "{arguments:?}: {confined:?}");
        assert_eq!(confined.stdout, free.stdout, "{arguments:?}");
        assert!(!confined.stdout.is_empty());
        assert_eq!(confined.stderr, b"");
    }
}

#[cfg(feature = "live")]
#[test]
fn a_device_is_read_by_nobody() {
    if lacks_root("reading a device") {
        return;
    }
    let nobody = nix::unistd::User::from_name("_pfscope").unwrap();
    let nobody = nobody.or_else(|| nix::unistd::User::from_name("nobody").unwrap()).unwrap();
    let ids = [nobody.uid.as_raw(); 4].map(|id| id.to_string()).join(" ");
    let groups = [nobody.gid.as_raw(); 4].map(|id| id.to_string()).join(" ");
    for arguments in [&["-n", "-i", "lo"][..], &["states", "-i", "lo"]] {
        let running = Running::new(arguments);
        running.becomes("Uid:", &ids);
        running.becomes("Gid:", &groups);
        // CAP_NET_RAW, by which a device that comes back is opened.
        running.becomes("CapPrm:", "0000000000002000");
        running.becomes("Seccomp:", "2");
        running.becomes("NoNewPrivs:", "1");
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let running = Running::new(&["-n", "-Z", "root", "--chroot", root, "-i", "lo"]);
    running.becomes("Seccomp:", "2");
    running.becomes("Uid:", "0 0 0 0");
    let link = fs::read_link(format!("/proc/{}/root", running.0.id())).unwrap();
    assert_eq!(link, fs::canonicalize(folder.path()).unwrap());
}

/// The user that was become is not always the one that the folder is for.
#[cfg(feature = "live")]
#[test]
fn a_file_that_the_user_may_not_write_is_said_with_what_to_do() {
    use std::os::unix::fs::PermissionsExt;
    if lacks_root("the change of user") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let log = folder.path().join("log");
    let log = log.to_str().unwrap();
    for source in [&["-i", "lo"][..], &["-r", capture().to_str().unwrap()]] {
        let output = run(&[source, &["-Z", "nobody", "-w", log]].concat());
        assert_eq!(output.status.code(), Some(1));
        let err = String::from_utf8(output.stderr).unwrap();
        let folder = folder.path().display();
        let message = format!(
            "{log}: user nobody, whom pfscope has become, may not: give the folder and what is in \
             it to that user (chown -R nobody {folder}), or name another with -Z\n"
        );
        assert!(err.contains(&message), "{err}");
    }
}

#[cfg(feature = "live")]
#[test]
fn a_user_that_is_not_there_ends_the_run() {
    let path = capture();
    let output = run(&["-n", "-Z", "no such user", "-r", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"");
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(err, "pfscope: -Z no such user: there is no such user\n");
    let output = run(&["--chroot", "/", "-r", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
}
