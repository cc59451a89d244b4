use std::fs;
use std::io::Write;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::capture::sample::{self, pcap_header, pcap_record, words};
use crate::time::Precision;
use crate::wire::ByteOrder::{Big, Little};
use crate::wire::link::LinkType;

/// All that a file gave.
#[derive(Debug, PartialEq)]
struct Contents {
    /// Records with their bytes; their place in a batch is made 0.
    records: Vec<(Record, Vec<u8>)>,
    interfaces: Vec<Interface>,
    fault: Option<String>,
}

impl Contents {
    fn data(&self) -> Vec<&[u8]> {
        self.records.iter().map(|(_, data)| data.as_slice()).collect()
    }

    fn ns(&self) -> Vec<i64> {
        self.records.iter().map(|(record, _)| record.ts.0).collect()
    }

    fn fault(&self) -> &str {
        self.fault.as_deref().unwrap_or("no fault")
    }
}

fn drain(mut file: File) -> Contents {
    let mut batch = Batch::default();
    let mut contents = Contents { records: Vec::new(), interfaces: Vec::new(), fault: None };
    let mut more = true;
    while more {
        let filled = file.fill(&mut batch);
        assert_eq!(batch.first_frame, contents.records.len() as u64 + 1);
        assert!(filled.fault.is_none() || !filled.more);
        assert!(!filled.more || !batch.records.is_empty(), "a batch of nothing, and no end");
        for &record in &batch.records {
            let data = batch.data(&record).to_vec();
            assert_eq!(data.len(), record.caplen as usize);
            assert!(batch.interfaces.get(record.interface as usize).is_some());
            contents.records.push((Record { start: 0, ..record }, data));
        }
        contents.fault = filled.fault.map(|fault| fault.to_string());
        more = filled.more;
    }
    contents.interfaces = batch.interfaces.to_vec();
    assert!(batch.bytes.capacity() < 3 << 20, "{} bytes", batch.bytes.capacity());
    let again = file.fill(&mut batch);
    assert!(!again.more && again.fault.is_none() && batch.records.is_empty());
    contents
}

/// As a regular file, in chunks of that size.
fn chunked(bytes: &[u8], chunk: usize) -> Result<File, Error> {
    let source = Source::new(Box::new(Cursor::new(bytes.to_vec())), Some(bytes.len() as u64));
    File::start("test".into(), source).map(|file| File { chunk, ..file })
}

/// Gives a byte at a time, each after an interruption.
struct Trickle(Cursor<Vec<u8>>, bool);

impl Read for Trickle {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let len = buf.len().min(1);
        self.0.read(&mut buf[..len])
    }
}

fn trickled(bytes: &[u8]) -> Result<File, Error> {
    let file = File::from_reader("test", Box::new(Trickle(Cursor::new(bytes.to_vec()), false)));
    file.map(|file| File { chunk: 4096, ..file })
}

fn contents(bytes: &[u8]) -> Contents {
    drain(chunked(bytes, CHUNK).unwrap())
}

fn open_error(bytes: &[u8]) -> String {
    chunked(bytes, CHUNK).unwrap_err().to_string()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut bz = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bz.write_all(bytes).unwrap();
    bz.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// A pcap file of so many records, about 165 bytes each, that does not compress too well.
fn many(records: u32) -> Vec<u8> {
    let mut file = pcap_header(Little, 0xa1b2_c3d4, 117);
    let mut state = 1_u32;
    for n in 0..records {
        let data: Vec<u8> = (0..120 + n % 60)
            .map(|_| {
                state = state.wrapping_mul(1_103_515_245).wrapping_add(12345);
                (state >> 28) as u8
            })
            .collect();
        let len = u32::try_from(data.len()).unwrap();
        file.extend(pcap_record(Little, [n, n, len, len], &data));
    }
    file
}

#[test]
fn pcap_in_both_byte_orders_and_precisions() {
    for order in [Little, Big] {
        for (magic, precision, unit) in
            [(0xa1b2_c3d4, Precision::Micros, 1000), (0xa1b2_3c4d, Precision::Nanos, 1)]
        {
            let mut file = pcap_header(order, magic, 117);
            file.extend(pcap_record(order, [1_600_000_000, 999_999, 3, 90], b"abc"));
            // Past 2038, a fraction of more than a second, more captured than there was.
            file.extend(pcap_record(order, [u32::MAX, u32::MAX, 2, 1], b"de"));
            let got = contents(&file);
            assert_eq!(got.fault, None);
            assert_eq!(got.data(), [&b"abc"[..], b"de"]);
            assert_eq!(
                got.ns(),
                [
                    1_600_000_000_000_000_000 + 999_999 * unit,
                    4_294_967_295_000_000_000 + 4_294_967_295 * unit
                ]
            );
            let [(first, _), (second, _)] = &got.records[..] else { panic!() };
            assert_eq!((first.caplen, first.len, first.offset), (3, 90, 24));
            assert_eq!((second.caplen, second.len, second.offset), (2, 1, 43));
            let [interface] = &got.interfaces[..] else { panic!() };
            assert_eq!((interface.order, interface.precision), (order, precision));
            assert_eq!((interface.link, interface.fcs_len), (LinkType::PFLOG, 0));
        }
    }
}

#[test]
fn pcap_link_type_word_holds_the_fcs_length() {
    let interface = |word| contents(&pcap_header(Big, 0xa1b2_c3d4, word)).interfaces[0].clone();
    assert_eq!(interface(0x2400_0001).fcs_len, 4);
    assert_eq!(interface(0xf400_0001).fcs_len, 30);
    assert_eq!(interface(0x2000_0001).fcs_len, 0, "not marked as present");
    assert_eq!(interface(0x2400_0001).link, LinkType::ETHERNET);
}

#[test]
fn pcap_record_over_the_limit_ends_the_reading() {
    let mut file = sample::pcap(Little, 11);
    let offset = file.len();
    file.extend(pcap_record(Little, [0, 0, u32::MAX, u32::MAX], b"xyz"));
    let got = contents(&file);
    assert_eq!(got.records.len(), 11);
    assert_eq!(
        got.fault(),
        format!(
            "record length 4294967295 is over the limit of 262144, at record 12, byte {offset}"
        )
    );
}

#[test]
fn pcap_record_of_the_largest_length() {
    let mut file = pcap_header(Little, 0xa1b2_c3d4, 117);
    let data: Vec<u8> = (0..=255).cycle().take(256 * 1024).collect();
    for len in [262_144, 262_144, 1] {
        file.extend(pcap_record(Little, [0, 0, len, len], &data[..len as usize]));
    }
    let got = contents(&file);
    assert_eq!(got.data(), [&data[..], &data[..], &data[..1]]);
    assert_eq!(got.fault, None);
    assert_eq!(drain(chunked(&file, 1).unwrap()), got);
}

#[test]
fn pcap_cut_record_is_given_as_far_as_it_goes() {
    let mut file = pcap_header(Little, 0xa1b2_c3d4, 117);
    file.extend(pcap_record(Little, [0, 0, 184, 184], &[7; 128]));
    let got = contents(&file);
    assert_eq!(got.data(), [[7; 128]]);
    assert_eq!(got.records[0].0.len, 184);
    assert_eq!(
        got.fault(),
        "the file ends in the middle of a record: 128 of 184 bytes are there, at record 1, byte 24"
    );
    file.truncate(24 + 9);
    let got = contents(&file);
    assert_eq!(got.records, []);
    assert_eq!(
        got.fault(),
        "the file ends in the middle of a record header: 9 of 16 bytes are there, \
         at record 1, byte 24"
    );
}

#[test]
fn files_that_are_none_are_told_apart() {
    assert_eq!(open_error(b""), "is empty: not a capture file");
    assert_eq!(open_error(b"ab"), "not a pcap or pcapng file (starts with 6162)");
    assert_eq!(open_error(b"\x7fELF\x02"), "not a pcap or pcapng file (starts with 7f454c46)");
    assert_eq!(
        open_error(b"\xfd7zXZ\0"),
        "not a pcap or pcapng file (starts with fd377a58: xz, which is not unpacked)"
    );
    assert_eq!(
        open_error(&gzip(&gzip(&sample::pcap(Little, 1)))),
        "not a pcap or pcapng file (starts with 1f8b0800: gzip inside another compressed file)"
    );
    assert_eq!(open_error(&gzip(b"")), "is empty: not a capture file");
    assert_eq!(open_error(&gzip(b"text")), "not a pcap or pcapng file (starts with 74657874)");
    assert_eq!(open_error(b"\x1f\x8b\x08"), "the gzip data ends too early");
    assert_eq!(
        open_error(&pcap_header(Big, 0xa1b2_c3d4, 1)[..12]),
        "the file ends in the middle of a file header: 12 of 24 bytes are there"
    );
    let mut file = pcap_header(Big, 0xa1b2_c3d4, 1);
    file[5] = 3;
    assert_eq!(open_error(&file), "pcap version 3.4 is not known");
    let mut file = sample::pcapng();
    file[12] = 2;
    assert_eq!(open_error(&file), "pcapng version 2.0 is not known");
    file[8] = 0;
    assert_eq!(open_error(&file), "byte-order magic 003c2b1a is not known");
    assert_eq!(
        open_error(&sample::pcapng()[..20]),
        "the file ends in the middle of a file header: 20 of 28 bytes are there"
    );
}

#[test]
fn paths_that_cannot_be_read_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &Path| File::open(path).unwrap_err().to_string();
    assert_eq!(error(folder.path()), "is a directory");
    assert_eq!(error(&folder.path().join("no")), "No such file or directory");
    assert_eq!(error(Path::new("/dev/null")), "is empty: not a capture file");
}

#[test]
fn path_of_a_regular_file_and_its_progress() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.gz");
    let packed = gzip(&sample::pcap(Big, 9));
    fs::write(&path, &packed).unwrap();
    let file = File::open(&path).unwrap();
    let progress = file.progress();
    assert!(file.is_regular());
    assert_eq!(file.name(), path);
    assert_eq!(drain(file), contents(&sample::pcap(Big, 9)));
    assert_eq!(progress.size(), Some(packed.len() as u64));
    assert_eq!(progress.bytes(), packed.len() as u64);
}

/// What each prefix of a file must give: the records that are whole in it, and part of the
/// next at most.
fn check_prefixes(file: &[u8], pack: impl Fn(&[u8]) -> Vec<u8>) {
    let whole = contents(file);
    assert_eq!(whole.fault, None);
    for n in 0..=file.len() {
        let packed = pack(&file[..n]);
        let Ok(opened) = chunked(&packed, 4096) else {
            assert!(n < 28, "{n} bytes");
            continue;
        };
        let got = drain(opened);
        assert_eq!(drain(chunked(&packed, 50).unwrap()), got, "{n} bytes in small chunks");
        assert_eq!(drain(trickled(&packed).unwrap()), got, "{n} bytes one at a time");
        let same = got.records.iter().zip(&whole.records).take_while(|(a, b)| a == b).count();
        assert!(got.records.len() <= same + 1, "{n} bytes");
        if let Some((record, data)) = got.records.get(same) {
            let (expected, all) = &whole.records[same];
            assert!(!data.is_empty() && data.len() < all.len() && all.starts_with(data));
            assert_eq!(Record { caplen: expected.caplen, ..*record }, *expected);
            assert!(got.fault.is_some(), "{n} bytes");
        }
        if n == file.len() {
            assert_eq!(got, whole);
        } else if let Some((record, data)) = whole.records.get(got.records.len()) {
            // Nothing whole may be missing; a block has 32 bytes around a record at most, and
            // 3 to pad it.
            assert!((n as u64) < record.offset + 35 + data.len() as u64, "{n} bytes");
        }
    }
}

#[test]
fn every_prefix_of_a_pcap_gives_its_whole_records() {
    check_prefixes(&sample::pcap(Little, 6), <[u8]>::to_vec);
    check_prefixes(&sample::pcap(Big, 6), gzip);
}

#[test]
fn every_prefix_of_a_pcapng_gives_its_whole_records() {
    check_prefixes(&sample::pcapng(), <[u8]>::to_vec);
    check_prefixes(&sample::pcapng(), gzip);
}

#[test]
fn prefixes_end_cleanly_only_between_records() {
    let file = sample::pcap(Little, 6);
    let ends: Vec<u64> = contents(&file).records.iter().map(|(r, _)| r.offset).collect();
    for n in 24..file.len() {
        let clean = contents(&file[..n]).fault.is_none();
        assert_eq!(clean, ends.contains(&(n as u64)), "{n} bytes");
    }
}

#[test]
fn every_prefix_of_a_gzip_file_gives_what_can_be_unpacked() {
    for file in [sample::pcap(Little, 12), sample::pcapng()] {
        let (whole, packed) = (contents(&file), gzip(&file));
        let mut most = 0;
        for n in 0..packed.len() {
            let Ok(opened) = chunked(&packed[..n], 4096) else { continue };
            let got = drain(opened);
            assert_eq!(drain(trickled(&packed[..n]).unwrap()), got, "{n} bytes");
            assert!(got.fault().contains("the gzip data ends too early, at record "), "{got:?}");
            let same = got.records.iter().zip(&whole.records).take_while(|(a, b)| a == b).count();
            assert!(got.records.len() <= same + 1);
            assert!(same >= most, "{n} bytes give less than fewer do");
            most = same;
        }
        assert_eq!(most, whole.records.len());
    }
}

#[test]
fn chunk_boundaries_do_not_show() {
    for file in [sample::pcap(Little, 20), sample::pcap(Big, 20), sample::pcapng()] {
        let whole = contents(&file);
        assert_eq!(drain(trickled(&file).unwrap()), whole);
        for chunk in 1..200 {
            assert_eq!(drain(chunked(&file, chunk).unwrap()), whole, "chunks of {chunk}");
        }
    }
    let file = many(8000);
    assert_eq!(contents(&file).records.len(), 8000);
    assert_eq!(drain(chunked(&file, file.len()).unwrap()), contents(&file));
}

#[test]
fn steady_state_allocates_nothing() {
    let mut file = chunked(&many(8000), 64 * 1024).unwrap();
    let mut batch = Batch::default();
    let mut buffers = Vec::new();
    while file.fill(&mut batch).more {
        let Batch { interfaces, records, bytes, .. } = &batch;
        buffers.push((interfaces.as_ptr(), records.as_ptr(), bytes.as_ptr(), bytes.len()));
    }
    // The first few may still find the table of records too small.
    let steady = &buffers[4..];
    assert!(steady.len() > 8 && steady.iter().all(|same| *same == steady[0]));
}

#[test]
fn a_cut_read_is_an_error_and_what_came_before_it_is_given() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(5))
        }
    }
    for pack in [<[u8]>::to_vec, gzip, bzip2, zstd] {
        let file = pack(&sample::pcap(Little, 5));
        // The last byte of a compressed file is one of its checksum or its length.
        let reader = Cursor::new(file[..file.len() - 1].to_vec()).chain(Broken);
        let got = drain(File::from_reader("test", Box::new(reader)).unwrap());
        assert_eq!(got.records.len(), 5, "{:?}", got.fault);
        assert!(got.fault().starts_with("Input/output error, at record "), "{}", got.fault());
    }
}

/// The records of a file that is written to a pipe in parts, each as it arrives; the next part
/// is written only when the one before has been received.
fn receive(parts: &[&[u8]]) -> Vec<usize> {
    let (reader, mut writer) = io::pipe().unwrap();
    let (received, wait) = mpsc::channel();
    let reading = thread::spawn(move || {
        let mut file = File::from_reader("pipe", Box::new(reader)).unwrap();
        assert!(!file.is_regular());
        let mut batch = Batch::default();
        loop {
            let filled = file.fill(&mut batch);
            assert!(filled.fault.is_none());
            if !batch.records.is_empty() {
                received.send(batch.records.len()).unwrap();
            }
            if !filled.more {
                return;
            }
        }
    });
    let mut counts = Vec::new();
    for part in parts {
        writer.write_all(part).unwrap();
        counts.push(wait.recv_timeout(Duration::from_secs(20)).expect("not delivered at once"));
    }
    drop(writer);
    reading.join().unwrap();
    counts
}

#[test]
fn a_pipe_gives_each_record_at_once() {
    let record = |len| pcap_record(Little, [1, 2, len, len], &vec![3; len as usize]);
    let first = [pcap_header(Little, 0xa1b2_c3d4, 117), record(60)].concat();
    // The second write ends within the third record.
    let second = [record(70), record(80)[..40].to_vec()].concat();
    let third = [record(80)[40..].to_vec(), record(1), record(2)].concat();
    assert_eq!(receive(&[&first, &second, &third]), [1, 1, 3]);
}

#[test]
fn a_pcapng_pipe_gives_each_record_at_once() {
    let first = [
        sample::section(Big),
        sample::interface(Big, 117, 0, &[]),
        sample::enhanced(Big, 0, 1, b"one"),
    ];
    assert_eq!(receive(&[&first.concat(), &sample::enhanced(Big, 0, 2, b"two")]), [1, 1]);
}

#[test]
fn a_compressed_pipe_gives_what_is_flushed() {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(&sample::pcap(Little, 3)).unwrap();
    gz.flush().unwrap();
    let first = gz.get_ref().clone();
    gz.write_all(&pcap_record(Little, [1, 2, 4, 4], b"next")).unwrap();
    let all = gz.finish().unwrap();
    assert_eq!(receive(&[&first, &all[first.len()..]]), [3, 1]);
}

#[test]
fn compressed_files_give_what_plain_ones_do() {
    for file in [sample::pcap(Little, 30), sample::pcapng(), many(1500)] {
        let whole = contents(&file);
        for pack in [gzip, bzip2, zstd] {
            assert_eq!(contents(&pack(&file)), whole);
            // Several streams, which share out a record.
            let (front, back) = file.split_at(file.len() / 2);
            let packed = [pack(&file[..3]), pack(&front[3..]), pack(b""), pack(back)].concat();
            assert_eq!(contents(&packed), whole);
            if file.len() < 10_000 {
                assert_eq!(drain(trickled(&packed).unwrap()), whole);
            }
        }
    }
}

#[test]
fn gzip_may_be_padded_with_zeros_but_not_with_anything_else() {
    let file = sample::pcap(Little, 9);
    let padded = [gzip(&file[..100]), vec![0; 512], gzip(&file[100..]), vec![0; 1000]].concat();
    assert_eq!(contents(&padded), contents(&file));
    assert_eq!(drain(trickled(&padded).unwrap()), contents(&file));
    let got = contents(&[gzip(&file), vec![0; 512], b"rubbish".to_vec()].concat());
    assert_eq!(got.records, contents(&file).records);
    assert!(got.fault().starts_with("the gzip data is corrupt, at "), "{}", got.fault());
}

#[test]
fn zstd_skippable_frames_are_skipped() {
    let file = sample::pcap(Little, 9);
    let skippable =
        |len: u32, data: &[u8]| [&[0x5a, 0x2a, 0x4d, 0x18][..], &len.to_le_bytes(), data].concat();
    let skip = skippable(300, &[1; 300]);
    let packed = [&skip[..], &zstd(&file[..50]), &skip, &skip, &zstd(&file[50..]), &skip].concat();
    assert_eq!(contents(&packed), contents(&file));
    let cut = [zstd(&file), skippable(u32::MAX, b"cut")].concat();
    assert_eq!(contents(&cut).records, contents(&file).records);
    assert!(contents(&cut).fault().starts_with("the zstd data ends too early, at record 10"));
}

#[test]
fn cut_compressed_files_give_what_is_before_the_cut() {
    let file = many(1500);
    let whole = contents(&file);
    for (pack, name) in [(gzip as fn(&[u8]) -> Vec<u8>, "gzip"), (bzip2, "bzip2"), (zstd, "zstd")] {
        let packed = pack(&file);
        let got = contents(&packed[..packed.len() * 3 / 4]);
        let fault = got.fault();
        assert!(fault.starts_with(&format!("the {name} data ends too early, at ")), "{fault}");
        assert!(got.records.len() > 500, "{name}: {} of 1500", got.records.len());
        let same = got.records.iter().zip(&whole.records).take_while(|(a, b)| a == b).count();
        assert!(got.records.len() <= same + 1);
    }
}

#[test]
fn damaged_compressed_files_have_a_fault_and_no_wrong_record_unnoticed() {
    let file = sample::pcap(Little, 30);
    for pack in [gzip, bzip2, zstd] {
        let packed = pack(&file);
        for at in 0..packed.len() {
            let mut bytes = packed.clone();
            bytes[at] ^= 0x10;
            if let Ok(opened) = chunked(&bytes, 4096) {
                let got = drain(opened);
                assert_eq!(drain(trickled(&bytes).unwrap()), got, "byte {at}");
                assert!(got.fault.is_some() || got == contents(&file), "byte {at}");
            }
        }
    }
}

fn random_after(header: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(0_u8), 0_u8..40, any::<u8>()], 0..600)
        .prop_map(move |tail| [&header[..], &tail].concat())
}

fn mutated(file: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let len = file.len();
    prop::collection::vec((0..len, any::<u8>()), 1..8).prop_map(move |changes| {
        let mut file = file.clone();
        for (at, byte) in changes {
            file[at] = byte;
        }
        file
    })
}

proptest! {
    #[test]
    fn any_bytes_end_without_panic(file in prop_oneof![
        random_after(Vec::new()),
        random_after(pcap_header(Little, 0xa1b2_c3d4, 117)),
        random_after(sample::section(Big)),
        random_after([sample::section(Big), sample::interface(Big, 1, 0, &[])].concat()),
        mutated(sample::pcap(Big, 9)),
        mutated(sample::pcapng()),
        mutated(gzip(&sample::pcapng())),
        mutated(bzip2(&sample::pcapng())),
        mutated(zstd(&sample::pcapng())),
        mutated(zstd(&sample::pcap(Big, 30))),
    ]) {
        if let Ok(opened) = chunked(&file, 4096) {
            let got = drain(opened);
            prop_assert_eq!(&drain(chunked(&file, 40).unwrap()), &got);
            prop_assert_eq!(&drain(trickled(&file).unwrap()), &got);
        }
    }
}

fn pcapng_after_header(blocks: &[Vec<u8>]) -> Contents {
    contents(&[&sample::section(Little), &blocks.concat()[..]].concat())
}

#[test]
fn pcapng_sections_and_interfaces() {
    let got = contents(&sample::pcapng());
    assert_eq!(got.fault, None);
    assert_eq!(got.data(), [&b"first"[..], b"second!", b"sixteen bytes...", b"", b"old", b"last"]);
    let interfaces: Vec<u32> = got.records.iter().map(|(record, _)| record.interface).collect();
    assert_eq!(interfaces, [0, 1, 0, 2, 2, 2]);
    let lens: Vec<u32> = got.records.iter().map(|(record, _)| record.len).collect();
    assert_eq!(lens, [8, 10, 20, 3, 9, 7]);
    assert_eq!(
        got.ns(),
        [1_600_000_000_000_001_000, 1_600_000_000_000_000_002, 0, 3000, 4000, 5000]
    );
    let [first, second, third] = &got.interfaces[..] else { panic!() };
    assert_eq!((first.link, first.order, &first.name), (LinkType::PFLOG, Little, &None));
    assert_eq!((second.link, second.precision), (LinkType::ETHERNET, Precision::Nanos));
    assert_eq!(second.name.as_deref(), Some(&b"pflog0"[..]));
    assert_eq!((third.link, third.order), (LinkType::RAW, Big));
    assert_eq!(third.precision, Precision::Micros);
}

#[test]
fn pcapng_interface_options() {
    let order = Big;
    let read = |options: &[(u16, &[u8])], ticks| {
        let options: Vec<u8> =
            options.iter().flat_map(|&(code, value)| sample::option(order, code, value)).collect();
        let got = contents(
            &[
                sample::section(order),
                sample::interface(order, 1, 0, &options),
                sample::enhanced(order, 0, ticks, b""),
            ]
            .concat(),
        );
        assert_eq!(got.fault, None);
        (got.ns()[0], got.interfaces[0].clone())
    };
    // Comment, fcslen, a hardware description that nobody reads, an end with more behind it.
    let (_, interface) = read(&[(1, b"abc"), (13, &[32]), (15, b"x"), (0, b""), (13, &[8])], 0);
    assert_eq!(interface.fcs_len, 4);
    // An offset in seconds, of either sign, also where it takes the time out of its range.
    assert_eq!(read(&[(14, &10_i64.to_be_bytes())], 5).0, 10_000_005_000);
    assert_eq!(read(&[(14, &(-10_i64).to_be_bytes())], 5).0, -9_999_995_000);
    assert_eq!(read(&[(14, &i64::MAX.to_be_bytes())], 5).0, i64::MAX);
    assert_eq!(read(&[(14, &i64::MIN.to_be_bytes())], u64::MAX).0, i64::MIN);
    let name = [b'n'; 300];
    assert_eq!(read(&[(2, &name)], 0).1.name.as_deref(), Some(&name[..255]));
}

#[test]
fn pcapng_bad_options_are_a_fault() {
    for bad in [
        sample::option(Little, 9, &[1, 2]),
        sample::option(Little, 13, &[]),
        sample::option(Little, 14, &[0; 7]),
        vec![9, 0, 200, 0],
        vec![1, 0, 0xff, 0xff, 0, 0, 0, 0],
    ] {
        let got = pcapng_after_header(&[sample::interface(Little, 1, 0, &bad)]);
        let code = bad[0];
        assert_eq!(
            got.fault(),
            format!("option {code} of an interface has an impossible length, at record 1, byte 28")
        );
    }
}

#[test]
fn pcapng_faults() {
    let interface = sample::interface(Little, 1, 0, &[]);
    let good = sample::enhanced(Little, 0, 0, b"good");
    let fault = |bad: &[u8]| {
        let got = pcapng_after_header(&[interface.clone(), good.clone(), bad.to_vec()]);
        assert_eq!(got.data(), [b"good"]);
        let at = format!(", at record 2, byte {}", 28 + interface.len() + good.len());
        got.fault().strip_suffix(&at).unwrap_or_else(|| panic!("{}", got.fault())).to_owned()
    };
    let kind_len = |kind, len| [words(Little, &[kind, len]), vec![0; 64]].concat();
    assert_eq!(
        fault(&sample::enhanced(Little, 1, 0, b"bad")),
        "packet block of interface 1, which the section does not describe"
    );
    assert_eq!(fault(&kind_len(6, 8)), "block length 8 is not possible");
    assert_eq!(fault(&kind_len(77, 0)), "block length 0 is not possible");
    assert_eq!(fault(&kind_len(77, 63)), "block length 63 is not possible");
    assert_eq!(fault(&kind_len(6, 12)), "block length is 12 in front and 0 at its end");
    assert_eq!(fault(&kind_len(77, 16)), "block length is 16 in front and 0 at its end");
    assert_eq!(
        fault(&kind_len(6, 0xffff_fffc)),
        "block length 4294967292 is over the limit of 1048576"
    );
    assert_eq!(
        fault(&kind_len(77, 0xffff_fffc)),
        "the file ends in the middle of a block: 72 of 4294967292 bytes are there"
    );
    assert_eq!(fault(&sample::block(Little, 6, &[0; 16])), "block length 28 is not possible");
    assert_eq!(fault(&sample::block(Little, 3, b"")), "block length 12 is not possible");
    let huge = words(Little, &[0, 0, 0, 0x7fff_ffff, 1]);
    assert_eq!(
        fault(&sample::block(Little, 6, &huge)),
        "record length 2147483647 is over the limit of 262144"
    );
    assert_eq!(
        fault(&sample::block(Little, 6, &words(Little, &[0, 0, 0, 5, 5, 0]))),
        "record length 5 is more than its block holds"
    );
    assert_eq!(
        fault(&sample::simple(Little, 9, b"12345678")),
        "record length 9 is more than its block holds"
    );
    let mut section = sample::section(Big);
    section[8] = 0;
    assert_eq!(fault(&section), "byte-order magic 002b3c4d is not known");
    let mut section = sample::section(Big);
    section[13] = 9;
    assert_eq!(fault(&section), "pcapng version 9.0 is not known");
    assert_eq!(
        fault(&good[..9]),
        "the file ends in the middle of a block: 9 of 12 bytes are there"
    );
}

#[test]
fn pcapng_interfaces_of_a_section_are_unknown_in_the_next() {
    let got = pcapng_after_header(&[
        sample::interface(Little, 1, 0, &[]),
        sample::section(Little),
        sample::simple(Little, 1, b"x"),
    ]);
    assert!(got.fault().starts_with("packet block of interface 0"), "{}", got.fault());
}

#[test]
fn pcapng_interfaces_are_bounded() {
    let interface = sample::interface(Little, 1, 0, &[]);
    let got = pcapng_after_header(&vec![interface.clone(); 65536]);
    assert_eq!((got.interfaces.len(), got.fault), (65536, None));
    let got = pcapng_after_header(&vec![interface; 65537]);
    assert_eq!(got.fault(), "more than 65536 interfaces, at record 1, byte 1310748");
}

#[test]
fn pcapng_blocks_larger_than_the_buffer_are_passed_over() {
    let file = [
        sample::section(Little),
        sample::interface(Little, 1, 0, &[]),
        sample::block(Little, 0xbad, &vec![1; 5 << 20]),
        sample::enhanced(Little, 0, 1, &[2; 1000]),
        sample::block(Little, 0xbad, &vec![1; 3 << 20]),
    ]
    .concat();
    let got = contents(&file);
    assert_eq!((got.data(), &got.fault), (vec![&[2; 1000][..]], &None));
    assert_eq!(drain(chunked(&file, 30).unwrap()), got);
    let cut = contents(&file[..file.len() - 5]);
    let offset = got.records[0].0.offset + 1032;
    assert_eq!(
        cut.fault(),
        format!(
            "the file ends in the middle of a block: 3145735 of 3145740 bytes are there, \
             at record 2, byte {offset}"
        )
    );
}

/// The project's collection of captures, if it is at hand.
fn shared_captures() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("PFSCOPE_SHARED").map_or(beside, PathBuf::from);
    Some(shared.join("captures")).filter(|folder| folder.is_dir())
}

fn pcap_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pcap_files(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "pcap") {
            found.push(path);
        }
    }
}

#[test]
fn shared_captures_are_read() {
    let Some(folder) = shared_captures() else {
        eprintln!("SKIPPED: no captures beside the project; say where with PFSCOPE_SHARED");
        return;
    };
    let mut paths = Vec::new();
    pcap_files(&folder, &mut paths);
    assert!(paths.len() > 10, "{} captures in {}", paths.len(), folder.display());
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let got = drain(File::open(&path).unwrap());
        let bytes = fs::read(&path).unwrap();
        assert_eq!(drain(trickled(&bytes).unwrap()), got, "{name}");
        let cut = match name.as_str() {
            "scapy-pflog_udp.pcap" => Some(130),
            "scapy-pflog_icmp.pcap" => Some(184),
            _ => None,
        };
        match cut {
            None => assert_eq!(got.fault, None, "{name}"),
            Some(len) => {
                assert_eq!(got.records.len(), 1, "{name}");
                assert_eq!(got.records[0].1.len(), 128, "{name}");
                assert_eq!(
                    got.fault(),
                    format!(
                        "the file ends in the middle of a record: 128 of {len} bytes are there, \
                         at record 1, byte 24"
                    )
                );
            }
        }
    }
}
