//! Netlink attributes: type, length and value, padded to four bytes, nested in each other.

use zeroize::Zeroizing;

/// Size of an attribute's header in bytes.
const HEADER: usize = 4;
/// `NLA_F_NESTED`: the value is made of attributes.
const NESTED: u16 = 0x8000;
/// The bits of an attribute's type that are its type.
const TYPE: u16 = 0x3fff;

/// What did not fit into a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// A message being written, up to a limit in bytes. It may hold keys, so it never moves in memory and is zeroed on drop.
#[derive(Debug)]
pub(crate) struct Writer {
    bytes: Zeroizing<Vec<u8>>,
    limit: usize,
}

/// A nest that is not closed yet.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(crate) struct Nest(usize);

/// A state of a message to go back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(usize);

impl Writer {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            bytes: Zeroizing::new(Vec::with_capacity(limit)),
            limit,
        }
    }

    /// Appends bytes that are no attribute: the headers of the message.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), Full> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(Full);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn attribute(&mut self, kind: u16, value: &[u8]) -> Result<(), Full> {
        let length = u16::try_from(HEADER + value.len()).map_err(|_| Full)?;
        let padded = usize::from(length).next_multiple_of(4);
        if self.bytes.len() + padded > self.limit {
            return Err(Full);
        }
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        let padding = padded - usize::from(length);
        self.bytes.extend_from_slice(&[0; 3][..padding]);
        Ok(())
    }

    pub(crate) fn u8(&mut self, kind: u16, value: u8) -> Result<(), Full> {
        self.attribute(kind, &[value])
    }

    pub(crate) fn u16(&mut self, kind: u16, value: u16) -> Result<(), Full> {
        self.attribute(kind, &value.to_ne_bytes())
    }

    pub(crate) fn u32(&mut self, kind: u16, value: u32) -> Result<(), Full> {
        self.attribute(kind, &value.to_ne_bytes())
    }

    /// Text and the NUL behind it.
    pub(crate) fn string(&mut self, kind: u16, text: &[u8]) -> Result<(), Full> {
        self.attribute(kind, &[text, &[0]].concat())
    }

    pub(crate) fn open(&mut self, kind: u16) -> Result<Nest, Full> {
        let start = self.bytes.len();
        self.attribute(kind | NESTED, &[])?;
        Ok(Nest(start))
    }

    /// Writes the length of a nest, which is that of all since it was opened.
    pub(crate) fn close(&mut self, nest: Nest) {
        let length = self.bytes.len() - nest.0;
        let place = self.bytes.get_mut(nest.0..nest.0 + 2);
        if let (Ok(length), Some(place)) = (u16::try_from(length), place) {
            place.copy_from_slice(&length.to_ne_bytes());
        }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark(self.bytes.len())
    }

    /// Takes back everything since the mark.
    pub(crate) fn back_to(&mut self, mark: Mark) {
        self.bytes.truncate(mark.0);
    }

    /// The message, its length written into its first four bytes.
    pub(crate) fn finish(mut self) -> Zeroizing<Vec<u8>> {
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        if let Some(place) = self.bytes.first_chunk_mut::<4>() {
            *place = length.to_ne_bytes();
        }
        self.bytes
    }
}

/// An attribute read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attribute<'a> {
    /// Its type, without flags.
    pub(crate) kind: u16,
    pub(crate) value: &'a [u8],
}

impl<'a> Attribute<'a> {
    pub(crate) fn u16(&self) -> Option<u16> {
        self.value.try_into().ok().map(u16::from_ne_bytes)
    }

    pub(crate) fn u32(&self) -> Option<u32> {
        self.value.try_into().ok().map(u32::from_ne_bytes)
    }

    pub(crate) fn u64(&self) -> Option<u64> {
        self.value.try_into().ok().map(u64::from_ne_bytes)
    }

    pub(crate) fn nested(&self) -> Attributes<'a> {
        Attributes(self.value)
    }
}

/// The attributes in a piece of a message. What is left at the end and is none, ends it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let (length, rest) = self.0.split_first_chunk::<2>()?;
        let kind = u16::from_ne_bytes(*rest.first_chunk::<2>()?) & TYPE;
        let length = usize::from(u16::from_ne_bytes(*length));
        let value = self.0.get(HEADER..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Attribute { kind, value })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn attributes_are_padded_and_nest() {
        let mut writer = Writer::new(64);
        writer.raw(&[0; 4]).unwrap();
        writer.u8(3, 7).unwrap();
        let nest = writer.open(8).unwrap();
        writer.u16(1, 0x1234).unwrap();
        writer.string(2, b"wg0").unwrap();
        writer.close(nest);
        let bytes = writer.finish();
        assert_eq!(u32::from_ne_bytes(bytes[..4].try_into().unwrap()), 32);
        let read: Vec<Attribute<'_>> = Attributes(&bytes[4..]).collect();
        assert_eq!((read[0].kind, read[0].value), (3, &[7][..]));
        let inner: Vec<Attribute<'_>> = read[1].nested().collect();
        assert_eq!(inner[0].u16(), Some(0x1234));
        assert_eq!(inner[1].value, b"wg0\0");
        assert_eq!((read.len(), inner.len()), (2, 2));
    }

    #[test]
    fn what_does_not_fit_leaves_the_message_as_it_was() {
        let mut writer = Writer::new(12);
        writer.u32(1, 1).unwrap();
        let mark = writer.mark();
        assert_eq!(writer.u32(1, 1), Err(Full));
        assert_eq!(writer.raw(&[0; 5]), Err(Full));
        let _nest = writer.open(2).unwrap();
        assert!(writer.open(2).is_err());
        writer.back_to(mark);
        assert_eq!(writer.finish().len(), 8);
        assert_eq!(Writer::new(1 << 17).attribute(1, &[0; 1 << 16]), Err(Full));
    }

    #[test]
    fn a_length_that_lies_ends_it() {
        for bytes in [
            &[][..],
            &[4, 0],
            &[0, 0, 1, 0],
            &[3, 0, 1, 0],
            &[9, 0, 1, 0, 1, 1, 1, 1],
        ] {
            assert_eq!(Attributes(bytes).count(), 0, "{bytes:?}");
        }
        assert_eq!(
            Attributes(&[5, 0, 1, 0, 9]).next().map(|one| one.value),
            Some(&[9][..])
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec((0..TYPE, prop::collection::vec(any::<u8>(), 0..40)), 0..20)) {
            let mut writer = Writer::new(4096);
            for (kind, value) in &values {
                writer.attribute(*kind, value).unwrap();
            }
            // No message before it, so the first attribute's header must stay whole.
            let read: Vec<(u16, Vec<u8>)> = Attributes(&writer.bytes)
                .map(|one| (one.kind, one.value.to_vec()))
                .collect();
            prop_assert_eq!(read, values);
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            for attribute in Attributes(&bytes) {
                let _ = (attribute.u16(), attribute.u32(), attribute.u64());
                attribute.nested().for_each(drop);
            }
        }
    }
}
