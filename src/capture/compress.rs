//! Compressed files: gzip (RFC 1952), Zstandard (RFC 8878) and bzip2, known by their first
//! bytes and not by the file's name.
//!
//! All of them may be several streams one after the other, as `cat a.gz b.gz` makes them.

use std::error::Error as StdError;
use std::io::{self, BufRead, BufReader, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Size of the buffer of compressed bytes.
const BUFFER_LEN: usize = 128 * 1024;

/// A compressed or otherwise unfinished stream of bytes.
type Input = Box<dyn Read + Send>;

/// What a file is compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
    Bzip2,
}

impl Compression {
    /// By a file's first bytes.
    pub(super) fn of(magic: &[u8]) -> Option<Self> {
        match magic {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // A frame, or a skippable frame in front of it.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Self::Bzip2),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
        }
    }

    /// A reader of what `input` holds unpacked.
    pub(super) fn decoder(self, input: Input) -> Input {
        let input = BufReader::with_capacity(BUFFER_LEN, input);
        Box::new(Decoder {
            compression: self,
            inner: match self {
                Self::Gzip => Box::new(Streams::<flate2::Decompress>::new(input)),
                Self::Zstd => Box::new(Zstd::new(input)),
                Self::Bzip2 => Box::new(Streams::<bzip2::Decompress>::new(input)),
            },
        })
    }
}

/// Gives the errors of all decoders the same shape.
struct Decoder {
    compression: Compression,
    inner: Input,
}

impl Read for Decoder {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buf).map_err(|error| {
            let name = self.compression.name();
            match root(&error) {
                Some(io) if io.raw_os_error().is_some() => {
                    io::Error::new(io.kind(), io.to_string())
                }
                Some(io) if io.kind() == io::ErrorKind::UnexpectedEof => {
                    io::Error::new(io.kind(), format!("the {name} data ends too early"))
                }
                _ => {
                    let detail = error.get_ref().map_or_else(String::new, |e| format!(": {e}"));
                    let text = format!("the {name} data is corrupt{detail}");
                    io::Error::new(io::ErrorKind::InvalidData, text)
                }
            }
        })
    }
}

/// The innermost I/O error: decoders wrap the one of the reader below them.
fn root(error: &io::Error) -> Option<&io::Error> {
    let mut found = None;
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref::<io::Error>();
        found = io.or(found);
        // `source` of an I/O error leaves out the error that it wraps itself.
        next = match io.and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    found
}

/// The decompressors' own words depend on where the output buffer ends, and say no more.
struct Corrupt;

/// A decompressor of one stream.
trait Codec {
    fn new() -> Self;

    /// Bytes taken in and given out so far.
    fn totals(&self) -> (u64, u64);

    /// Unpacks what fits. True at the end of a stream.
    fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<bool, Corrupt>;
}

impl Codec for flate2::Decompress {
    fn new() -> Self {
        Self::new_gzip(15)
    }

    fn totals(&self) -> (u64, u64) {
        (self.total_in(), self.total_out())
    }

    fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<bool, Corrupt> {
        match self.decompress(input, out, flate2::FlushDecompress::None) {
            Ok(status) => Ok(status == flate2::Status::StreamEnd),
            Err(_) => Err(Corrupt),
        }
    }
}

impl Codec for bzip2::Decompress {
    fn new() -> Self {
        Self::new(false)
    }

    fn totals(&self) -> (u64, u64) {
        (self.total_in(), self.total_out())
    }

    fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<bool, Corrupt> {
        match self.decompress(input, out) {
            Ok(status) => Ok(status == bzip2::Status::StreamEnd),
            Err(_) => Err(Corrupt),
        }
    }
}

/// Streams of a gzip or bzip2 file. Zero bytes may follow them, as tapes and block devices
/// leave them.
///
/// In place of the readers of the two crates, which lose what they unpacked in the same call
/// in which they find an error: up to a whole batch of records.
struct Streams<C> {
    input: BufReader<Input>,
    codec: C,
    state: State,
}

enum State {
    Inside,
    /// One stream has ended and the next not begun.
    Between,
    /// To be told when all is given that was unpacked before it.
    Failed,
}

impl<C: Codec> Streams<C> {
    fn new(input: BufReader<Input>) -> Self {
        Self { input, codec: C::new(), state: State::Inside }
    }
}

impl<C: Codec> Read for Streams<C> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.state {
                State::Inside => {}
                State::Between if !skip_zeros(&mut self.input)? => return Ok(0),
                State::Between => {
                    self.codec = C::new();
                    self.state = State::Inside;
                }
                State::Failed => return Err(io::ErrorKind::InvalidData.into()),
            }
            let input = self.input.fill_buf()?;
            let at_end = input.is_empty();
            let before = self.codec.totals();
            match self.codec.step(input, buf) {
                Ok(false) => {}
                Ok(true) => self.state = State::Between,
                Err(Corrupt) => self.state = State::Failed,
            }
            let after = self.codec.totals();
            self.input.consume(usize::try_from(after.0 - before.0).unwrap_or_default());
            let n = usize::try_from(after.1 - before.1).unwrap_or_default();
            if n > 0 || buf.is_empty() {
                return Ok(n);
            }
            if at_end && matches!(self.state, State::Inside) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// False if there are only zeros up to the end.
fn skip_zeros(input: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = input.fill_buf()?;
        let len = bytes.len();
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        input.consume(zeros);
        if len == 0 || zeros < len {
            return Ok(len > 0);
        }
    }
}

/// Frames of a Zstandard file.
struct Zstd {
    input: BufReader<Input>,
    frame: FrameDecoder,
    /// Told when all is given that was unpacked before it.
    failed: Option<io::Error>,
}

impl Zstd {
    /// An empty, last block of stored bytes, and the space of a checksum.
    const LAST_BLOCK: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];

    fn new(input: BufReader<Input>) -> Self {
        Self { input, frame: FrameDecoder::new(), failed: None }
    }

    /// Decodes one block.
    fn step(&mut self) {
        let one = || BlockDecodingStrategy::UptoBlocks(1);
        if let Err(error) = self.frame.decode_blocks(&mut self.input, one()) {
            self.failed = Some(io::Error::other(error));
            // Until its frame ends the decoder keeps back as much as later blocks may refer
            // to, megabytes of good records: end the frame. The first error is the one to tell.
            let _ = self.frame.decode_blocks(Self::LAST_BLOCK.as_slice(), one());
        }
    }

    /// Goes to the next frame; false at the end of the input.
    fn next_frame(&mut self) -> io::Result<bool> {
        if self.frame.get_checksum_from_data().is_some()
            && self.frame.get_checksum_from_data() != self.frame.get_calculated_checksum()
        {
            return Err(io::Error::other("checksum does not match"));
        }
        while !self.input.fill_buf()?.is_empty() {
            match self.frame.reset(&mut self.input) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    let skipped = io::copy(&mut self.input.by_ref().take(length), &mut io::sink())?;
                    if skipped < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }
}

impl Read for Zstd {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.frame.read(buf)?;
            if n > 0 || buf.is_empty() {
                return Ok(n);
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if !self.frame.is_finished() {
                self.step();
            } else if !self.next_frame()? {
                return Ok(0);
            }
        }
    }
}
