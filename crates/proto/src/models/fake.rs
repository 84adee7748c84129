//! Primitives that compute nothing: what is modelled is who may use a key, not what it does.

use zeroize::Zeroizing;

use crate::crypto::{
    Crypto, DhKey, KEY_LEN, LayoutError, Packet, SharedSecret, TAG_LEN, TransportKey,
    Unauthenticated, XNONCE_LEN,
};

pub(super) struct Fake;

impl Crypto for Fake {
    type Key = FakeKey;
    type DhKey = FakeKey;

    fn hash(_: &[&[u8]]) -> [u8; KEY_LEN] {
        [0; KEY_LEN]
    }

    fn hmac(_: &[u8; KEY_LEN], _: &[&[u8]]) -> Zeroizing<[u8; KEY_LEN]> {
        Zeroizing::new([0; KEY_LEN])
    }

    fn mac<const K: usize>(_: &[u8; K], _: &[&[u8]]) -> [u8; TAG_LEN] {
        [0; TAG_LEN]
    }

    fn seal(_: &[u8; KEY_LEN], _: u64, _: &[u8], _: &mut [u8]) -> [u8; TAG_LEN] {
        [0; TAG_LEN]
    }

    fn open(
        _: &[u8; KEY_LEN],
        _: u64,
        _: &[u8],
        _: &mut [u8],
        _: &[u8; TAG_LEN],
    ) -> Result<(), Unauthenticated> {
        Ok(())
    }

    fn xseal(_: &[u8; KEY_LEN], _: &[u8; XNONCE_LEN], _: &[u8], _: &mut [u8]) -> [u8; TAG_LEN] {
        [0; TAG_LEN]
    }

    fn xopen(
        _: &[u8; KEY_LEN],
        _: &[u8; XNONCE_LEN],
        _: &[u8],
        _: &mut [u8],
        _: &[u8; TAG_LEN],
    ) -> Result<(), Unauthenticated> {
        Ok(())
    }
}

pub(super) struct FakeKey;

impl DhKey for FakeKey {
    fn new(_: &[u8; KEY_LEN]) -> Self {
        Self
    }

    fn public_key(&self) -> [u8; KEY_LEN] {
        [0; KEY_LEN]
    }

    fn agree(&self, _: &[u8; KEY_LEN]) -> Option<SharedSecret> {
        None
    }
}

impl TransportKey for FakeKey {
    fn new(_: &[u8; KEY_LEN]) -> Self {
        Self
    }

    fn seal_batch(&self, _: &mut [u8], _: &[Packet]) -> Result<(), LayoutError> {
        Ok(())
    }

    fn open_batch(
        &self,
        _: &mut [u8],
        _: &[Packet],
        verdicts: &mut [bool],
    ) -> Result<(), LayoutError> {
        verdicts.fill(true);
        Ok(())
    }
}
