//! `--vici` and `--sas`: the tunnels that packets belong to.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Error;
use super::args::Sas;
use crate::capture::Batch;
use crate::decode::decode;
use crate::ipsec::journal::{Journal, Trouble};
use crate::ipsec::{GRACE, Live, Tunnels, Unknown};
use crate::vici::Uri;
use crate::wire::writer::Writer;

/// How long the first answer of the daemon is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a packet of an unknown SA is held while the daemon is asked.
const HOLD: Duration = Duration::from_secs(1);
/// After a wait in vain none is held for so long: unknown SAs may be made up by whoever sends.
const REST: Duration = Duration::from_secs(5);

/// What is known of tunnels, and from where.
pub(super) struct Known {
    pub(super) tunnels: Tunnels,
    live: Option<Live>,
}

impl Known {
    /// As the options say; `None` without them. Also whether all of a journal could be read.
    pub(super) fn new(args: &Sas, err: &mut dyn Write) -> Result<(Option<Self>, bool), Error> {
        if let Some(uri) = &args.vici {
            warn(uri, err);
            let live = Live::start(uri.clone(), |what| {
                // Nobody is left to tell if standard error is gone.
                let _ = writeln!(io::stderr(), "pfscope: --vici: {what}");
            });
            let live = live.map_err(|error| Error::Usage(format!("--vici: {error}")))?;
            live.ready(PATIENCE);
            return Ok((Some(Self { tunnels: live.tunnels(), live: Some(live) }), true));
        }
        if args.sas.is_empty() {
            return Ok((None, true));
        }
        let (journal, whole) = journal(&args.sas, err)?;
        Ok((Some(Self { tunnels: Tunnels::new(journal.index()), live: None }), whole))
    }

    /// What holds packets of a device while the daemon is asked; files never wait.
    pub(super) fn hold(&self) -> Hold {
        Hold { live: self.live.clone(), rest: None }
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

/// Holds batches that have packets of SAs which are not known yet.
pub(super) struct Hold {
    live: Option<Live>,
    /// Until when none is held.
    rest: Option<Instant>,
}

impl Hold {
    /// Waits until the SAs of the batch's packets are known, a second at most.
    pub(super) fn prepare(&mut self, batch: &Batch) {
        let Some(live) = &self.live else { return };
        let index = live.tunnels().now();
        let frames = batch.frames().filter_map(|(_, interface, frame)| {
            let event = decode(frame, interface.order, Writer::new(interface.order));
            Unknown::of(&event.packet?, frame.ts, &index)
        });
        let mut unknown: Vec<Unknown> = frames.take(MAX_UNKNOWN).collect();
        if unknown.is_empty() {
            return;
        }
        if self.rest.is_some_and(|rest| Instant::now() < rest) {
            live.ask(&unknown, &index);
            return;
        }
        let found = live.wait(&mut unknown, HOLD);
        self.rest = (!found).then(|| Instant::now() + REST);
    }
}

/// Packets of a batch that are waited for.
const MAX_UNKNOWN: usize = 256;
