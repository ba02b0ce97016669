import { expect, test } from "vitest";
import { LANGUAGES } from "../language";
import { ApiFailure } from "../transport";
import { ownerWords, said } from "./words";

test("each failure has words of its own, in each language", () => {
  const failures = [
    new ApiFailure("unreachable", null),
    new ApiFailure("nonsense", 200),
    new ApiFailure("failed", 503),
    new ApiFailure("failed", 422, "the title is longer than 200 characters"),
  ];
  const all = LANGUAGES.flatMap((language) => failures.map((failure) => said(ownerWords(language), failure)));
  expect(new Set(all).size).toBe(all.length);
  expect(all).toContain("The server does not answer.");
  expect(all).toContain("The server answers 503.");
  expect(all).toContain("Strežnik odgovarja 422: the title is longer than 200 characters.");
});
