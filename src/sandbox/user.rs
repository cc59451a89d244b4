//! Becoming another user: setgid(2), initgroups(3), setuid(2), in this order, and a proof that
//! there is no way back.

#[cfg(not(target_vendor = "apple"))]
use std::ffi::CString;
use std::io;

use nix::unistd::{self, Gid, Uid};

use super::{Error, Report};

/// Users that are tried for [`User::Unprivileged`]: pfscope's own, then the one that every system
/// has.
const UNPRIVILEGED: [&str; 2] = ["_pfscope", "nobody"];

/// Who the process becomes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum User {
    /// It stays who it is.
    #[default]
    Same,
    /// If it is root's: `_pfscope`, or `nobody` where that user does not exist.
    Unprivileged,
    /// This user; `root` stays root.
    Named(String),
}

/// A user's entry in the system's table.
pub(super) struct Account {
    name: String,
    uid: Uid,
    gid: Gid,
}

impl User {
    /// The account to change to; none if the process stays who it is.
    pub(super) fn account(&self, report: &mut Report) -> Result<Option<Account>, Error> {
        let is_root = unistd::geteuid().is_root();
        match self {
            Self::Same => Ok(None),
            Self::Unprivileged if !is_root => Ok(None),
            Self::Unprivileged => {
                let found = UNPRIVILEGED.iter().find_map(|name| find(name).ok().flatten());
                if found.is_none() {
                    let tried = UNPRIVILEGED.join(" nor ");
                    report.missing.push(format!("a change of user: there is neither {tried}"));
                }
                Ok(found)
            }
            Self::Named(name) => {
                let account = find(name)
                    .map_err(|error| Error::User(name.clone(), error))?
                    .ok_or_else(|| Error::NoUser(name.clone()))?;
                let same = account.uid == unistd::geteuid() && account.uid == unistd::getuid();
                Ok((!same).then_some(account))
            }
        }
    }
}

fn find(name: &str) -> io::Result<Option<Account>> {
    let found = unistd::User::from_name(name)?;
    Ok(found.map(|user| Account { name: user.name, uid: user.uid, gid: user.gid }))
}

impl Account {
    /// Changes to it. `before` keeps what the change would take away, `after` gives up what is
    /// then too much.
    pub(super) fn become_it(
        self,
        before: impl FnOnce() -> io::Result<()>,
        after: impl FnOnce(&mut Report),
        report: &mut Report,
    ) -> Result<(), Error> {
        let failed = |error: io::Error| Error::User(self.name.clone(), error);
        before().map_err(failed)?;
        unistd::setgid(self.gid).map_err(|error| failed(error.into()))?;
        self.take_groups(report).map_err(failed)?;
        unistd::setuid(self.uid).map_err(|error| failed(error.into()))?;
        after(report);
        let changed = unistd::getuid() == self.uid
            && unistd::geteuid() == self.uid
            && unistd::getgid() == self.gid
            && unistd::getegid() == self.gid;
        let root = Uid::from_raw(0);
        if !changed || (self.uid != root && unistd::setuid(root).is_ok()) {
            return Err(Error::StillRoot(self.name));
        }
        report.in_force.push(format!("user {}", self.name));
        report.user = Some(self.name);
        Ok(())
    }

    /// The groups that the user is a member of, and no others.
    #[cfg(not(target_vendor = "apple"))]
    fn take_groups(&self, _: &mut Report) -> io::Result<()> {
        let name = CString::new(self.name.as_bytes())?;
        Ok(unistd::initgroups(&name, self.gid)?)
    }

    /// Apple's initgroups(3) is not among nix's functions.
    #[cfg(target_vendor = "apple")]
    fn take_groups(&self, report: &mut Report) -> io::Result<()> {
        report.missing.push("a change of the supplementary groups".to_owned());
        Ok(())
    }
}
