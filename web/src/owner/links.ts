/**
 * The addresses that an owner hands out. Pure text.
 */
import type { Created } from "../transport";

/** What a site puts into its page, with any address of this server. The same as oEmbed answers. */
export function embedCode({ id, title }: { id: string; title: string }, server: string): string {
  const src = new URL(`/embed/${encodeURIComponent(id)}`, server).href;
  const allow = "autoplay; fullscreen; picture-in-picture; clipboard-write; web-share";
  return `<iframe src="${attribute(src)}" width="640" height="360" title="${attribute(title)}" loading="lazy" frameborder="0" allow="${allow}" allowfullscreen></iframe>`;
}

/** Opens the phone publisher. The token is in the fragment, so that no server on the way logs it. */
export function publishLink({ id, publish, watch }: Created): string {
  const link = new URL("/publish", watch.page_url);
  link.hash = new URLSearchParams({ id, token: publish.token }).toString();
  return link.href;
}

/** Browsers give the camera only to pages that came safely, or from this machine. */
export function givesCamera(address: string): boolean {
  return new URL(address).protocol === "https:" || isLoopback(address);
}

/** Whether an address is good on this machine only. */
export function isLoopback(address: string): boolean {
  const { hostname } = new URL(address);
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);
}

function attribute(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
