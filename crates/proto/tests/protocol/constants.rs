//! The crate's constants beside those of the paper (section 6.1) and of the kernel driver.

use hushwire_proto::{constants, messages, replay};

use crate::harness::paper;

#[test]
fn limits_are_those_of_the_paper() {
    assert_eq!(constants::REKEY_AFTER_MESSAGES, paper::REKEY_AFTER_MESSAGES);
    assert_eq!(
        constants::REJECT_AFTER_MESSAGES,
        paper::REJECT_AFTER_MESSAGES
    );
    assert_eq!(constants::REKEY_AFTER_TIME, paper::REKEY_AFTER_TIME);
    assert_eq!(constants::REJECT_AFTER_TIME, paper::REJECT_AFTER_TIME);
    assert_eq!(constants::REKEY_ATTEMPT_TIME, paper::REKEY_ATTEMPT_TIME);
    assert_eq!(constants::REKEY_TIMEOUT, paper::REKEY_TIMEOUT);
    assert_eq!(constants::KEEPALIVE_TIMEOUT, paper::KEEPALIVE_TIMEOUT);
    assert_eq!(constants::COOKIE_LIFETIME, paper::COOKIE_LIFETIME);
}

#[test]
fn the_rest_is_the_kernel_driver_s() {
    assert_eq!(constants::REKEY_TIMEOUT_JITTER_MAX, paper::JITTER_MAX);
    assert_eq!(
        constants::INITIATION_INTERVAL_MIN,
        paper::INITIATION_INTERVAL_MIN
    );
    assert_eq!(constants::REKEY_ON_RECEIVE_AFTER, paper::REKEY_ON_RECEIVE);
    assert_eq!(constants::ZERO_KEYS_AFTER, 3 * paper::REJECT_AFTER_TIME);
    assert_eq!(constants::STAGED_PACKETS_MAX, paper::STAGED_MAX);
    assert_eq!(constants::PADDING_MULTIPLE, 16);
    assert_eq!(constants::HANDSHAKE_TOS, paper::HANDSHAKE_TOS);
    assert_eq!(replay::WINDOW, paper::WINDOW);
}

#[test]
fn messages_have_the_sizes_of_the_paper() {
    assert_eq!(messages::INITIATION_SIZE, paper::INITIATION_SIZE);
    assert_eq!(messages::RESPONSE_SIZE, paper::RESPONSE_SIZE);
    assert_eq!(messages::COOKIE_REPLY_SIZE, paper::COOKIE_SIZE);
    assert_eq!(messages::DATA_SIZE_MIN, paper::KEEPALIVE_SIZE);
    assert_eq!(
        messages::DATA_HEADER_SIZE + messages::TAG_SIZE,
        paper::OVERHEAD
    );
}
