//! A configured file, opened where an output left it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::config::Source;
use crate::capture::again::Again;
use crate::capture::file::Filled;
use crate::capture::follow::{Follow, Position};
use crate::capture::remark::Remark;
use crate::capture::{Batch, Records};
use crate::sink::json::Origin;

/// An open source.
pub(super) struct Opened {
    pub(super) records: Box<dyn Records>,
    pub(super) origin: Origin,
}

/// Opens a file. `once`: a file that grows is read to its end.
pub(super) fn open(
    source: &Source,
    from: Option<Position>,
    once: bool,
    stop: &Arc<AtomicBool>,
    tell: impl FnMut(Remark) + Send + 'static,
) -> Result<Opened, String> {
    let path = source.file.as_deref().unwrap_or_else(|| Path::new(""));
    let origin = Origin::File(path.as_os_str().as_encoded_bytes().to_vec());
    let records: Box<dyn Records> = if source.follow {
        let stop = Arc::clone(stop);
        let follow = match from {
            Some(from) => Follow::resume(path, from, stop, tell),
            None => Follow::new(path, source.from_start, stop, tell),
        };
        if once { Box::new(Once { follow, quiet: None }) } else { Box::new(follow) }
    } else {
        Box::new(Again::open(path, from).map_err(|error| error.to_string())?)
    };
    Ok(Opened { records, origin })
}

/// How long a log has nothing more before that is its end: longer than what was just renamed is
/// waited for.
const QUIET: Duration = Duration::from_secs(2);

/// A log that is read until it has nothing more for now.
struct Once {
    follow: Follow,
    /// Since when nothing came.
    quiet: Option<Instant>,
}

impl Records for Once {
    fn fill(&mut self, batch: &mut Batch) -> Filled {
        let Filled { more, fault } = self.follow.fill(batch);
        if !batch.records.is_empty() {
            self.quiet = None;
            return Filled { more, fault };
        }
        let quiet = self.quiet.get_or_insert_with(Instant::now).elapsed() >= QUIET;
        Filled { more: more && !quiet, fault }
    }
}
