/** hls.js ships one description for both of its builds. */
declare module "hls.js/light" {
  export * from "hls.js";
  export { default } from "hls.js";
}
