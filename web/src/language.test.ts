import { expect, test } from "vitest";
import { type Language, chooseLanguage, clock, counted, durationInWords } from "./language";

test("the address decides, then what the viewer reads, then English", () => {
  const cases: [string, string[], Language][] = [
    ["", [], "en"],
    ["", ["fr-FR", "sl-SI", "ru"], "sl"],
    ["?lang=ru", ["sl"], "ru"],
    ["?lang=RU-ru", ["sl"], "ru"],
    ["?lang=fr", ["sl"], "sl"],
    ["?t=3", ["de", "pt"], "en"],
  ];
  for (const [search, preferred, language] of cases) {
    expect(chooseLanguage(search, preferred), `${search} ${preferred}`).toBe(language);
  }
});

test("numbers take their form", () => {
  const sl = { one: "del", two: "dela", few: "deli", other: "delov" };
  const said = [1, 2, 3, 4, 5, 11, 101, 102].map((count) => counted("sl", count, sl));
  expect(said).toEqual(["1 del", "2 dela", "3 deli", "4 deli", "5 delov", "11 delov", "101 del", "102 dela"]);
  const ru = { one: "часть", few: "части", many: "частей" };
  expect([1, 2, 5, 11, 21, 22, 111].map((count) => counted("ru", count, ru))).toEqual(
    ["1 часть", "2 части", "5 частей", "11 частей", "21 часть", "22 части", "111 частей"],
  );
});

test("lengths of time", () => {
  const cases: [Language, number, string][] = [
    ["en", 0, "0 seconds"],
    ["en", 1.2, "1 second"],
    ["en", 200, "3 minutes 20 seconds"],
    ["en", 3600, "1 hour"],
    ["en", 3725, "1 hour 2 minutes"],
    ["en", -5, "0 seconds"],
    ["en", Number.NaN, "0 seconds"],
    ["ru", 61, "1 минуту 1 секунду"],
    ["ru", 142, "2 минуты 22 секунды"],
    ["sl", 62, "1 minuto 2 sekundi"],
    ["sl", 185, "3 minute 5 sekund"],
    ["sl", 7200, "2 uri"],
  ];
  for (const [language, seconds, words] of cases) expect(durationInWords(language, seconds)).toBe(words);
  expect([42, 200, 3723, 59.6].map(clock)).toEqual(["0:42", "3:20", "1:02:03", "1:00"]);
});
