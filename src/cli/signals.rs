//! Signals during a live capture, in a thread of their own: SIGUSR1 (and SIGINFO, ^T, where there
//! is one) prints the counters; SIGINT and SIGTERM end the capture, and the program too if the
//! output hangs.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

use super::Status;
use super::live::Tally;

/// What has been captured is written within this time of the signal, or not at all.
const GRACE: Duration = Duration::from_millis(1200);
/// The last message is written within this time.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How long the devices' threads take to count, once woken.
const COUNTING: Duration = Duration::from_millis(50);

#[cfg(not(any(
    target_os = "macos",
    target_os = "freebsd",
    target_os = "openbsd",
    target_os = "netbsd"
)))]
const ASKED: &[i32] = &[SIGINT, SIGTERM, SIGUSR1];
#[cfg(any(
    target_os = "macos",
    target_os = "freebsd",
    target_os = "openbsd",
    target_os = "netbsd"
))]
const ASKED: &[i32] = &[SIGINT, SIGTERM, SIGUSR1, signal_hook::consts::SIGINFO];

/// The thread's life: while this is there, a signal to end is one to end within time.
pub(super) struct Watch {
    _ended: Sender<()>,
}

impl Watch {
    /// Starts the thread. The stop flag is set by others, before or after.
    pub(super) fn start(tally: Tally) -> io::Result<Self> {
        let mut signals = Signals::new(ASKED)?;
        // Not through `io::Stderr`: its lock is the main thread's.
        let mut stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let (sender, ended) = mpsc::channel();
        thread::spawn(move || {
            for signal in signals.forever() {
                match signal {
                    SIGINT | SIGTERM => end(&tally, &ended, &stderr),
                    _ => {
                        tally.control.wake();
                        thread::sleep(COUNTING);
                        // Nobody is left to tell if standard error is gone.
                        let _ = write!(stderr, "pfscope: {}", tally.summary(", "));
                    }
                }
            }
        });
        Ok(Self { _ended: sender })
    }
}

/// Ends the capture; ends the program if its output has not been taken in time.
fn end(tally: &Tally, ended: &Receiver<()>, stderr: &File) {
    tally.control.stop();
    if ended.recv_timeout(GRACE) != Err(RecvTimeoutError::Timeout) {
        return;
    }
    if let Ok(mut stderr) = stderr.try_clone() {
        let (left, summary) = (tally.left(), tally.summary("\n"));
        let written = thread::spawn(move || {
            let _ = write!(
                stderr,
                "pfscope: the output hangs: {left} packets were captured but not written\n{summary}"
            );
        });
        // Standard error may hang as well.
        let step = LAST_WORDS / 10;
        for _ in 0..10 {
            if written.is_finished() {
                break;
            }
            thread::sleep(step);
        }
    }
    #[allow(clippy::exit, reason = "the main thread waits in a write that may never end")]
    process::exit(Status::Done as i32);
}
