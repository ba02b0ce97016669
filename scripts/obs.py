"""Runs the real OBS Studio, without a screen, against a Headwater on another machine (both are network namespaces), and
compares what was recorded with what it sent. With --relay it pushes to a relay beside it; meanwhile the network is gone for
a minute, and then the recorder is killed and gone for another.

usage: obs.py HEADWATER [--relay]   (as root, for the network namespaces; about a minute, or four)"""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

DISPLAY = ":77"
SECONDS = 30
AWAY_SECONDS = 60
PORT, RELAY_PORT = 8088, 8089
NEAR, FAR = "10.77.0.1", "10.77.0.2"

GLOBAL = "[General]\nFirstRun=true\nEnableAutoUpdates=false\n[Basic]\nProfile=Untitled\nProfileDir=Untitled\n" \
         "SceneCollection=Untitled\nSceneCollectionFile=Untitled\n"
PROFILE = "[General]\nName=Untitled\n[Output]\nMode=Simple\n[SimpleOutput]\nVBitrate=800\nStreamEncoder=x264\n" \
          "[Video]\nBaseCX=640\nBaseCY=360\nOutputCX=640\nOutputCY=360\nFPSCommon=30\n"
SCENE = {
    "current_scene": "Scene", "current_program_scene": "Scene", "name": "Untitled", "scene_order": [{"name": "Scene"}],
    "sources": [
        {"id": "scene", "name": "Scene", "settings": {"items": [{"name": "Colour", "id": 1, "visible": True}]}},
        {"id": "color_source_v3", "name": "Colour", "versioned_id": "color_source_v3",
         "settings": {"color": 4278255360, "width": 640, "height": 360}},
    ],
}


def say(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


def wait_for(what, look, seconds):
    for _ in range(int(seconds * 5)):
        found = look()
        if found:
            return found
        time.sleep(0.2)
    raise SystemExit(f"never came: {what}")


class Cable:
    """From here to another machine, of which there is no more than its network."""

    def __init__(self):
        self.machine = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
        network = lambda pid: os.readlink(f"/proc/{pid}/ns/net")
        wait_for("another machine", lambda: network(self.machine.pid) != network("self"), 5)
        ip("link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(self.machine.pid))
        for there, address, name in ((), NEAR, "near"), (self.on_the_machine(), FAR, "far"):
            ip("address", "add", f"{address}/24", "dev", name, on=there)
            ip("link", "set", name, "up", on=there)

    def on_the_machine(self):
        return ["nsenter", "-t", str(self.machine.pid), "-n"]

    def pull(self):
        ip("link", "set", "near", "down")

    def plug(self):
        ip("link", "set", "near", "up")

    def discard(self):
        self.machine.kill()
        self.machine.wait()


def ip(*arguments, on=()):
    subprocess.run([*on, "ip", *arguments], check=True)


class Headwater:
    def __init__(self, binary, data, cable):
        self.binary, self.data, self.cable = binary, data, cable
        self.url = f"http://{FAR}:{PORT}"
        self.start()

    def start(self):
        log = open(self.data.parent / "headwater.log", "a")
        command = [*self.cable.on_the_machine(), self.binary, "up", "--data", self.data, "--listen", f"{FAR}:{PORT}",
                   "--log", "warn"]
        self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for("headwater", self.is_up, 20)

    def is_up(self):
        try:
            return urllib.request.urlopen(self.url + "/readyz").status == 200
        except OSError:
            return False

    def call(self, method, path, body=None):
        key = (self.data / "owner-key").read_text().strip()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, method=method, data=body, headers=headers)
        return urllib.request.urlopen(request).read()

    def broadcast(self, id):
        return json.loads(self.call("GET", f"/v1/broadcasts/{id}"))

    def kill(self):
        self.process.kill()
        self.process.wait()


def configure(home, server, key):
    config = home / ".config/obs-studio"
    profile = config / "basic/profiles/Untitled"
    for folder in (profile, config / "basic/scenes"):
        folder.mkdir(parents=True)
    (config / "global.ini").write_text(GLOBAL)
    (profile / "basic.ini").write_text(PROFILE)
    (config / "basic/scenes/Untitled.json").write_text(json.dumps(SCENE))
    settings = {"service": "YouTube - HLS", "protocol": "HLS", "server": server, "key": key}
    (profile / "service.json").write_text(json.dumps({"type": "rtmp_common", "settings": settings}))


def obs(home):
    environment = dict(os.environ, HOME=str(home), DISPLAY=DISPLAY, QT_QPA_PLATFORM="xcb", LIBGL_ALWAYS_SOFTWARE="1")
    log = open(home / "obs.log", "w")
    command = ["obs", "--multi", "--startstreaming", "--profile", "Untitled", "--collection", "Untitled"]
    return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def segments_in(folder):
    files = sorted(folder.rglob("main/*.ts"))
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


def frames_of(url):
    probe = ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v:0", "-show_entries",
             "stream=nb_read_frames", "-of", "csv=p=0", url]
    return int(subprocess.run(probe, check=True, capture_output=True, text=True).stdout.split()[0].strip(","))


def run(binary, root, through_relay, cable):
    headwater = Headwater(binary, root / "far", cable)
    created = json.loads(headwater.call("POST", "/v1/broadcasts", b'{"title":"OBS"}'))
    id, token, server, relay = created["id"], created["publish"]["token"], headwater.url, None
    if through_relay:
        say("Starting a relay")
        command = [binary, "relay", "--to", created["publish"]["push_url"], "--spool", root / "spool",
                   "--listen", f"127.0.0.1:{RELAY_PORT}"]
        relay = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = next(line for line in relay.stdout if "http_upload_hls" in line)
        server, token = re.search(r"(http://[\d.:]+)/http_upload_hls\?cid=([^&]+)", line).groups()
    configure(root / "home", f"{server}/http_upload_hls?cid={{stream_key}}&copy=0&file=out.m3u8", token)
    screen = subprocess.Popen(["Xvfb", DISPLAY, "-screen", "0", "1280x800x24", "+extension", "GLX"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(2)
    studio = obs(root / "home")
    try:
        wait_for("the first segments", lambda: headwater.broadcast(id)["duration_s"] >= 6, 60)
        say(f"OBS is live; recording for {SECONDS} s")
        time.sleep(SECONDS)
        if through_relay:
            say(f"No network for {AWAY_SECONDS} s")
            cable.pull()
            time.sleep(AWAY_SECONDS)
            cable.plug()
            time.sleep(SECONDS)
            say(f"Killing the recorder for {AWAY_SECONDS} s")
            headwater.kill()
            time.sleep(AWAY_SECONDS)
            headwater.start()
        studio.send_signal(signal.SIGINT)
        time.sleep(5)
    finally:
        studio.kill()
        studio.wait()
        screen.kill()
        screen.wait()
    sent = None
    if relay:
        sent = segments_in(root / "spool")
        wait_for("everything that was recorded",
                 lambda: len(segments_in(root / "far")) >= len(sent), AWAY_SECONDS)
    # A relay hears of it, and says where it ends.
    headwater.call("POST", f"/v1/broadcasts/{id}/end")
    details = wait_for("a complete broadcast", lambda: (lambda b: b["state"] == "complete" and b)(headwater.broadcast(id)), 30)
    if relay:
        relay.send_signal(signal.SIGINT)
        relay.wait()
    frames = frames_of(f"{headwater.url}/hls/{id}/main/vod.m3u8")
    stored = segments_in(root / "far")
    headwater.kill()
    print(f"seconds\t{details['duration_s']}\nsegments\t{len(stored)}\nframes\t{frames}\nmissing\t{details['missing']}")
    if details["missing"]:
        raise SystemExit("something is missing")
    if sent is not None and sent != stored:
        raise SystemExit("what was recorded is not what was sent")
    if abs(frames - 30 * details["duration_s"]) > 2:
        left_out = [line for line in (root / "home/obs.log").read_text().splitlines() if "frames" in line]
        raise SystemExit("\n".join(["the recording has not 30 pictures a second; OBS says:", *left_out]))
    say("Everything that OBS sent is there" + (", byte for byte, in order" if sent else ""))


def main():
    binary, through_relay = str(Path(sys.argv[1]).resolve()), "--relay" in sys.argv[2:]
    if os.environ.get("HEADWATER_OBS_INSIDE") != "1":
        # OBS looks for its makers' hosts at start: it is given a network in which there are none.
        environment = dict(os.environ, HEADWATER_OBS_INSIDE="1")
        inside = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, *sys.argv]
        raise SystemExit(subprocess.run(inside, env=environment).returncode)
    with tempfile.TemporaryDirectory() as root:
        cable = Cable()
        try:
            run(binary, Path(root), through_relay, cable)
        finally:
            cable.discard()


main()
