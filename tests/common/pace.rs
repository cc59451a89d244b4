//! Tests of what is promised within a time, on machines that have other work to do.
#![allow(dead_code, unreachable_pub, reason = "each includer uses its own part")]
#![allow(clippy::unwrap_used, reason = "a failing test may panic anywhere")]

use std::fs;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long an end may take: the two seconds that are promised, and as many for a debug build beside
/// other tests on processors that others want too.
pub const END: Duration = Duration::from_secs(4);

/// Later than this a thread is woken only on a machine that others use too.
const STALL: Duration = Duration::from_millis(100);
/// As much of the processors' time others have on such a machine, in percent.
const STOLEN: u64 = 5;

/// Runs a test that gives the program no more time than is promised. Where the machine stood still
/// meanwhile, or its processors were others', a failure says nothing: that is said aloud, and the test
/// runs again, three times at most.
pub fn in_time(test: impl Fn()) {
    for again in (0..4).rev() {
        let watch = Watch::start();
        let Err(panic) = panic::catch_unwind(AssertUnwindSafe(&test)) else { return };
        let (late, stolen) = watch.end();
        if again == 0 || (late < STALL && stolen < STOLEN) {
            panic::resume_unwind(panic);
        }
        let _ = writeln!(
            io::stderr(),
            "AGAIN: the machine stood still for {late:?}, {stolen} % of its time were others'"
        );
    }
}

/// Watches the machine.
struct Watch {
    begun: Option<[u64; 2]>,
    sleeper: JoinHandle<Duration>,
    ended: Sender<()>,
}

impl Watch {
    fn start() -> Self {
        let (ended, end) = mpsc::channel();
        let sleeper = thread::spawn(move || {
            let (nap, mut late) = (Duration::from_millis(10), Duration::ZERO);
            loop {
                let begun = Instant::now();
                if end.recv_timeout(nap) != Err(RecvTimeoutError::Timeout) {
                    return late;
                }
                late = late.max(begun.elapsed().saturating_sub(nap));
            }
        });
        Self { begun: stolen(), sleeper, ended }
    }

    /// How late a sleeper was woken at most, and how many percent of the processors' time were others'.
    fn end(self) -> (Duration, u64) {
        drop(self.ended);
        let late = self.sleeper.join().unwrap();
        let share = self.begun.zip(stolen()).map_or(0, |([stolen, all], [later, all_later])| {
            (later - stolen) * 100 / (all_later - all).max(1)
        });
        (late, share)
    }
}

/// What the host has taken of the processors' time, and that time as a whole (proc(5), `stat`); `None`
/// where the system does not tell.
fn stolen() -> Option<[u64; 2]> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    // user, nice, system, idle, iowait, irq, softirq, steal
    let all: Vec<u64> = line.split_whitespace().take(8).filter_map(|n| n.parse().ok()).collect();
    Some([*all.get(7)?, all.iter().sum()])
}
