//! The interfaces of several files as one table.
//!
//! Each file numbers its own from 0. Equal ones are the same: a log that is rotated every day
//! must not grow the table.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::Interface;
use super::fault::Cause;

/// Interfaces that are kept in all. Each costs memory as long as the source is open.
const MAX_INTERFACES: usize = 65536;

/// All interfaces so far.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    all: Arc<[Interface]>,
    index: HashMap<Interface, u32>,
}

impl Interfaces {
    /// The table, as it is now.
    pub(super) fn all(&self) -> &Arc<[Interface]> {
        &self.all
    }

    /// Adds to `numbers` the number that each further one of a file's interfaces has here; `file`
    /// is the name that they are to bear.
    pub(super) fn number(
        &mut self,
        of_file: &[Interface],
        file: Option<&Arc<[u8]>>,
        numbers: &mut Vec<u32>,
    ) -> Result<(), Cause> {
        let mut new = Vec::new();
        for interface in of_file.iter().skip(numbers.len()) {
            let file = file.or(interface.file.as_ref()).cloned();
            let next = self.index.len();
            let number = match self.index.entry(Interface { file, ..interface.clone() }) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(_) if next >= MAX_INTERFACES => {
                    return Err(Cause::TooManyInterfaces(MAX_INTERFACES));
                }
                Entry::Vacant(free) => {
                    new.push(free.key().clone());
                    *free.insert(u32::try_from(next).unwrap_or(u32::MAX))
                }
            };
            numbers.push(number);
        }
        if !new.is_empty() {
            self.all = self.all.iter().cloned().chain(new).collect();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Precision;
    use crate::wire::ByteOrder;
    use crate::wire::link::LinkType;

    fn interface(name: &str) -> Interface {
        Interface {
            link: LinkType::PFLOG,
            order: ByteOrder::Little,
            precision: Precision::Micros,
            fcs_len: 0,
            name: Some(name.as_bytes().into()),
            file: None,
        }
    }

    #[test]
    fn equal_interfaces_of_a_file_are_one_and_those_of_two_files_are_two() {
        let (mut all, a, b) = (Interfaces::default(), interface("a"), interface("b"));
        let (one, two): (Arc<[u8]>, Arc<[u8]>) = (Arc::new(*b"1"), Arc::new(*b"2"));
        let mut numbers = Vec::new();
        all.number(std::slice::from_ref(&a), Some(&one), &mut numbers).unwrap();
        all.number(&[a.clone(), b.clone(), a.clone()], Some(&one), &mut numbers).unwrap();
        assert_eq!(numbers, [0, 1, 0]);
        let mut numbers = Vec::new();
        all.number(&[b, a], Some(&two), &mut numbers).unwrap();
        assert_eq!(numbers, [2, 3]);
        assert_eq!(all.all().len(), 4);
        assert_eq!(all.all()[2].file.as_deref(), Some(b"2".as_slice()));
    }

    #[test]
    fn there_is_a_limit() {
        let mut all = Interfaces::default();
        let many: Vec<_> = (0..=MAX_INTERFACES).map(|n| interface(&n.to_string())).collect();
        let mut numbers = Vec::new();
        assert!(all.number(&many, None, &mut numbers).is_err());
        assert_eq!(numbers.len(), MAX_INTERFACES);
    }
}
