/**
 * The sections of an rcron.conf, one after the other, for whoever reads those of one kind and passes the others over.
 */
import { nextHeader, type Place, type SectionText } from "../model/setting-lines.ts";

/** A section, unread. */
export interface Section {
  /** Its header, without blanks around it. */
  readonly header: string;
  /** The header's line in the file. */
  readonly line: number;
  /** Where its settings begin. */
  readonly body: Place;
}

/** The sections in their order; none where there is no text. */
export function* eachSection(all: SectionText | undefined): Generator<Section, void> {
  let place: Place | undefined = all && { at: 0, line: all.fromLine };
  while (all !== undefined && place !== undefined) {
    const { at, line }: Place = place;
    const lineEnd = all.text.indexOf("\n", at);
    const end = lineEnd < 0 ? all.text.length : lineEnd;
    const body = { at: end + 1, line: line + 1 };
    yield { header: all.text.slice(at, end).trim(), line, body };
    place = nextHeader(all.text, body);
  }
}
