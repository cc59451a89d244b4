//! The local time zone, by the one file that has it: to look a zone up by its name, or the name of
//! the system's, a whole database would be gone through, which takes longer than a small capture.

use std::env;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use jiff::tz::TimeZone;

/// Where systems keep their zones.
const ZONES: [&str; 2] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo"];
/// The system's own (tzfile(5)).
const LOCAL: &str = "/etc/localtime";
/// Bytes of a zone's file at most; the largest have four thousand.
const MAX_LEN: u64 = 1 << 20;

/// The zone of TZ or of the system.
pub(super) fn local_zone() -> TimeZone {
    let zone = match env::var("TZ") {
        Ok(tz) => {
            let tz = tz.strip_prefix(':').unwrap_or(&tz);
            with_rules(tz).or_else(|| ZONES.iter().find_map(|all| read(&Path::new(all).join(tz))))
        }
        Err(_) => read(Path::new(LOCAL)),
    };
    zone.unwrap_or_else(TimeZone::system)
}

/// A zone that names a summer time but not when it is: it has the rules that libc gives it, those
/// of the United States.
fn with_rules(tz: &str) -> Option<TimeZone> {
    let summer = tz.chars().rev().take_while(char::is_ascii_alphabetic).count() >= 3;
    let posix =
        summer && !tz.contains([',', '/', ':']) && tz.contains(|c: char| c.is_ascii_digit());
    posix.then(|| TimeZone::posix(&format!("{tz},M3.2.0,M11.1.0")).ok()).flatten()
}

fn read(path: &Path) -> Option<TimeZone> {
    let mut rules = Vec::new();
    File::open(path).ok()?.take(MAX_LEN).read_to_end(&mut rules).ok()?;
    TimeZone::tzif("", &rules).ok()
}
