//! -w without a filter: packets into a file as they are, undecoded; those of devices by the
//! program's own thread alone.

#[cfg(feature = "live")]
use std::{io::Write, ops::ControlFlow, sync::Arc};

use super::args::Print;
use super::reading::Settings;
#[cfg(feature = "live")]
use super::{
    Error, Status,
    live::{How, Opened},
    reading::Consumed,
    save::{Saver, speaker},
    selection::Undecoded,
};
#[cfg(feature = "live")]
use crate::{
    capture::{Batch, offset::Offsets},
    sink::{notice::Notices, page::Page},
};
#[cfg(feature = "live")]
use jiff::tz::TimeZone;

/// True if all packets are wanted and nobody asks what is in them. A kernel never judges alone
/// (it lets through what it cannot be sure of), so with a filter every packet is decoded.
pub(super) fn is_wanted(args: &Print, settings: &Settings) -> bool {
    let selection = &settings.selection;
    args.save.write.is_some()
        && selection.filter.is_empty()
        && selection.since.is_none()
        && selection.until.is_none()
        && !selection.strict
        && args.tunnels.vici.is_none()
        && args.tunnels.sas.is_empty()
}

/// How devices are to give packets.
#[cfg(feature = "live")]
pub(super) fn how(saver: Option<&Saver>, copies: bool, offsets: &Offsets) -> How {
    match saver.filter(|_| copies) {
        // Of packets whose times are put right the headers are made later.
        Some(saver) => {
            How { gather: saver.patience(), head: saver.head().filter(|_| offsets.is_empty()) }
        }
        None => How::default(),
    }
}

/// Says what happens to devices whose packets are written, where there is no line among lines.
#[cfg(feature = "live")]
pub(super) fn teller(zone: &TimeZone) -> impl FnMut(&Batch) + Send + use<> {
    let (mut tell, mut notices) = (speaker(), Notices::text(zone.clone()));
    let mut page = Page::default();
    move |batch| {
        for notice in &batch.notices {
            page.clear();
            notices.tell(notice, &mut page);
            tell(String::from_utf8_lossy(&page.text).trim());
        }
    }
}

/// Writes what devices give until SIGINT or SIGTERM, or so many packets.
#[cfg(feature = "live")]
pub(super) fn devices(
    opened: Opened,
    mut saver: Saver,
    count: Option<u64>,
    offsets: &Offsets,
    zone: &TimeZone,
    err: &mut dyn Write,
) -> Result<Status, Error> {
    saver.next_source();
    let mut tell = teller(zone);
    let mut left = count;
    let over = opened.copy(err, |batch| {
        offsets.apply(&[], batch);
        tell(batch);
        let there = batch.records.len();
        let wanted = left.map_or(there, |left| usize::try_from(left).unwrap_or(there).min(there));
        let mut flow = saver.copy(batch, wanted)?;
        if let Some(left) = &mut left {
            *left -= wanted as u64;
            if *left == 0 {
                flow = ControlFlow::Break(());
            }
        }
        Ok(Consumed {
            frames: there as u64,
            packets: wanted as u64,
            undecoded: Undecoded::default(),
            flow,
        })
    })?;
    Ok(over.status.max(saver.end()?))
}

/// What the file is to know of its source.
#[cfg(feature = "live")]
pub(super) fn introduce(saver: Option<&mut Saver>, opened: &Opened) {
    if let Some(saver) = saver {
        saver.hurry_by(Arc::clone(&opened.asked));
        saver.count_by(opened.control(), opened.user.clone());
    }
}
