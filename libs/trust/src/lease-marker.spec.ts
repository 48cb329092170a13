import { describe, expect, it } from '@jest/globals';
import { newId } from '@mayfly/kernel';
import { LeaseMarker } from './lease-marker.js';

const [first, second] = ['0a'.repeat(32), '0b'.repeat(32)];
const leaseId = newId('lse');

describe('the marks of leases', () => {
  it('a mark is the same for the same lease and key, and fits no other lease', () => {
    const marker = new LeaseMarker({ current: first });
    const mark = marker.markOf(leaseId);
    expect(mark).toMatch(/^[\w-]{22}$/);
    expect(new LeaseMarker({ current: first }).markOf(leaseId)).toBe(mark);
    expect(marker.isMarkOf(leaseId, mark)).toBe(true);
    expect(marker.isMarkOf(newId('lse'), mark)).toBe(false);
  });

  it('a mark of another sealing key is no proof, and a mark of an earlier key is one', () => {
    const mark = new LeaseMarker({ current: first }).markOf(leaseId);
    expect(new LeaseMarker({ current: second }).isMarkOf(leaseId, mark)).toBe(false);
    expect(new LeaseMarker({ current: second, previous: [first] }).isMarkOf(leaseId, mark)).toBe(true);
  });

  it.each(['', 'x', 'A'.repeat(22), 'A'.repeat(43), '='])('the text %j is no mark', (text) => {
    expect(new LeaseMarker({ current: first }).isMarkOf(leaseId, text)).toBe(false);
  });

  it('a mark with other unused bits, or with padding, is no mark', () => {
    const marker = new LeaseMarker({ current: first });
    const mark = marker.markOf(leaseId);
    const twin = mark.slice(0, -1) + String.fromCharCode(mark.charCodeAt(21) + 1);
    expect(marker.isMarkOf(leaseId, twin)).toBe(false);
    expect(marker.isMarkOf(leaseId, `${mark}==`)).toBe(false);
  });
});
