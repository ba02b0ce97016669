/**
 * The owner key: where it is kept, and how a link of the form `/#owner-key=…` brings it.
 */

const NAME = "owner-key";

/** The key in the fragment of an address, if there is one. */
export function keyInFragment(fragment: string): string | null {
  return new URLSearchParams(fragment.replace(/^#/, "")).get(NAME)?.trim() || null;
}

/** Keeps the key that the page's address brings, and removes it from there, so that it is not shared by accident. */
export function takeFromAddress(): void {
  const key = keyInFragment(location.hash);
  if (key === null) return;
  store(key);
  history.replaceState(history.state, "", location.pathname + location.search);
}

export function load(): string | null {
  return localStorage.getItem(NAME);
}

export function store(key: string): void {
  localStorage.setItem(NAME, key);
}
