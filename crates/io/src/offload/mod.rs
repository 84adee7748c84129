//! Segmentation and checksum offload, without a system call.
