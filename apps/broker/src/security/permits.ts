import { Reflector } from '@nestjs/core';
import type { Role } from '@mayfly/identity';
import type { Principal } from './principal.js';

/** Who may use a route: anyone, any proven identity, agents, resource servers, or people with a role. */
export type Permission = 'anyone' | 'authenticated' | 'agent' | 'workload' | Role;

/** States on each route who may use it. A route that states nothing is refused to everybody. */
export const Permits = Reflector.createDecorator<readonly Permission[]>();

/** Whether a principal has one of the permissions. */
export function isPermitted(principal: Principal, permissions: readonly Permission[]): boolean {
  return permissions.some((permission) => {
    switch (permission) {
      case 'anyone':
      case 'authenticated':
        return true;
      case 'agent':
      case 'workload':
        return principal.kind === permission;
      default:
        return principal.kind === 'person' && principal.roles.includes(permission);
    }
  });
}
