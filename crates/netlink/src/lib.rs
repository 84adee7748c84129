//! Links, addresses, routes and network namespaces over rtnetlink.
