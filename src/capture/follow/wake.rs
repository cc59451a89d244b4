//! Waiting for a file to change: by inotify(7) on Linux, else, and where inotify does not tell
//! (network file systems), by looking again after a while. kqueue(2) would need unsafe code.

use std::path::Path;
use std::time::Duration;

/// How long a wait lasts at most.
pub(super) const WAIT: Duration = Duration::from_millis(250);

#[cfg(target_os = "linux")]
pub(super) use linux::Wake;
#[cfg(not(target_os = "linux"))]
pub(super) use other::Wake;

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::OwnedFd;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

    use super::{Path, WAIT};

    /// Tells when a log or its folder changes.
    #[derive(Debug)]
    pub(in crate::capture::follow) struct Wake(Option<OwnedFd>);

    impl Wake {
        /// With the folder of this log watched; without inotify it only waits.
        pub(in crate::capture::follow) fn new(log: &Path) -> Self {
            let wake = Self(inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok());
            let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or_else(|| Path::new("."));
            let flags = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ONLYDIR;
            wake.add(folder, flags);
            wake
        }

        /// Watches the file that has this name now, beside those before it.
        pub(in crate::capture::follow) fn watch(&self, path: &Path) {
            self.add(path, WatchFlags::MODIFY);
        }

        fn add(&self, path: &Path, flags: WatchFlags) {
            if let Some(inotify) = &self.0 {
                // What is not watched is found by looking again.
                let _ = inotify::add_watch(inotify, path, flags);
            }
        }

        /// Waits until something has changed, for [`WAIT`] at most.
        pub(in crate::capture::follow) fn wait(&self) {
            let Some(inotify) = &self.0 else { return std::thread::sleep(WAIT) };
            let wait = Timespec { tv_sec: 0, tv_nsec: WAIT.subsec_nanos().into() };
            // A signal ends the wait early, which is as good as a time-out.
            let polled = poll(&mut [PollFd::new(inotify, PollFlags::IN)], Some(&wait));
            if polled.is_ok_and(|ready| ready > 0) {
                let mut events = [0; 4096];
                // What has changed is looked up; the events only tell that something has.
                while rustix::io::read(inotify, &mut events).is_ok_and(|n| n > 0) {}
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use super::{Path, WAIT};

    /// Waits for a while.
    #[derive(Debug)]
    pub(in crate::capture::follow) struct Wake;

    impl Wake {
        pub(in crate::capture::follow) fn new(_: &Path) -> Self {
            Self
        }

        pub(in crate::capture::follow) fn watch(&self, _: &Path) {}

        pub(in crate::capture::follow) fn wait(&self) {
            std::thread::sleep(WAIT);
        }
    }
}
