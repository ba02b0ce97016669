/**
 * Tells a server which requests are one viewer's (CMCD, CTA-5004: the session's id), so that it can count viewers who
 * share an address. In a header and to the page's own origin only: in the address it would make every viewer's address
 * another one to a cache in front, and to another origin it would cost a request beforehand for every address.
 */

/** One for each time that a page is opened; it is kept nowhere. */
const SESSION = newId();

/** The header that goes with a request, by its name; none to other origins. */
export function sessionHeaders(url: string, page: string = document.baseURI, session: string = SESSION): Record<string, string> {
  return new URL(url, page).origin === new URL(page).origin ? { "CMCD-Session": `sid="${session}"` } : {};
}

/** The same for an XMLHttpRequest that is not open yet. */
export function openInSession(request: XMLHttpRequest, url: string): void {
  request.open("GET", url);
  for (const [name, value] of Object.entries(sessionHeaders(url))) request.setRequestHeader(name, value);
}

/** As random as a UUID, which browsers make over https only. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
