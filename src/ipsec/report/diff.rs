//! What has changed between two reports, by their JSON: blocks that came and went, and fields of
//! those that stayed. Blocks are told apart by `type` and `id`.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value as Json};

/// A change.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It was not there before.
    Added(Map<String, Json>),
    /// It is no longer there.
    Removed(Map<String, Json>),
    /// It has other values: by their paths, before and now.
    Changed {
        /// `type`.
        kind: String,
        /// `id`.
        id: String,
        /// Path, value before, value now.
        fields: Vec<(String, Option<Json>, Option<Json>)>,
    },
}

/// A report that was printed as JSON, one object a line.
#[derive(Debug, Default)]
pub struct Old(HashMap<(String, String), (usize, Map<String, Json>)>);

impl Old {
    /// Reads one.
    ///
    /// # Errors
    /// The number of the first line that is no block of a report.
    pub fn read(text: &[u8]) -> Result<Self, usize> {
        let mut old = HashMap::new();
        for (number, line) in (1..).zip(text.split(|&c| c == b'\n')) {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let Ok(Json::Object(object)) = serde_json::from_slice(line) else { return Err(number) };
            let key = key(&object).ok_or(number)?;
            old.insert(key, (number, object));
        }
        Ok(Self(old))
    }

    /// What is different in a block of now; `None` if nothing is.
    pub fn compare(&mut self, now: Map<String, Json>) -> Option<Change> {
        let key = key(&now)?;
        let Some((_, before)) = self.0.remove(&key) else { return Some(Change::Added(now)) };
        let (before, now) = (flat(before), flat(now));
        let mut fields = Vec::new();
        for (path, value) in &before {
            let other = now.get(path);
            if other != Some(value) {
                fields.push((path.clone(), Some(value.clone()), other.cloned()));
            }
        }
        for (path, value) in now.iter().filter(|(path, _)| !before.contains_key(*path)) {
            fields.push((path.clone(), None, Some(value.clone())));
        }
        let (kind, id) = key;
        (!fields.is_empty()).then_some(Change::Changed { kind, id, fields })
    }

    /// What is left: the blocks that no block of now was compared with, of these types.
    pub fn removed(&mut self, kinds: &[&str]) -> Vec<Change> {
        let left = self.0.extract_if(|(kind, _), _| kinds.contains(&kind.as_str()));
        let mut left: Vec<_> = left.collect();
        left.sort_by_key(|(_, (number, _))| *number);
        left.into_iter().map(|(_, (_, object))| Change::Removed(object)).collect()
    }
}

fn key(object: &Map<String, Json>) -> Option<(String, String)> {
    let text = |key: &str| object.get(key)?.as_str().map(str::to_owned);
    Some((text("type")?, text("id")?))
}

/// The values by their paths; how they were found is no value, nor is a running number.
fn flat(object: Map<String, Json>) -> BTreeMap<String, Json> {
    let mut all = BTreeMap::new();
    let kept =
        object.into_iter().filter(|(key, _)| !matches!(&**key, "v" | "number" | "derived" | "na"));
    let mut open: Vec<(String, Json)> = kept.collect();
    while let Some((path, value)) = open.pop() {
        match value {
            Json::Object(map) => {
                open.extend(map.into_iter().map(|(k, v)| (format!("{path}.{k}"), v)))
            }
            Json::Array(items) => {
                let items = (1..).zip(items);
                open.extend(items.map(|(n, v)| (format!("{path}[{n}]"), v)));
            }
            value => _ = all.insert(path, value),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Json) -> Map<String, Json> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_came_went_and_changed() {
        let sa = |id: &str, bytes: u64| json!({"v":1,"type":"ipsec_sa","id":id,"current":{"bytes":bytes}});
        let text = [sa("a", 1), sa("b", 2), sa("c", 3)].map(|sa| format!("{sa}\n")).concat();
        let mut old = Old::read(text.as_bytes()).unwrap();
        assert_eq!(old.compare(object(sa("a", 1))), None);
        let changed = old.compare(object(sa("b", 9)));
        let fields = vec![("current.bytes".to_owned(), Some(json!(2)), Some(json!(9)))];
        let (kind, id) = ("ipsec_sa".to_owned(), "b".to_owned());
        assert_eq!(changed, Some(Change::Changed { kind, id, fields }));
        assert_eq!(old.compare(object(sa("d", 4))), Some(Change::Added(object(sa("d", 4)))));
        assert_eq!(old.removed(&["ipsec_sa"]), [Change::Removed(object(sa("c", 3)))]);
        assert_eq!(Old::read(b"{}\n").unwrap_err(), 1);
        assert_eq!(Old::read(b"\n\nx").unwrap_err(), 3);
    }
}
