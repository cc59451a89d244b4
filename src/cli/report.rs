//! `pfscope ipsec report`: which reports, of whom, and how they are printed.

mod cache;
mod page;
mod save;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::args::{HostKind, JOURNAL, Report as Args, SaKind};
use super::reading::Settings;
use super::rights::Rights;
use super::tunnels::warn;
use super::{Error, Status};
use crate::ipsec::Index;
use crate::ipsec::journal::{Journal, Record, Trouble, each_of};
use crate::ipsec::report::audit::{Audit, Wanted};
use crate::ipsec::report::bypass::Which as List;
use crate::ipsec::report::host::Which as Host;
use crate::ipsec::report::{
    Answers, Block, Replay, bypass, counter, down, host, ike_policy, ike_sa, interface, ipsec_sa,
    total, tunnel,
};
use crate::ipsec::services::Services;
use crate::time::{Clock, Precision, Timestamp};
use page::Page;

/// ipsec_report(1M)'s options, which have one dash.
const SINGLE: [&str; 12] = [
    "-all", "-sa", "-ike", "-host", "-tunnel", "-ip", "-bypass", "-cache", "-audit", "-entity",
    "-file", "-help",
];

/// True for the command line of a report.
pub(super) fn is_meant(args: &[OsString]) -> bool {
    let word = |at: usize, word: &str| args.get(at).is_some_and(|arg| arg == word);
    word(1, "ipsec") && word(2, "report")
}

/// The command line with two dashes for one, where ipsec_report(1M) has one.
pub(super) fn with_two_dashes(args: Vec<OsString>) -> Vec<OsString> {
    let args = args.into_iter().map(|arg| match arg.to_str() {
        Some(name) if SINGLE.contains(&name) => format!("-{name}").into(),
        _ => arg,
    });
    args.collect()
}

/// A report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    IkeSas,
    IpsecSas,
    IkePolicies,
    HostActive,
    HostConfigured,
    Tunnels,
    Interfaces,
    Bypass,
    Cache,
    Audit,
    Down,
    Counters,
    Stats,
    Totals,
}

impl Kind {
    const ALL: [Self; 14] = [
        Self::IkeSas,
        Self::IpsecSas,
        Self::IkePolicies,
        Self::HostActive,
        Self::HostConfigured,
        Self::Tunnels,
        Self::Interfaces,
        Self::Bypass,
        Self::Cache,
        Self::Audit,
        Self::Down,
        Self::Counters,
        Self::Stats,
        Self::Totals,
    ];

    /// The option that asks for it.
    const fn option(self) -> &'static str {
        match self {
            Self::IkeSas => "-sa ike",
            Self::IpsecSas => "-sa ipsec",
            Self::IkePolicies => "-ike",
            Self::HostActive => "-host active",
            Self::HostConfigured => "-host configured",
            Self::Tunnels => "-tunnel",
            Self::Interfaces => "-ip",
            Self::Bypass => "-bypass",
            Self::Cache => "-cache",
            Self::Audit => "-audit",
            Self::Down => "--down",
            Self::Counters => "--counters",
            Self::Stats => "--stats",
            Self::Totals => "--totals",
        }
    }

    /// JSON's `type` of its blocks.
    const fn types(self) -> &'static [&'static str] {
        match self {
            Self::IkeSas => &["ike_sa"],
            Self::IpsecSas => &["ipsec_sa"],
            Self::IkePolicies => &["ike_policy"],
            Self::HostActive => &["host_active"],
            Self::HostConfigured => &["host_configured"],
            Self::Tunnels => &["tunnel"],
            Self::Interfaces => &["interface"],
            Self::Bypass => &["bypass", "discard"],
            Self::Cache => &["cache"],
            Self::Audit => &["audit"],
            Self::Down => &["down"],
            Self::Counters => &["counters"],
            Self::Stats => &["stats"],
            Self::Totals => &["total"],
        }
    }

    /// The reports that are asked for, in the order in which they are printed.
    fn wanted(args: &Args) -> Vec<Self> {
        let sa = |kind| args.sa.is_some_and(|sa| sa == kind || sa == SaKind::All);
        let is_wanted = |kind: &Self| match kind {
            Self::IkeSas => sa(SaKind::Ike),
            Self::IpsecSas => sa(SaKind::Ipsec),
            Self::IkePolicies => args.ike,
            Self::HostActive => args.host.contains(&HostKind::Active),
            Self::HostConfigured => args.host.contains(&HostKind::Configured),
            Self::Tunnels => args.tunnel,
            Self::Interfaces => args.ip,
            Self::Bypass => args.bypass,
            Self::Cache => args.cache,
            Self::Audit => args.audit.is_some(),
            Self::Down => args.down,
            Self::Counters => args.counters,
            Self::Stats => args.stats,
            Self::Totals => args.totals,
        };
        let wanted: Vec<Self> = Self::ALL.into_iter().filter(is_wanted).collect();
        if args.all || wanted.is_empty() { Self::ALL.to_vec() } else { wanted }
    }
}

pub(super) fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> Result<Status, Error> {
    let settings = Settings::new(&args.common, "", false)?;
    let mut rights = Some(rights(
        args,
        #[cfg(feature = "live")]
        err,
    ));
    #[cfg(feature = "live")]
    let at_once = args.device.interfaces.is_empty();
    #[cfg(not(feature = "live"))]
    let at_once = true;
    // With a device, once that is open.
    if at_once && let Some(rights) = rights.take() {
        rights.announce(err);
        rights.enter(err)?;
    }
    match (&args.file, args.watch) {
        (_, Some(every)) => page::watch(args, &settings, every, &mut rights, out, err),
        (Some(path), None) => save::whole(path, |file| {
            let mut page = Page::new(args)?;
            print(args, &settings, &mut rights, &mut page, file, err)
        }),
        (None, None) => {
            let mut page = Page::new(args)?;
            print(args, &settings, &mut rights, &mut page, out, err)
        }
    }
}

/// What is opened by name, perhaps again and again.
fn rights(args: &Args, #[cfg(feature = "live")] err: &mut dyn Write) -> Rights {
    let read = [&args.sas, &args.read].into_iter().flatten();
    let file =
        args.file.as_deref().map(|path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()));
    let journal = PathBuf::from(JOURNAL);
    let rights = Rights::new(&args.common, args.verbose)
        .with_read(read.chain(&args.audit).chain(&args.diff).chain([&journal]))
        .with_saved(file.as_deref())
        .with_daemon(args.sas.is_empty().then_some(&args.vici))
        .with_interfaces();
    // Of a journal too, and out of reach later on.
    let _ = Services::of_system();
    #[cfg(feature = "live")]
    let rights = rights.with_devices(&args.device, err);
    rights
}

/// What the reports are made of.
struct Sources {
    answers: Answers,
    /// A journal's SAs of all times.
    index: Option<Index>,
}

/// All reports that are wanted, once.
fn print(
    args: &Args,
    settings: &Settings,
    rights: &mut Option<Rights>,
    page: &mut Page<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Status, Error> {
    let wanted = Kind::wanted(args);
    let mut status = Status::Done;
    let needs_daemon = wanted.iter().any(|kind| *kind != Kind::Audit);
    let sources = if needs_daemon { sources(args, settings, &mut status, err)? } else { None };
    if needs_daemon && sources.is_none() {
        return Ok(Status::Failed);
    }
    if let Some(Sources { answers, .. }) = &sources
        && !answers.complete
    {
        writeln!(err, "pfscope: {}: not all SAs are listed", answers.from)?;
        status = Status::Failed;
    }
    for kind in wanted {
        page.begin(kind.option(), out)?;
        match (&sources, kind) {
            (_, Kind::Audit) => status = status.max(audit(args, settings, page, out, err)?),
            (Some(sources), Kind::Cache) => {
                let rights = rights.take().unwrap_or_else(Rights::given_up);
                status = status.max(cache::print(args, settings, sources, rights, page, out, err)?);
            }
            (Some(sources), kind) => one(kind, &sources.answers, page, out)?,
            (None, _) => {}
        }
        page.end(kind.types(), out)?;
    }
    Ok(status)
}

/// Asks the daemon, or the journal; `None` if that was in vain, and was said.
fn sources(
    args: &Args,
    settings: &Settings,
    status: &mut Status,
    err: &mut dyn Write,
) -> Result<Option<Sources>, Error> {
    if args.sas.is_empty() {
        warn(&args.vici, err);
        return match Answers::ask(&args.vici) {
            Ok(answers) => Ok(Some(Sources { answers, index: None })),
            Err(error) => {
                writeln!(err, "pfscope: IPsec cannot be reported: {error}")?;
                Ok(None)
            }
        };
    }
    let at = args.at.as_deref().map(|text| Timestamp::parse(text, &settings.zone)).transpose();
    let at = at.map_err(|wrong| Error::Usage(format!("--at: {wrong}")))?;
    let mut replay = Replay::default();
    for path in in_order(&args.sas)? {
        let taken = each_of(path, |when, record| {
            if at.is_none_or(|at| when <= at) {
                replay.apply(when, record);
            }
        });
        told(path, taken, status, err)?;
    }
    let Some(last) = replay.last() else {
        writeln!(err, "pfscope: --sas: the journal has nothing up to that time")?;
        return Ok(None);
    };
    let index = replay.index();
    let names: Vec<_> = args.sas.iter().map(|path| path.display().to_string()).collect();
    let answers = replay.answers(at.unwrap_or(last), names.join(", "));
    for (missing, what) in
        [(answers.conns.is_none(), "configuration"), (answers.policies.is_none(), "policies")]
    {
        if missing {
            writeln!(err, "pfscope: {}: the journal has no {what} of that time", answers.from)?;
            *status = Status::Failed;
        }
    }
    Ok(Some(Sources { answers, index: Some(index) }))
}

/// Journals in the order of their times.
fn in_order(paths: &[PathBuf]) -> Result<Vec<&Path>, Error> {
    let mut files = Vec::new();
    for path in paths {
        let begins = Journal::begins(path)
            .map_err(|error| Error::Usage(format!("--sas {}: {error}", path.display())))?;
        files.push((begins, path.as_path()));
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

/// Tells what could not be read of a journal.
fn told(
    path: &Path,
    taken: io::Result<Trouble>,
    status: &mut Status,
    err: &mut dyn Write,
) -> Result<(), Error> {
    let name = path.display();
    match taken {
        Err(error) => {
            writeln!(err, "pfscope: {name}: {error}")?;
            *status = Status::Failed;
        }
        Ok(Trouble { first: Some(first), unknown, .. }) => {
            writeln!(
                err,
                "pfscope: {name}: {unknown} lines are no records of a journal, the first is line {first}"
            )?;
            *status = Status::Failed;
        }
        Ok(Trouble { torn: true, .. }) => {
            writeln!(err, "pfscope: {name}: the last line is cut, and left out")?;
        }
        Ok(_) => {}
    }
    Ok(())
}

/// A report of answers.
fn one(kind: Kind, answers: &Answers, page: &mut Page<'_>, out: &mut dyn Write) -> io::Result<()> {
    let configuration = answers.configuration();
    let unknown = match kind {
        Kind::IkePolicies | Kind::HostConfigured | Kind::Down if answers.conns.is_none() => {
            Some("the configuration is not known")
        }
        Kind::Bypass if answers.policies.is_none() => Some("the policies are not known"),
        Kind::Interfaces if answers.interfaces.is_none() => {
            Some("the interfaces of the daemon's host are not known: it is not this one")
        }
        Kind::Counters if answers.counters.is_none() => {
            Some("the daemon does not count: its plugin 'counters' is not loaded")
        }
        Kind::Stats if answers.stats.is_none() => Some("the daemon does not tell"),
        Kind::Totals if answers.totals.is_none() => {
            Some("what SAs carried that are no longer there is known to a journal only: --sas")
        }
        _ => None,
    };
    if let Some(why) = unknown {
        return page.note(why, out);
    }
    match kind {
        Kind::IkeSas => blocks(ike_sa::rows(answers, &configuration), page, out),
        Kind::IpsecSas => blocks(ipsec_sa::rows(answers, &configuration), page, out),
        Kind::IkePolicies => blocks(ike_policy::rows(answers), page, out),
        Kind::HostActive => blocks(host::rows(answers, &configuration, Host::Active), page, out),
        Kind::HostConfigured => {
            blocks(host::rows(answers, &configuration, Host::Configured), page, out)
        }
        Kind::Tunnels => blocks(tunnel::rows(answers, &configuration), page, out),
        Kind::Interfaces => blocks(interface::rows(answers), page, out),
        Kind::Bypass => {
            page.title(List::Bypass.title(), out)?;
            blocks(bypass::rows(answers, List::Bypass), page, out)?;
            page.title(List::Discard.title(), out)?;
            blocks(bypass::rows(answers, List::Discard), page, out)
        }
        Kind::Down => blocks(down::rows(answers), page, out),
        Kind::Counters => blocks(counter::counters(answers), page, out),
        Kind::Stats => blocks(counter::stats(answers), page, out),
        Kind::Totals => blocks(total::rows(answers), page, out),
        Kind::Cache | Kind::Audit => Ok(()),
    }
}

fn blocks<B: Block>(
    rows: impl IntoIterator<Item = B>,
    page: &mut Page<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    rows.into_iter().try_for_each(|row| page.block(row.form(), out))
}

/// The events of a journal.
fn audit(
    args: &Args,
    settings: &Settings,
    page: &mut Page<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Status, Error> {
    let files = match &args.audit {
        Some(path) => vec![path.as_path()],
        None if !args.sas.is_empty() => in_order(&args.sas)?,
        None => vec![Path::new(JOURNAL)],
    };
    // It is not asked for by name.
    if let (None, [path]) = (&args.audit, &*files)
        && !fs::exists(path).unwrap_or(false)
    {
        let why = format!(
            "there is no journal {0}: 'pfscope ipsec record --to {0}' writes one",
            path.display()
        );
        page.note(&why, out)?;
        return Ok(Status::Done);
    }
    let (since, until) = (settings.selection.since, settings.selection.until);
    let entity = args.entity.as_ref().map(|entity| entity.clone().into_bytes());
    let mut audit = Audit::new(Wanted { entity, since, until });
    let mut status = Status::Done;
    for path in files {
        let clock = std::cell::RefCell::new(Clock::new(settings.zone.clone()));
        let time = |at: Timestamp| {
            let mut text = Vec::new();
            clock.borrow_mut().push_rfc3339(&mut text, at, Precision::Micros);
            String::from_utf8_lossy(&text).into_owned()
        };
        let mut failed = None;
        let taken = each_of(path, |at, record: Record| {
            if failed.is_none()
                && let Some(row) = audit.row(at, &record, time)
            {
                failed = page.block(row.form(), out).err();
            }
        });
        if let Some(error) = failed {
            return Err(error.into());
        }
        told(path, taken, &mut status, err)?;
    }
    Ok(status)
}
