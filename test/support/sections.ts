/**
 * Text files in sections, the form of the golden decisions and the transcripts:
 *
 *     a heading, the claim
 *     -- name --
 *     content
 *     -- other name --
 *     …
 */

export interface Sectioned {
  readonly heading: string;
  readonly sections: ReadonlyMap<string, string>;
}

export function readSections(text: string): Sectioned {
  const [heading = "", ...parts] = text.split(/^-- (.+) --\n/m);
  const sections = new Map<string, string>();
  for (let at = 0; at + 1 < parts.length; at += 2) sections.set(parts[at] ?? "", parts[at + 1] ?? "");
  return { heading: heading.trim(), sections };
}
