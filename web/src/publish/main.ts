/**
 * The publish page: a camera, one red button, and the truth.
 */
import { required } from "../element";
import { useLanguage } from "../language";
import { takeFromAddress } from "../owner-key";
import { ownerWords } from "../owner/words";
import { takeLink } from "./address";
import { findMissing } from "./devices";
import { Session } from "./session";
import { PublishView } from "./view";
import { wordsIn } from "./words";

const language = useLanguage();
const words = wordsIn(language);
document.title = words.documentTitle;
takeFromAddress();
addEventListener("hashchange", takeFromAddress);

const view = new PublishView(required("publish"), words, ownerWords(language));
const missing = await findMissing();
if (missing === "secure-context" || missing === "storage") view.showUnsupported(missing, takeLink());
else begin();

/** What an earlier visit left is sent also where nothing can be recorded. */
function begin(): void {
  const session = new Session(view.preview, () => view.show(session));
  view.connect(session);
  window.publisher = session;
  void session.begin();
}

if ("serviceWorker" in navigator) {
  // With it the page opens without a network too, to send what it has, or to go on recording.
  navigator.serviceWorker.register("/service-worker.js").catch((error: unknown) => console.warn("no service worker", error));
}

declare global {
  interface Window {
    /** For whoever looks into the page: a developer, a test. */
    publisher?: Session;
  }
}
