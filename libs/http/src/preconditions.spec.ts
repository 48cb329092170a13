import { describe, expect, it } from '@jest/globals';
import { requireMet } from '@mayfly/declarations';
import { mustMatch, mustMatchOrBeNew } from './preconditions.js';

describe('the precondition of a change', () => {
  it.each(['"3"', '*', '"1", "3"', ' "3" '])(
    'the precondition of a change is met by If-Match: %s at revision 3',
    (header) => {
      expect(() => {
        requireMet(mustMatch({ 'if-match': header }), 3);
      }).not.toThrow();
    },
  );

  it.each(['"2"', '3', 'W/"3"', '', '"3'])(
    'the precondition of a change is not met by If-Match: %s at revision 3',
    (header) => {
      expect(() => {
        requireMet(mustMatch({ 'if-match': header }), 3);
      }).toThrow('precondition_failed');
    },
  );

  it.each(['"1"', '*'])('the precondition of a change is not met by If-Match: %s where nothing is', (header) => {
    expect(() => {
      requireMet(mustMatch({ 'if-match': header }), undefined);
    }).toThrow('precondition_failed');
  });

  it('the precondition of a change is required', () => {
    expect(() => mustMatch({})).toThrow('precondition_required');
    expect(() => mustMatchOrBeNew({})).toThrow('precondition_required');
    expect(() => mustMatchOrBeNew({ 'if-none-match': '"1"' })).toThrow('precondition_required');
  });

  it('the precondition of a change is met by If-None-Match: * where nothing is, and only there', () => {
    const precondition = mustMatchOrBeNew({ 'if-none-match': '*' });
    expect(() => {
      requireMet(precondition, undefined);
    }).not.toThrow();
    expect(() => {
      requireMet(precondition, 1);
    }).toThrow('precondition_failed');
  });
});
