/**
 * The home page: what there is, going live, and a new broadcast.
 */
import type { Broadcast } from "./broadcast";
import { element, required } from "./element";
import { CreateView } from "./home/create";
import { ListView } from "./home/list";
import { useLanguage } from "./language";
import { load, takeFromAddress } from "./owner-key";
import { KeyForm } from "./owner/key-form";
import { confirmed } from "./question";
import { ownerWords, said } from "./owner/words";
import { Poll } from "./poll";
import { ApiFailure, listBroadcasts, order } from "./transport";

const REFRESH_MS = 3_000;
const STILLS_MS = 10_000;

const language = useLanguage();
const words = ownerWords(language);
/** The key that the server did not take: asking again with it is of no use. */
let refusedKey: { key: string | null } | null = null;
let pages = 1;
const mine = required("mine");

takeFromAddress();
addEventListener("hashchange", () => {
  takeFromAddress();
  void refreshIfSeen();
});

const key = new KeyForm(words, () => void refresh());
const goLive = element("a", { class: "button live", href: "/publish" }, words.goLive);
required("intro").replaceChildren(element("h1", {}, words.intro), element("p", {}, words.introText), element("p", {}, goLive));
required("key").replaceChildren(key.element);
required("broadcasts-heading").textContent = words.broadcasts;
required("create-heading").textContent = words.create;
const list = new ListView(required("broadcasts"), words, language, { more, end: (broadcast) => void end(broadcast) });
new CreateView(required("create"), words, () => key.ask());
list.show({ kind: "loading" });
new Poll(refreshIfSeen, REFRESH_MS);
new Poll(async () => {
  if (!document.hidden) list.refreshStills();
}, STILLS_MS);
document.addEventListener("visibilitychange", () => void refreshIfSeen());

async function refreshIfSeen(): Promise<void> {
  if (!document.hidden && refusedKey?.key !== load()) await refresh();
}

async function refresh(): Promise<void> {
  const kept = load();
  try {
    list.show({ kind: "listed", ...(await listBroadcasts(kept, pages)) });
    refusedKey = null;
    key.done();
    mine.hidden = false;
  } catch (error) {
    fail(error, kept);
  }
}

function fail(error: unknown, kept: string | null): void {
  if (!(error instanceof ApiFailure)) throw error;
  if (error.kind === "refused") {
    refusedKey = { key: kept };
    key.ask();
    // Without it there is nothing to see.
    mine.hidden = true;
    return;
  }
  list.show({ kind: "failed", why: words.tryingAgain(said(words, error)) });
}

function more(): void {
  pages += 1;
  void refresh();
}

async function end({ id, title }: Broadcast): Promise<void> {
  const asks = `${words.endQuestion} ${title || words.untitled}`;
  if (!(await confirmed({ asks, consequence: words.endConsequence, yes: words.end, no: words.keepGoing }))) return;
  const kept = load();
  try {
    await order(id, "end", kept);
    await refresh();
  } catch (error) {
    fail(error, kept);
  }
}
