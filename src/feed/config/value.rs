//! Values with a unit, `"30s"` or `"64MiB"`, and words that are understood elsewhere, looked at where
//! their line is known.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::feed::format::Format;
use crate::filter::Filter;

/// A length of time: `"500ms"`, `"30s"`, `"1m 30s"`, `"1h"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl Span {
    /// Reads it.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let span = text.parse::<jiff::SignedDuration>().ok();
        let span = span.and_then(|span| Duration::try_from(span).ok());
        let wrong = || format!("'{text}' is not a time such as \"30s\" or \"500ms\"");
        span.map(Self).ok_or_else(wrong)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

/// A number of bytes: `"64MiB"`, `"1GB"`, `65536`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bytesize::ByteSize::deserialize(deserializer).map(|size| Self(size.as_u64()))
    }
}

/// The name of a format.
pub(super) fn format<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let word = String::deserialize(from)?;
    word.parse::<Format>().map_err(D::Error::custom)?;
    Ok(Some(word))
}

/// A filter's expression.
pub(super) fn filter<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let words = String::deserialize(from)?;
    let wrong = |wrong| D::Error::custom(format_args!("wrong filter:\n{wrong}"));
    Filter::parse(&words).map_err(wrong)?;
    Ok(Some(words))
}
