//! Whether to colour what is printed.

use std::io::{IsTerminal, stdout};

pub(super) use super::args::When;

/// True if colours are wanted: always, never, or on a terminal that can show them, unless NO_COLOR
/// is set (no-color.org).
pub(super) fn wanted(when: When) -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto => stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb,
    }
}
