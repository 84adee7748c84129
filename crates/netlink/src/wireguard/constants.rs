//! The numbers of `linux/wireguard.h`.

pub(super) const FAMILY: &str = "wireguard";
pub(super) const VERSION: u8 = 1;

pub(super) const CMD_GET_DEVICE: u8 = 0;
pub(super) const CMD_SET_DEVICE: u8 = 1;

pub(super) const DEVICE_A_IFNAME: u16 = 2;
pub(super) const DEVICE_A_PRIVATE_KEY: u16 = 3;
pub(super) const DEVICE_A_FLAGS: u16 = 5;
pub(super) const DEVICE_A_LISTEN_PORT: u16 = 6;
pub(super) const DEVICE_A_FWMARK: u16 = 7;
pub(super) const DEVICE_A_PEERS: u16 = 8;

pub(super) const DEVICE_F_REPLACE_PEERS: u32 = 1;

pub(super) const PEER_A_PUBLIC_KEY: u16 = 1;
pub(super) const PEER_A_PRESHARED_KEY: u16 = 2;
pub(super) const PEER_A_FLAGS: u16 = 3;
pub(super) const PEER_A_ENDPOINT: u16 = 4;
pub(super) const PEER_A_PERSISTENT_KEEPALIVE: u16 = 5;
pub(super) const PEER_A_LAST_HANDSHAKE: u16 = 6;
pub(super) const PEER_A_RX_BYTES: u16 = 7;
pub(super) const PEER_A_TX_BYTES: u16 = 8;
pub(super) const PEER_A_ALLOWED_IPS: u16 = 9;

pub(super) const PEER_F_REMOVE_ME: u32 = 1;
pub(super) const PEER_F_REPLACE_ALLOWED_IPS: u32 = 2;
pub(super) const PEER_F_UPDATE_ONLY: u32 = 4;

pub(super) const ALLOWED_IP_A_FAMILY: u16 = 1;
pub(super) const ALLOWED_IP_A_ADDR: u16 = 2;
pub(super) const ALLOWED_IP_A_CIDR: u16 = 3;
/// Kernels from 6.16 on.
pub(super) const ALLOWED_IP_A_FLAGS: u16 = 4;

pub(super) const ALLOWED_IP_F_REMOVE_ME: u32 = 1;
