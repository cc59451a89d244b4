//! Which rule a header means, by rulesets and packets made for it.

use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::decode::decode;
use crate::event::{Frame, Kind as EventKind};
use crate::wire::ByteOrder;
use crate::wire::link::LinkType;
use crate::wire::writer::Writer;

/// A record as FreeBSD 14 writes it: inet, in on em0, UDP.
#[derive(Clone, Copy)]
struct Logged {
    action: u8,
    reason: u8,
    ifname: &'static str,
    ruleset: &'static str,
    rulenr: u32,
    subrulenr: u32,
    pid: i32,
    dir: u8,
    ridentifier: u32,
    proto: u8,
    ts: i64,
}

const LOGGED: Logged = Logged {
    action: 1,
    reason: 0,
    ifname: "em0",
    ruleset: "",
    rulenr: 1,
    subrulenr: u32::MAX,
    pid: 0,
    dir: 1,
    ridentifier: 0,
    proto: 17,
    ts: 1000,
};

impl Logged {
    fn bytes(self) -> Vec<u8> {
        let mut data = vec![69, 2, self.action, self.reason];
        for name in [self.ifname, self.ruleset] {
            let mut field = name.as_bytes().to_vec();
            field.resize(16, 0);
            data.extend(field);
        }
        data.extend(self.rulenr.to_be_bytes());
        data.extend(self.subrulenr.to_be_bytes());
        data.extend(u32::MAX.to_le_bytes());
        data.extend(100_000_u32.to_le_bytes());
        data.extend(0_u32.to_le_bytes());
        data.extend(self.pid.to_le_bytes());
        data.extend([self.dir, 0, 0, 0]);
        data.extend(self.ridentifier.to_be_bytes());
        data.extend([0; 4]);
        data.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, self.proto, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        data.extend([0, 53, 0, 53, 0, 8, 0, 0]);
        data
    }

    /// Number of the rule that is found, if it is named, and how sure it is.
    fn join(self, rules: &Rules) -> Option<(Option<String>, Join)> {
        let data = self.bytes();
        let mut writer = Writer::new(ByteOrder::Little);
        writer.observe(&data);
        let frame = Frame { ts: Timestamp(self.ts), ..Frame::new(LinkType::PFLOG, &data) };
        let event = decode(frame, ByteOrder::Little, writer);
        assert_eq!(event.kind, EventKind::Pflog);
        let rule = rules.join(&event)?;
        Some((rule.label().map(str::to_owned), rule.join))
    }
}

fn kept(ts: i64, text: &str) -> Snapshot {
    let ruleset = Arc::new(Ruleset::new(Listing::parse(text.as_bytes())));
    Snapshot { path: PathBuf::from("rules"), ts: Timestamp(ts), ruleset }
}

fn rules(text: &str) -> Rules {
    Rules::of(vec![kept(0, text)])
}

/// A rule is found and named.
fn named(label: &str, join: Join) -> Option<(Option<String>, Join)> {
    Some((Some(label.to_owned()), join))
}

const IMPLAUSIBLE: Option<(Option<String>, Join)> = Some((None, Join::Implausible));

#[test]
fn a_rule_that_contradicts_the_packet_is_not_named() {
    for rule in [
        "pass in log on em0 inet proto udp all",
        "block in log on em1 inet proto udp all",
        "block in log on ! em0 all",
        "block out log on em0 all",
        "block in log on em0 inet6 all",
        "block in log on em0 inet proto tcp all",
        "match in log on em0 all",
        "block in log on em0 inet proto udp from any to any port = 54",
        "block in log on em0 inet proto udp from any port 54:60 to any",
        "block in on em0 inet proto udp all",
        "anchor \"x\" all",
        "block in log all label \"other\" ridentifier 8",
    ] {
        let rules = rules(&format!("@0 pass all\n@1 {rule} label \"x\"\n"));
        let logged = Logged { ridentifier: 7, ..LOGGED };
        assert_eq!(logged.join(&rules), IMPLAUSIBLE, "{rule}");
    }
    for rule in [
        "block in log on em0 inet proto udp all",
        "block drop log all",
        "block in log on ! em1 all",
        "block return in log quick on wan inet all",
        "block in log proto { tcp udp } all",
        "block in log proto udp from any port 50:60 to any port = 53",
        "block in log proto udp from any to any port = domain",
        "block in log all ridentifier 7",
    ] {
        let rules = rules(&format!("@0 pass all\n@1 {rule} label \"x\"\n"));
        let logged = Logged { ridentifier: 7, ..LOGGED };
        assert_eq!(logged.join(&rules), named("x", Join::Exact), "{rule}");
    }
}

/// An answer goes the other way, and ICMP may tell of a state's packets.
#[test]
fn packets_of_a_state_have_its_rule() {
    let text = |log: &str| format!("@1 pass out {log} on em0 inet proto tcp all label \"x\"\n");
    let answer = Logged { action: 0, proto: 6, ..LOGGED };
    assert_eq!(answer.join(&rules(&text("log"))), IMPLAUSIBLE);
    assert_eq!(answer.join(&rules(&text("log (all)"))), named("x", Join::Exact));
    let icmp = Logged { proto: 1, ..answer };
    assert_eq!(icmp.join(&rules(&text("log (all)"))), named("x", Join::Exact));
    let udp = Logged { proto: 17, ..answer };
    assert_eq!(udp.join(&rules(&text("log (all)"))), IMPLAUSIBLE);
    // state-mismatch: dropped, though the rule passes.
    let mismatch = Logged { action: 1, reason: 10, ..answer };
    assert_eq!(mismatch.join(&rules(&text("log"))), named("x", Join::Exact));
}

const ANCHORS: &str = "\
@0 block in log all label \"main\"
@1 anchor \"f2b/*\" all {
anchor \"sshd\" all {
@0 block in log all label \"f2b/sshd\"
}
anchor \"a-name-of-more-than-15-bytes\" all {
@0 block in log all label \"long\"
}
}
@2 anchor \"relayd\" all {
@0 block in log all label \"relayd\"
anchor \"sshd\" all {
@0 block in log all label \"relayd/sshd\"
}
}
@3 anchor in on em0 all {
@0 block in log all label \"unnamed\"
}
@4 block in log all label \"last\"
";

#[test]
fn a_rule_in_an_anchor() {
    let rules = rules(ANCHORS);
    let at =
        |ruleset, rulenr, subrulenr| Logged { ruleset, rulenr, subrulenr, ..LOGGED }.join(&rules);
    assert_eq!(at("", 4, u32::MAX), named("last", Join::Exact));
    assert_eq!(at("sshd", 1, 0), named("f2b/sshd", Join::Exact));
    assert_eq!(at("sshd", 2, 0), named("relayd/sshd", Join::Exact));
    assert_eq!(at("f2b/sshd", 1, 0), named("f2b/sshd", Join::Exact));
    assert_eq!(at("a-name-of-more-", 1, 0), named("long", Join::Exact));
    assert_eq!(at("_1", 3, 0), named("unnamed", Join::Exact));
    // Two anchors of that name, and neither is called by this rule.
    assert_eq!(at("sshd", 4, 0), None);
    // One of that name, but another rule called it.
    assert_eq!(at("relayd", 1, 0), named("relayd", Join::Stale));
    assert_eq!(at("sshd", 1, 7), None);
    assert_eq!(at("nosuch", 1, 0), None);
    assert_eq!(at("", 1, u32::MAX), IMPLAUSIBLE, "an anchor logs nothing itself");
    assert_eq!(at("", u32::MAX, u32::MAX), None, "the default rule");
}

/// opnsense/src#295: `rule 36..16`: rulenr stays at 36, subrulenr is the number in the main
/// ruleset, and there is no anchor.
#[test]
fn freebsd_15_1_s_shifted_numbers() {
    let mut text = String::new();
    for number in 0..36 {
        let action = if number % 2 == 0 { "block" } else { "pass" };
        text.push_str(&format!("@{number} {action} in log on em0 inet all label \"r{number}\"\n"));
    }
    text.push_str("@36 pass in log on em1 inet all label \"r36\"\n");
    let shifted = Logged { rulenr: 36, subrulenr: 16, ..LOGGED };
    assert_eq!(shifted.join(&rules(&text)), named("r16", Join::Exact));
    let odd = Logged { subrulenr: 17, ..shifted };
    assert_eq!(odd.join(&rules(&text)), IMPLAUSIBLE, "never r36");
    // Where 36 is an anchor that may have logged it too, nothing is certain.
    let anchor = "@36 anchor \"a\" all {\n@16 block in log all label \"in a\"\n}\n";
    let text = text.replace("@36 pass in log on em1 inet all label \"r36\"\n", anchor);
    assert_eq!(shifted.join(&rules(&text)), None);
}

#[test]
fn a_tracker_finds_the_rule_that_has_moved() {
    let text = "@1 block in log all label \"other\" ridentifier 5\n\
                @2 block in log all label \"mine\" ridentifier 7\n\
                @3 pass in log all label \"not mine\" ridentifier 9\n";
    let logged = |ridentifier| Logged { ridentifier, ..LOGGED };
    assert_eq!(logged(7).join(&rules(text)), named("mine", Join::Stale));
    assert_eq!(logged(5).join(&rules(text)), named("other", Join::Exact));
    assert_eq!(logged(9).join(&rules(text)), IMPLAUSIBLE);
    assert_eq!(logged(0).join(&rules(text)), named("other", Join::Exact));
    let old = "@1(5) block in log all label \"other\"\n@2(7) block in log all label \"mine\"\n";
    assert_eq!(logged(7).join(&rules(old)), named("mine", Join::Stale));
}

/// The counters say which pfctl loaded a rule, and so does the header.
#[test]
fn who_loaded_the_rule_is_proof() {
    let text = "@1 block in log all label \"x\"\n  [ Evaluations: 1 ]\n  \
                [ Inserted: uid 0 pid 4711 State Creations: 0 ]\n";
    let later = Rules::of(vec![kept(2000, text)]);
    assert_eq!(Logged { pid: 4711, ..LOGGED }.join(&later), named("x", Join::Exact));
    assert_eq!(Logged { pid: 4712, ..LOGGED }.join(&later), named("x", Join::Stale));
    assert_eq!(Logged { pid: 0, ..LOGGED }.join(&later), named("x", Join::Stale), "kept later");
    let before = Rules::of(vec![kept(500, text)]);
    assert_eq!(Logged { pid: 0, ..LOGGED }.join(&before), named("x", Join::Exact));
    assert_eq!(Logged { pid: 4712, ..LOGGED }.join(&before), named("x", Join::Stale));
}

#[test]
fn the_ruleset_in_force_is_chosen_by_time() {
    let text = |label: &str, more: &str| format!("@1 block in log all label \"{label}\"\n{more}");
    let first = kept(100, &text("a", ""));
    let second = kept(200, &text("b", ""));
    let third = kept(300, &text("b", "@2 pass all\n"));
    assert_ne!(second.ruleset.checksum(), third.ruleset.checksum());
    let rules = Rules::of(vec![third, first, second]);
    for (ts, label, join) in [
        (50, "a", Join::Stale),
        (100, "a", Join::Stale),
        (199, "a", Join::Stale),
        (200, "b", Join::Exact),
        (299, "b", Join::Exact),
        (300, "b", Join::Exact),
        (i64::MAX, "b", Join::Exact),
    ] {
        assert_eq!(Logged { ts, ..LOGGED }.join(&rules), named(label, join), "{ts}");
    }
    // What contradicts the ruleset before may be of the one after.
    let rules =
        Rules::of(vec![kept(100, "@1 pass log all label \"a\"\n"), kept(200, &text("b", ""))]);
    assert_eq!(Logged { ts: 150, ..LOGGED }.join(&rules), named("b", Join::Stale));
}

#[test]
fn counters_do_not_change_the_checksum() {
    let sum = |text: &str| Ruleset::new(Listing::parse(text.as_bytes())).checksum();
    let one = sum("@0 pass all\n  [ Evaluations: 1 ]\n");
    assert_eq!(one, sum("@0 pass all\n  [ Evaluations: 22 ]\n"));
    for other in
        ["@0 pass out all\n", "@1 pass all\n", "@0(7) pass all\n", "anchor \"x\" {\npass all\n}"]
    {
        assert_ne!(one, sum(other), "{other}");
    }
}

/// Without pfctl's numbers a place is a guess at best.
#[test]
fn numbers_that_pfctl_did_not_print() {
    let counted = "scrub in all fragment reassemble\npass all\nblock in log all label \"x\"\n";
    assert_eq!(Listing::parse(counted.as_bytes()).numbers, Numbers::Counted);
    assert_eq!(LOGGED.join(&rules(counted)), named("x", Join::Stale));
    for conf in ["# a comment\n", "set skip on lo\n", "ext = \"em0\"\n", "table <t> { 10/8 }\n"] {
        let text = format!("{conf}{counted}");
        assert_eq!(LOGGED.join(&rules(&text)), None, "{conf}");
    }
    for list in ["pass proto { tcp udp }\n", "pass on $ext all\n", "pass \\\n all\n"] {
        let text = format!("{list}block in log all label \"x\" ridentifier 7\n");
        assert_eq!(LOGGED.join(&rules(&text)), None, "{list}");
        let tracked = Logged { ridentifier: 7, ..LOGGED };
        assert_eq!(tracked.join(&rules(&text)), named("x", Join::Stale));
    }
    // Two listings in one file.
    let twice = "@1 block in log all label \"x\"\n@1 block log all label \"y\"\n";
    assert_eq!(LOGGED.join(&rules(twice)), None);
}

#[test]
fn the_rest_of_pfctl_sa_is_no_ruleset() {
    let text = "TRANSLATION RULES:\nnat on em0 inet all -> 192.0.2.1\n\nFILTER RULES:\n@0 pass all\n\
                \nSTATES:\nall tcp 10.0.0.1:22 <- 10.0.0.2:9 ESTABLISHED:ESTABLISHED\n\nINFO:\n\
                Status: Enabled\n";
    let listing = Listing::parse(text.as_bytes());
    assert_eq!((listing.entries.len(), listing.unread), (2, None));
}

#[test]
fn bad_input_is_counted_and_left_out() {
    let listing = Listing::parse(b"\xff\x00\x1b[31m\n@0 pass all label \"\xfe\n@x pass all\n@1\n");
    assert_eq!((listing.entries.len(), listing.unread), (1, Some((3, 1))));
    assert_eq!(listing.entries[0].line.labels, ["\\xfe"]);
    let huge = "@4294967295 pass all\n@99999999999 pass all\n".as_bytes();
    assert_eq!(Listing::parse(huge).entries.len(), 1);
    let deep = "@0 anchor \"a\" all {\n".repeat(100_000);
    let listing = Listing::parse(deep.as_bytes());
    assert!(listing.anchors.len() < 100, "{}", listing.anchors.len());
    let long = "@0 block in log from any to any label \"x\"\n".repeat(100_000);
    assert_eq!(Listing::parse(long.as_bytes()).entries.len(), 100_000);
    let open = format!("pass proto {{ {}", "tcp\n".repeat(100_000));
    assert!(Listing::parse(open.as_bytes()).entries.len() <= 1);
    assert_eq!(Listing::parse("}\n}\n@0 pass all\n".as_bytes()).entries[0].anchor, 0);
}

#[test]
fn rules_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules");
    let label = |current: &Current| {
        let rules = current.get();
        rules.snapshots()[0].ruleset.listing().entries[0].line.labels[0].clone()
    };
    fs::write(&path, "@0 pass all label \"a\"\n").unwrap();
    let current = Current::load(&path, &TimeZone::UTC).unwrap();
    let old = current.get();
    fs::write(&path, "@0 pass all label \"b\"\n").unwrap();
    assert_eq!(label(&current), "a");
    current.reload().unwrap();
    assert_eq!(label(&current), "b");
    assert_eq!(old.snapshots()[0].ruleset.listing().entries[0].line.labels, ["a"]);
    fs::write(&path, "nothing\n").unwrap();
    assert!(matches!(current.reload(), Err(Error::NoRules(_))));
    assert_eq!(label(&current), "b", "what was read before stays");
}

proptest! {
    /// What is named always fits: not another action, interface or direction than the packet's.
    #[test]
    fn no_rule_is_named_that_contradicts_the_packet(
        action in 0..2_u8,
        dir in 1..3_u8,
        rulenr in 0..6_u32,
        ifname in prop::sample::select(vec!["em0", "em1"]),
        picks in prop::collection::vec((0..2_usize, 0..3_usize, 0..3_usize), 0..6),
    ) {
        let text: String = (0..).zip(&picks).map(|(number, &(action, dir, on)): (u32, _)| {
            let action = ["pass", "block"][action];
            let dir = [" in", " out", ""][dir];
            let on = [" on em0", " on em1", ""][on];
            format!("@{number} {action}{dir} log{on} all label \"{action}{dir}{on}\"\n")
        }).collect();
        let logged = Logged { action, dir, rulenr, ifname, ..LOGGED };
        if let Some((Some(label), _)) = logged.join(&rules(&text)) {
            prop_assert!(label.starts_with(["pass", "block"][usize::from(action)]));
            let other = [" out", " in"][usize::from(dir - 1)];
            prop_assert!(!label.contains(other));
            prop_assert!(!label.contains(" on ") || label.ends_with(ifname));
        }
    }
}
