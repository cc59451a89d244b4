//! The devices there are, as libpcap lists them, and the link types that they can have.

use pcap::{Capture, Device, Linktype};

use super::device::message;
use super::live::Settings;
use crate::text::escaped;

/// A device that libpcap can open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name, for `-i`.
    pub name: String,
    /// What it is to pf, or what the system says it is.
    pub description: Option<String>,
    /// Its flags, in tcpdump's words.
    pub flags: Vec<&'static str>,
}

/// A link type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataLink {
    /// libpcap's name, for `-y`.
    pub name: String,
    /// libpcap's words for it.
    pub description: String,
}

/// The devices that libpcap knows of, in its order.
///
/// # Errors
/// libpcap's message.
pub fn devices() -> Result<Vec<Listed>, String> {
    let all = Device::list().map_err(message)?;
    let listed = |device: Device| {
        let flags = &device.flags;
        let all = [
            (flags.is_up(), "Up"),
            (flags.is_running(), "Running"),
            (flags.is_loopback(), "Loopback"),
            (flags.is_wireless(), "Wireless"),
        ];
        Listed {
            description: pf_kind(&device.name).map(str::to_owned).or(device.desc),
            name: device.name,
            flags: all.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect(),
        }
    };
    Ok(all.into_iter().map(listed).collect())
}

/// The names of all pflog and pfsync devices.
pub(super) fn pf_devices() -> Result<Vec<String>, String> {
    let all = Device::list().map_err(message)?;
    Ok(all.into_iter().map(|device| device.name).filter(|name| pf_kind(name).is_some()).collect())
}

/// What a device of pf's is, by its name: pflog(4) and pfsync(4) number theirs.
fn pf_kind(name: &str) -> Option<&'static str> {
    let is = |kind: &str| {
        let number = name.strip_prefix(kind);
        number.is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
    };
    match name {
        _ if is("pflog") => Some("pflog: packets that pf logged"),
        _ if is("pfsync") => Some("pfsync: what the state table's firewalls tell each other"),
        _ => None,
    }
}

/// The device that `-i` names: by its name, or by its number in the list where no device has
/// such a name.
pub(super) fn named(word: &str) -> Result<String, String> {
    let Ok(number) = word.parse::<usize>() else { return Ok(word.to_owned()) };
    let mut all = devices()?;
    if all.iter().any(|device| device.name == word) {
        return Ok(word.to_owned());
    }
    let count = all.len();
    match number.checked_sub(1).filter(|&at| at < count) {
        Some(at) => Ok(all.swap_remove(at).name),
        None => Err(format!("{number}: there is no device with this number: -D lists {count}")),
    }
}

/// The link types that a device can have; the first is its own.
///
/// # Errors
/// libpcap's message, behind the device's name.
pub fn data_links(device: &str, settings: &Settings) -> Result<Vec<DataLink>, String> {
    let name = named(device)?;
    let open = || {
        let inactive = Capture::from_device(name.as_str())?;
        inactive.promisc(settings.promiscuous).open()?.list_datalinks()
    };
    let all =
        open().map_err(|error| format!("{}: {}", escaped(name.as_bytes()), message(error)))?;
    let described = |link: Linktype| DataLink {
        name: link.get_name().unwrap_or_else(|_| link.0.to_string()),
        description: link.get_description().unwrap_or_default(),
    };
    Ok(all.into_iter().map(described).collect())
}

/// The number of a link type by its name, with or without `DLT_`.
pub fn data_link(name: &str) -> Option<i32> {
    Linktype::from_name(name).ok().map(|link| link.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pf_has_numbered_devices() {
        for name in ["pflog0", "pfsync12"] {
            assert!(
                pf_kind(name).is_some_and(|kind| name.starts_with(kind.split(':').next().unwrap()))
            );
        }
        for name in ["pflog", "pflogd0", "pfsync0a", "em0", "", "xpflog0"] {
            assert_eq!(pf_kind(name), None);
        }
    }

    #[test]
    fn link_types_have_names() {
        assert_eq!(data_link("EN10MB"), Some(1));
        assert_eq!(data_link("pflog"), Some(117));
        assert_eq!(data_link("no such"), None);
    }
}
