//! Fields of protobuf messages, as prost writes them: <https://protobuf.dev/programming-guides/encoding/>.
//!
//! What has its type's default value is left out, as proto3 has it; the `_always` of a field is for a `oneof`, where the
//! default is a value too.

use prost::encoding::{WireType, encode_varint, encoded_len_varint};

/// The first number that does not fit one byte.
const ONE_BYTE: usize = 0x80;

/// A message that is being written.
#[derive(Debug, Default)]
pub(super) struct Wire(pub(super) Vec<u8>);

impl Wire {
    #[inline]
    fn key(&mut self, tag: u32, wire_type: WireType) {
        self.number((tag << 3 | wire_type as u32).into());
    }

    /// Most are short: keys, lengths, statuses.
    #[inline]
    fn number(&mut self, value: u64) {
        match u8::try_from(value) {
            Ok(byte) if byte < 0x80 => self.0.push(byte),
            _ => encode_varint(value, &mut self.0),
        }
    }

    #[inline]
    pub(super) fn bytes_always(&mut self, tag: u32, value: &[u8]) {
        self.key(tag, WireType::LengthDelimited);
        self.number(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    #[inline]
    pub(super) fn bytes(&mut self, tag: u32, value: &[u8]) {
        if !value.is_empty() {
            self.bytes_always(tag, value);
        }
    }

    pub(super) fn text(&mut self, tag: u32, value: &str) {
        self.bytes(tag, value.as_bytes());
    }

    #[inline]
    pub(super) fn varint_always(&mut self, tag: u32, value: u64) {
        self.key(tag, WireType::Varint);
        self.number(value);
    }

    pub(super) fn varint(&mut self, tag: u32, value: u32) {
        if value != 0 {
            self.varint_always(tag, value.into());
        }
    }

    #[inline]
    pub(super) fn fixed32(&mut self, tag: u32, value: u32) {
        if value != 0 {
            self.key(tag, WireType::ThirtyTwoBit);
            self.0.extend_from_slice(&value.to_le_bytes());
        }
    }

    pub(super) fn fixed64(&mut self, tag: u32, value: u64) {
        if value != 0 {
            self.double_always(tag, f64::from_bits(value));
        }
    }

    #[inline]
    pub(super) fn double_always(&mut self, tag: u32, value: f64) {
        self.key(tag, WireType::SixtyFourBit);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A message within. Its length stands before it and is known after it: most are short, so that it fits the byte
    /// that is kept for it; behind a longer one the message moves up.
    pub(super) fn message(&mut self, tag: u32, write: impl FnOnce(&mut Self)) {
        self.key(tag, WireType::LengthDelimited);
        let at = self.0.len();
        self.0.push(0);
        write(self);
        let end = self.0.len();
        let length = end - at - 1;
        if length < ONE_BYTE {
            self.0[at] = length as u8;
            return;
        }
        let more = encoded_len_varint(length as u64) - 1;
        self.0.resize(end + more, 0);
        self.0.copy_within(at + 1..end, at + 1 + more);
        encode_varint(length as u64, &mut &mut self.0[at..=at + more]);
    }

    /// A `KeyValue` whose value is a text, as nearly all are: of short ones the lengths are known at once. False, and
    /// nothing is written, where it is not short.
    #[inline]
    pub(super) fn short_pair(&mut self, tag: u8, key: &str, text: &str) -> bool {
        const TEXT: u8 = 1 << 3 | WireType::LengthDelimited as u8;
        const VALUE: u8 = 2 << 3 | WireType::LengthDelimited as u8;
        let value = text.len() + 2;
        let all = key.len() + value + 4;
        if all >= ONE_BYTE || key.is_empty() {
            return false;
        }
        let tag = tag << 3 | WireType::LengthDelimited as u8;
        let [all, value, key_length, text_length] =
            [all, value, key.len(), text.len()].map(|length| length as u8);
        self.0.extend_from_slice(&[tag, all, TEXT, key_length]);
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(&[VALUE, value, TEXT, text_length]);
        self.0.extend_from_slice(text.as_bytes());
        true
    }
}
