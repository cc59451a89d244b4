//! OCSF's schema sources, version 1.8.0, read as the schema's own compiler does: classes and
//! objects extend others, include profiles, and take types from the dictionary.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{each_line, published};

/// Those that every event names in metadata.profiles.
const PROFILES: [&str; 3] = ["security_control", "host", "datetime"];

/// The schema.
struct Schema {
    root: PathBuf,
    /// Attributes by name: type, enumeration, list or not.
    dictionary: Map<String, Value>,
    /// Types that are made of others.
    types: Map<String, Value>,
    /// Classes and objects already put together.
    known: BTreeMap<String, Item>,
}

/// A class or an object.
#[derive(Clone, Default)]
struct Item {
    attributes: Map<String, Value>,
    /// Of these one must be there.
    at_least_one: Vec<String>,
}

fn read(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

impl Schema {
    fn new(root: PathBuf) -> Self {
        let dictionary = read(&root.join("dictionary.json"));
        let object = |value: &Value| value.as_object().unwrap().clone();
        Self {
            types: object(&dictionary["types"]["attributes"]),
            dictionary: object(&dictionary["attributes"]),
            known: BTreeMap::new(),
            root,
        }
    }

    fn class(&mut self, uid: u64) -> Item {
        self.item(match uid {
            0 => "events/base_event",
            4001 => "events/network/network_activity",
            4014 => "events/network/tunnel_activity",
            _ => panic!("class {uid}"),
        })
    }

    /// Puts a class or an object together with what it extends and includes.
    fn item(&mut self, path: &str) -> Item {
        if let Some(item) = self.known.get(path) {
            return item.clone();
        }
        let source = read(&self.root.join(format!("{path}.json")));
        let folder = path.rsplit_once('/').unwrap().0;
        let mut item = match source["extends"].as_str() {
            Some("base_event") => self.item("events/base_event"),
            Some(parent) => self.item(&format!("{folder}/{parent}")),
            None => Item::default(),
        };
        let includes = source["attributes"].get("$include").and_then(Value::as_array);
        let included: Vec<Value> = includes
            .into_iter()
            .flatten()
            .map(|include| read(&self.root.join(include.as_str().unwrap())))
            // Others add attributes only to events that say they have them.
            .filter(|from| PROFILES.iter().any(|profile| from["name"] == *profile))
            .collect();
        for from in included.iter().chain([&source]) {
            for (name, attribute) in from["attributes"].as_object().into_iter().flatten() {
                let Some(more) = attribute.as_object() else { continue };
                let known =
                    item.attributes.entry(name.clone()).or_insert_with(|| Map::new().into());
                for (key, value) in more {
                    // An enumeration adds to the one before.
                    match known.get_mut(key).and_then(Value::as_object_mut) {
                        Some(before) if key == "enum" => {
                            before.extend(value.as_object().unwrap().clone());
                        }
                        _ => known[key] = value.clone(),
                    }
                }
            }
        }
        if let Some(names) = source["constraints"]["at_least_one"].as_array() {
            item.at_least_one =
                names.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        }
        self.known.insert(path.to_owned(), item.clone());
        item
    }

    fn check(&mut self, value: &Value, item: &Item, path: &str) {
        let object = value.as_object().unwrap_or_else(|| panic!("{path} is no object"));
        for (name, attribute) in &item.attributes {
            let required = attribute["requirement"] == "required";
            assert!(!required || object.contains_key(name), "{path}.{name} is required");
        }
        let one = &item.at_least_one;
        assert!(
            one.is_empty() || one.iter().any(|name| object.contains_key(name)),
            "{path} has none of {one:?}"
        );
        for (name, value) in object {
            let path = format!("{path}.{name}");
            // The profile datetime adds a text to every time.
            let bare = name.strip_suffix("_dt");
            let attribute = item.attributes.get(bare.unwrap_or(name));
            let attribute = attribute.unwrap_or_else(|| panic!("{path} is not of the schema"));
            let general = &self.dictionary[bare.unwrap_or(name)].clone();
            if bare.is_some() {
                assert_eq!(general["type"], "timestamp_t", "{path}");
                self.check_type(value, "datetime_t", &path);
                continue;
            }
            let values: Vec<&Value> = match general["is_array"].as_bool() {
                Some(true) => value.as_array().unwrap().iter().collect(),
                _ => vec![value],
            };
            for value in values {
                self.check_enum(value, attribute, general, &path);
                let kind = attribute["type"].as_str().or_else(|| general["type"].as_str()).unwrap();
                if self.types.contains_key(kind) {
                    self.check_type(value, kind, &path);
                } else if kind != "object" && name != "unmapped" {
                    let inner = self.item(&format!("objects/{kind}"));
                    self.check(value, &inner, &path);
                }
            }
        }
    }

    fn check_enum(&self, value: &Value, attribute: &Value, general: &Value, path: &str) {
        let names = [attribute, general].map(|from| from["enum"].as_object());
        if names.iter().all(Option::is_none) {
            return;
        }
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let named = names.iter().flatten().any(|names| names.contains_key(&text));
        // The compiler makes these from class and activity.
        let computed = ["type_uid", "class_uid", "category_uid"].iter().any(|n| path.ends_with(n));
        // And these from the types that may be observed.
        let observed = path.ends_with("observables.type_id")
            && self.types.values().any(|of| of["observable"] == *value);
        assert!(named || computed || observed, "{path} may not be {text}");
    }

    fn check_type(&self, value: &Value, kind: &str, path: &str) {
        let of = &self.types[kind];
        let right = match of["type"].as_str().unwrap_or(kind) {
            "string_t" => value.is_string(),
            "integer_t" | "long_t" => value.is_i64(),
            "boolean_t" => value.is_boolean(),
            other => panic!("{path} is {other}"),
        };
        assert!(right, "{path} is no {kind}: {value}");
        if let (Some(range), Some(n)) = (of["range"].as_array(), value.as_i64()) {
            assert!((range[0].as_i64()..=range[1].as_i64()).contains(&Some(n)), "{path}: {n}");
        }
        if let (Some(most), Some(text)) = (of["max_len"].as_u64(), value.as_str()) {
            assert!(text.len() as u64 <= most, "{path}: {text}");
        }
        if kind == "ip_t" {
            assert!(value.as_str().unwrap().parse::<std::net::IpAddr>().is_ok(), "{path}");
        }
        if kind == "datetime_t" {
            assert!(value.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{path}");
        }
    }
}

#[test]
fn events_are_as_the_published_schema_says() {
    let Some(root) = published("ocsf-1.8.0") else { return };
    assert_eq!(read(&root.join("version.json"))["version"], "1.8.0");
    let categories = read(&root.join("categories.json"));
    let mut schema = Schema::new(root);
    let mut classes = BTreeMap::new();
    each_line("ocsf", |line, value| {
        let number = |name: &str| value[name].as_u64().unwrap();
        let class = number("class_uid");
        let item = schema.class(class);
        assert_eq!(value["metadata"]["profiles"], serde_json::json!(PROFILES), "{line}");
        *classes.entry(class).or_insert(0) += 1;
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            schema.check(value, &item, "event");
        }));
        assert!(checked.is_ok(), "{line}");
        assert_eq!(number("type_uid"), class * 100 + number("activity_id"), "{line}");
        assert_eq!(number("category_uid"), class / 1000, "{line}");
        let named = |category: &Value| category["uid"] == number("category_uid");
        let mut all = categories["attributes"].as_object().unwrap().values();
        assert!(class == 0 || all.any(named), "{line}");
    });
    assert!(classes.keys().eq(&[0, 4001, 4014]), "{classes:?}");
}
