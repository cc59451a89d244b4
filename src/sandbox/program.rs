//! seccomp-bpf: a filter's program (`struct seccomp_data` of linux/seccomp.h, instructions of
//! linux/filter.h).
//!
//! The library spends five instructions on each system call; for those that are answered whatever
//! their arguments one is enough, and all of them share the answer. The kernel goes through a
//! program once for each call there is when it takes it, so a short one makes a short start.

use std::collections::BTreeMap;
use std::error::Error;

use libc::c_long;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, SeccompRule, TargetArch, sock_filter};

/// For each system call the rules of its arguments; without any all are meant.
pub(super) type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// The number of the system call stands first.
const NUMBER: u32 = 0;

/// A program that gives one answer to the calls that match, another to all others.
pub(super) fn program(
    rules: Rules,
    others: SeccompAction,
    these: SeccompAction,
    arch: TargetArch,
) -> Result<BpfProgram, Box<dyn Error>> {
    let (whole, by_argument): (Rules, Rules) =
        rules.into_iter().partition(|(_, rules)| rules.is_empty());
    let filter = SeccompFilter::new(by_argument, others, these.clone(), arch)?;
    let mut program = BpfProgram::try_from(filter)?;
    let load = u16::try_from(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS)?;
    let loaded = program.iter().position(|one| one.code == load && one.k == NUMBER);
    let behind = loaded.ok_or("the library's filter looks at no number")? + 1;
    // The jumps on either side are relative and do not cross this place.
    program.splice(behind..behind, answered(whole.into_keys().collect(), these)?);
    Ok(program)
}

/// Gives an answer to these calls: a comparison each, and the answer behind the last.
fn answered(calls: Vec<c_long>, these: SeccompAction) -> Result<Vec<sock_filter>, Box<dyn Error>> {
    let equal = u16::try_from(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K)?;
    let answer = u16::try_from(libc::BPF_RET | libc::BPF_K)?;
    let last = calls.len().checked_sub(1);
    let mut part = Vec::with_capacity(calls.len() + 1);
    for (at, call) in calls.into_iter().enumerate() {
        let left = last.map_or(0, |last| last - at);
        let (jt, jf) = (u8::try_from(left)?, u8::from(left == 0));
        part.push(sock_filter { code: equal, jt, jf, k: u32::try_from(call)? });
    }
    if last.is_some() {
        part.push(sock_filter { code: answer, jt: 0, jf: 0, k: these.into() });
    }
    Ok(part)
}

#[cfg(test)]
mod tests {
    use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition};

    use super::*;

    /// What the kernel makes of a program, for a call with this first argument.
    fn run(program: &[sock_filter], arch: u32, number: u32, argument: u32) -> u32 {
        let (mut at, mut value) = (0, 0);
        loop {
            let one = &program[at];
            at += 1;
            match u32::from(one.code) {
                code if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS => {
                    value = match one.k {
                        0 => number,
                        4 => arch,
                        16 => argument,
                        _ => 0,
                    };
                }
                code if code == libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K => {
                    at += usize::from(if value == one.k { one.jt } else { one.jf });
                }
                code if code == libc::BPF_JMP | libc::BPF_JA => at += one.k as usize,
                code if code == libc::BPF_RET | libc::BPF_K => return one.k,
                code => panic!("instruction {code:#x}"),
            }
        }
    }

    fn rules(whole: impl Iterator<Item = c_long>, by_argument: &[c_long]) -> Rules {
        let one = || {
            let (len, is) = (SeccompCmpArgLen::Dword, SeccompCmpOp::Eq);
            vec![SeccompRule::new(vec![SeccompCondition::new(0, len, is, 7).unwrap()]).unwrap()]
        };
        let whole = whole.map(|call| (call, Vec::new()));
        whole.chain(by_argument.iter().map(|&call| (call, one()))).collect()
    }

    #[test]
    fn the_answers_are_the_librarys() {
        let arch = TargetArch::try_from(std::env::consts::ARCH).unwrap();
        let (others, these) = (SeccompAction::Errno(38), SeccompAction::Allow);
        for many in [0, 1, 2, 90, 250] {
            let rules = rules((0..many).map(|at| at * 2), &[5, 301]);
            let filter = SeccompFilter::new(rules.clone(), others.clone(), these.clone(), arch);
            let long: BpfProgram = filter.unwrap().try_into().unwrap();
            let short = program(rules, others.clone(), these.clone(), arch).unwrap();
            let audit = long[1].k;
            assert!(many < 2 || short.len() < long.len() - 3 * usize::try_from(many).unwrap());
            for (arch, number, argument) in (0..600)
                .flat_map(|number| [(audit, number, 7), (audit, number, 8), (audit + 1, number, 7)])
            {
                let (long, short) =
                    (run(&long, arch, number, argument), run(&short, arch, number, argument));
                assert_eq!(long, short, "{many} {number} {argument}");
            }
        }
    }
}
