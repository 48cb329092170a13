import { describe, expect, it } from '@jest/globals';
import { clockReading, HEADER_SECONDS } from './clock-reading.js';

const at = (seconds: number): Date => new Date(1_900_000_000_000 + seconds * 1000);

describe('the reading of a clock', () => {
  it('the reading of a clock compares the middle of the call, and is as uncertain as half of it', () => {
    expect(clockReading(at(0), at(2), at(4))).toEqual({ offsetSeconds: 3, uncertaintySeconds: 1, at: at(2) });
  });

  it('the reading of a header takes the middle of the second that the header names', () => {
    const reading = clockReading(at(0.5), at(0.5), at(0), HEADER_SECONDS);
    expect(reading).toEqual({ offsetSeconds: 0, uncertaintySeconds: 0.5, at: at(0.5) });
  });

  it('the reading of a clock is not more certain because our clock went back during the call', () => {
    expect(clockReading(at(2), at(0), at(1)).uncertaintySeconds).toBe(0);
  });
});
