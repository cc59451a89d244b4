//! What contrib has for service managers, and what a manager hears of a running pfscope.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a failing test may panic anywhere"
)]

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

fn contrib(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib").join(path)
}

fn said(what: &str) {
    // Not by a macro: the test runner would keep that to itself.
    let _ = writeln!(io::stderr(), "{what}");
}

/// Runs a checker over a file; false, said aloud, if there is no such program here.
fn passes(program: &str, arguments: &[&str], path: &Path) -> bool {
    let output = match Command::new(program).args(arguments).arg(path).output() {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            said(&format!("SKIPPED: {} is not checked: no {program}", path.display()));
            return false;
        }
        Err(error) => panic!("{program}: {error}"),
    };
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && err.is_empty(), "{program} {}: {err}", path.display());
    true
}

#[test]
fn scripts_are_shell() {
    for script in
        ["pfscope.freebsd", "pfscope.openbsd", "pfscope_feed.freebsd", "pfscope_feed.openbsd"]
    {
        assert!(passes("sh", &["-n"], &contrib(&format!("rc.d/{script}"))));
    }
    assert!(passes("sh", &["-n"], &contrib("setup")));
}

/// The units with this program in them.
#[cfg(target_os = "linux")]
#[test]
fn the_units_are_some() {
    the_unit_is_one("pfscope.service");
    the_unit_is_one("pfscope-feed.service");
}

#[cfg(target_os = "linux")]
fn the_unit_is_one(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join(name);
    let text = fs::read_to_string(contrib(&format!("systemd/{name}"))).unwrap();
    let own = text.replace("/usr/local/bin/pfscope", env!("CARGO_BIN_EXE_pfscope"));
    assert_ne!(own, text);
    fs::write(&unit, &own).unwrap();
    passes("systemd-analyze", &["verify", "--man=no"], &unit);
    fs::write(&unit, own.replace("ProtectSystem=strict", "ProtectSystem=strictly")).unwrap();
    if let Ok(output) =
        Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit).output()
    {
        assert!(!output.stderr.is_empty(), "the checker finds nothing wrong with anything");
    }
}

/// Both systems' rotation names the file of the start script, and the pid that it writes.
#[test]
fn rotation_fits_the_scripts() {
    for system in ["freebsd", "openbsd"] {
        let script = fs::read_to_string(contrib(&format!("rc.d/pfscope.{system}"))).unwrap();
        let rotation = fs::read_to_string(contrib(&format!("newsyslog/pfscope.{system}"))).unwrap();
        let line = rotation.lines().find(|line| line.starts_with('/')).unwrap();
        let fields: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(fields[1], "_pfscope:_pfscope", "{line}");
        assert!(script.contains(&format!("-w {}", fields[0])), "{system}: {line}");
        for number in &fields[2..5] {
            number.parse::<u32>().unwrap();
        }
        assert_eq!(&fields[5..7], ["*", "ZB"]);
        match system {
            "freebsd" => assert_eq!(&fields[7..], ["/var/run/pfscope.pid", "1"]),
            _ => assert_eq!(fields[7..].join(" "), "\"/usr/sbin/rcctl reload pfscope\""),
        }
    }
}

#[cfg(all(target_os = "linux", feature = "live"))]
mod watchdog {
    use super::said;

    use std::fs;
    use std::net::UdpSocket;
    use std::os::unix::net::UnixDatagram;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    /// A service manager with its service.
    struct Manager {
        _folder: tempfile::TempDir,
        socket: UnixDatagram,
        service: Child,
    }

    impl Drop for Manager {
        fn drop(&mut self) {
            let _ = self.service.kill();
            let _ = self.service.wait();
        }
    }

    impl Manager {
        /// Starts pfscope at the loopback device, none if this is not root.
        fn start(test: &str, arguments: &[&str], stdout: Stdio) -> Option<Self> {
            if !nix::unistd::geteuid().is_root() {
                said(&format!("SKIPPED: {test} needs root"));
                return None;
            }
            // Only root comes into this folder: the socket has to be open before the change of user.
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("notify");
            let socket = UnixDatagram::bind(&path).unwrap();
            let service = Command::new(env!("CARGO_BIN_EXE_pfscope"))
                .args(["-n", "-i", "lo"])
                .args(arguments)
                .env("NOTIFY_SOCKET", &path)
                .env("WATCHDOG_USEC", "400000")
                .stdout(stdout)
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            Some(Self { _folder: folder, socket, service })
        }

        fn hears(&self, within: Duration) -> Option<String> {
            self.socket.set_read_timeout(Some(within)).unwrap();
            let mut buf = [0; 64];
            let len = self.socket.recv(&mut buf).ok()?;
            Some(String::from_utf8_lossy(&buf[..len]).into_owned())
        }
    }

    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn a_manager_hears_of_start_life_and_end() {
        let nobody_sends = ["udp and dst port 1 and src port 1"];
        let started = Manager::start("the watchdog", &nobody_sends, Stdio::null());
        let Some(mut manager) = started else { return };
        assert_eq!(manager.hears(SOON).as_deref(), Some("READY=1"));
        let status = format!("/proc/{}/status", manager.service.id());
        assert!(
            fs::read_to_string(status).unwrap().contains("Seccomp:\t2"),
            "ready but not confined"
        );
        let began = Instant::now();
        for _ in 0..5 {
            assert_eq!(manager.hears(SOON).as_deref(), Some("WATCHDOG=1"));
        }
        // Five in the time that the manager waits for five, and no flood.
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5) && took > Duration::from_millis(200), "{took:?}");
        let pid = manager.service.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let last = loop {
            match manager.hears(SOON).as_deref() {
                Some("WATCHDOG=1") => {}
                other => break other.map(str::to_owned),
            }
        };
        assert_eq!(last.as_deref(), Some("STOPPING=1"));
        assert!(manager.service.wait().unwrap().success());
    }

    #[test]
    fn a_service_whose_output_hangs_is_not_alive() {
        let started = Manager::start("the watchdog", &["-XX"], Stdio::piped());
        let Some(manager) = started else { return };
        assert_eq!(manager.hears(SOON).as_deref(), Some("READY=1"));
        assert_eq!(manager.hears(SOON).as_deref(), Some("WATCHDOG=1"));
        // Nobody reads its output: a pipe is soon full of these packets.
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let end = Instant::now() + 2 * SOON;
        while manager.hears(Duration::from_millis(1200)).is_some() {
            assert!(Instant::now() < end, "it says that it is alive");
            for _ in 0..20 {
                let _ = socket.send_to(&[0; 1000], "127.0.0.1:9");
            }
        }
    }
}
