//! A kernel filter's program, in the form that `tcpdump -d` prints: the instructions of bpf(4)
//! with their mnemonics (bpf_image(3)).

use std::fmt::Write;

use pcap::{Capture, Linktype};

use super::device::message;

/// Compiles an expression for a link type (its `DLT_` number) and writes the program, an
/// instruction a line.
///
/// # Errors
/// libpcap's message.
pub fn listing(expression: &str, link: i32) -> Result<String, String> {
    let program = Capture::dead(Linktype(link))
        .and_then(|capture| capture.compile(expression, true))
        .map_err(message)?;
    let mut out = String::new();
    for (at, instruction) in program.get_instructions().iter().enumerate() {
        // The fields are private; what is written is code, jt, jf and k.
        let written = instruction.to_string();
        let mut numbers = written.split_whitespace().map(|n| n.parse::<u32>().unwrap_or_default());
        let mut next = || numbers.next().unwrap_or_default();
        let instruction = Instruction { code: next(), jt: next(), jf: next(), k: next() };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "({at:03}) {}", instruction.image(at));
    }
    Ok(out)
}

/// `struct bpf_insn` of net/bpf.h.
struct Instruction {
    code: u32,
    jt: u32,
    jf: u32,
    k: u32,
}

impl Instruction {
    /// Mnemonic, operand, and where a jump goes from instruction `at`.
    fn image(&self, at: usize) -> String {
        let k = self.k;
        let (name, operand) = match self.code {
            0x06 => ("ret", format!("#{k}")),
            0x16 => ("ret", String::new()),
            0x20 => ("ld", format!("[{k}]")),
            0x28 => ("ldh", format!("[{k}]")),
            0x30 => ("ldb", format!("[{k}]")),
            0x80 => ("ld", "#pktlen".to_owned()),
            0x40 => ("ld", format!("[x + {k}]")),
            0x48 => ("ldh", format!("[x + {k}]")),
            0x50 => ("ldb", format!("[x + {k}]")),
            0x00 => ("ld", format!("#{k:#x}")),
            0x01 => ("ldx", format!("#{k:#x}")),
            0xb1 => ("ldxb", format!("4*([{k}]&0xf)")),
            0x60 => ("ld", format!("M[{k}]")),
            0x61 => ("ldx", format!("M[{k}]")),
            0x02 => ("st", format!("M[{k}]")),
            0x03 => ("stx", format!("M[{k}]")),
            0x05 => ("ja", (at + 1).saturating_add(k as usize).to_string()),
            code if code & 0x07 == 0x05 => {
                (JUMPS.get((code >> 4) as usize).copied().unwrap_or("unimp"), self.source())
            }
            0x84 => ("neg", String::new()),
            code if code & 0x07 == 0x04 => {
                (ALU.get((code >> 4) as usize).copied().unwrap_or("unimp"), self.source())
            }
            0x07 => ("tax", String::new()),
            0x87 => ("txa", String::new()),
            code => ("unimp", format!("{code:#x}")),
        };
        let to = |offset: u32| at + 1 + offset as usize;
        if self.code & 0x07 == 0x05 && self.code != 0x05 {
            format!("{name:<8} {operand:<16} jt {}\tjf {}", to(self.jt), to(self.jf))
        } else {
            format!("{name:<8} {operand}").trim_end().to_owned()
        }
    }

    /// The second operand of a jump or of arithmetic: a constant or the index register.
    fn source(&self) -> String {
        if self.code & 0x08 != 0 { "x".to_owned() } else { format!("#{:#x}", self.k) }
    }
}

/// Jumps by bits 4 to 7 of their code: `BPF_JA` to `BPF_JSET`.
const JUMPS: [&str; 5] = ["ja", "jeq", "jgt", "jge", "jset"];
/// Arithmetic likewise: `BPF_ADD` to `BPF_XOR`.
const ALU: [&str; 11] =
    ["add", "sub", "mul", "div", "or", "and", "lsh", "rsh", "neg", "mod", "xor"];

#[cfg(test)]
mod tests {
    use super::*;

    /// As tcpdump -d prints the same expressions.
    #[test]
    fn programs_are_written_as_tcpdump_writes_them() {
        let ip = "(000) ldh      [12]\n(001) jeq      #0x800           jt 2\tjf 3\n\
            (002) ret      #65535\n(003) ret      #0\n";
        assert_eq!(listing("ip", 1).unwrap(), ip);
        let port = listing("tcp port 22", 1).unwrap();
        assert!(port.contains("ldxb     4*([14]&0xf)"), "{port}");
        assert!(port.contains("jset     #0x1fff          jt "), "{port}");
        assert!(port.contains("ldh      [x + 14]"), "{port}");
        assert!(listing("no such word here", 1).is_err());
    }
}
