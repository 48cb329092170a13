import { Problem } from '@mayfly/kernel';
import type { Epoch } from '@mayfly/revocation';
import { z } from 'zod';

const EpochText = z.strictObject({
  mayfly: z.literal('epoch/1'),
  lineage: z.string().min(1),
  sequence: z.int().nonnegative(),
  leaf: z.string(),
  writtenAt: z.iso.datetime(),
});

/** Returns the JSON text of an epoch, one line. */
export function textOf({ lineage, sequence, leaf }: Epoch, at: Date): string {
  return `${JSON.stringify({ mayfly: 'epoch/1', lineage, sequence, leaf, writtenAt: at.toISOString() })}\n`;
}

/** Reads the text of `textOf`. Throws `unavailable` for any other text. */
export function epochIn(text: string): { readonly epoch: Epoch; readonly writtenAt: Date } {
  const parsed = EpochText.safeParse(jsonIn(text));
  if (!parsed.success)
    throw new Problem(
      'unavailable',
      'MAYFLY_EPOCH_URL: what is there is no epoch of Mayfly; name another place, or remove it and confirm the database',
    );
  const { lineage, sequence, leaf, writtenAt } = parsed.data;
  return { epoch: { lineage, sequence, leaf }, writtenAt: new Date(writtenAt) };
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
