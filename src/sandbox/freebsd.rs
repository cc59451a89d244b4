//! FreeBSD: capability mode, capsicum(4), cap_enter(2). There are no global names in it: no path
//! can be opened and no address connected to, but descriptors that are open go on working, bpf(4)'s
//! with their ioctls among them, in all threads.
//!
//! A run that opens files or sockets by name later on cannot enter it, and says so.

use std::io;

use super::{Plan, Report};

/// Nothing has to be kept over the change of user.
#[allow(clippy::unnecessary_wraps, reason = "it can fail on other systems")]
pub(super) fn keep(_: &Plan) -> io::Result<()> {
    Ok(())
}

/// The new user has no rights to give up.
pub(super) fn trim(_: &Plan, _: &mut Report) {}

/// Enters capability mode. A device that has gone cannot be opened again then.
pub(super) fn confine(plan: &Plan, report: &mut Report) {
    if plan.opens_files() || plan.accept || !plan.connect.is_empty() {
        let why = "this run opens files or sockets by name later on";
        return report.missing.push(format!("Capsicum: {why}"));
    }
    match capsicum::enter() {
        Ok(()) => {
            report.in_force.push("Capsicum".to_owned());
            if plan.reopen {
                let why = "Capsicum does not let it be opened";
                report.missing.push(format!("opening again a device that has gone: {why}"));
            }
        }
        Err(error) => report.missing.push(format!("Capsicum: {error}")),
    }
}
