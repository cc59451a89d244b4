//! What rules are called in the user's ruleset, by what pf's header says of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::event::{Join, Rule};
use crate::wire::pflog::Pflog;

/// So many rules may have names.
const MAX: usize = 1 << 16;

/// Rule, sub-rule and anchor, as in the table of rules behind the system.
pub(super) type Place = [u32; 6];

/// A name that all packets of a place agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) label: Option<String>,
    pub(super) text: String,
    /// The least sure.
    pub(super) join: Join,
}

/// The names. A place whose packets had different rules, or one that contradicted them, has none:
/// the ruleset has changed meanwhile.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<Place, Option<Name>>);

impl Names {
    /// Notes the rule of a packet.
    pub(super) fn observe(&mut self, place: Place, rule: &Rule<'_>) {
        if let Some(known) = self.0.get_mut(&place) {
            let same = known.as_ref().is_some_and(|name| name.text == rule.text);
            match known {
                Some(name) if same => name.join = name.join.max(rule.join),
                _ => *known = None,
            }
        } else if self.0.len() < MAX {
            let named = rule.join != Join::Implausible;
            self.0.insert(
                place,
                named.then(|| Name {
                    label: rule.label().map(str::to_owned),
                    text: rule.text.to_owned(),
                    join: rule.join,
                }),
            );
        }
    }

    /// Adds those of another part of the stream.
    pub(super) fn merge(&mut self, other: Self) {
        for (place, theirs) in other.0 {
            let room = self.0.len() < MAX;
            match self.0.entry(place) {
                Entry::Vacant(free) => {
                    if room {
                        free.insert(theirs);
                    }
                }
                Entry::Occupied(mut mine) => match (mine.get_mut(), theirs) {
                    (Some(mine), Some(theirs)) if mine.text == theirs.text => {
                        mine.join = mine.join.max(theirs.join);
                    }
                    (mine, _) => *mine = None,
                },
            }
        }
    }

    pub(super) fn get(&self, place: &Place) -> Option<&Name> {
        self.0.get(place)?.as_ref()
    }
}

/// The place that a header names.
pub(super) fn place(header: &Pflog<'_>) -> Place {
    let mut anchor = [0; 16];
    anchor.iter_mut().zip(header.ruleset).for_each(|(to, from)| *to = *from);
    let [a, b, c, d] = super::words(u128::from_be_bytes(anchor));
    [header.rulenr.unwrap_or(u32::MAX), header.subrulenr.unwrap_or(u32::MAX), a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str, join: Join) -> Rule<'_> {
        Rule {
            labels: &[],
            text,
            anchor: "",
            number: Some(1),
            ridentifier: None,
            ruleset: None,
            join,
        }
    }

    #[test]
    fn a_name_is_what_all_packets_agree_on() {
        let (mut one, mut two) = (Names::default(), Names::default());
        let at = |n| [n, u32::MAX, 0, 0, 0, 0];
        one.observe(at(1), &rule("pass all", Join::Exact));
        one.observe(at(1), &rule("pass all", Join::Stale));
        one.observe(at(2), &rule("pass all", Join::Exact));
        one.observe(at(2), &Rule::IMPLAUSIBLE);
        one.observe(at(3), &rule("pass all", Join::Exact));
        two.observe(at(3), &rule("block all", Join::Exact));
        two.observe(at(4), &rule("block all", Join::Exact));
        one.merge(two);
        assert_eq!(one.get(&at(1)).map(|name| name.join), Some(Join::Stale));
        assert_eq!((one.get(&at(2)), one.get(&at(3)), one.get(&at(5))), (None, None, None));
        assert_eq!(one.get(&at(4)).map(|name| name.text.as_str()), Some("block all"));
    }
}
