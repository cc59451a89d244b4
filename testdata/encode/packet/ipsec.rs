//! ESP (RFC 4303), AH (RFC 4302), their way through UDP (RFC 3948) and IKE (RFC 2408, 7296).

use super::super::Random;

/// An ESP packet: what follows SPI and sequence number is ciphertext.
pub fn esp(spi: u32, sequence: u32, len: usize) -> Vec<u8> {
    let mut out = spi.to_be_bytes().to_vec();
    out.extend(sequence.to_be_bytes());
    out.extend(Random::new(u64::from(sequence)).bytes(len));
    out
}

/// An AH header with a check value of 96 bits before `payload`.
pub fn ah(next: u8, spi: u32, sequence: u32, payload: &[u8]) -> Vec<u8> {
    // Length in words of 4 bytes, minus 2.
    let mut out = vec![next, 4, 0, 0];
    out.extend(spi.to_be_bytes());
    out.extend(sequence.to_be_bytes());
    out.extend(Random::new(u64::from(sequence)).bytes(12));
    out.extend(payload);
    out
}

/// What marks an IKE message on port 4500: four zeros where ESP has its SPI.
pub const NON_ESP_MARKER: [u8; 4] = [0; 4];

/// What keeps a NAT's entry alive on port 4500.
pub const KEEPALIVE: [u8; 1] = [0xff];

/// An IKE message of one nonce payload. `version` 0x10 or 0x20; exchange 2 identity protection,
/// 5 informational, 32 quick mode (v1), 34 `IKE_SA_INIT`, 35 `IKE_AUTH`, 37 informational (v2).
pub fn ike(version: u8, exchange: u8, flags: u8, message: u32) -> Vec<u8> {
    let nonce = if version == 0x10 { 10 } else { 40 };
    let mut out = 0x1122_3344_5566_7788_u64.to_be_bytes().to_vec();
    // The responder has chosen its half of the SPI from the second exchange on.
    out.extend(if exchange == 34 || exchange == 2 { [0; 8] } else { [0x99; 8] });
    out.extend([nonce, version, exchange, flags]);
    out.extend(message.to_be_bytes());
    out.extend((28_u32 + 20).to_be_bytes());
    out.extend([0, 0, 0, 20]);
    out.extend(Random::new(1).bytes(16));
    out
}
