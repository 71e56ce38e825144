/** The version, from package.json; the build puts the text in place. */
export { version } from "../../package.json";
