//! UDP sockets with segmentation offload in both directions.
