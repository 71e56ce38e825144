/**
 * What became of an attempt to send something.
 */
export type Delivery =
  | { readonly kind: "sent" }
  /** It may work another time. `isTransport`: the trouble is not this item's, and others would fare no better now. */
  | {
      readonly kind: "later";
      readonly reason: string;
      readonly isTransport: boolean;
      /** The server wants to be left alone for so long, an hour at most. */
      readonly retryAfterMs?: number;
    }
  /** It was refused for good. */
  | { readonly kind: "never"; readonly reason: string };
