//! The command line: arguments to a checked configuration, a run, an exit status.
//!
//! clap is used in this room only. Messages go to standard error as
//! `pfscope: FILE: what, at record N, byte M`.

mod args;
mod color;
mod copy;
mod docs;
mod explain;
#[cfg(feature = "feed")]
mod feed;
mod ipsec;
mod join;
#[cfg(feature = "live")]
mod live;
mod print;
mod progress;
#[cfg(feature = "feed")]
mod reach;
mod reading;
mod report;
mod rights;
mod rules;
mod ruleset;
mod save;
#[cfg(feature = "live")]
mod service;
#[cfg(feature = "live")]
mod signals;
mod sinks;
mod states;
mod summary;
mod together;
mod tunnels;
mod vici;
mod watch;
mod zone;

use std::ffi::OsString;
use std::io::{self, Write};

use crate::engine::selection;
use args::{Cli, Command};

use crate::sandbox;

/// What the program tells its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Status {
    /// Done.
    Done = 0,
    /// Something could not be read or written; what could be read was printed.
    Failed = 1,
    /// Wrong usage.
    Usage = 2,
}

/// What ends a run at once.
#[derive(Debug)]
enum Error {
    /// Wrong usage: a message for the user.
    Usage(String),
    /// The output cannot be written.
    Output(io::Error),
    /// Rights that were to be given up could not be.
    Rights(sandbox::Error),
}

impl From<sandbox::Error> for Error {
    fn from(error: sandbox::Error) -> Self {
        Self::Rights(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Runs the program inside of another: `args` begin with the program's name. Output and messages
/// go to the given writers; a closed pipe behind `out` is a normal end. The process keeps its
/// rights.
pub fn run<A: Into<OsString> + Clone>(
    args: impl IntoIterator<Item = A>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Status {
    let (args, is_report) = arguments(args);
    start(Cli::of(args), is_report, out, err)
}

/// Runs the program in a process of its own, as [`run`]. Once its sources are open the process
/// gives up its rights for good ([`sandbox`]).
pub fn run_process<A: Into<OsString> + Clone>(
    args: impl IntoIterator<Item = A>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Status {
    let (args, is_report) = arguments(args);
    let mut cli = Cli::of(args);
    if let Ok(cli) = &mut cli {
        cli.own_process();
    }
    start(cli, is_report, out, err)
}

/// The arguments as clap takes them, and whether a report is meant, whose options have one dash.
fn arguments<A: Into<OsString>>(args: impl IntoIterator<Item = A>) -> (Vec<OsString>, bool) {
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    let is_report = report::is_meant(&args);
    (if is_report { report::with_two_dashes(args) } else { args }, is_report)
}

fn start(
    cli: Result<Cli, clap::Error>,
    is_report: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Status {
    let ended = match cli {
        Ok(cli) => dispatch(cli, out, err),
        Err(help) if !help.use_stderr() => {
            let help = help.render();
            let written = if color::wanted(color::When::Auto) {
                write!(out, "{}", help.ansi())
            } else {
                write!(out, "{help}")
            };
            written.map(|()| Status::Done).map_err(Error::from)
        }
        Err(wrong) => {
            // Nobody is left to tell if standard error is gone.
            let _ = write!(err, "{}", wrong.render());
            Ok(Status::Usage)
        }
    };
    let ended = ended.and_then(|status| {
        out.flush()?;
        Ok(status)
    });
    let status = match ended {
        Ok(status) => status,
        Err(Error::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Status::Done,
        Err(Error::Output(error)) => {
            let _ = writeln!(err, "pfscope: cannot write the output: {error}");
            Status::Failed
        }
        Err(Error::Rights(error)) => {
            let _ = writeln!(err, "pfscope: {}", printable(&error.to_string()));
            Status::Failed
        }
        Err(Error::Usage(message)) => {
            let _ = writeln!(err, "pfscope: {}", printable(&message));
            Status::Usage
        }
    };
    // ipsec_report(1M): 0, otherwise 1.
    if is_report { status.min(Status::Failed) } else { status }
}

/// A message that may repeat what the user typed, without control characters but line ends.
fn printable(message: &str) -> String {
    let lines = message.split('\n').map(|line| {
        line.chars().flat_map(|c| match c {
            c if c.is_control() => c.escape_default().collect::<Vec<_>>(),
            c => vec![c],
        })
    });
    let lines: Vec<String> = lines.map(Iterator::collect).collect();
    lines.join("\n")
}

fn dispatch(cli: Cli, out: &mut dyn Write, err: &mut dyn Write) -> Result<Status, Error> {
    match cli.command {
        None => print::run(&cli.print, out, err),
        Some(Command::Ipsec(args)) => ipsec::run(&args, out, err),
        Some(Command::States(args)) => states::run(&args, out, err),
        Some(Command::Explain(args)) => explain::run(&args, out, err),
        #[cfg(feature = "feed")]
        Some(Command::Feed(args)) => feed::run(&args, out, err),
        Some(Command::Rules(args)) => rules::run(&args, out, err),
        Some(Command::Vici(args)) => vici::run(&args, out, err),
        Some(Command::Summary(args)) => summary::run(&args, out, err),
        Some(Command::Schema { format }) => docs::schema(format, out),
        Some(Command::Man) => docs::man(out),
        Some(Command::Completions { shell }) => docs::completions(shell, out),
    }
}
