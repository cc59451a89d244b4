//! `--vici` and `--sas`: the tunnels that packets belong to.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use super::args::Sas;
use super::selection::Selection;
use super::{Error, Status};
use crate::ipsec::journal::{Journal, Trouble};
use crate::ipsec::{GRACE, Live, Tunnels};
use crate::vici::Uri;

/// How long the first answer of the daemon is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is known of tunnels, and from where.
pub(super) struct Known {
    tunnels: Tunnels,
    live: Option<Live>,
}

impl Known {
    /// From journals, for a selection; `None` if none is named. To be read before rights are given
    /// up. The status says whether all of them could be read.
    pub(super) fn of_journals(
        args: &Sas,
        selection: &mut Selection,
        err: &mut dyn Write,
    ) -> Result<(Option<Self>, Status), Error> {
        if args.sas.is_empty() {
            return Ok((None, Status::Done));
        }
        let (journal, whole) = journal(&args.sas, err)?;
        let known = Self { tunnels: Tunnels::new(journal.index()), live: None };
        selection.tunnels = Some(known.tunnels.clone());
        Ok((Some(known), if whole { Status::Done } else { Status::Failed }))
    }

    /// From a daemon, for a selection; `None` if none is named. Its thread begins here, and has the
    /// rights that there are now.
    pub(super) fn of_daemon(
        args: &Sas,
        selection: &mut Selection,
        err: &mut dyn Write,
    ) -> Result<Option<Self>, Error> {
        let Some(uri) = &args.vici else { return Ok(None) };
        warn(uri, err);
        let live = Live::start(uri.clone(), |what| {
            // Nobody is left to tell if standard error is gone.
            let _ = writeln!(io::stderr(), "pfscope: --vici: {what}");
        });
        let live = live.map_err(|error| Error::Usage(format!("--vici: {error}")))?;
        let known = Self { tunnels: live.tunnels(), live: Some(live) };
        selection.tunnels = Some(known.tunnels.clone());
        Ok(Some(known))
    }

    /// Waits for the first answer of the daemon, before files are read. Devices are read meanwhile.
    pub(super) fn ready(&self) {
        self.live.iter().for_each(|live| live.ready(PATIENCE));
    }

    /// The daemon that is followed.
    #[cfg(feature = "live")]
    pub(super) fn live(&self) -> Option<Live> {
        self.live.clone()
    }
}

/// Says what is dangerous about a URI.
pub(super) fn warn(uri: &Uri, err: &mut dyn Write) {
    if let Some(warning) = uri.warning() {
        let _ = writeln!(err, "pfscope: {warning}");
    }
}

/// Reads journals in the order of their times; false if a part of them could not be read.
pub(super) fn journal(paths: &[PathBuf], err: &mut dyn Write) -> Result<(Journal, bool), Error> {
    let wrong = |path: &PathBuf, error| Error::Usage(format!("--sas {}: {error}", path.display()));
    let mut files = Vec::new();
    for path in paths {
        files.push((Journal::begins(path).map_err(|error| wrong(path, error))?, path));
    }
    files.sort();
    let (mut journal, mut whole) = (Journal::new(GRACE), true);
    for (_, path) in files {
        let Trouble { unknown, first, torn } =
            journal.add(path).map_err(|error| wrong(path, error))?;
        let name = path.display();
        if let Some(first) = first {
            whole = false;
            let lines = if unknown == 1 { "line is" } else { "lines are" };
            let _ = writeln!(
                err,
                "pfscope: {name}: {unknown} {lines} no record of a journal, the first is line {first}"
            );
        }
        if torn {
            let _ = writeln!(err, "pfscope: {name}: the last line is cut, and left out");
        }
    }
    Ok((journal, whole))
}
