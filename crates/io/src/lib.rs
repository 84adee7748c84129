//! Linux TUN and UDP with segmentation offloads in both directions.
