/**
 * The publish page: a camera, one red button, and the truth.
 */
import { required } from "../element";
import { useLanguage } from "../language";
import { takeFromAddress } from "../owner-key";
import { Session } from "./session";
import { PublishView } from "./view";
import { wordsIn } from "./words";

const words = wordsIn(useLanguage());
document.title = words.documentTitle;
takeFromAddress();
addEventListener("hashchange", takeFromAddress);

const view = new PublishView(required("publish"), words);
const session = new Session(view.preview, () => view.show(session));
view.connect(session);
void session.begin();

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
window.publisher = session;
