//! OpenBSD: unveil(2) for the paths, then pledge(2). What breaks a promise ends the program.
//!
//! Promises: `stdio` has what open descriptors, memory, threads and the clock need; `tty` the width
//! of the terminal (TIOCGWINSZ) for the progress bar; `bpf` the counters of a device (BIOCGSTATS);
//! `rpath`, `wpath` and `cpath` the files of the plan; `unix` and `inet` its sockets; `dns` the
//! resolver, whose files pledge knows by itself. `error` makes an attempt to open a device again
//! fail where it would end the program.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use pledge::{Promise, ToPromiseString, pledge};
use unveil::unveil;

use super::{Peer, Plan, Report};

/// Nothing has to be kept over the change of user.
#[allow(clippy::unnecessary_wraps, reason = "it can fail on other systems")]
pub(super) fn keep(_: &Plan) -> io::Result<()> {
    Ok(())
}

/// The new user has no rights to give up.
pub(super) fn trim(_: &Plan, _: &mut Report) {}

/// Unveils the plan's paths and makes its promises.
pub(super) fn confine(plan: &Plan, report: &mut Report) {
    match veil(plan) {
        Ok(()) => report.in_force.push("unveil".to_owned()),
        Err(error) => report.missing.push(format!("unveil: {error}")),
    }
    let promises = promises(plan).to_promise_string();
    match pledge(&*promises, None) {
        Ok(()) => report.in_force.push(format!("pledge \"{promises}\"")),
        Err(error) => report.missing.push(format!("pledge: {error}")),
    }
    if plan.reopen {
        let why = "no promise covers what libpcap does for it";
        report.missing.push(format!("opening again a device that has gone: {why}"));
    }
}

/// Hides all paths but the plan's. A path that is not there has nothing to show: whoever opens it
/// says so.
fn veil(plan: &Plan) -> Result<(), unveil::Error> {
    let show = |path: &Path, permissions| match unveil(path.as_os_str().as_bytes(), permissions) {
        Err(unveil::Error::Os(error)) if error == Errno::ENOENT as i32 => Ok(()),
        shown => shown,
    };
    for path in &plan.read {
        show(path, "r")?;
    }
    for path in &plan.write {
        show(path, "rwc")?;
    }
    for peer in &plan.connect {
        if let Peer::Unix(path) = peer {
            show(path, "rw")?;
        }
    }
    // An empty path locks. Where no path was shown this hides none: then there is no promise to
    // open any.
    unveil("", "")
}

fn promises(plan: &Plan) -> Vec<Promise> {
    let is_unix = |peer: &Peer| matches!(peer, Peer::Unix(_));
    let wanted = [
        (true, Promise::Stdio),
        (true, Promise::Tty),
        (!plan.devices.is_empty(), Promise::Bpf),
        (plan.opens_files(), Promise::Rpath),
        (!plan.write.is_empty(), Promise::Wpath),
        (!plan.write.is_empty(), Promise::Cpath),
        (plan.connect.iter().any(is_unix), Promise::Unix),
        (plan.resolve || plan.accept || !plan.connect.iter().all(is_unix), Promise::Inet),
        (plan.resolve, Promise::Dns),
        // getifaddrs(3) asks by sysctl(2).
        (plan.interfaces, Promise::Route),
        (plan.reopen, Promise::Error),
    ];
    wanted.into_iter().filter_map(|(wanted, promise)| wanted.then_some(promise)).collect()
}
