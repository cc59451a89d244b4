//! How long to wait before an output is tried again.

use std::time::Duration;

/// Doubles from try to try, up to a limit; each wait is somewhere between half of it and all of
/// it, so that many feeds do not come back to a server at the same instant.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    /// From this wait up to that one.
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// The wait before the next try.
    pub fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = wait.saturating_mul(2).min(self.most);
        wait.mul_f64(0.5 + 0.5 * fastrand::f64())
    }

    /// It worked: begin anew.
    pub const fn reset(&mut self) {
        self.next = self.first;
    }
}

impl Default for Backoff {
    /// From a quarter of a second to half a minute.
    fn default() -> Self {
        Self::new(Duration::from_millis(250), Duration::from_secs(30))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_limit_and_no_further() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        for expected in [100_u64, 200, 350, 350] {
            let wait = backoff.wait();
            let (low, high) =
                (Duration::from_millis(expected / 2), Duration::from_millis(expected));
            assert!((low..=high).contains(&wait), "{wait:?} for {expected}");
        }
        backoff.reset();
        assert!(backoff.wait() <= Duration::from_millis(100));
    }
}
