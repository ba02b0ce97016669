/**
 * The list of broadcasts. Rows are kept and changed in place, so that a refresh does not take the focus away.
 */
import { type Broadcast, STATE_LABELS, durationWords, missingWords } from "../broadcast";
import { element } from "../element";

/** What the list shows. */
export type Listing =
  | { kind: "loading" }
  | { kind: "listed"; broadcasts: Broadcast[] }
  /** The rows stay as they were; `why` goes above them. */
  | { kind: "failed"; why: string };

export class ListView {
  readonly #said = element("p", { role: "status", class: "said" });
  readonly #list = element("ul", { class: "broadcasts" });
  readonly #rows = new Map<string, Row>();

  constructor(root: HTMLElement) {
    root.replaceChildren(this.#said, this.#list);
  }

  show(listing: Listing): void {
    this.#said.textContent = sentence(listing);
    if (listing.kind === "listed") this.#update(listing.broadcasts);
  }

  #update(broadcasts: Broadcast[]): void {
    const listed = new Set(broadcasts.map(({ id }) => id));
    for (const [id, row] of this.#rows) {
      if (listed.has(id)) continue;
      row.item.remove();
      this.#rows.delete(id);
    }
    broadcasts.forEach((broadcast, position) => this.#place(broadcast, position));
  }

  #place(broadcast: Broadcast, position: number): void {
    const row = this.#rows.get(broadcast.id) ?? new Row(broadcast);
    this.#rows.set(broadcast.id, row);
    row.show(broadcast);
    const there = this.#list.children[position] ?? null;
    if (there !== row.item) this.#list.insertBefore(row.item, there);
  }
}

function sentence(listing: Listing): string {
  switch (listing.kind) {
    case "loading":
      return "Loading…";
    case "failed":
      return listing.why;
    case "listed":
      return listing.broadcasts.length === 0 ? "No broadcasts yet. Create the first one above." : "";
  }
}

/** One broadcast of the list. */
class Row {
  readonly #link: HTMLAnchorElement;
  readonly #badge = element("span", { class: "badge" });
  readonly #facts = element("span", { class: "facts" });
  readonly item: HTMLLIElement;

  constructor(broadcast: Broadcast) {
    this.#link = element("a", { href: `/watch/${encodeURIComponent(broadcast.id)}` });
    const created = new Date(broadcast.created_at);
    const time = element("time", { datetime: created.toISOString() }, WHEN.format(created));
    this.item = element("li", {}, this.#link, this.#badge, element("span", { class: "meta" }, time, this.#facts));
  }

  show(broadcast: Broadcast): void {
    const recorded = broadcast.duration_s > 0 ? durationWords(broadcast.duration_s) : "";
    const facts = [recorded, renditionWords(broadcast), missingWords(broadcast.missing)];
    put(this.#link, broadcast.title || "Untitled");
    put(this.#badge, STATE_LABELS[broadcast.state] ?? broadcast.state);
    put(this.#facts, facts.filter((fact) => fact !== "").join(" · "));
    this.#badge.dataset["state"] = broadcast.state;
  }
}

const WHEN = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function renditionWords({ renditions }: Broadcast): string {
  return renditions.length > 1 ? `${renditions.length} renditions` : "";
}

/** Changes a text only if it differs, so that a selection survives. */
function put(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}
