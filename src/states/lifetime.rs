//! How long a state lives without a message about it.

use crate::pf::Timeout;
use crate::time::Timestamp;

use super::op::Update;
use super::whole::Whole;

/// Seconds after its end until a state that nobody deleted is taken for ended: pf looks for ended
/// states every 10 seconds (`PFTM_INTERVAL`) and sends deletions up to a second later.
pub const GRACE_S: i64 = 30;

/// Defaults of `set timeout`, in the order of the numbers up to `other.multiple`.
const DEFAULTS: [u32; 14] = [120, 30, 86400, 900, 45, 90, 60, 30, 60, 20, 10, 60, 30, 60];

/// Seconds of each timeout: the default, or the longest seen.
#[derive(Debug)]
pub(super) struct Lifetimes([u32; 32]);

impl Lifetimes {
    pub(super) fn new() -> Self {
        let mut seconds = [60; 32];
        seconds.iter_mut().zip(DEFAULTS).for_each(|(to, default)| *to = default);
        Self(seconds)
    }

    fn of(&mut self, timeout: Timeout) -> Option<&mut u32> {
        self.0.get_mut(usize::from(timeout.0))
    }

    /// The deadline by a message that has the time left.
    pub(super) fn whole(&mut self, ts: Timestamp, whole: &Whole) -> i64 {
        let left_s = whole.base.expire_s;
        if let Some(timeout) = whole.progress.timeout
            && let Some(longest) = self.of(timeout)
        {
            *longest = left_s.max(*longest);
        }
        deadline(ts, left_s)
    }

    /// The deadline by one that has not: a packet has passed, the timeout starts again.
    pub(super) fn compressed(&mut self, ts: Timestamp, update: &Update, old: i64) -> i64 {
        let left = match update.expire_s {
            0 => self.of(update.timeout).map(|seconds| *seconds),
            seconds => Some(seconds),
        };
        left.map_or(old, |seconds| deadline(ts, seconds))
    }
}

fn deadline(ts: Timestamp, left_s: u32) -> i64 {
    // The end of the second that is running.
    ts.split().0.saturating_add(i64::from(left_s)).saturating_add(GRACE_S + 1)
}
