//! What a service manager is told: the datagrams of sd_notify(3), `NAME=VALUE`, to the socket that
//! it names in NOTIFY_SOCKET.
//!
//! The socket is connected once, before rights are given up: the sandbox lets no other be opened,
//! which is what the crates for it do for each message.

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

/// A service manager that waits for news.
#[derive(Debug)]
pub(super) struct Service {
    socket: UnixDatagram,
    /// How often it wants to hear.
    pulse: Option<Duration>,
    told: Option<Instant>,
}

impl Service {
    /// The manager that has started this process; none if it was started by hand.
    ///
    /// # Errors
    /// There is one, and its socket cannot be connected to.
    pub(super) fn of_environment() -> io::Result<Option<Self>> {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(None) };
        let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
        let mine = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let limit = number("WATCHDOG_USEC").filter(|&limit| limit > 0 && mine);
        Self::new(&name, limit.map(Duration::from_micros)).map(Some)
    }

    /// `limit` is the silence after which the manager takes the process for dead; it hears in half
    /// of it, as sd_watchdog_enabled(3) advises.
    fn new(name: &OsStr, limit: Option<Duration>) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        connect(&socket, name)?;
        // A manager that does not read must not hold the capture up.
        socket.set_nonblocking(true)?;
        Ok(Self { socket, pulse: limit.map(|limit| limit / 2), told: None })
    }

    /// How often [`Service::alive`] is to be called at least.
    pub(super) const fn pulse(&self) -> Option<Duration> {
        self.pulse
    }

    /// The devices are open.
    pub(super) fn ready(&self) {
        self.tell("READY=1");
    }

    /// Output has been written, or there was nothing to write: said no more often than is wanted.
    pub(super) fn alive(&mut self) {
        let Some(pulse) = self.pulse else { return };
        // Twice in it, so that one that comes late is no silence.
        if self.told.is_none_or(|told| told.elapsed() >= pulse / 2) {
            self.told = Some(Instant::now());
            self.tell("WATCHDOG=1");
        }
    }

    /// The end has begun.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, what: &str) {
        // A manager that has gone or does not listen is its own concern.
        let _ = self.socket.send(what.as_bytes());
    }
}

/// A path, or on Linux behind `@` a name that is in no file system.
fn connect(socket: &UnixDatagram, name: &OsStr) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if let Some(name) = name.as_encoded_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::SocketAddr;
        return socket.connect_addr(&SocketAddr::from_abstract_name(name)?);
    }
    socket.connect(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(manager: &UnixDatagram) -> Vec<String> {
        let mut all = Vec::new();
        let mut buf = [0; 64];
        while let Ok(len) = manager.recv(&mut buf) {
            all.push(String::from_utf8_lossy(&buf[..len]).into_owned());
        }
        all
    }

    #[test]
    fn the_manager_hears_what_it_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_nonblocking(true).unwrap();
        let mut service = Service::new(path.as_os_str(), None).unwrap();
        service.ready();
        service.alive();
        service.stopping();
        assert_eq!(heard(&manager), ["READY=1", "STOPPING=1"]);
        let limit = Some(Duration::from_secs(60));
        let mut service = Service::new(path.as_os_str(), limit).unwrap();
        assert_eq!(service.pulse(), Some(Duration::from_secs(30)));
        service.alive();
        service.alive();
        assert_eq!(heard(&manager), ["WATCHDOG=1"]);
        assert!(Service::new(OsStr::new("/nonexistent/notify"), None).is_err());
    }

    #[test]
    fn a_manager_that_does_not_read_holds_nothing_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let _manager = UnixDatagram::bind(&path).unwrap();
        let service = Service::new(path.as_os_str(), None).unwrap();
        // More than net.unix.max_dgram_qlen.
        (0..2000).for_each(|_| service.ready());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_in_no_file_system_is_reached() {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::SocketAddr;
        let name = format!("pfscope-notify-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        manager.set_nonblocking(true).unwrap();
        Service::new(OsStr::new(&format!("@{name}")), None).unwrap().ready();
        assert_eq!(heard(&manager), ["READY=1"]);
    }
}
