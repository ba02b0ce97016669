/**
 * The broadcast that a link gives: `/publish#id=…&token=…`. Kept for this tab only, and taken out of the address, so that
 * it is not shared by accident.
 */

const KEPT = "publish-link";

export interface Link {
  id: string;
  token: string;
  title: string;
}

/** What a fragment gives, if it gives a broadcast. Pure. */
export function linkIn(fragment: string): Link | null {
  const parameters = new URLSearchParams(fragment.replace(/^#/, ""));
  const text = (name: string) => parameters.get(name)?.trim() ?? "";
  const link = { id: text("id"), token: text("token"), title: text("title") };
  return /^[\w-]{1,64}$/.test(link.id) && link.token !== "" ? link : null;
}

export function takeLink(): Link | null {
  const link = linkIn(location.hash);
  if (link === null) return linkIn(sessionStorage.getItem(KEPT) ?? "");
  sessionStorage.setItem(KEPT, new URLSearchParams({ ...link }).toString());
  history.replaceState(history.state, "", location.pathname + location.search);
  return link;
}

export function forgetLink(): void {
  sessionStorage.removeItem(KEPT);
}
