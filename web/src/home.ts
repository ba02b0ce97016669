/**
 * The home page: make a broadcast, see what there is.
 */
import { required } from "./element";
import { ListView } from "./home/list";
import { PublishView } from "./home/publish";
import { load, takeFromAddress } from "./owner-key";
import { Poll } from "./poll";
import { ApiFailure, listBroadcasts } from "./transport";

const REFRESH_MS = 5_000;

/** The key that the server did not take: asking again with it is of no use. */
let refusedKey: { key: string | null } | null = null;

takeFromAddress();
addEventListener("hashchange", () => {
  takeFromAddress();
  void refreshIfSeen();
});

const list = new ListView(required("broadcasts"));
const publish = new PublishView(required("publish"), () => void refresh());
list.show({ kind: "loading" });
new Poll(refreshIfSeen, REFRESH_MS);
document.addEventListener("visibilitychange", () => void refreshIfSeen());

async function refreshIfSeen(): Promise<void> {
  if (!document.hidden && refusedKey?.key !== load()) await refresh();
}

async function refresh(): Promise<void> {
  const key = load();
  try {
    list.show({ kind: "listed", broadcasts: await listBroadcasts(key) });
    refusedKey = null;
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error;
    if (error.kind === "refused") {
      refusedKey = { key };
      publish.askForKey();
    }
    list.show({ kind: "failed", why: listFailure(error) });
  }
}

function listFailure(error: ApiFailure): string {
  if (error.kind === "refused") return "Only the owner sees this list: please enter the owner key above.";
  return `${error.message} Trying again every ${REFRESH_MS / 1000} seconds.`;
}
