import { expect, test } from "vitest";
import { keyInFragment } from "./owner-key";

test.each([
  ["", null],
  ["#", null],
  ["#owner-key=", null],
  ["#publish", null],
  ["#owner-key=abc-_1", "abc-_1"],
  ["#a=b&owner-key=a%2Bb", "a+b"],
])("the fragment %j holds %j", (fragment, key) => expect(keyInFragment(fragment)).toBe(key));
