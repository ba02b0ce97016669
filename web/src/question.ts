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

/** True if the answer was yes. `className` is the page's own for its dialogs. */
export function confirmed({ asks, consequence, yes, no }: Question, className = ""): Promise<boolean> {
  const heading = element("h2", { id: "question" }, asks);
  const dialog = element(
    "dialog",
    { class: className, "aria-labelledby": "question" },
    element(
      "form",
      { method: "dialog" },
      heading,
      element("p", {}, consequence),
      element(
        "div",
        { class: "answers" },
        element("button", { class: "quiet", value: "no" }, no),
        element("button", { class: "danger", value: "yes" }, yes),
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
