//! Requests as a user writes them: `a."b c".key=[x,y]` words, or a JSON object.

use serde_json::Value;

use crate::vici::message::{Item, Section};

/// The request of arguments `path=value`, in their order.
pub(super) fn from_arguments(arguments: &[String]) -> Result<Section, String> {
    let mut request = Section::new();
    for argument in arguments {
        let mut rest = argument.as_str();
        let mut path = Vec::new();
        loop {
            path.push(word(&mut rest, &['.', '=']).map_err(|why| format!("'{argument}': {why}"))?);
            let mut chars = rest.chars();
            let next = chars.next();
            rest = chars.as_str();
            match next {
                Some('.') => {}
                Some('=') => break,
                _ => return Err(format!("'{argument}' is not KEY=VALUE")),
            }
        }
        let item = item(rest).map_err(|why| format!("'{argument}': {why}"))?;
        request.insert(&path, item);
    }
    Ok(request)
}

fn item(text: &str) -> Result<Item, String> {
    if text.starts_with('"') {
        let mut rest = text;
        let value = word(&mut rest, &[])?;
        return if rest.is_empty() {
            Ok(Item::Value(value))
        } else {
            Err(format!("'{rest}' stands behind the closing quote"))
        };
    }
    let Some(inside) = text.strip_prefix('[') else { return Ok(Item::Value(text.into())) };
    let Some(mut rest) = inside.strip_suffix(']') else {
        return Err("a list ends with ']'; quote a value that begins with '['".to_owned());
    };
    let mut items = Vec::new();
    while !rest.trim_start().is_empty() || !items.is_empty() {
        rest = rest.trim_start();
        let quoted = rest.starts_with('"');
        let mut value = word(&mut rest, &[','])?;
        if !quoted {
            value.truncate(value.trim_ascii_end().len());
        }
        items.push(value);
        match rest.trim_start().strip_prefix(',') {
            Some(more) => rest = more,
            None if rest.trim_start().is_empty() => break,
            None => return Err(format!("'{rest}' stands behind the closing quote")),
        }
    }
    Ok(Item::List(items))
}

/// Takes a word from the front, in quotes or up to one of `ends`.
fn word(rest: &mut &str, ends: &[char]) -> Result<Vec<u8>, String> {
    let Some(mut inside) = rest.strip_prefix('"') else {
        let (word, behind) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
        *rest = behind;
        return Ok(word.into());
    };
    let mut word = Vec::new();
    loop {
        let mut chars = inside.chars();
        let c = chars.next().ok_or("a quote is not closed")?;
        inside = chars.as_str();
        match c {
            '"' => {
                *rest = inside;
                return Ok(word);
            }
            '\\' => {
                let (byte, behind) = escape(inside).ok_or("\\ stands before \", \\ or xNN")?;
                word.push(byte);
                inside = behind;
            }
            c => word.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// The byte of an escape, and what stands behind it.
fn escape(text: &str) -> Option<(u8, &str)> {
    match text.chars().next()? {
        c @ ('"' | '\\') => Some((u8::try_from(c).ok()?, text.get(1..)?)),
        'x' => Some((u8::from_str_radix(text.get(1..3)?, 16).ok()?, text.get(3..)?)),
        _ => None,
    }
}

/// The request of a JSON object: strings, numbers and booleans (`yes`, `no`) are values, arrays
/// of them are lists, objects are sections.
pub(super) fn from_json(text: &[u8]) -> Result<Section, String> {
    let value: Value =
        serde_json::from_slice(text).map_err(|error| format!("standard input: {error}"))?;
    match value {
        Value::Object(entries) => section(entries),
        _ => Err("standard input: a JSON object is meant".to_owned()),
    }
}

fn section(entries: serde_json::Map<String, Value>) -> Result<Section, String> {
    let mut out = Section::new();
    for (name, value) in entries {
        let item = match value {
            Value::Object(entries) => Item::Section(section(entries)?),
            Value::Array(items) => {
                let items = items.into_iter().map(|item| scalar(&name, item));
                Item::List(items.collect::<Result<_, _>>()?)
            }
            value => Item::Value(scalar(&name, value)?),
        };
        out.push(name, item);
    }
    Ok(out)
}

fn scalar(name: &str, value: Value) -> Result<Vec<u8>, String> {
    match value {
        Value::String(text) => Ok(text.into()),
        Value::Number(number) => Ok(number.to_string().into()),
        Value::Bool(yes) => Ok(if yes { "yes" } else { "no" }.into()),
        Value::Null => Err(format!("standard input: '{name}' is null, which VICI does not have")),
        Value::Array(_) | Value::Object(_) => {
            Err(format!("standard input: the list '{name}' holds more than plain values"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Section, String> {
        from_arguments(&arguments.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn paths_lists_and_quotes() {
        let request = parsed(&[
            "version=2",
            "children.net.local_ts=[10.0.0.0/8, 10.1.0.0/16]",
            r#"children."my net.1".mode=tunnel"#,
            r#"children."my net.1".x=["a,b" , "c\"\x00"]"#,
            "children.net.none=[]",
            r#"id="[x]""#,
            "dn=C=CH, O=[Lab]",
            "empty=",
        ])
        .unwrap();
        let children = request.section("children").unwrap();
        let net = children.section("net").unwrap();
        assert_eq!(net.list("local_ts").unwrap(), [&b"10.0.0.0/8"[..], b"10.1.0.0/16"]);
        assert_eq!(net.list("none").unwrap().len(), 0);
        let mine = children.section("my net.1").unwrap();
        assert_eq!(mine.value("mode"), Some(&b"tunnel"[..]));
        assert_eq!(mine.list("x").unwrap(), [&b"a,b"[..], b"c\"\0"]);
        assert_eq!(request.value("id"), Some(&b"[x]"[..]));
        assert_eq!(request.value("dn"), Some(&b"C=CH, O=[Lab]"[..]));
        assert_eq!(request.value("empty"), Some(&b""[..]));
        assert_eq!(children.len(), 2);
    }

    #[test]
    fn wrong_arguments_say_why() {
        for (argument, why) in [
            ("net1", "is not KEY=VALUE"),
            ("a.b", "is not KEY=VALUE"),
            ("\"a=1", "not closed"),
            ("\"a\"b=1", "is not KEY=VALUE"),
            ("a=[1", "ends with ']'"),
            ("a=[\"1\"2]", "behind the closing quote"),
            ("a=\"1\"2", "behind the closing quote"),
            ("a=\"\\q\"", "stands before"),
            ("a=\"\\x1\"", "stands before"),
            ("a=\"\\xé\"", "stands before"),
        ] {
            let wrong = parsed(&[argument]).unwrap_err();
            assert!(wrong.contains(why), "{argument}: {wrong}");
        }
    }

    #[test]
    fn json() {
        let request = from_json(
            br#"{"site":{"version":2,"mobike":false,"local":{"auth":"psk"},"l":["a",1,true]}}"#,
        );
        let request = request.unwrap();
        let site = request.section("site").unwrap();
        assert_eq!(site.value("version"), Some(&b"2"[..]));
        assert_eq!(site.value("mobike"), Some(&b"no"[..]));
        assert_eq!(site.list("l").unwrap(), [&b"a"[..], b"1", b"yes"]);
        for wrong in ["", "[]", "{", r#"{"a":null}"#, r#"{"a":[[]]}"#, r#"{"a":[{}]}"#] {
            assert!(from_json(wrong.as_bytes()).is_err(), "{wrong}");
        }
        // As deep as the reader of JSON allows, and no deeper.
        let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
        assert!(from_json(deep.as_bytes()).is_err());
    }
}
