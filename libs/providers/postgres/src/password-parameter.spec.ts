import { describe, expect, it } from '@jest/globals';
import type { Json } from '@mayfly/kernel';
import { passwordParametersIn } from './password-parameter.js';

describe('a password among the parameters of a URL', () => {
  it.each([
    'postgres://db.example/crm?user=mayfly&password=canary',
    'postgresql://db/crm?password=canary',
    'POSTGRES://db/crm?sslmode=require&PASSWORD=canary',
  ])('a password among the parameters of a URL is found in %s', (url) => {
    expect(passwordParametersIn({ url })).toEqual(['/url']);
  });

  it.each<[string, Json]>([
    ['a reference', { url: 'env:CRM' }],
    ['a URL without one', { url: 'postgres://db/crm?sslmode=require' }],
    ['a parameter that ends alike', { url: 'postgres://db/crm?nopassword=1' }],
    ['what is no text', { url: 4711 }],
    ['what is no object', ['password=canary']],
    ['nothing', null],
  ])('a password among the parameters of a URL is not found in %s', (_, config) => {
    expect(passwordParametersIn(config)).toEqual([]);
  });
});
