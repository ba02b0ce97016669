/**
 * A question in the page, before something that cannot be undone.
 */
import { element } from "./element";

export interface Question {
  asks: string;
  consequence: string;
  yes: string;
  no: string;
}

/** For how long nobody can have read a question that comes unasked: a tap then was meant for what was there before. */
const UNREAD_MS = 500;

/**
 * True if the answer was yes. `className` is the page's own for its dialogs. With a signal that takes it back, it is one that
 * comes unasked.
 */
export function confirmed({ asks, consequence, yes, no }: Question, className = "", takenBack?: AbortSignal): Promise<boolean> {
  const heading = element("h2", { id: "question" }, asks);
  const agree = element("button", { class: "danger", value: "yes" }, yes);
  const dialog = element(
    "dialog",
    { class: className, "aria-labelledby": "question", "aria-describedby": "consequence" },
    element(
      "form",
      { method: "dialog" },
      heading,
      element("p", { id: "consequence" }, consequence),
      element(
        "div",
        { class: "answers" },
        element("button", { class: "quiet", value: "no" }, no),
        agree,
      ),
    ),
  );
  if (takenBack) {
    dialog.setAttribute("role", "alertdialog");
    agree.disabled = true;
    setTimeout(() => (agree.disabled = false), UNREAD_MS);
    takenBack.addEventListener("abort", () => dialog.close("no"));
  }
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
