"""Benchmarks beside nginx. Each round runs the two in turn, so that a drift of the machine's speed hits both; ratios are
of CPU time per unit of work, pair by pair. Server on one core, load on the other. Load is bounded in count and time.

usage: bench.py BINARIES [ingest|playlist|vod|metadata|first-frame|catch-up]..."""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROUNDS = 5
SECONDS = 3
INGEST_CONNECTIONS = 16
PLAYLIST_CONNECTIONS = 32
# Before anybody watches: where live begins, and one more.
SEGMENTS_AT_FIRST = 4
SEGMENT_BYTES = 512 * 1024
SERVER_CORE, LOAD_CORE = "0", "1"
TICK = os.sysconf("SC_CLK_TCK")

NGINX = """
worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log; daemon off;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000000; open_file_cache max=100;
  types {{ application/vnd.apple.mpegurl m3u8; }}
  client_max_body_size 8m; client_body_temp_path {dir}/incoming; client_body_buffer_size 1m;
  server {{
    listen 127.0.0.1:{port}; root {dir}/files;
    location /put/ {{ dav_methods PUT; create_full_put_path on; }}
  }}
}}
"""

PUT_LUA = """
local file = assert(io.open("{segment}", "rb"))
local body = file:read("*a")
local n = {first} - 1
request = function()
  n = n + 1
  return wrk.format("PUT", "{prefix}" .. n .. ".ts", {{ ["Authorization"] = "Bearer {token}", ["Content-Type"] = "video/mp2t" }}, body)
end
"""


def say(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def pinned(command, core=SERVER_CORE, **options):
    return subprocess.Popen(["taskset", "-c", core, *command], **options)


class Headwater:
    name = "headwater"

    def __init__(self, binaries, root):
        self.data = root / "headwater"
        command = [binaries / "headwater", "up", "--data", self.data, "--listen", "127.0.0.1:0", "--log", "error"]
        self.process = pinned(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"(http://[\d.:]+)/#owner-key=(\S+)", line)
        if not found:
            raise SystemExit(f"headwater did not start: {line!r}")
        self.url, self.key = found.groups()
        self.pid = self.process.pid

    def call(self, method, path, body=b"", token=None):
        headers = {"Authorization": f"Bearer {token or self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, method=method, data=body, headers=headers)
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def create(self, **wanted):
        return json.loads(self.call("POST", "/v1/broadcasts", json.dumps(wanted).encode()))

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Nginx:
    name = "nginx"

    def __init__(self, root):
        self.dir = root / "nginx"
        (self.dir / "files").mkdir(parents=True)
        # nginx chooses no port by itself.
        import socket
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        config = self.dir / "nginx.conf"
        config.write_text(NGINX.format(dir=self.dir, port=port))
        self.url = f"http://127.0.0.1:{port}"
        user = ["-g", "user root;"] if os.geteuid() == 0 else []
        self.process = pinned(["nginx", "-e", self.dir / "error.log", "-c", config, *user])
        self.pid = self.worker()

    def worker(self):
        for _ in range(200):
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            if children:
                return int(children[0])
            time.sleep(0.02)
        raise SystemExit("nginx did not start: " + (self.dir / "error.log").read_text())

    def stop(self):
        self.process.terminate()
        self.process.wait()


def wrk(server, target, connections, script=None):
    """Requests answered, server CPU seconds, p50 and p99 in ms."""
    command = ["taskset", "-c", LOAD_CORE, "wrk", "--latency", "-t1", f"-c{connections}", f"-d{SECONDS}s"]
    if script:
        command += ["-s", script]
    before = cpu_seconds(server.pid)
    out = subprocess.run([*command, server.url + target], check=True, capture_output=True, text=True).stdout
    cpu = cpu_seconds(server.pid) - before
    if "Non-2xx" in out or "Socket errors" in out:
        raise SystemExit(f"{server.name} did not answer every request:\n{out}")
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    return requests, cpu, latency(out, "50%"), latency(out, "99%")


def latency(out, percentile):
    number, unit = re.search(rf"{percentile}\s+([\d.]+)(us|ms|s)", out).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def table(title, unit, rounds):
    """`rounds` is a list of {name: (count, cpu, p50, p99)}."""
    print(f"\n# {title}")
    print(f"server\t{unit}/s\t{unit} per CPU s\tp50 ms\tp99 ms")
    for name in rounds[0]:
        rows = [r[name] for r in rounds]
        median = lambda f: statistics.median(f(row) for row in rows)
        print(f"{name}\t{median(lambda r: r[0] / SECONDS):.0f}\t{median(lambda r: r[0] / r[1]):.0f}"
              f"\t{median(lambda r: r[2]):.2f}\t{median(lambda r: r[3]):.2f}")
    ratios = sorted((r["headwater"][0] / r["headwater"][1]) / (r["nginx"][0] / r["nginx"][1]) for r in rounds)
    print(f"headwater over nginx, {unit} per CPU s: median {statistics.median(ratios):.2f}"
          f" (from {ratios[0]:.2f} to {ratios[-1]:.2f}, {len(ratios)} pairs)", flush=True)


def make_segment(root):
    """A real MPEG-TS segment of 512 KiB: two seconds, cut to whole packets, with null packets up to the length."""
    path = root / "segment.ts"
    subprocess.run(
        ["ffmpeg", "-y", "-hide_banner", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=s=1280x720:r=30",
         "-f", "lavfi", "-i", "sine=f=440", "-t", "2", "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p",
         "-b:v", "1700k", "-maxrate", "1700k", "-bufsize", "1700k", "-g", "60", "-c:a", "aac", "-f", "mpegts", path],
        check=True)
    packets = path.read_bytes()
    null = b"\x47\x1f\xff\x10" + b"\xff" * 184
    missing = SEGMENT_BYTES // 188 - len(packets) // 188
    if missing < 0:
        raise SystemExit(f"the test segment has {len(packets)} bytes, more than {SEGMENT_BYTES}")
    path.write_bytes(packets + null * missing)
    return path


def empty_files(place):
    """Gives back the space of a round without removing its files. For up to five minutes after a file was removed, ext4
    passes over its inode and looks for another one (recently_deleted in its ialloc.c): after a thousand removals that
    is a quarter of all CPU time, of either server. So nothing is removed before the end."""
    for folder, _, names in os.walk(place):
        for name in names:
            os.truncate(os.path.join(folder, name), 0)
    os.sync()


def ingest(binaries, root):
    say(f"Ingest: PUT of {SEGMENT_BYTES >> 10} KiB segments, {INGEST_CONNECTIONS} connections; headwater verifies, "
        "fsyncs and commits; nginx (WebDAV PUT) does not fsync")
    segment = make_segment(root)
    rounds = []
    for number in range(ROUNDS):
        results = {}
        for start in (lambda r: Headwater(binaries, r), Nginx):
            place = Path(tempfile.mkdtemp(dir=root))
            server = start(place)
            try:
                if server.name == "headwater":
                    created = server.create(title="bench")
                    prefix, token = f"/ingest/{created['id']}/main/", created["publish"]["token"]
                else:
                    prefix, token = "/put/", "none"
                script = place / "put.lua"
                script.write_text(PUT_LUA.format(segment=segment, first=0, prefix=prefix, token=token))
                results[server.name] = wrk(server, prefix, INGEST_CONNECTIONS, script)
            finally:
                server.stop()
                empty_files(place)
        rounds.append(results)
        say(f"round {number + 1} of {ROUNDS}")
    table("ingest", "segments", rounds)


def playlist(binaries, root):
    say(f"Playlists: a live playlist asked for again and again, {PLAYLIST_CONNECTIONS} connections; nginx serves the same "
        "bytes as a static file")
    headwater, nginx = Headwater(binaries, root), Nginx(root)
    try:
        # The long target duration keeps the playlist as it is while it is measured.
        created = headwater.create(title="bench", target_duration=120)
        segment, token = make_segment(root).read_bytes(), created["publish"]["token"]
        for seq in range(20):
            path = f"/ingest/{created['id']}/main/{seq}.ts"
            request = urllib.request.Request(headwater.url + path, method="PUT", data=segment, headers={
                "Authorization": f"Bearer {token}", "Segment-Captured-At": str(1790000000000 + seq * 2000)})
            urllib.request.urlopen(request).read()
        live = f"/hls/{created['id']}/main/live.m3u8"
        text = headwater.call("GET", live)
        (nginx.dir / "files/live.m3u8").write_bytes(text)
        say(f"the playlist has {len(text)} bytes")
        rounds = []
        for number in range(ROUNDS):
            rounds.append({
                "headwater": wrk(headwater, live, PLAYLIST_CONNECTIONS),
                "nginx": wrk(nginx, "/live.m3u8", PLAYLIST_CONNECTIONS),
            })
            say(f"round {number + 1} of {ROUNDS}")
    finally:
        headwater.stop()
        nginx.stop()
    table("playlists", "playlists", rounds)


def vod(binaries, _root):
    say("Cold vod.m3u8 of 9,000 segments: from SQLite to bytes")
    print("\n# cold vod", flush=True)
    subprocess.run(["taskset", "-c", SERVER_CORE, binaries / "examples/cold-vod"], check=True)


def metadata(binaries, _root):
    say("Redis: bytes and round trips per segment")
    print("\n# metadata in Redis", flush=True)
    subprocess.run([binaries / "examples/redis-cost"], check=True)


def catch_up(binaries, _root):
    if os.geteuid() != 0:
        say("Catching up after an outage: skipped, because network namespaces need root; run it with sudo")
        return
    say("Catching up after an outage of 60 s, over links of several speeds at once (6 minutes). A segment lasts 1 s, so "
        "that nothing new can be seen earlier than that; a link as fast as the stream has no room to catch up")
    print("\n# catching up", flush=True)
    # What it tells meanwhile goes to standard error: the table is all that is printed.
    subprocess.run([binaries / "headwater-chaos", "--catch-up"], check=True)


def first_frame(binaries, root):
    say("First frame of the watch page in Chromium, live with segments of 2 s, on loopback: after a click on a link to the "
        "page, and after one on the player")
    headwater = Headwater(binaries, root)
    created = headwater.create(title="bench")
    encoder = publish(created["publish"]["push_url"])
    try:
        stored = 0
        while stored < SEGMENTS_AT_FIRST:
            time.sleep(0.5)
            if encoder.poll() is not None:
                raise SystemExit("ffmpeg does not publish")
            told = json.loads(headwater.call("GET", f"/v1/broadcasts/{created['id']}"))
            stored = told.get("details", {}).get("main", {}).get("segments", 0)
        watch = ["node", "tests/browser/web-watch.mjs", shutil.which("chromium"), f"{headwater.url}/watch/{created['id']}"]
        rounds = []
        for number in range(ROUNDS):
            seen = subprocess.run([*watch, "first"], check=True, capture_output=True, text=True).stdout
            rounds.append(json.loads(seen.splitlines()[-1])["times"])
            say(f"round {number + 1} of {ROUNDS}")
    finally:
        encoder.kill()
        encoder.wait()
        headwater.stop()
    print("\n# first frame\nafter a click on\tmedian ms\tfrom ms\tto ms")
    for name, key in (("a link", "link_ms"), ("the player", "press_ms")):
        times = sorted(one[key] for one in rounds)
        print(f"{name}\t{statistics.median(times):.0f}\t{times[0]}\t{times[-1]}", flush=True)


def publish(push_url):
    """An ffmpeg that publishes a camera's picture for as long as it is let."""
    source = ["-re", "-f", "lavfi", "-i", "testsrc2=s=1280x720:r=30", "-f", "lavfi", "-i", "sine=f=440"]
    encode = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "60", "-keyint_min", "60",
              "-sc_threshold", "0", "-b:v", "1700k", "-c:a", "aac", "-f", "hls", "-hls_time", "2", "-method", "PUT"]
    return pinned(["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", *source, *encode, f"{push_url}out.m3u8"],
                  LOAD_CORE)


def main():
    benchmarks = {"ingest": ingest, "playlist": playlist, "vod": vod, "metadata": metadata, "first-frame": first_frame,
                  "catch-up": catch_up}
    binaries, wanted = Path(sys.argv[1]), sys.argv[2:] or list(benchmarks)
    for name in wanted:
        if name not in benchmarks:
            raise SystemExit(f"there is no benchmark {name!r}; there are: {', '.join(benchmarks)}")
    # On the disk that data lives on, not on a RAM disk.
    with tempfile.TemporaryDirectory(prefix="headwater-bench-", dir=os.environ.get("BENCH_DIR", ".")) as root:
        for name in wanted:
            benchmarks[name](binaries.resolve(), Path(root).resolve())


main()
