//! Tests of the printers against tcpdump itself: tables of payloads with the line they make.
//!
//! A table has sections `# FAMILY PROTOCOL FLAGS…`, and in them a payload in hex, then indented
//! its line, then, if tcpdump's differs, tcpdump's behind `tcpdump: `. Lines stand without the
//! addresses in front and without what `-v` says of IP; `\n` and `\t` are escaped.

use std::io::Write;
use std::process::Command;

use super::{Options, ip};
use crate::packet::Packet;
use crate::sink::page::Page;

struct Section<'t> {
    is_v6: bool,
    proto: u8,
    flags: Vec<&'t str>,
    cases: Vec<Case<'t>>,
}

struct Case<'t> {
    payload: Vec<u8>,
    line: &'t str,
    tcpdump: &'t str,
}

/// Checks a table: our lines, tcpdump's if it is installed, and that no shorter or damaged
/// packet breaks a line.
pub(super) fn check(table: &str) {
    let mut wrong = String::new();
    for section in parse(table) {
        let options = section.options();
        for case in &section.cases {
            let packet = section.packet(&case.payload);
            let ours = section.strip(&render(&packet, packet.len(), &options));
            if ours != case.line {
                let hex: String = case.payload.iter().map(|b| format!("{b:02x}")).collect();
                wrong += &format!("{hex} {:?}\n  {ours}\n  want: {}\n", section.flags, case.line);
            }
            check_damaged(&packet, &options);
        }
        for (case, theirs) in section.cases.iter().zip(section.ask_tcpdump()) {
            let theirs = section.strip(&theirs);
            if theirs != case.tcpdump {
                wrong += &format!("{:02x?}\n  tcpdump: {theirs}\n", case.payload);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

fn parse(table: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for line in table.lines() {
        if let Some(head) = line.strip_prefix("# ") {
            let words: Vec<_> = head.split_whitespace().collect();
            let is_v6 = words[0] == "ipv6";
            let (proto, flags) = (words[1].parse().unwrap(), words[2..].to_vec());
            sections.push(Section { is_v6, proto, flags, cases: Vec::new() });
            continue;
        }
        let cases = &mut sections.last_mut().unwrap().cases;
        if let Some(theirs) = line.strip_prefix("  tcpdump: ") {
            cases.last_mut().unwrap().tcpdump = theirs;
        } else if let Some(line) = line.strip_prefix("  ") {
            let case = cases.last_mut().unwrap();
            (case.line, case.tcpdump) = (line, line);
        } else {
            let digit = |i: usize| u8::from_str_radix(&line[i..i + 2], 16).unwrap();
            let payload = (0..line.len()).step_by(2).map(digit).collect();
            cases.push(Case { payload, line: "", tcpdump: "" });
        }
    }
    sections
}

impl Section<'_> {
    fn options(&self) -> Options {
        let mut options = Options::default();
        for flag in &self.flags {
            match *flag {
                "-e" => options.link = true,
                "-q" => options.quiet = true,
                "-v" => options.verbose = 1,
                "-vv" => options.verbose = 2,
                _ => {}
            }
        }
        options
    }

    /// 192.0.2.1 > 198.51.100.2, or 2001:db8::1 > 2001:db8::2.
    fn packet(&self, payload: &[u8]) -> Vec<u8> {
        let mut packet;
        if self.is_v6 {
            packet = vec![0x60, 0, 0, 0, 0, 0, self.proto, 255];
            packet[4..6].copy_from_slice(&u16::try_from(payload.len()).unwrap().to_be_bytes());
            for host in [1, 2] {
                packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host]);
            }
        } else {
            packet = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 255, self.proto, 0, 0];
            packet.extend([192, 0, 2, 1, 198, 51, 100, 2]);
            let len = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
            packet[2..4].copy_from_slice(&len);
            let sum = !ip::fold(ip::sum(&packet, 0));
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        packet.extend(payload);
        packet
    }

    /// What follows the addresses, newlines and tabs escaped.
    fn strip(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for (open, close) in [("(tos ", ")\n    "), ("(hlim ", ") ")] {
            while let Some(start) = line.find(open) {
                let end = match (open, line[start..].match_indices(close)) {
                    ("(hlim ", mut ends) => ends.nth(1),
                    (_, mut ends) => ends.next(),
                };
                let end = start + end.unwrap().0 + close.len();
                line.replace_range(start..end, "");
            }
        }
        let link = if self.options().link {
            ""
        } else if self.is_v6 {
            "IP6 "
        } else {
            "IP "
        };
        let ends =
            if self.is_v6 { "2001:db8::1 > 2001:db8::2: " } else { "192.0.2.1 > 198.51.100.2: " };
        let line = line.strip_prefix("ip: ").unwrap_or(&line);
        let line = line.strip_prefix(link).expect(line);
        let line = line.strip_prefix(ends).unwrap_or(line);
        line.replace('\n', "\\n").replace('\t', "\\t")
    }

    /// tcpdump's lines of the section's packets; none if it is not installed.
    fn ask_tcpdump(&self) -> Vec<String> {
        if Command::new("tcpdump").arg("--version").output().is_err() {
            println!("SKIPPED: tcpdump is not installed");
            return Vec::new();
        }
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut words = |words: &[u32]| {
            for word in words {
                file.write_all(&word.to_be_bytes()).unwrap();
            }
        };
        words(&[0xa1b2_c3d4, 0x0002_0004, 0, 0, 65535, 101]);
        for case in &self.cases {
            let packet = self.packet(&case.payload);
            let len = u32::try_from(packet.len()).unwrap();
            let mut head = Vec::new();
            for word in [1, 0, len, len] {
                head.extend(u32::to_be_bytes(word));
            }
            file.write_all(&head).unwrap();
            file.write_all(&packet).unwrap();
        }
        file.flush().unwrap();
        let output = Command::new("tcpdump")
            .args(["-n", "-t"])
            .args(&self.flags)
            .arg("-r")
            .arg(file.path())
            .output()
            .unwrap();
        let mut lines: Vec<String> = Vec::new();
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            if line.starts_with("IP") || line.starts_with("ip: ") {
                lines.push(line.to_owned());
            } else {
                *lines.last_mut().unwrap() += &format!("\n{line}");
            }
        }
        assert_eq!(lines.len(), self.cases.len());
        lines
    }
}

fn render(bytes: &[u8], len: usize, options: &Options) -> String {
    let mut page = Page::default();
    let packet = Packet::parse(bytes, len).unwrap();
    ip::push(&mut page, &packet, options);
    assert_eq!(page.depth, 0);
    String::from_utf8(page.text).unwrap()
}

/// Renders every prefix of the packet as a cut one and as a short one, and the packet with
/// every byte changed.
fn check_damaged(packet: &[u8], options: &Options) {
    let check = |bytes: &[u8], len: usize| {
        let line = render(bytes, len, options);
        let breaks = if options.verbose == 0 { "" } else { "\n\t" };
        let is_fine = |c: char| matches!(c, ' '..='~') || breaks.contains(c);
        assert!(line.chars().all(is_fine), "{line:?} of {bytes:02x?}");
    };
    for end in 1..packet.len() {
        check(&packet[..end], packet.len());
        let mut short = packet[..end].to_vec();
        let (at, header) = if short[0] >> 4 == 6 { (4, 40) } else { (2, 0) };
        if let Some(field) = short.get_mut(at..at + 2) {
            let len = u16::try_from(end.saturating_sub(header)).unwrap();
            field.copy_from_slice(&len.to_be_bytes());
        }
        check(&short, end);
    }
    let mut damaged = packet.to_vec();
    for i in 1..packet.len() {
        for byte in [0, 1, 0x1b, 0x7f, 0xff] {
            damaged[i] = byte;
            check(&damaged, packet.len());
        }
        damaged[i] = packet[i];
    }
}
