"""Reads playlists with m3u8, strictly.

usage: python parse_playlists.py FILE   (a JSON list of texts)  ->  a JSON list: how many segments each one has
"""

import json
import sys

import m3u8

with open(sys.argv[1], encoding="utf-8") as file:
    texts = json.load(file)
counts = []
for text in texts:
    try:
        playlist = m3u8.M3U8(text, strict=True)
    except Exception as error:
        raise SystemExit(f"{error!r} in\n{text}")
    gaps = sum(1 for segment in playlist.segments if segment.gap_tag)
    if gaps != text.count("#EXT-X-GAP"):
        raise SystemExit(f"{gaps} gaps in\n{text}")
    counts.append(len(playlist.segments))
print(json.dumps(counts))
