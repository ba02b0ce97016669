// What a watch page tells those who do not run it, read as a browser reads it, and what its oEmbed links lead to.
// usage: node social.mjs CHROMIUM PAGE_URL   ->  JSON: title, canonical, tags by name, oembed by media type
import { withPage } from "./chromium.mjs";

const [executablePath, pageUrl] = process.argv.slice(2);

/** Runs in the page. */
async function read(pageUrl) {
  const served = new DOMParser().parseFromString(await (await fetch(pageUrl)).text(), "text/html");
  const tags = {};
  for (const meta of served.querySelectorAll("meta[content]")) {
    const name = meta.getAttribute("property") ?? meta.getAttribute("name");
    if (name) tags[name] = meta.content;
  }
  const oembed = {};
  for (const link of served.querySelectorAll('link[rel="alternate"]')) {
    const answer = await fetch(link.href);
    const text = await answer.text();
    oembed[link.type] = { type: answer.headers.get("content-type"), members: members(text, link.type) };
  }
  return {
    title: served.title,
    canonical: served.querySelector('link[rel="canonical"]')?.href,
    scripts: served.querySelectorAll("script").length,
    tags,
    oembed,
  };

  function members(text, type) {
    if (type.includes("json")) return JSON.parse(text);
    const root = new DOMParser().parseFromString(text, "text/xml").documentElement;
    if (root.nodeName !== "oembed") throw new Error(`this is no oEmbed answer: ${text}`);
    return Object.fromEntries([...root.children].map((child) => [child.nodeName, child.textContent]));
  }
}

const told = await withPage(executablePath, async (page) => {
  // What asks is not of a page: no policy has a say.
  await page.goto(new URL("/openapi.json", pageUrl).href);
  return page.evaluate(read, pageUrl);
});
console.log(JSON.stringify(told));
