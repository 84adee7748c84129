//! The laboratory: hosts as network namespaces, links with faults, peers of other makes.
