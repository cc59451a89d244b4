//! A field of a report: a value, and how it is known.

use std::net::IpAddr;

/// A field's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text: untrusted bytes.
    Text(Vec<u8>),
    /// A name that is marked with `*` in text: an interface that is down.
    Starred(Vec<u8>),
    /// A number.
    Number(i64),
    /// An SPI of ESP or AH.
    Spi(u32),
    /// Yes or no.
    Flag(bool),
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// As its source has it.
    Known(Value),
    /// Computed, or concluded from something else: how.
    Derived(Value, &'static str),
    /// There is no source of it: why.
    Missing(&'static str),
    /// It has no place here, and is not printed.
    Absent,
}

impl Field {
    /// A value that is known.
    pub fn known(value: impl Into<Value>) -> Self {
        Self::Known(value.into())
    }

    /// A value that is concluded.
    pub fn derived(value: impl Into<Value>, how: &'static str) -> Self {
        Self::Derived(value.into(), how)
    }

    /// A value that may not be told.
    pub fn told(value: Option<impl Into<Value>>, why_not: &'static str) -> Self {
        value.map_or(Self::Missing(why_not), Self::known)
    }

    /// A value that is concluded, if that can be.
    pub fn concluded(
        value: Option<impl Into<Value>>,
        how: &'static str,
        why_not: &'static str,
    ) -> Self {
        value.map_or(Self::Missing(why_not), |value| Self::derived(value, how))
    }

    /// A value that is printed if it is there.
    pub fn maybe(value: Option<impl Into<Value>>) -> Self {
        value.map_or(Self::Absent, Self::known)
    }
}

impl From<&[u8]> for Value {
    fn from(text: &[u8]) -> Self {
        Self::Text(text.to_vec())
    }
}

impl From<Vec<u8>> for Value {
    fn from(text: Vec<u8>) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into_bytes())
    }
}

impl From<IpAddr> for Value {
    fn from(address: IpAddr) -> Self {
        address.to_string().into()
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}
