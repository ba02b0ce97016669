// A portal with people of its own, who go live with Headwater. In memory and short, to be read: what a real one keeps in
// its database is in the maps below. docs/portal.md says why each part is there.
//
// usage: OWNER_KEY=… WEBHOOK_SECRET=whsec_… [HEADWATER=http://127.0.0.1:8080] [PORT=3000] node portal.mjs
import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { EventEmitter } from "node:events";
import { createServer } from "node:http";

const { HEADWATER = "http://127.0.0.1:8080", OWNER_KEY, WEBHOOK_SECRET, PORT = "3000" } = process.env;
if (!OWNER_KEY || !WEBHOOK_SECRET?.startsWith("whsec_")) throw new Error("OWNER_KEY and WEBHOOK_SECRET=whsec_… are needed");

const people = new Map(); // session -> name
const broadcasts = new Map(); // id -> { id, title, by, embedUrl, publishLink, mayPublish, state, toldAt }
const handled = new Set(); // ids of messages
const changed = new EventEmitter().setMaxListeners(0); // the id of a broadcast whose state is another one

// ---- What Headwater is asked: with the owner key, which never leaves this server.

async function createBroadcast(title, by) {
  const answer = await fetch(`${HEADWATER}/v1/broadcasts`, {
    method: "POST",
    headers: { authorization: `Bearer ${OWNER_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ title }),
  });
  if (answer.status !== 201) throw new Error(`Headwater answered ${answer.status}: ${await answer.text()}`);
  const { id, publish, watch } = await answer.json();
  // By the address where browsers reach it, which need not be the one that this server uses.
  const { origin } = new URL(watch.page_url);
  const publishLink = `${origin}/publish#${new URLSearchParams({ id, token: publish.token, title })}`;
  broadcasts.set(id, { id, title, by, embedUrl: `${origin}/embed/${id}`, publishLink, mayPublish: true, state: "created", toldAt: "" });
  return id;
}

// ---- What Headwater says and asks: signed, because anybody could send it.

/** The message, if it is Headwater's, whole and new; else null. Standard Webhooks: HMAC-SHA256 of "id.timestamp.body". */
function verified(headers, body) {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures = "" } = headers;
  if (!id || !(Math.abs(Date.now() / 1000 - Number(timestamp)) < 300)) return null;
  const key = Buffer.from(WEBHOOK_SECRET.slice("whsec_".length), "base64");
  const expected = Buffer.from(`v1,${createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64")}`);
  const isOurs = (given) => given.length === expected.length && timingSafeEqual(given, expected);
  return signatures.split(" ").some((given) => isOurs(Buffer.from(given))) ? JSON.parse(body) : null;
}

/** Each message comes at least once, and one that was sent again may come after younger ones. */
function takeIn(id, { timestamp, data }) {
  if (handled.has(id)) return;
  handled.add(id);
  const broadcast = broadcasts.get(data.broadcast);
  if (!broadcast || timestamp < broadcast.toldAt) return;
  Object.assign(broadcast, { state: data.state, toldAt: timestamp });
  changed.emit(broadcast.id);
}

/** Whether whoever has a publish token may use it now. */
function mayPublish({ data }) {
  const broadcast = broadcasts.get(data.broadcast);
  const detail = !broadcast ? "the portal does not know this broadcast" : broadcast.mayPublish ? null : "the portal has forbidden it";
  const headers = { "cache-control": "max-age=5" }; // asked again after so many seconds
  return detail ? { status: 403, headers, body: JSON.stringify({ detail }), type: "application/json" } : { status: 204, headers };
}

// ---- Pages.

const escape = (text) => text.replace(/[&<>"']/g, (letter) => `&#${letter.codePointAt(0)};`);
const page = (title, content, frames = "'none'") => ({
  status: 200,
  type: "text/html; charset=utf-8",
  headers: {
    "content-security-policy": `default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src ${frames}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  },
  body: `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(title)}</title><link rel="stylesheet" href="/portal.css"><main><h1>${escape(title)}</h1>${content}</main></html>`,
});
const seeOther = (location, headers = {}) => ({ status: 303, headers: { location, ...headers } });

const signInPage = () => page("Sign in", `<form method="post" action="/sign-in">
<label>Your name <input name="name" required maxlength="50" autocomplete="username"></label> <button>Sign in</button></form>`);

function homePage(name) {
  const row = ({ id, title, by, state }) => `<li><a href="/broadcasts/${id}">${escape(title)}</a> by ${escape(by)}: ${state}</li>`;
  return page("The portal", `<p>You are ${escape(name)}.</p><form method="post" action="/broadcasts">
<label>Title <input name="title" required maxlength="100"></label> <button>Create a broadcast</button></form>
<ul>${[...broadcasts.values()].reverse().map(row).join("")}</ul>`);
}

function broadcastPage({ id, title, by, embedUrl, publishLink, mayPublish, state }, name) {
  // Whoever has the link can publish: only who made the broadcast sees it.
  const forPublisher = `<p><a class="live" href="${escape(publishLink)}">Go live from this phone or computer</a></p>
<form method="post" action="/broadcasts/${id}/${mayPublish ? "forbid" : "allow"}"><button>${mayPublish ? "Forbid" : "Allow"} publishing</button></form>`;
  return page(title, `<p>By ${escape(by)}. State: <strong id="state" aria-live="polite">${state}</strong></p>
<iframe src="${escape(embedUrl)}" title="${escape(title)}" allow="autoplay; fullscreen; picture-in-picture; clipboard-write; web-share" allowfullscreen></iframe>
${name === by ? forPublisher : ""}<p><a href="/">All broadcasts</a></p><script src="/portal.js"></script>`, new URL(embedUrl).origin);
}

const SCRIPT = `new EventSource(location.pathname + "/state").onmessage = ({ data }) => { document.getElementById("state").textContent = data; };`;
const STYLE = `:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif } main { max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
iframe { width: 100%; aspect-ratio: 16 / 9; border: 0 } button, input { font: inherit; padding: .3rem .6rem } .live { color: #d33; font-weight: 600 }`;

// ---- Who may see and do what.

async function answer(request, path, body) {
  const message = () => verified(request.headers, body);
  const form = () => new URLSearchParams(body.toString());
  const name = people.get(/(?:^|; )session=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1]);
  const [, place, id, what] = path.split("/");
  const broadcast = place === "broadcasts" ? broadcasts.get(id) : undefined;
  switch (`${request.method} /${place}${id ? "/…" : ""}${what ? `/${what}` : ""}`) {
    case "POST /headwater": {
      const told = message();
      if (told) takeIn(request.headers["webhook-id"], told);
      return { status: told ? 204 : 401 };
    }
    case "POST /may-publish": {
      const asked = message();
      return asked ? mayPublish(asked) : { status: 401 };
    }
    case "GET /": return name ? homePage(name) : signInPage();
    case "GET /portal.js": return { status: 200, type: "text/javascript", body: SCRIPT };
    case "GET /portal.css": return { status: 200, type: "text/css", body: STYLE };
    case "POST /sign-in": {
      const session = randomUUID();
      people.set(session, form().get("name") || "nobody");
      return seeOther("/", { "set-cookie": `session=${session}; Path=/; HttpOnly; SameSite=Lax` });
    }
    case "POST /broadcasts": return name ? seeOther(`/broadcasts/${await createBroadcast(form().get("title") || "Untitled", name)}`) : seeOther("/");
    case "GET /broadcasts/…": return broadcast ? broadcastPage(broadcast, name) : { status: 404 };
    case "GET /broadcasts/…/state": return broadcast ? { status: 200, stream: broadcast } : { status: 404 };
    case "POST /broadcasts/…/allow":
    case "POST /broadcasts/…/forbid":
      if (!broadcast || broadcast.by !== name) return { status: 403 };
      broadcast.mayPublish = what === "allow";
      return seeOther(`/broadcasts/${id}`);
    default: return { status: 404 };
  }
}

/** Server-sent events: the state now, and each one that follows. */
function stream(response, broadcast) {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  const send = () => response.write(`data: ${broadcast.state}\n\n`);
  send();
  changed.on(broadcast.id, send);
  response.on("close", () => changed.off(broadcast.id, send));
}

async function serve(request, response) {
  const pieces = [];
  let length = 0;
  for await (const piece of request) {
    if ((length += piece.length) > 64 << 10) return response.writeHead(413).end();
    pieces.push(piece);
  }
  const { status, headers = {}, type, body = "", stream: streamed } =
    await answer(request, new URL(request.url, "http://portal").pathname, Buffer.concat(pieces));
  if (streamed) return stream(response, streamed);
  response.writeHead(status, { ...(type && { "content-type": type }), ...headers }).end(body);
}

const server = createServer((request, response) => {
  serve(request, response).catch((error) => {
    console.error(error);
    if (!response.headersSent) response.writeHead(502);
    response.end();
  });
});
server.listen(Number(PORT), "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
