//! The progress bar: on standard error, for work over a second, where nothing else is printed.

use std::io::{IsTerminal, stderr, stdout};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::capture::file::Progress;

/// Work that is done sooner shows no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// The bar of one file.
pub(super) struct Bar {
    progress: Arc<Progress>,
    size: u64,
    started: Instant,
    bar: Option<ProgressBar>,
}

impl Bar {
    /// A bar for a regular file of a run that began at `started`, unless a person would not see it
    /// or it would run into the lines that are printed; with `at_end` these come last.
    pub(super) fn new(progress: Arc<Progress>, started: Instant, at_end: bool) -> Option<Self> {
        let size = progress.size()?;
        let seen = stderr().is_terminal() && (at_end || !stdout().is_terminal());
        seen.then(|| Self { progress, size, started, bar: None })
    }

    /// Shows how far the reading has come.
    pub(super) fn tick(&mut self) {
        if self.bar.is_none() && self.started.elapsed() >= PATIENCE {
            let style = ProgressStyle::with_template(
                "{bar:40} {bytes}/{total_bytes} {bytes_per_sec}, {eta} to go",
            );
            let bar = ProgressBar::new(self.size).with_elapsed(self.started.elapsed());
            self.bar = Some(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.progress.bytes());
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
