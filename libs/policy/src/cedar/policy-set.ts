/** Texts of policies by id. */
export type PolicyTexts = Readonly<Record<string, string>>;

/** A set of policies that decides together. Sets of one digest are the same. */
export interface PolicySet {
  readonly texts: PolicyTexts;
  readonly digest: string;
}
