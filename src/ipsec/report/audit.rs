//! `-audit`: a journal, a record an event. The layout of ipsec_report(1M) is not known; this one is
//! in its manner.

use super::field::Field;
use super::form::{Block, Form, Line, entry, line, row};
use crate::ipsec::journal::Record;
use crate::text::escaped;
use crate::time::Timestamp;
use crate::vici::message::Section;
use crate::vici::views::{self, IkeSa};

/// A record.
#[derive(Debug, Clone)]
pub struct Row {
    /// Counts the records of the journal that are events, from 1.
    pub number: u64,
    /// When it was received, as it is to be printed.
    pub time: String,
    /// The connection's name, or the group of the daemon's log.
    pub entity: Vec<u8>,
    /// What has happened: the event's name.
    pub event: Vec<u8>,
    /// The level of a log's line.
    pub level: Field,
    /// The IKE_SA.
    pub ike: Field,
    /// The rest.
    pub message: Vec<u8>,
}

impl Block for Row {
    fn form(self) -> Form {
        let lines: Vec<Line> = vec![
            row([
                entry("Event Number", "number", Field::known(self.number)),
                entry("Time", "time", Field::known(self.time)),
            ]),
            row([
                entry("Entity", "entity", Field::known(self.entity)),
                entry("Event", "event", Field::known(self.event)),
                entry("Level", "level", self.level),
                entry("IKE SA", "ike", self.ike),
            ]),
            line("Message", "message", Field::known(self.message)),
        ];
        let id = self.number.to_string().into_bytes();
        let title = "------------------- Audit Record ---------------------";
        Form { kind: "audit", title: title.into(), id, lines }
    }
}

/// What of a journal is wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of this connection, child or group.
    pub entity: Option<Vec<u8>>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// Turns records into rows, one after the other.
#[derive(Debug, Default)]
pub struct Audit {
    wanted: Wanted,
    number: u64,
}

impl Audit {
    /// Of what is wanted.
    pub const fn new(wanted: Wanted) -> Self {
        Self { wanted, number: 0 }
    }

    /// The row of a record; `None` for one that is no event (a list's item, a snapshot), or is not
    /// wanted.
    pub fn row(
        &mut self,
        at: Timestamp,
        record: &Record,
        time: impl Fn(Timestamp) -> String,
    ) -> Option<Row> {
        let row = Row { time: String::new(), ..told(record)? };
        self.number += 1;
        let Wanted { entity, since, until } = &self.wanted;
        let in_time = since.is_none_or(|since| at >= since) && until.is_none_or(|until| at < until);
        let is_of = |entity: &Vec<u8>| is_of(entity, &row, record);
        if !in_time || !entity.as_ref().is_none_or(is_of) {
            return None;
        }
        Some(Row { number: self.number, time: time(at), ..row })
    }
}

fn is_of(entity: &[u8], row: &Row, record: &Record) -> bool {
    let of_ike = |ike: IkeSa<'_>| {
        let children = ike.section.section("child-sas").into_iter().flat_map(Section::sections);
        let mut names = children.map(|(key, child)| child.value("name").unwrap_or(key));
        ike.name == entity || names.any(|name| name == entity)
    };
    row.entity == entity
        || match record {
            Record::Event(name, message) => match &**name {
                b"log" => message.value("ikesa-name") == Some(entity),
                b"alert" => {
                    message.section("ike-sa").is_some_and(|sa| views::ike_sas(sa).any(of_ike))
                }
                _ => views::ike_sas(message).any(of_ike),
            },
            _ => false,
        }
}

fn told(record: &Record) -> Option<Row> {
    let row = |entity: &[u8], event: &[u8], message: Vec<u8>| Row {
        number: 0,
        time: String::new(),
        entity: entity.to_vec(),
        event: event.to_vec(),
        level: Field::Absent,
        ike: Field::Absent,
        message,
    };
    let of_recorder =
        |event: &str, message: String| row(b"pfscope", event.as_bytes(), message.into());
    Some(match record {
        Record::Start => of_recorder("start", "the journal begins".to_owned()),
        Record::Up => of_recorder("up", "the daemon answers".to_owned()),
        Record::Down(why) => of_recorder("down", why.clone()),
        Record::Dropped(count) => of_recorder("dropped", format!("{count} events were lost")),
        Record::Event(name, message) => match &**name {
            b"list-sa" => return None,
            b"log" => log(row, message),
            b"alert" => {
                let kind = message.value("type").unwrap_or_default();
                let mut sas = message.section("ike-sa").into_iter().flat_map(views::ike_sas);
                let ike = sas.next();
                let entity = ike.map_or(b"alert".as_slice(), |ike| ike.name);
                Row { ike: number(ike.as_ref()), ..row(entity, b"alert", kind.to_vec()) }
            }
            name => {
                let mut sas = views::ike_sas(message);
                let ike = sas.next()?;
                let ike_field = number(Some(&ike));
                Row { ike: ike_field, ..row(ike.name, name, change(name, message, &ike)) }
            }
        },
        Record::Totals(_) | Record::Listed { .. } | Record::Snapshot(..) => return None,
    })
}

/// A line of the daemon's log.
fn log(row: impl Fn(&[u8], &[u8], Vec<u8>) -> Row, message: &Section) -> Row {
    let value = |key: &str| message.value(key);
    let ike = value("ikesa-name").zip(value("ikesa-uniqueid"));
    let ike = ike.map(|(name, number)| [name, b"[", number, b"]"].concat());
    let text = value("msg").unwrap_or_default().to_vec();
    Row {
        level: Field::maybe(value("level")),
        ike: Field::maybe(ike),
        ..row(value("group").unwrap_or_default(), b"log", text)
    }
}

fn number(ike: Option<&IkeSa<'_>>) -> Field {
    let text = ike.and_then(|ike| {
        let number = ike.uniqueid()?;
        Some([ike.name, format!("[{number}]").as_bytes()].concat())
    });
    Field::maybe(text)
}

/// What an event says has changed.
fn change(name: &[u8], message: &Section, ike: &IkeSa<'_>) -> Vec<u8> {
    let hosts = |ike: &IkeSa<'_>| {
        let host =
            |host: Option<std::net::IpAddr>| host.map_or_else(|| "?".to_owned(), |h| h.to_string());
        format!("{} - {}", host(ike.local_host()), host(ike.remote_host()))
    };
    let up = if views::is_up(message) { "up" } else { "down" };
    let mut parts = Vec::new();
    match name {
        b"ike-updown" => parts.push(format!("IKE_SA {up}: {}", hosts(ike))),
        b"ike-rekey" => {
            if let Some((old, new)) = ike.rekeyed() {
                let of = |ike: &IkeSa<'_>| ike.uniqueid().unwrap_or(0);
                parts.push(format!("IKE_SA [{}] rekeyed: now [{}]", of(&old), of(&new)));
            }
        }
        b"ike-update" => {
            let now = IkeSa { name: ike.name, section: message };
            parts.push(format!("IKE_SA moved: {}, now {}", hosts(ike), hosts(&now)));
        }
        _ => {}
    }
    let spis = |child: &views::ChildSa<'_>| {
        let spi = |spi: Option<u32>| spi.map_or_else(|| "?".to_owned(), |spi| format!("{spi:X}"));
        format!("SPI in {} out {}", spi(child.spi_in()), spi(child.spi_out()))
    };
    for child in ike.children() {
        let named = escaped(child.name().unwrap_or(child.key));
        parts.push(match child.rekeyed() {
            Some((old, new)) => {
                format!("CHILD_SA {named} rekeyed: {}, now {}", spis(&old), spis(&new))
            }
            None if name == b"child-updown" => format!(
                "CHILD_SA {named} {up}: {}, bytes in {} out {}",
                spis(&child),
                child.bytes_in().unwrap_or(0),
                child.bytes_out().unwrap_or(0)
            ),
            None => format!("CHILD_SA {named}: {}", spis(&child)),
        });
    }
    parts.join("; ").into_bytes()
}
