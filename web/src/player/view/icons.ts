/**
 * The player's pictograms, drawn on a grid of 24.
 */

const PATHS = {
  play: "M8 5.2v13.6a.6.6 0 0 0 .92.5l10.4-6.8a.6.6 0 0 0 0-1L8.92 4.7A.6.6 0 0 0 8 5.2z",
  pause: "M7 5h3.5v14H7zM13.5 5H17v14h-3.5z",
  sound: "M4 9.5v5h3.2L12 19V5L7.2 9.5zM14.5 8.4a5 5 0 0 1 0 7.2M17 5.8a8.6 8.6 0 0 1 0 12.4",
  silent: "M4 9.5v5h3.2L12 19V5L7.2 9.5zM15 9.5l5 5M20 9.5l-5 5",
  captions: "M4.5 5.5h15v13h-15zM10.5 10.4a2.2 2.2 0 1 0 0 3.2M17 10.4a2.2 2.2 0 1 0 0 3.2",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.8v4.4M9 14.8v4.4",
  share: "M12 15V4.5M8 8l4-3.8L16 8M6 12v7.5h12V12",
  small: "M3.5 5.5h17v13h-17zM12.5 12h5.5v4h-5.5z",
  full: "M4.5 9.5v-5h5M19.5 9.5v-5h-5M4.5 14.5v5h5M19.5 14.5v5h-5",
  unfull: "M9.5 4.5v5h-5M14.5 4.5v5h5M9.5 19.5v-5h-5M14.5 19.5v-5h5",
  help: "M9.3 9.2a2.8 2.8 0 1 1 4.2 2.4c-1 .6-1.5 1.1-1.5 2.2M12 17.2v.3",
  close: "M6.5 6.5l11 11M17.5 6.5l-11 11",
} as const;

export type IconName = keyof typeof PATHS;

const SVG = "http://www.w3.org/2000/svg";
const FILLED: readonly IconName[] = ["play", "pause"];

export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("hw-icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  if (FILLED.includes(name)) path.classList.add("hw-filled");
  svg.append(path);
  return svg;
}
