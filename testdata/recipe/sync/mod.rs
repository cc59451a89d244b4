//! What the captures of `testdata/pfsync` hold.

mod bad;
pub mod cast;
mod join;
mod layouts;
mod life;
mod links;
mod peers;

use super::{Clock, File, Log};

/// Every file.
pub fn all() -> Vec<File> {
    let mut files = layouts::files();
    files.extend(links::files());
    files.push(life::file());
    files.extend(peers::files());
    files.push(join::file());
    files.extend(bad::files());
    files
}

/// Bytes of states in a packet of 1500.
const CHUNK: usize = 1500 - 20 - 20 - 8;
