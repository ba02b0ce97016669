import { expect, test } from "vitest";
import type { Created } from "../transport";
import { embedCode, givesCamera, isLoopback, publishLink } from "./links";

const created: Created = {
  id: "01abc",
  title: '"><script>',
  publish: { token: "a.b&c", ingest_url: "", push_url: "", youtube_url: "" },
  watch: { page_url: "https://live.example:8443/watch/01abc", multivariant_url: "" },
};

test("the embed code is a frame and nothing else", () => {
  const code = embedCode(created, created.watch.page_url);
  expect(code).toMatch(/^<iframe src="https:\/\/live\.example:8443\/embed\/01abc" width="640" height="360" title="&quot;&gt;&lt;script&gt;"/);
  // Without them, "share this moment" can only show what to copy.
  for (const leave of ["clipboard-write", "web-share"]) expect(code).toContain(leave);
  expect(code.match(/</g)).toHaveLength(2);
});

test("the publish link has the token where no server sees it", () => {
  const link = new URL(publishLink(created));
  expect(`${link.origin}${link.pathname}${link.search}`).toBe("https://live.example:8443/publish");
  const said = new URLSearchParams(link.hash.slice(1));
  expect([said.get("id"), said.get("token")]).toEqual(["01abc", "a.b&c"]);
});

test.each([
  ["https://live.example/x", false, true],
  ["http://192.168.1.4:8080/", false, false],
  ["http://127.0.0.1:8080/", true, true],
  ["http://localhost/", true, true],
  ["http://[::1]/", true, true],
  ["http://127.example.org/", false, false],
])("%s", (address, loopback, camera) => {
  expect([isLoopback(address), givesCamera(address)]).toEqual([loopback, camera]);
});
