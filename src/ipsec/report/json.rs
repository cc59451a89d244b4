//! A block as a JSON object: `v`, `type`, `id`, then the fields in the order of the text. What has
//! no place is absent; `derived` and `na` say of which fields how they were found, or why they have
//! no value, by their path: `hard.bytes`.

use serde_json::{Map, Number, Value as Json};

use super::field::{Field, Value};
use super::form::{Form, Line};
use crate::text::push_json_escaped;

/// The schema of all blocks.
pub const SCHEMA: &str = include_str!("schema.json");

/// The object of a block.
pub fn object(form: &Form) -> Map<String, Json> {
    let mut object = Map::new();
    object.insert("v".to_owned(), 1.into());
    object.insert("type".to_owned(), form.kind.into());
    object.insert("id".to_owned(), text(&form.id));
    let (mut derived, mut missing) = (Map::new(), Map::new());
    fill(&mut object, "", &form.lines, &mut derived, &mut missing);
    for (key, reasons) in [("derived", derived), ("na", missing)] {
        if !reasons.is_empty() {
            object.insert(key.to_owned(), reasons.into());
        }
    }
    object
}

fn fill(
    object: &mut Map<String, Json>,
    path: &str,
    lines: &[Line],
    derived: &mut Map<String, Json>,
    missing: &mut Map<String, Json>,
) {
    for line in lines {
        match line {
            Line::Row(entries) => {
                for entry in entries {
                    let place = || format!("{path}{}", entry.key);
                    let value = match &entry.field {
                        Field::Known(value) => value,
                        Field::Derived(value, how) => {
                            derived.insert(place(), (*how).into());
                            value
                        }
                        Field::Missing(why) => {
                            missing.insert(place(), (*why).into());
                            continue;
                        }
                        Field::Absent => continue,
                    };
                    object.insert(entry.key.to_string(), json(value));
                }
            }
            Line::Group(group) => {
                let path = format!("{path}{}.", group.key);
                let mut inner = Map::new();
                fill(&mut inner, &path, &group.lines, derived, missing);
                if !group.many {
                    object.insert(group.key.to_owned(), inner.into());
                } else if let Json::Array(items) =
                    object.entry(group.key).or_insert_with(|| Json::Array(Vec::new()))
                {
                    items.push(inner.into());
                }
            }
        }
    }
}

fn json(value: &Value) -> Json {
    match value {
        Value::Text(bytes) | Value::Starred(bytes) => text(bytes),
        Value::Number(number) => Json::Number(Number::from(*number)),
        Value::Spi(spi) => format!("{spi:#010x}").into(),
        Value::Flag(flag) => (*flag).into(),
    }
}

/// A string; bytes that are not UTF-8 are `\xNN`.
pub fn text(bytes: &[u8]) -> Json {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut quoted = vec![b'"'];
    push_json_escaped(&mut quoted, bytes);
    quoted.push(b'"');
    serde_json::from_slice(&quoted).unwrap_or_default()
}
