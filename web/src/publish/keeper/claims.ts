/**
 * What tabs say to each other about the spools that they have: one asks for a spool, and the one that has it gives it, asks
 * the person in front of it first, or keeps it. Nothing is taken from a tab that does not answer: it may still be writing.
 */

import type { WhereElse } from "./messages";

/** What this tab hears of its asking. */
export type Claimed = Exclude<WhereElse, "there" | "taken-over">;

/** What the other tab makes of an answer. */
const CLAIMED = {
  /** It is being given. */
  coming: "asking",
  "person-asked": "recording",
  /** It is being given, and what was recorded cannot be written at the moment. */
  "held-up": "held-up",
  kept: "kept",
} as const satisfies Record<string, Claimed>;

export type Answer = keyof typeof CLAIMED;

type Said = { kind: "want"; id: string; tab: string } | { kind: "answer"; id: string; tab: string; answer: Answer };

/** Where tabs hear each other: a BroadcastChannel. */
export interface Between {
  postMessage(said: Said): void;
  addEventListener(type: "message", hear: (event: { data: Said }) => void): void;
}

export interface ClaimsDoes {
  /** Whether this tab has it. */
  has(id: string): boolean;
  /** Another tab asks for what this one has. */
  wanted(id: string): void;
  /** Another tab asks for what this one waits for as well. */
  goBehind(id: string): void;
}

/** For how long a tab that is there may leave a question without any answer: its keeper answers at once. */
const ANSWER_MAX_MS = 3_000;

export class Claims {
  /** What this tab has asked for. */
  readonly #claimed = new Map<string, Claimed>();
  readonly #unanswered = new Map<string, ReturnType<typeof setTimeout>>();
  /** Which tab has asked last for something of ours. */
  readonly #askers = new Map<string, string>();

  constructor(
    private readonly between: Between,
    /** The name of this tab, which no other has. */
    private readonly tab: string,
    private readonly does: ClaimsDoes,
  ) {
    between.addEventListener("message", ({ data }) => this.#hear(data));
  }

  /** Asks for a spool. */
  want(id: string): void {
    this.#claimed.set(id, "asking");
    this.#stopWaiting(id);
    this.#unanswered.set(id, setTimeout(() => this.#claimed.set(id, "silent"), ANSWER_MAX_MS));
    this.between.postMessage({ kind: "want", id, tab: this.tab });
  }

  /** What has become of asking for it; `null` if nobody has. */
  get(id: string): Claimed | null {
    return this.#claimed.get(id) ?? null;
  }

  /** What is not held elsewhere any more is not asked for either. */
  keepOnly(held: ReadonlySet<string>): void {
    for (const id of this.#claimed.keys()) {
      if (!held.has(id)) this.#forget(id);
    }
  }

  /** Tells whoever asked for it. */
  answer(id: string, answer: Answer): void {
    const tab = this.#askers.get(id);
    if (tab === undefined) return;
    this.between.postMessage({ kind: "answer", id, tab, answer });
    if (answer === "kept") this.#askers.delete(id);
  }

  #hear(said: Said): void {
    if (said.kind === "want") return this.#takeWant(said.id, said.tab);
    const isAnswer = said.kind === "answer" && said.tab === this.tab && Object.hasOwn(CLAIMED, said.answer);
    if (!isAnswer || !this.#claimed.has(said.id)) return;
    this.#stopWaiting(said.id);
    this.#claimed.set(said.id, CLAIMED[said.answer]);
  }

  #takeWant(id: string, tab: string): void {
    if (!this.does.has(id)) {
      // The one that has it answers whoever asked last.
      this.#forget(id);
      return this.does.goBehind(id);
    }
    this.#askers.set(id, tab);
    this.answer(id, "coming");
    this.does.wanted(id);
  }

  #forget(id: string): void {
    this.#stopWaiting(id);
    this.#claimed.delete(id);
  }

  #stopWaiting(id: string): void {
    clearTimeout(this.#unanswered.get(id));
    this.#unanswered.delete(id);
  }
}
