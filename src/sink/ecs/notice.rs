//! Notices as documents: what is suspicious about a frame, what happened to a source.

use super::{Documents, describe_log};
use crate::event::Event;
use crate::event::notice::{Notice, What};
use crate::sink::json::{Emit, key, push_object};
use crate::sink::notice::push_sentence;
use crate::states::Suspicion;
use crate::time::Precision;

impl Documents {
    /// A notice of kind `spoof`: pfsync that the firewalls did not send, or not so.
    pub(in crate::sink) fn push_spoof(
        &mut self,
        out: &mut Vec<u8>,
        event: &Event<'_>,
        suspicion: Suspicion,
        nth: usize,
    ) {
        let frame = &event.frame;
        push_object(out, |e| {
            self.head(frame.ts, frame.precision, e);
            e.open(key!("event"));
            e.members(concat!(
                r#","kind":"alert","category":["network","intrusion_detection"]"#,
                r#","type":["info"],"action":"pfsync-spoof""#
            ));
            e.word(key!("reason"), suspicion.name());
            e.members(r#","module":"pf","dataset":"pf.notice""#);
            e.string(key!("id"), |out| self.ids.push_notice(out, &self.origin, frame, nth));
            self.sequence.describe(frame.number, e);
            e.close();
            e.open(key!("observer"));
            e.bytes(key!("name"), self.site.observer.as_bytes());
            e.members(r#","type":"firewall","product":"pf""#);
            e.close();
            describe_log(&self.origin, frame, e);
            e.bytes(key!("message"), suspicion.sentence().as_bytes());
        });
    }

    /// Something that happened to the source: records lost, a device gone.
    pub(in crate::sink) fn push_happening(&mut self, out: &mut Vec<u8>, notice: &Notice) {
        push_object(out, |e| {
            self.head(notice.ts, Precision::Micros, e);
            e.open(key!("event"));
            let (kind, action) = match &notice.what {
                What::Loss(_) => ("metric", "capture-loss"),
                What::Start => ("event", "capture-start"),
                What::Gone(_) => ("event", "capture-gone"),
                What::Reopen(_) => ("event", "capture-reopen"),
            };
            e.word(key!("kind"), kind);
            e.members(r#","category":["network"],"type":["info"]"#);
            e.word(key!("action"), action);
            e.members(r#","module":"pf","dataset":"pf.notice""#);
            e.bytes(key!("provider"), &notice.source);
            e.string(key!("id"), |out| self.ids.push_happening(out, notice));
            if let What::Loss(loss) = &notice.what {
                e.string(key!("start"), |out| {
                    self.other.push_rfc3339(out, loss.since, Precision::Micros);
                });
            }
            e.close();
            e.open(key!("observer"));
            e.bytes(key!("name"), self.site.observer.as_bytes());
            e.members(r#","type":"firewall","product":"pf""#);
            e.close();
            let mut message = Vec::new();
            push_sentence(&mut message, &notice.what);
            e.bytes(key!("message"), &message);
            if let What::Loss(loss) = &notice.what {
                e.open(key!("pf"));
                e.open(key!("capture"));
                e.number(key!("lost"), loss.count);
                e.word(key!("where"), loss.place.name());
                e.close();
                e.close();
            }
        });
    }
}
