//! The ruleset that `--rules` names.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::Error;
use super::reading::Settings;
use crate::rules::{Current, Rules};
use crate::text::escaped;

/// Reads the rules for a command, tells what in them was not read, and lets the filter ask for
/// labels.
pub(super) fn provide(
    settings: &mut Settings,
    path: Option<&Path>,
    err: &mut dyn Write,
) -> Result<(), Error> {
    match path {
        None if settings.selection.filter.asks_for_rules() => {
            Err(Error::Usage("the filter's 'label' needs a ruleset: name it with --rules".into()))
        }
        None => Ok(()),
        Some(path) => {
            let rules = load(path, &settings.zone)?;
            tell(&rules.get(), err);
            settings.selection.rules = Some(Arc::new(rules));
            Ok(())
        }
    }
}

pub(super) fn load(path: &Path, zone: &TimeZone) -> Result<Current, Error> {
    Current::load(path, zone).map_err(|error| Error::Usage(format!("--rules {error}")))
}

/// Tells which lines of the files are no rules.
pub(super) fn tell(rules: &Rules, err: &mut dyn Write) {
    let name = |path: &Path| escaped(path.as_os_str().as_encoded_bytes());
    for snapshot in rules.snapshots() {
        let Some((count, first)) = snapshot.ruleset.listing().unread else { continue };
        let more = match count {
            1 => String::new(),
            n => format!(" (nor are {} more)", n - 1),
        };
        let path = name(&snapshot.path);
        // Nobody is left to tell if standard error is gone.
        let _ = writeln!(err, "pfscope: {path}: line {first} is not a rule{more}, it is left out");
    }
    for path in &rules.without_rules {
        let _ = writeln!(err, "pfscope: {}: no rule in it, it is left out", name(path));
    }
}
