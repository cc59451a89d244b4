//! Systems without a sandbox that a process can enter by itself: NetBSD, DragonFly, macOS (whose
//! sandbox_init(3) is deprecated).

use std::io;

use super::{Plan, Report};

/// Nothing has to be kept over the change of user.
#[allow(clippy::unnecessary_wraps, reason = "it can fail on other systems")]
pub(super) fn keep(_: &Plan) -> io::Result<()> {
    Ok(())
}

/// The new user has no rights to give up.
pub(super) fn trim(_: &Plan, _: &mut Report) {}

/// There is nothing to enter.
pub(super) fn confine(_: &Plan, report: &mut Report) {
    report.missing.push(format!("a sandbox: {} has none", std::env::consts::OS));
}
