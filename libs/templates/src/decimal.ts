interface Decimal {
  /** the value times ten to the power of `places` */
  readonly units: bigint;
  readonly places: number;
}

/**
 * True when `value` is a whole multiple of `step` (over 0), both as the decimals that JSON writes. A quotient of
 * doubles would refuse 19.99 as a multiple of 0.01, since neither is exact in binary.
 */
export function isMultiple(value: number, step: number): boolean {
  const dividend = decimalOf(value);
  const divisor = decimalOf(step);
  const places = Math.max(dividend.places, divisor.places);
  return unitsAt(dividend, places) % unitsAt(divisor, places) === 0n;
}

/**
 * Returns the shortest decimal that parses to this number: the caller's text, up to the 15 digits that a double keeps.
 */
function decimalOf(value: number): Decimal {
  const [mantissa = '', exponent = '0'] = String(value).split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  return { units: BigInt(whole + fraction), places: fraction.length - Number(exponent) };
}

function unitsAt({ units, places }: Decimal, wanted: number): bigint {
  return units * 10n ** BigInt(wanted - places);
}
