//! Random expressions: what is written is read back, and nothing that is typed panics.

use proptest::prelude::*;

use super::frames::samples;
use super::{Filter, Known, sync};
use crate::filter::expr::{Act, Code, Expr, Net, Op, Pattern, Protos, Side, Test};
use crate::filter::words;
use crate::pf::{Action, Direction, Family, Reason, SyncAction};

fn net() -> impl Strategy<Value = Net> {
    let v4 = |addr: u32, mask: u32| Net::V4 { addr: addr & mask, mask };
    let shift = |len: u32| u32::MAX.checked_shl(32 - len).unwrap_or(0);
    prop_oneof![
        any::<u32>().prop_map(move |addr| v4(addr, u32::MAX)),
        (any::<u32>(), 0..=32_u32).prop_map(move |(addr, len)| v4(addr, shift(len))),
        any::<(u32, u32)>().prop_map(move |(addr, mask)| v4(addr, mask)),
        (any::<u128>(), 0..=128_u32).prop_map(|(addr, len)| {
            let mask = u128::MAX.checked_shl(128 - len).unwrap_or(0);
            Net::V6 { addr: addr & mask, mask }
        }),
    ]
}

fn side() -> impl Strategy<Value = Side> {
    prop::sample::select(vec![Side::Src, Side::Dst, Side::Either, Side::Both])
}

fn pattern() -> impl Strategy<Value = Pattern> {
    prop_oneof!["[a-z]{1,6}[0-9]{0,3}", "[^\\s()!]{1,3}", "[a-z*?/]{1,30}", "and|or|not|tcp|on"]
        .prop_filter("too long", |text| text.len() <= 15 || text.contains(['*', '?']))
        .prop_map(|text| Pattern::new(&text))
}

fn test() -> impl Strategy<Value = Test> {
    let family = || prop::sample::select(vec![Family::Inet, Family::Inet6]);
    let protos = vec![Protos::TCP, Protos::UDP, Protos::SCTP, Protos::ALL];
    let code = |names: &'static [&'static str], of: fn(&'static str) -> Code| {
        prop_oneof![any::<u8>().prop_map(Code::Number), prop::sample::select(names).prop_map(of)]
    };
    let rule = || prop::option::of(0..u32::MAX);
    let id = || 0..=i32::MAX;
    prop_oneof![
        family().prop_map(Test::Ip),
        prop::sample::select(vec![0x0806, 0x8035]).prop_map(Test::Ethertype),
        (prop::option::of(family()), any::<u8>())
            .prop_map(|(family, number)| Test::Proto { family, number }),
        (side(), net()).prop_map(|(side, net)| Test::Net { side, net }),
        (prop::sample::select(protos), side(), any::<(u16, u16)>()).prop_map(
            |(protos, side, (a, b))| Test::Ports { protos, side, first: a.min(b), last: a.max(b) }
        ),
        any::<u32>().prop_map(Test::Less),
        any::<u32>().prop_map(Test::Greater),
        pattern().prop_map(Test::Ifname),
        pattern().prop_map(Test::Ruleset),
        rule().prop_map(Test::Rule),
        rule().prop_map(Test::Subrule),
        code(&Reason::NAMES, Code::reason).prop_map(Test::Reason),
        code(&Action::NAMES, Code::action).prop_map(Test::Action),
        (0..=3_u8).prop_map(|n| Test::Dir(Direction(n))),
        any::<u32>().prop_map(Test::Rid),
        any::<u32>().prop_map(Test::Uid),
        id().prop_map(Test::Pid),
        any::<u32>().prop_map(Test::RuleUid),
        id().prop_map(Test::RulePid),
        any::<u32>().prop_map(Test::Spi),
        any::<u8>().prop_map(|n| Test::Sync(Act::Number(n))),
        prop::sample::select(&SyncAction::NAMES[..])
            .prop_map(|name| Test::Sync(Act::named(name).unwrap())),
        any::<u32>().prop_map(Test::Creator),
        any::<u64>().prop_map(Test::State),
        prop::sample::select(vec![
            Test::Truncated,
            Test::Undecoded,
            Test::Suspect,
            Test::Rewritten
        ]),
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    test().prop_map(Expr::Test).prop_recursive(5, 40, 5, |inner| {
        let op = prop::sample::select(vec![Op::And, Op::Or]);
        prop_oneof![
            inner.clone().prop_map(|expr| Expr::Not(Box::new(expr))),
            (inner.clone(), prop::collection::vec((op, inner), 1..5))
                .prop_map(|(first, rest)| Expr::Chain(Box::new(first), rest)),
        ]
    })
}

/// The answer by the plainest reading, without short cuts.
fn plain(expr: &Expr, of: &dyn Fn(&Test) -> bool) -> bool {
    match expr {
        Expr::Test(test) => of(test),
        Expr::Not(inner) => !plain(inner, of),
        Expr::Chain(first, rest) => {
            let mut so_far = plain(first, of);
            for (op, part) in rest {
                let part = plain(part, of);
                so_far = if *op == Op::And { so_far & part } else { so_far | part };
            }
            so_far
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(expr in expr()) {
        let written = expr.to_string();
        let read = Filter::parse_with(&written, &Known);
        prop_assert_eq!(read, Ok(Filter { expr: Some(expr) }), "{}", written);
    }

    #[test]
    fn short_cuts_do_not_change_the_answer(expr in expr()) {
        for sample in samples() {
            let event = sample.event();
            let of = |test: &Test| test.of_frame(&event);
            prop_assert_eq!(expr.of_frame(&event), plain(&expr, &of), "{} of {}", expr, sample.name);
        }
        for record in sync::records(sync::OPENBSD).iter().skip(16).step_by(4) {
            let event = record.event();
            let messages = event.pfsync.iter().flat_map(|packet| packet.messages());
            for message in messages.map_while(Result::ok) {
                let of = |test: &Test| Expr::Test(test.clone()).of_message(&event, &message);
                prop_assert_eq!(expr.of_message(&event, &message), plain(&expr, &of), "{}", expr);
            }
        }
    }

    #[test]
    fn no_soup_of_words_panics(
        soup in prop::collection::vec(
            prop_oneof![
                8 => prop::sample::select(words::all().collect::<Vec<_>>()).prop_map(str::to_owned),
                2 => prop::sample::select(vec![
                    "(", ")", "!", "&&", "||", "&", "\\", "\\tcp", "10/8", "::1", "::/0", "/", "-",
                    "22", "0x", "08", "99999999999", "1-2", "ssh", "gate", "em0", "label", "len",
                    "ins", "del_c", "796ed1b8", "0000000000000017", "tcp[13]", "<", "em*", "10.1", "1.2.3.4.5", "fe80::1%em0", "\u{e9}t\u{e9}",
                ]).prop_map(str::to_owned),
                1 => ".{0,6}",
            ],
            0..14,
        ),
        glue in prop::sample::select(vec![" ", ""]),
    ) {
        let text = soup.join(glue);
        match Filter::parse_with(&text, &Known) {
            Ok(filter) => {
                for sample in samples().iter().chain(&sync::records(sync::OPENBSD)) {
                    filter.matches(&sample.event());
                }
                let again = Filter::parse_with(&filter.to_string(), &Known);
                prop_assert_eq!(again.map(|again| again.to_string()), Ok(filter.to_string()));
            }
            Err(error) => {
                prop_assert!(text.get(error.at.clone()).is_some(), "{:?} in {:?}", error, text);
                let shown = error.to_string();
                prop_assert!(!shown.contains(|c: char| c.is_control() && c != '\n'));
            }
        }
    }
}
