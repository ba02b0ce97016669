//! The views over HTTP: live, dvr, catch-up, vod, multivariant, and the segments.
